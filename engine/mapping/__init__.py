"""Mappings: YAML that reads canonical documents from a format's tree and writes them back. Compiled once, pure."""

from engine.mapping.compiled import Mapping, compile_mapping
from engine.mapping.expression import compile_expression
from engine.mapping.inherit import format_name
from engine.mapping.run import Context, Crosswalk, Result, Written

__all__ = [
    "Context",
    "Crosswalk",
    "Mapping",
    "Result",
    "Written",
    "compile_expression",
    "compile_mapping",
    "format_name",
]
