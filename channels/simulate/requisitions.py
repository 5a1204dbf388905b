"""Makes the requisitions that twelve hospitals' systems of different age and habit would send. Pure.

Message n of a seed is always the same bytes, whichever messages were made before it. All people are invented.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from channels.simulate.words import Word, Words

ZONE = ZoneInfo("America/Chicago")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one hospital's system writes HL7 v2. charset: MSH-18. acks: MSH-15 and MSH-16, empty in original mode."""

    message: str = "OMS^O05^OMS_O05"
    version: str = "2.5.1"
    separators: str = "|^~\\&"
    charset: str = "UNICODE UTF-8"
    encoding: str = "utf-8"
    acks: tuple[str, str] = ("", "")

    @property
    def old(self) -> bool:
        return self.message.startswith("ORM")


_OMS, _OMN, _ORM = "OMS^O05^OMS_O05", "OMN^O07^OMN_O07", "ORM^O01"
DIALECTS: tuple[Dialect, ...] = (
    Dialect(),
    Dialect(),
    Dialect(version="2.6"),
    Dialect(acks=("AL", "NE")),  # enhanced mode: an accept acknowledgement (CA) is enough
    Dialect(charset="8859/1", encoding="latin-1"),
    Dialect(version="2.7", separators="|^~\\&#"),  # with the truncation character of 2.7
    Dialect(message="OMS^O05", version="2.4", charset="8859/1", encoding="latin-1"),  # no MSH-9.3
    Dialect(message=_OMN),
    Dialect(separators="|:~\\&"),
    Dialect(message=_OMN, version="2.6"),
    Dialect(message=_ORM, version="2.3", charset="", encoding="ascii"),
    Dialect(message=_ORM, version="2.3.1", charset="", encoding="ascii"),
)

_PEOPLE = (("Muster", "Zoé"), ("Ejemplo", "Íñigo"), ("Beispiel", "Jürgen"), ("Exemple", "Chloë"), ("Provsson", "Åsa"))
_PLAIN_PEOPLE = (("Sample", "Pat"), ("Placeholder", "Robin"), ("O'Testing", "Lee"))
_NOTES = (
    "Bin A&B is empty",
    "Par level 12|24, please fill to the upper one",
    "Deliver by the dock door, not ^upstairs",
    "Shelf C\\D; call ext. 4~5 first",
)
_QUANTITIES = (1, 2, 2, 4, 5, 6, 10, 10, 12, 20, 24, 50)
UNLISTED_ITEM = "ZZ-UNLISTED-1"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make. at: MSH-7 of the first message; each further one is a second later.

    stat_at: which message is stat, for a case at `case_at`. unlisted_at: which asks for an item no crosswalk knows.
    """

    words: Words
    seed: int = 1
    hospitals: int = 12
    at: dt.datetime = dt.datetime(2026, 11, 23, 7, 0, tzinfo=ZONE)
    case_at: dt.time = dt.time(13, 0)
    stat_at: int = 0
    unlisted_at: int = 0


@dataclass(frozen=True, slots=True)
class Requisition:
    """One made message. hospital: 1-based; MSH-3 is `INVSYS<nn>`. items: local numbers in line order."""

    raw: bytes
    control_id: str
    number: str
    hospital: int
    type: str
    stat: bool
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    item: Word
    quantity: int
    unit: str
    department: str
    note: str


class _Er7:
    """Writes segments with one dialect's separators; every text is escaped on its way in."""

    def __init__(self, separators: str) -> None:
        self.field, self.component, escape = separators[0], separators[1], separators[3]
        names = dict(zip(separators, "FSRETP", strict=False))
        self._escapes = str.maketrans({char: f"{escape}{name}{escape}" for char, name in names.items()})

    def text(self, *components: str) -> str:
        return self.component.join(part.translate(self._escapes) for part in components).rstrip(self.component)

    def segment(self, name: str, fields: Mapping[int, str]) -> str:
        values = [fields.get(position, "") for position in range(1, max(fields) + 1)]
        return self.field.join([name, *values]).rstrip(self.field)


def messages(plan: Plan, count: int, first: int = 1) -> Iterator[Requisition]:
    return (make(plan, n) for n in range(first, first + count))


def make(plan: Plan, n: int) -> Requisition:
    """Message n (from 1) of the plan's seed: hospitals take turns."""
    rng = random.Random(f"{plan.seed}:{n}")
    hospital = (n - 1) % min(plan.hospitals, len(DIALECTS), len(plan.words.facilities)) + 1
    dialect = DIALECTS[hospital - 1]
    stat = n == plan.stat_at
    # MSH-10 holds 20 characters at most before 2.7.
    number, control_id = f"REQ-{plan.seed}{n:05d}", f"INV{hospital:02d}-{plan.seed % 10**8}-{n:05d}"
    lines = _lines(plan, rng, dialect, stat=stat, unlisted=n == plan.unlisted_at)
    segments = _segments(plan, rng, n, hospital, number, control_id, lines, stat)
    raw = ("\r".join(segments) + "\r").encode(dialect.encoding)
    items = tuple(line.item.partner for line in lines)
    return Requisition(raw, control_id, number, hospital, "^".join(dialect.message.split("^")[:2]), stat, items)


