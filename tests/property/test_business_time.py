"""Deadlines in business time, against a clock that is watched minute by minute, also where clocks change."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.business_time import MIDNIGHT, Calendar, due

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
ZONES = ("America/Chicago", "Europe/Berlin", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo")
CHICAGO = ZoneInfo("America/Chicago")
DESK = Calendar(CHICAGO, frozenset(range(5)), 8 * 60, 17 * 60, 15 * 60, frozenset({dt.date(2026, 11, 26)}))


def instant(text: str, zone: ZoneInfo = CHICAGO) -> int:
    moment = dt.datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()) * 1_000_000


def clock(at: int, zone: ZoneInfo = CHICAGO) -> str:
    return dt.datetime.fromtimestamp(at / 1_000_000, zone).strftime("%a %m-%d %H:%M %Z")


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    opens, closes = sorted(draw(st.lists(st.integers(0, 24), min_size=2, max_size=2, unique=True)))
    return Calendar(
        ZoneInfo(draw(st.sampled_from(ZONES))),
        draw(st.frozensets(st.integers(0, 6), min_size=1)),
        opens * 60,
        closes * 60,
        draw(st.sampled_from([MIDNIGHT, 15 * 60])),
        draw(st.frozensets(st.dates(dt.date(2026, 3, 1), dt.date(2026, 3, 31)), max_size=5)),
    )


# Around the changes of clocks, north and south of the equator, and anywhere else.
INSTANTS = st.one_of(
    st.sampled_from(["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01", "2026-04-05", "2026-10-04"])
    .flatmap(lambda day: st.integers(-72 * 60, 72 * 60).map(lambda minutes: instant(day) + minutes * MINUTE)),
    st.integers(instant("2026-01-01"), instant("2027-01-01")).map(lambda at: at // MINUTE * MINUTE),
)  # fmt: skip


def is_open(at: int, calendar: Calendar) -> bool:
    local = dt.datetime.fromtimestamp(at / 1_000_000, calendar.zone)
    minute = local.hour * 60 + local.minute
    open_then = calendar.opens <= minute < calendar.closes
    return open_then and local.weekday() in calendar.days and local.date() not in calendar.holidays


def watched(at: int, minutes: int, calendar: Calendar) -> int:
    """The same, by looking at the clock every minute."""
    local = dt.datetime.fromtimestamp(at / 1_000_000, calendar.zone)
    if is_open(at, calendar) and local.hour * 60 + local.minute >= calendar.cutoff:
        today = local.date()
        while dt.datetime.fromtimestamp(at / 1_000_000, calendar.zone).date() == today:
            at += MINUTE
    while not is_open(at, calendar):
        at += MINUTE
    while minutes:
        minutes -= is_open(at, calendar)
        at += MINUTE
    return at


@given(INSTANTS, st.integers(1, 12), calendars())
def test_hours_are_counted_while_the_partner_is_open(at: int, hours: int, calendar: Calendar) -> None:
    told = due(at, hours * HOUR, calendar)
    assert told == watched(at, hours * 60, calendar)


@given(INSTANTS, st.integers(0, 5 * DAY), st.sampled_from(ZONES))
@example(instant("2026-03-07T12:00"), DAY, "America/Chicago")
def test_open_all_the_time_is_plain_time_but_for_the_clock(at: int, within: int, zone: str) -> None:
    told = due(at, within, Calendar(ZoneInfo(zone)))
    if within < DAY:
        assert told == at + within
    assert abs(told - at - within) <= HOUR  # a day is as long as its clock says


@given(INSTANTS, st.integers(0, 20), st.integers(0, DAY - 1), calendars())
def test_a_deadline_falls_into_open_hours_and_only_grows(at: int, days: int, rest: int, calendar: Calendar) -> None:
    told = due(at, days * DAY + rest, calendar)
    assert told >= at
    assert is_open(told, calendar) or is_open(told - 1, calendar) or told == watched(told, 0, calendar)
    assert due(at, (days + 1) * DAY + rest, calendar) > told
    assert due(at, days * DAY + rest + MINUTE, calendar) > told
    assert due(at + 2 * HOUR, days * DAY + rest, calendar) >= told  # two: clocks may be set back


@pytest.mark.parametrize(
    ("at", "within", "told"),
    [
        ("2026-11-20T14:00", DAY, "Mon 11-23 14:00 CST"),  # a Friday afternoon
        ("2026-11-20T15:00", DAY, "Tue 11-24 08:00 CST"),  # after the cutoff: as if on Monday at 8
        ("2026-11-21T12:00", DAY, "Tue 11-24 08:00 CST"),  # on a Saturday
        ("2026-11-20T06:00", DAY, "Mon 11-23 08:00 CST"),  # before they open
        ("2026-11-25T10:00", DAY, "Fri 11-27 10:00 CST"),  # the day after is a holiday
        ("2026-11-20T14:00", 4 * HOUR, "Mon 11-23 09:00 CST"),
        ("2026-11-20T14:00", 3 * HOUR, "Fri 11-20 17:00 CST"),
        ("2026-11-20T16:30", 1 * HOUR, "Mon 11-23 09:00 CST"),
        ("2026-11-20T14:00", 2 * DAY + 4 * HOUR, "Wed 11-25 09:00 CST"),
        ("2026-10-30T14:00", DAY, "Mon 11-02 14:00 CST"),  # clocks are set back on the Sunday between
        ("2026-03-06T14:00", DAY, "Mon 03-09 14:00 CDT"),
    ],
)
def test_what_a_supplier_would_say(at: str, within: int, told: str) -> None:
    assert clock(due(instant(at), within, DESK)) == told


def test_a_night_on_which_clocks_change_has_as_many_hours_as_it_has() -> None:
    always = Calendar(CHICAGO)
    assert clock(due(instant("2026-10-31T22:00"), 6 * HOUR, always)) == "Sun 11-01 03:00 CST"
    assert clock(due(instant("2026-03-07T22:00"), 6 * HOUR, always)) == "Sun 03-08 05:00 CDT"
    assert clock(due(instant("2026-03-07T02:30"), DAY, always)) == "Sun 03-08 03:30 CDT"  # 2:30 is skipped that day
