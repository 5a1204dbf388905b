"""A partner's calendar as its file says it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.business_time import Calendar
from tests.unit.site_kit import changed, load

WARD = "partners/ward.yaml"
CHICAGO = ZoneInfo("America/Chicago")


def with_calendar(text: str) -> dict[str, str | None]:
    return changed(WARD, "crosswalks:", f"calendar: {{zone: America/Chicago{text}}}\ncrosswalks:")


@pytest.mark.parametrize(
    ("text", "calendar"),
    [
        ("", None),
        (", days: mon-sun", None),
        (", days: mon-fri", Calendar(CHICAGO, frozenset(range(5)))),
        (', days: "mon-thu, sat"', Calendar(CHICAGO, frozenset({0, 1, 2, 3, 5}))),
        (", days: sat-mon", Calendar(CHICAGO, frozenset({5, 6, 0}))),
        (", days: [sun, tue-wed]", Calendar(CHICAGO, frozenset({6, 1, 2}))),
        (", hours: 08:00-17:30, cutoff: 15:00", Calendar(CHICAGO, frozenset(range(7)), 480, 1050, 900)),
        (", hours: 18:00-24:00", Calendar(CHICAGO, frozenset(range(7)), 1080, 1440)),
        (", holidays: [2026-12-25]", Calendar(CHICAGO, holidays=frozenset({dt.date(2026, 12, 25)}))),
    ],
)
def test_what_a_calendar_says(text: str, calendar: Calendar | None, tmp_path: Path) -> None:
    site, found = load(tmp_path, with_calendar(text))
    assert (site is not None, found) == (True, [])
    ward = site.partners["ward"]
    assert (ward.calendar, ward.zone) == (calendar, CHICAGO)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (", days: mon-fry", "use mon, tue, wed, thu, fri, sat, sun, or mon-fri"),
        (", days: []", ""),
        (", hours: 17:00-08:00", "write them as 08:00-17:00, the earlier first"),
        (", hours: 08:00", "write them as 08:00-17:00, the earlier first"),
        (", hours: 8-17", "write it as 08:00"),
        (", cutoff: 25:00", "write it as 08:00"),
    ],
)
def test_what_is_no_calendar_is_told_at_its_place(text: str, hint: str, tmp_path: Path) -> None:
    _, found = load(tmp_path, with_calendar(text))
    assert [(one.code, one.mark.file, one.mark.line) for one in found] == [("CFG105", WARD, 9)]
    assert found[0].hint == hint


def test_a_holiday_is_a_day(tmp_path: Path) -> None:
    _, found = load(tmp_path, with_calendar(", holidays: [25.12.2026]"))
    assert [(one.code, one.text) for one in found] == [("CFG104", "0 must be a day, as 2026-12-25")]


def test_a_promise_is_no_longer_than_a_year(tmp_path: Path) -> None:
    _, found = load(tmp_path, changed("partners/office.yaml", "answer: 4h", "answer: 999999999d"))
    assert [one.code for one in found] == ["CFG105"]