def _lines(plan: Plan, rng: random.Random, dialect: Dialect, *, stat: bool, unlisted: bool) -> list[_Line]:
    words = plan.words
    surgical = [item for item in words.items if item.enterprise.startswith("NH-1")] if stat else []
    choice = surgical or words.items
    items = rng.sample(choice, min(rng.randint(1, 6), len(choice)))
    if unlisted:
        items[-1] = Word(UNLISTED_ITEM, "", "Item the crosswalk does not list")
    department = words.departments[0].partner if stat else rng.choice(words.departments).partner
    return [
        _Line(
            number,
            item,
            rng.choice(_QUANTITIES),
            words.unit_for(item, short=dialect.old),
            department,
            rng.choice(_NOTES) if rng.random() < 0.15 else "",
        )
        for number, item in enumerate(items, 1)
    ]


def _segments(
    plan: Plan, rng: random.Random, n: int, hospital: int, number: str, control_id: str, lines: list[_Line], stat: bool
) -> list[str]:
    dialect = DIALECTS[hospital - 1]
    er7, at = _Er7(dialect.separators), plan.at + dt.timedelta(seconds=n)
    priority = "S" if stat else rng.choice(["", "R", "R", "R", "A"])
    needed = (
        dt.datetime.combine(at.date(), plan.case_at, at.tzinfo) if stat else at + dt.timedelta(days=rng.randint(1, 3))
    )
    person = rng.choice(_PLAIN_PEOPLE if dialect.old else _PEOPLE)
    facility = plan.words.facilities[hospital - 1].partner
    segments = [_header(er7, dialect, hospital, facility, control_id, at)]
    if stat or rng.random() < 0.1:  # a case's supplies are asked for with their patient: an invented one
        segments += _patient(er7, rng)
    for line in lines:
        segments += _order(er7, dialect, line, number, hospital, at, needed, priority, person)
    segments.append(er7.segment("ZRQ", {1: "1", 2: er7.text("PAR", lines[0].department), 3: er7.text(f"n&{n}")}))
    return segments


def _header(er7: _Er7, dialect: Dialect, hospital: int, facility: str, control_id: str, at: dt.datetime) -> str:
    fields = {
        3: f"INVSYS{hospital:02d}", 4: er7.text(facility), 5: "HILUM", 6: "NORTHHEALTH", 7: _stamp(at, dialect),
        9: dialect.message.replace("^", er7.component), 10: er7.text(control_id), 11: "P", 12: dialect.version,
        15: dialect.acks[0], 16: dialect.acks[1], 18: dialect.charset,
    }  # fmt: skip
    start = f"MSH{dialect.separators[0]}{dialect.separators[1:]}"  # MSH-1 is the separator itself, MSH-2 never escaped
    rest = [fields.get(position, "") for position in range(3, max(fields) + 1)]
    return er7.field.join([start, *rest]).rstrip(er7.field)


def _patient(er7: _Er7, rng: random.Random) -> list[str]:
    number = f"TEST-{rng.randint(1, 99999):05d}"
    identity = {1: "1", 3: er7.text(number, "", "", "NORTH", "MR"), 5: er7.text("ZZTEST", "IMAGINARY"), 8: "U"}
    return [er7.segment("PID", identity), er7.segment("PV1", {1: "1", 2: "I", 3: er7.text("OR", "TEST", "1")})]


def _order(
    er7: _Er7, dialect: Dialect, line: _Line, number: str, hospital: int, at: dt.datetime, needed: dt.datetime,
    priority: str, person: tuple[str, str],
) -> list[str]:  # fmt: skip
    """One line's ORC, timing, RQD, RQ1 and NTE. Before 2.5 there is no TQ1: ORC-7 says when and how urgent."""
    system = f"INVSYS{hospital:02d}"
    order = {
        1: "NW", 2: er7.text(f"{number}-{line.number}", system), 4: er7.text(number, system),
        9: _stamp(at, dialect), 10: er7.text(f"E{hospital:02d}7", *person),
    }  # fmt: skip
    timed = bool(priority)
    if timed and dialect.version < "2.5":
        order[7] = er7.text("", "", "", _stamp(needed, dialect), "", priority)
    segments = [er7.segment("ORC", order)]
    if timed and dialect.version >= "2.5":
        segments.append(er7.segment("TQ1", {1: "1", 7: _stamp(needed, dialect), 9: priority}))
    local = er7.text(line.item.partner, line.item.description, "L")
    request = {
        1: str(line.number),
        2: local,
        5: str(line.quantity),
        6: er7.text(line.unit),
        7: er7.text(line.department),
    }
    segments.append(er7.segment("RQD", request | {9: er7.text(f"DOCK-{hospital}"), 10: f"{needed:%Y%m%d}"}))
    if dialect.message.startswith("OMN"):
        segments.append(er7.segment("RQ1", {1: "12.50", 2: er7.text("MFR-TEST"), 7: "Y"}))
    if line.note:
        segments.append(er7.segment("NTE", {1: "1", 2: "P", 3: er7.text(line.note)}))
    return segments


def _stamp(at: dt.datetime, dialect: Dialect) -> str:
    """Older systems send local time and no zone."""
    return f"{at:%Y%m%d%H%M%S}" if dialect.old else f"{at:%Y%m%d%H%M%S%z}"
