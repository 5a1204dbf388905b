"""How texts of a message and values of a document become each other. Each codec runs both ways; ValueError refuses.

Dates have two spellings in ISO 8601: basic (`20261121`, HL7 and X12) and extended (`2026-11-21`, JSON). Both are read;
a format writes the one it calls its own.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from engine.plugin import Bare

Decode = Callable[[str, ZoneInfo], object]
Encode = Callable[[Any, ZoneInfo], str]


@dataclass(frozen=True, slots=True)
class Codec:
    """types: canonical types it can fill. expects: what the text must be, in words."""

    name: str
    types: tuple[type, ...]
    expects: str
    decode: Decode
    encode: Encode


NAMES = ("text", "date", "time", "timestamp", "decimal", "decimal2", "integer", "number", "boolean")
_DEFAULTS: tuple[tuple[type, str], ...] = (
    (dt.datetime, "timestamp"),
    (dt.date, "date"),
    (dt.time, "time"),
    (bool, "boolean"),
    (Decimal, "decimal"),
)


def default_codec(type_: type) -> str:
    """The codec a canonical type has when the mapping names none."""
    return next((name for known, name in _DEFAULTS if issubclass(type_, known)), "text")


def find_codec(name: str, *, extended: bool) -> Codec | None:
    """extended: the format writes dates with dashes and booleans as true and false."""
    if implied := re.fullmatch(r"decimal([1-6])", name):
        return _implied(int(implied[1]))
    return {
        "text": Codec("text", (str,), "a text", lambda text, _: text, lambda value, _: str(value)),
        "date": Codec("date", (dt.date,), "a date as YYYYMMDD or YYYY-MM-DD", _date, _write_date(extended)),
        "time": Codec("time", (dt.time,), "a time as HHMM[SS] or HH:MM[:SS]", _time, _write_time(extended)),
        "timestamp": Codec("timestamp", (dt.datetime,), "a date and time", _timestamp, _write_timestamp(extended)),
        "decimal": Codec("decimal", (Decimal,), "a number", _decimal, lambda value, _: format(value, "f")),
        "number": Codec("number", (Decimal,), "a number", _decimal, lambda value, _: Bare(format(value, "f"))),
        "integer": Codec("integer", (str, Decimal), "a whole number", _integer, _write_integer),
        "boolean": Codec("boolean", (bool,), "yes or no (Y, N, true, false)", _boolean, _write_boolean(extended)),
    }.get(name)


# --- numbers ---------------------------------------------------------------------------------------------------------
# HL7 NM and X12 R: digits with an optional sign and point, no exponent. The length cap keeps arithmetic small.
_NUMBER = re.compile(r"[+-]?(?=[0-9.]*[0-9])[0-9]{0,30}(?:\.[0-9]{0,30})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)


def _decimal(text: str, _: ZoneInfo) -> Decimal:
    if not (len(text) <= 30 and text.isdigit() and text.isascii()) and _NUMBER.fullmatch(text) is None:
        raise ValueError
    return Decimal(text)


def _integer(text: str, _: ZoneInfo) -> str:
    if not (len(text) <= 30 and text.isdigit() and text.isascii()) and _INTEGER.fullmatch(text) is None:
        raise ValueError
    return str(int(text))


def _write_integer(value: Any, _: ZoneInfo) -> str:
    whole = Decimal(value)  # a text is a canonical number like a line number
    if whole != whole.to_integral_value():
        raise ValueError
    return format(whole.to_integral_value(), "f")


def _implied(places: int) -> Codec:
    """X12 N2 and its like: the point is implied, `12345` is 123.45."""

    def decode(text: str, _: ZoneInfo) -> Decimal:
        if _INTEGER.fullmatch(text) is None:
            raise ValueError
        return Decimal(text).scaleb(-places)

    def encode(value: Any, _: ZoneInfo) -> str:
        scaled = Decimal(value).scaleb(places)
        if scaled != scaled.to_integral_value():
            raise ValueError
        return format(scaled.to_integral_value(), "f")

    expects = f"a whole number with {places} implied decimals"
    return Codec(f"decimal{places}", (Decimal,), expects, decode, encode)


# --- booleans --------------------------------------------------------------------------------------------------------
_TRUTHS = {"Y": True, "N": False, "true": True, "false": False}


def _boolean(text: str, _: ZoneInfo) -> bool:
    try:
        return _TRUTHS[text]
    except KeyError:
        raise ValueError from None


def _write_boolean(extended: bool) -> Encode:
    if extended:
        return lambda value, _: Bare("true" if value else "false")
    return lambda value, _: "Y" if value else "N"


# --- dates and times -------------------------------------------------------------------------------------------------
_TIME = re.compile(r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?", re.ASCII)
# HL7 v2 DTM from the day on, and the profile of ISO 8601 that RFC 3339 allows.
_BASIC = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?)?"
    r"(?:([+-])([0-9]{2})([0-9]{2}))?",
    re.ASCII,
)
_EXTENDED = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))?",
    re.ASCII,
)


def _date(text: str, _: ZoneInfo) -> dt.date:
    basic = len(text) == 8 and text.isdigit() and text.isascii()
    if not basic and not (len(text) == 10 and text[4] == text[7] == "-"):
        raise ValueError
    return dt.date.fromisoformat(text)


def _write_date(extended: bool) -> Encode:
    return (lambda value, _: value.isoformat()) if extended else (lambda value, _: value.isoformat().replace("-", ""))


def _time(text: str, _: ZoneInfo) -> dt.time:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError
    return dt.time(int(found[1]), int(found[2]), int(found[3] or 0))


def _write_time(extended: bool) -> Encode:
    return (lambda value, _: f"{value:%H:%M:%S}") if extended else (lambda value, _: f"{value:%H%M%S}")


def _timestamp(text: str, zone: ZoneInfo) -> dt.datetime:
    """Without an offset it is local to the sender; where clocks go back, the earlier of the two instants."""
    found = _BASIC.fullmatch(text) or _EXTENDED.fullmatch(text)
    if found is None:
        raise ValueError
    *parts, fraction, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = [int(part or 0) for part in parts]
    micro = int(fraction.ljust(6, "0")) if fraction else 0
    if sign:
        offset = _offset(sign, hours, minutes)
    elif text[-1] in "Zz":
        offset = dt.UTC
    else:
        # The offset of that moment, not the zone: what is stored and compared must not depend on zone rules again.
        offset = _fixed(zone.utcoffset(dt.datetime(year, month, day, hour, minute, second)) or dt.timedelta())
    return dt.datetime(year, month, day, hour, minute, second, micro, offset)


@lru_cache(maxsize=128)
def _offset(sign: str, hours: str, minutes: str) -> dt.timezone:
    if int(minutes) > 59:
        raise ValueError
    span = dt.timedelta(hours=int(hours), minutes=int(minutes))
    return dt.timezone(span if sign == "+" else -span)


@lru_cache(maxsize=128)
def _fixed(offset: dt.timedelta) -> dt.timezone:
    return dt.timezone(offset)


def _write_timestamp(extended: bool) -> Encode:
    def basic(value: dt.datetime, zone: ZoneInfo) -> str:
        local = value.astimezone(zone)
        if local.microsecond % 100:
            raise ValueError  # HL7 has room for four digits of a second
        text = local.isoformat().replace("-", "", 2).replace(":", "")  # 20261121T090000.250000-0600
        return f"{text[:8]}{text[9:20]}{text[22:]}" if local.microsecond else text.replace("T", "")

    return (lambda value, zone: value.astimezone(zone).isoformat()) if extended else basic
