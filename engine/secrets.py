"""Secrets in memory: a value that no log line, traceback, dump or error text can show by accident.

A secret comes from a reference in the YAML (`${env:NAME}`, `${file:/path}`); one written in clear is refused.
Code that must show the value to the other side calls `reveal()`, and nothing else does.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MASK: Final = "***"


class Referenced(str):
    """Text that was nothing but a reference: the only text a `Secret` is made from."""

    __slots__ = ()


class Secret:
    """A wrapped value: shown as `***`, compared by value, usable as the type of a pydantic field."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        masked = core_schema.plain_serializer_function_ser_schema(lambda secret: MASK)
        return core_schema.no_info_plain_validator_function(_wrap, serialization=masked)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": r"^\$\{(env|file):[^}]+\}$",
            "description": "a reference: ${env:NAME} or ${file:/path}",
        }


def _wrap(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, Referenced):
        return Secret(str(value))
    raise PydanticCustomError("CFG204", "a secret is written in clear")
