"""Codecs: each reads what it writes, and refuses what is not of its kind."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.mapping.codecs import NAMES, Codec, find_codec
from engine.plugin import Bare

ZONE = ZoneInfo("America/Chicago")
NOON = dt.datetime(2026, 7, 1, 12, 0, 30, 250_000, ZONE)


def codec(name: str, *, extended: bool = False) -> Codec:
    found = find_codec(name, extended=extended)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "extended", "value", "text"),
    [
        ("text", False, "a", "a"),
        ("date", False, dt.date(2026, 2, 28), "20260228"),
        ("date", True, dt.date(2026, 2, 28), "2026-02-28"),
        ("date", False, dt.date(987, 1, 2), "09870102"),
        ("time", False, dt.time(9, 5), "090500"),
        ("time", True, dt.time(9, 5), "09:05:00"),
        ("timestamp", False, NOON, "20260701120030.2500-0500"),
        ("timestamp", True, NOON, "2026-07-01T12:00:30.250000-05:00"),
        ("decimal", False, Decimal("1E+3"), "1000"),
        ("decimal", False, Decimal("-0.50"), "-0.50"),
        ("decimal2", False, Decimal("123.45"), "12345"),
        ("decimal4", False, Decimal("0.0001"), "1"),
        ("number", True, Decimal("1.50"), "1.50"),
        ("integer", False, "7", "7"),
        ("boolean", False, True, "Y"),
        ("boolean", True, False, "false"),
    ],
)
def test_both_ways(name: str, extended: bool, value: Any, text: str) -> None:
    found = codec(name, extended=extended)
    assert found.encode(value, ZONE) == text
    assert found.decode(text, ZONE) == value


def test_numbers_and_booleans_are_bare_where_a_format_tells_them_from_texts() -> None:
    assert isinstance(codec("number").encode(Decimal(1), ZONE), Bare)
    assert isinstance(codec("boolean", extended=True).encode(True, ZONE), Bare)
    assert not isinstance(codec("decimal").encode(Decimal(1), ZONE), Bare)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("date", "2026-0228"), ("date", "202602-28"), ("date", "20260230"), ("date", "2026022"), ("date", "20260228 "),
        ("date", "\u0662\u0660260228"), ("date", "2026W05"), ("time", "2460"), ("time", "9:05"), ("timestamp", "2026"),
        ("timestamp", "20260228T0900"), ("timestamp", "2026022809+0"), ("timestamp", "20260228090000-0575"),
        ("timestamp", "20260228090000.1234567"), ("timestamp", "2026-02-28 09:00"), ("decimal", "1,5"), ("decimal", ""),
        ("decimal", "1e5"), ("decimal2", "12.34"), ("integer", "1.0"), ("integer", ""), ("boolean", "1"),
        ("boolean", "yes"),
    ],
)  # fmt: skip
def test_what_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError):
        codec(name).decode(text, ZONE)


@pytest.mark.parametrize(
    ("name", "value"),
    [("decimal2", Decimal("1.005")), ("integer", "1.5"), ("timestamp", NOON.replace(microsecond=123_456))],
)
def test_nothing_is_rounded_on_its_way_out(name: str, value: Any) -> None:
    with pytest.raises(ValueError):
        codec(name).encode(value, ZONE)


def test_local_times_follow_the_partners_zone() -> None:
    decode = codec("timestamp").decode
    assert decode("202607011200", ZONE) == dt.datetime(2026, 7, 1, 17, tzinfo=dt.UTC)
    assert decode("202601011200", ZONE) == dt.datetime(2026, 1, 1, 18, tzinfo=dt.UTC)
    assert decode("202611010130", ZONE) == dt.datetime(2026, 11, 1, 6, 30, tzinfo=dt.UTC)  # the earlier of two
    assert decode("2026010112", ZONE) == decode("202601011200", ZONE)


def test_every_named_codec_exists_and_no_other() -> None:
    assert all(find_codec(name, extended=False) for name in NAMES)
    assert find_codec("decimal9", extended=False) is None
    assert find_codec("float", extended=False) is None
