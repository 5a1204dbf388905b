"""What YAML may say of a kind: the base of the options it declares, and durations."""

from __future__ import annotations

import re
from typing import Final

import pydantic
import pydantic_core

_UNITS: Final = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DURATION: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d)")
DURATION_SCHEMA: Final = pydantic.WithJsonSchema(
    {"type": "string", "pattern": rf"^{_DURATION.pattern}$", "examples": ["30s", "4h", "1d"]}
)


def microseconds(value: object) -> object:
    """A duration as YAML writes it, `30s`, for a pydantic field; what is no text passes. Raises CFG106 otherwise."""
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value)
    if found is None:
        text = "a duration is a whole number and its unit: 500ms, 30s, 15m, 4h or 1d"
        raise pydantic_core.PydanticCustomError("CFG106", text)
    return int(found[1]) * _UNITS[found[2]]


class Options(pydantic.BaseModel):
    """Base of every kind's declared options: they feed parsing, checking, schema and docs alike."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ListenerOptions(Options):
    """What every listener has. `listen` is absent on kinds that fetch."""

    answer: str = pydantic.Field("stored", pattern="^(stored|processed)$", description="when the sender is answered")
    on_overload: str = pydantic.Field(
        "close", pattern="^(close|nak)$", description="what a sender sees when we cannot store"
    )
