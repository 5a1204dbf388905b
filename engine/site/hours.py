"""Days of the week and times of day as a partner's calendar writes them: `mon-fri`, `08:00-17:00`, `15:00`."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from engine.business_time import DAY_NAMES, MIDNIGHT

_DAY_HINT: Final = f"use {', '.join(DAY_NAMES)}, or mon-fri"


def _days(value: object) -> object:
    """`mon-fri`, `mon-thu, sat`, or a list of days, as days of the week; 0 is Monday."""
    parts = value.split(",") if isinstance(value, str) else value
    found: set[int] = set()
    for part in parts if isinstance(parts, list) else []:
        first, _, last = str(part).strip().partition("-")
        if {first, last or first} <= set(DAY_NAMES):
            begin, end = DAY_NAMES.index(first), DAY_NAMES.index(last or first)
            found |= {day % 7 for day in range(begin, end + 1 + 7 * (end < begin))}
        else:
            raise PydanticCustomError("CFG105", "no day of the week", {"hint": _DAY_HINT})
    return frozenset(found)


def _minutes(text: str) -> int:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)|24:00", text.strip())
    if found is None:
        raise PydanticCustomError("CFG105", "no time of day", {"hint": "write it as 08:00"})
    return int(found[1]) * 60 + int(found[2]) if found[1] else MIDNIGHT


def _minute(value: object) -> object:
    return _minutes(value) if isinstance(value, str) else value


def _hours(value: object) -> object:
    """`08:00-17:00` as minutes since midnight."""
    if not isinstance(value, str):
        return value
    first, dash, last = value.partition("-")
    hours = (_minutes(first), _minutes(last)) if dash else (0, 0)
    if hours[0] >= hours[1]:
        hint = "write them as 08:00-17:00, the earlier first"
        raise PydanticCustomError("CFG105", "no hours of one day", {"hint": hint})
    return hours


def _text(example: str) -> dict[str, object]:
    return {"type": "string", "examples": [example]}


Days = Annotated[
    frozenset[int],
    BeforeValidator(_days),
    WithJsonSchema({"anyOf": [_text("mon-fri"), {"type": "array", "items": _text("mon")}]}),
]
Hours = Annotated[tuple[int, int], BeforeValidator(_hours), WithJsonSchema(_text("08:00-17:00"))]
Minute = Annotated[int, BeforeValidator(_minute), WithJsonSchema(_text("15:00"))]
