"""Which values the types of X12 let in: text, codes, numbers, dates and times. Pure."""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Callable
from typing import Final

# Control characters, and what the agreed character set does not have (kept as lone surrogates: see `charsets`).
BAD_CHARACTER: Final = "\\x00-\\x1f\\x7f-\\x9f\\udc00-\\udcff"

Test = Callable[[str], object]  # its answer counts as true or false


@functools.cache
def pattern_of(kind: str, least: int, most: int) -> re.Pattern[str]:
    """What a value of the right type, length and characters matches."""
    return re.compile(_pattern(kind, least, most), re.DOTALL)


def _pattern(kind: str, least: int, most: int) -> str:
    if kind.startswith("N"):
        return rf"-?[0-9]{{{least},{most}}}"
    if kind == "R":
        digits = rf"(?=(?:\.?[0-9]){{{least},{most}}}\.?\Z)"
        return rf"-?{digits}(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
    if kind == "DT":
        return r"[0-9]{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
    if kind == "TM":
        return r"(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9][0-9]{0,2})?"
    return rf"[^{BAD_CHARACTER}]{{{least},{most}}}"


@functools.cache
def test_of(kind: str, least: int, most: int, codes: frozenset[str]) -> Test:
    """Whether a value is good; what most values are is seen without the pattern."""
    match = pattern_of(kind, least, most).fullmatch

    def text(value: str) -> object:
        return (least <= len(value) <= most and value.isascii() and value.isprintable()) or match(value)

    def number(value: str) -> object:
        digits = value.replace(".", "", 1) if kind == "R" else value
        return (least <= len(digits) <= most and digits.isascii() and digits.isdigit()) or match(value)

    def date(value: str) -> object:
        return match(value) and is_date(value)

    if codes:
        return codes.__contains__
    if kind in {"AN", "ID"}:
        return text
    return date if kind == "DT" else match if kind == "TM" else number


def is_date(value: str) -> bool:
    """Whether CCYYMMDD, of the right pattern, is a day of the calendar."""
    if value[6:] <= "28":
        return value[:4] != "0000"
    year, month, day = int(value[:4]), int(value[4:6]), int(value[6:])
    return year > 0 and day <= calendar.monthrange(year, month)[1]
