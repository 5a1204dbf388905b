"""Deadlines in a partner's business time: its days, its hours, its holidays, by its own clock. Pure.

A day of a deadline is a business day: handed over on Friday at 14:00 and promised within `1d`, it is due on Monday at
14:00. What is left beside whole days is counted while the partner is open. What is handed over at or after the cutoff,
or while it is closed, counts from when it opens next. Hours are real ones: where clocks change, a day has 23 or 25.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

DAY_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT: Final = 24 * 60  # minutes: the end of a day
_DAY: Final = 86_400_000_000
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """days: of the week, 0 is Monday; at least one. opens, closes, cutoff: minutes since midnight; closes after it
    opens. holidays: closed all day.
    """

    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))
    opens: int = 0
    closes: int = MIDNIGHT
    cutoff: int = MIDNIGHT
    holidays: frozenset[dt.date] = frozenset()


def due(at: int, within: int, calendar: Calendar) -> int:
    """When an answer is due that was promised within so much. All in microseconds, instants since the Unix epoch."""
    days, rest = divmod(within, _DAY)
    begun = _counts_from(at, calendar)
    if days:
        moment = _local(begun, calendar)
        day = moment.date()
        for _ in range(days):
            day = _following(day, calendar)
        begun = _microseconds(moment.replace(year=day.year, month=day.month, day=day.day))
    day = _local(begun, calendar).date()
    while (left := _clock(day, calendar.closes, calendar) - begun) < rest:
        rest -= left
        day = _following(day, calendar)
        begun = _clock(day, calendar.opens, calendar)
    return begun + rest


def _counts_from(at: int, calendar: Calendar) -> int:
    """The instant itself, or when the partner opens next."""
    moment = _local(at, calendar)
    day, minute = moment.date(), moment.hour * 60 + moment.minute
    if not _is_open(day, calendar) or minute >= min(calendar.closes, calendar.cutoff):
        return _clock(_following(day, calendar), calendar.opens, calendar)
    return max(at, _clock(day, calendar.opens, calendar))


def _is_open(day: dt.date, calendar: Calendar) -> bool:
    return day.weekday() in calendar.days and day not in calendar.holidays


def _following(day: dt.date, calendar: Calendar) -> dt.date:
    """The next business day."""
    day += dt.timedelta(days=1)
    while not _is_open(day, calendar):
        day += dt.timedelta(days=1)
    return day


def _clock(day: dt.date, minute: int, calendar: Calendar) -> int:
    """The instant at which clocks there show that time; where they skip it, as much later."""
    begins = dt.datetime.combine(day, dt.time(), calendar.zone)
    return _microseconds(
        begins + dt.timedelta(minutes=minute)
    )  # zoned arithmetic is the clock's, not the elapsed time's


def _local(at: int, calendar: Calendar) -> dt.datetime:
    return (_EPOCH + dt.timedelta(microseconds=at)).astimezone(calendar.zone)


def _microseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
