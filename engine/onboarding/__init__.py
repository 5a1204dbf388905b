"""Bringing a partner on: trying its file, playing its conversation, certifying it, and switching it on.

Library functions that return data; `engine.cli` prints. No store and no socket: time, ids and the other side are given.
"""
