"""Syntaxes: bytes to tree and back. Pure; values can never become structure in what is written."""
