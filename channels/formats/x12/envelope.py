"""ISA to IEA: found in bytes and judged, without looking at the business content. Pure, and never raises.

An interchange is found by its own separators: where the next terminated IEA stands, or where another ISA begins before
it. What is wrong with the envelope becomes one `Refused` whose status is the TA1 note code a TA1 would carry.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from channels.formats.x12.separators import BLANK, BLANK_BYTES, Separators
from channels.formats.x12.standard.codes import INTERCHANGE_NOTES
from engine.errors import Refused
from engine.plugin import Profile

# Where the separators of a whole ISA stand, and how long its elements are (X12.5).
_OFFSETS: Final = (3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103)
_LENGTHS: Final = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1)
ISA_SIZE: Final = 106
_at_offsets: Final = operator.itemgetter(*_OFFSETS)
# An ISA that cannot be anything else: the separator at its first places, each followed by what belongs there.
_WHOLE_ISA: Final = re.compile(
    rb"ISA([^A-Za-z0-9 ])..\1.{10}\1..\1.{10}\1..\1.{15}\1..\1.{15}\1.{6}\1.{4}\1.\1.{5}\1.{9}\1.\1.\1", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Header:
    """ISA as read.

    fields: ISA01 to ISA15, as they stand. size: bytes with the terminator. fixed: every element has its full length.
    """

    fields: tuple[str, ...]
    separators: Separators
    size: int
    fixed: bool = True

    @property
    def control(self) -> str:
        return self.fields[12].strip()

    @property
    def wants_ta1(self) -> bool:
        return self.fields[13] == "1"

    @property
    def sender(self) -> str:
        return f"{self.fields[4].strip()}:{self.fields[5].rstrip()}"

    @property
    def receiver(self) -> str:
        return f"{self.fields[6].strip()}:{self.fields[7].rstrip()}"


@dataclass(frozen=True, slots=True)
class Interchange:
    """raw[start:end] is the interchange. trailer: IEA's elements without the id; None when there is none."""

    start: int
    end: int
    header: Header | None
    trailer: tuple[str, ...] | None = None
    refusal: Refused | None = None
    warnings: tuple[str, ...] = field(default=())


def refuse(code: str, note: str, place: str, text: str = "") -> Refused:
    return Refused(code, text or INTERCHANGE_NOTES[note], place=place, status=note)


def find_isa(raw: bytes, start: int) -> int:
    """Where the next unmistakable ISA stands, at or after `start`; the end of the bytes when there is none."""
    match = _WHOLE_ISA.search(raw, start)
    return match.start() if match else len(raw)


def find_interchange(raw: bytes, start: int) -> Interchange:
    """The interchange whose ISA stands at `start`."""
    header = read_header(raw, start)
    if isinstance(header, Refused):
        return Interchange(start, find_isa(raw, start + 3), None, refusal=header)
    body = start + header.size
    following = _next_isa(raw, body, header.separators)
    trailer = _trailer(raw, body, following, header.separators)
    whole = trailer and (trailer.terminated or len("".join(trailer.elements[1:2])) >= len(header.control))
    if trailer is None or not whole:
        refusal = refuse("x12.truncated", "023", "IEA", f"the interchange ends {'in' if trailer else 'before'} its IEA")
        return Interchange(start, following, header, refusal=refusal)
    warnings = ("x12.short_isa",) * (not header.fixed) + ("x12.no_last_terminator",) * (not trailer.terminated)
    return Interchange(start, trailer.end, header, trailer.elements, warnings=warnings)


# --- ISA -------------------------------------------------------------------------------------------------------------
def read_header(raw: bytes, start: int) -> Header | Refused:
    """ISA at `start`, by its offsets when it is whole, else by counting separators."""
    isa = raw[start : start + ISA_SIZE]
    mark = isa[3:4]
    if len(isa) < len("ISA*") or (isa.count(mark) < len(_OFFSETS) and len(isa) < ISA_SIZE):
        return refuse("x12.truncated", "023", "ISA", "the bytes end inside ISA")
    if mark.isalnum() or mark in b" ":
        return refuse("x12.separators", "026", "ISA")
    fixed = len(isa) == ISA_SIZE and bytes(_at_offsets(isa)) == mark * len(_OFFSETS)
    if fixed and isa.count(mark, 0, 104) != len(_OFFSETS):
        return refuse("x12.separators", "026", "ISA", "the element separator also stands inside an element of ISA")
    pieces = isa.split(mark, len(_OFFSETS))
    if len(pieces) <= len(_OFFSETS):
        return refuse("x12.envelope", "022", "ISA", "ISA does not have sixteen elements")
    if not fixed and (long := _too_long(pieces)):
        return long
    fields = tuple([piece.decode("latin-1") for piece in pieces[1:-1]])
    if len(pieces[-1]) < 2:
        return refuse("x12.truncated", "023", "ISA", "the bytes end inside ISA")
    component, segment = (pieces[-1][at : at + 1].decode("latin-1") for at in (0, 1))
    separators = Separators(mark.decode("latin-1"), component, segment, _repetition(fields))
    if note := separators.fault():
        return refuse("x12.separators", note, "ISA")
    return Header(fields, separators, len(isa) - len(pieces[-1]) + 2, fixed)


def _too_long(pieces: Sequence[bytes]) -> Refused | None:
    for number, (piece, length) in enumerate(zip(pieces[1:], _LENGTHS, strict=False), 1):
        if len(piece) > length:
            return refuse("x12.envelope", "022", f"ISA{number:02d}", f"the element is longer than {length}")
    return None


def _repetition(fields: tuple[str, ...]) -> str:
    """ISA11 separates repetitions from 00402 on, unless it still holds a letter (X12.5)."""
    mark = fields[10]
    return mark if fields[11] >= "00402" and mark and not mark.isalnum() and mark != " " else ""


# --- IEA -------------------------------------------------------------------------------------------------------------
def _next_isa(raw: bytes, start: int, separators: Separators) -> int:
    """Where another interchange begins: after a terminator, or, unmistakably, at a line's start."""
    mark = separators.segment.encode()
    for at in _standing(raw, b"ISA", start, len(raw)):
        follower = raw[at + 3 : at + 4]
        opens = follower and not follower.isalnum() and follower != b" " and _after(raw, at, start - 1, mark)
        if opens or (raw[at - 1 : at] in {b"\r", b"\n"} and _WHOLE_ISA.match(raw, at)):
            return at
    return len(raw)


def _standing(raw: bytes, what: bytes, start: int, end: int) -> Iterator[int]:
    """Every place where some bytes stand. Plain finding: no input can make it slow."""
    at = raw.find(what, start, end)
    while at >= 0:
        yield at
        at = raw.find(what, at + len(what), end)


def _after(raw: bytes, at: int, start: int, mark: bytes) -> bool:
    """Whether a segment begins at `at`: only blanks stand between a terminator and it."""
    while at > start:
        at -= 1
        if raw[at : at + 1] == mark:
            return True
        if raw[at] not in BLANK_BYTES:
            return False
    return False


class _Trailer(NamedTuple):
    """end: where IEA's terminator ends, or the bytes do. elements: without the id."""

    end: int
    elements: tuple[str, ...]
    terminated: bool


def _trailer(raw: bytes, start: int, end: int, separators: Separators) -> _Trailer | None:
    mark, element = separators.segment.encode(), separators.element.encode()
    for at in _standing(raw, b"IEA", start, end):
        if raw[at + 3 : at + 4] in {element, mark, b""} and _after(raw, at, start - 1, mark):
            stop = raw.find(mark, at, end)
            text = raw[at + 3 : end if stop < 0 else stop].decode("latin-1")
            elements = tuple(part.strip(BLANK) for part in text.split(separators.element)[1:])
            return _Trailer(end if stop < 0 else stop + 1, elements, stop >= 0)
    return None


# --- judgement -------------------------------------------------------------------------------------------------------
def judge(found: Interchange, raw: bytes, profile: Profile) -> tuple[Refused | None, list[Refused]]:
    """What makes the whole interchange unacceptable, the first of it; and the faults before that only warn."""
    spoof = _judge_sender(found.header, profile) if found.header else None
    if spoof or found.refusal or found.header is None:
        return spoof or found.refusal, []
    counted = (len(heads(raw, found, b"GS")), len(heads(raw, found, b"TA1")))
    refused, warned = weighed(header_faults(found.header, profile), profile)
    if refused is not None:
        return refused, warned
    refused, also = weighed(trailer_faults(found.trailer or (), found.header, *counted), profile)
    return refused, warned + also


def weighed(faults: Iterable[Refused], profile: Profile) -> tuple[Refused | None, list[Refused]]:
    """The first fault that does more than warn, and those before it."""
    warned: list[Refused] = []
    for fault in faults:
        if f"TA105 {fault.status}" not in profile.tolerates:
            return fault, warned
        warned.append(fault)
    return None, warned


def header_faults(header: Header, profile: Profile) -> Iterator[Refused]:
    """What is wrong with an interchange that has such an ISA, whatever it holds."""
    if (spoof := _judge_sender(header, profile)) is not None:
        yield spoof
    yield from _judge_isa(header.fields)
    yield from _judge_identity(header, profile)
    if (usage := _judge_usage(header, profile)) is not None:
        yield usage


def trailer_faults(trailer: Sequence[str], header: Header, counted: int, ta1s: int) -> Iterator[Refused]:
    """trailer: IEA's elements. counted: groups that are there."""
    groups, control = (*trailer, "", "")[:2]
    if not control.isdecimal() or control.lstrip("0") != header.control.lstrip("0"):
        yield refuse("x12.envelope", "001", "IEA02")
    if not re.fullmatch(r"[0-9]{1,5}", groups) or int(groups) != counted:
        yield refuse("x12.envelope", "021", "IEA01")
    elif not counted and not ta1s:
        yield refuse("x12.structure", "024", "ISA", "the interchange holds no functional group")


def _judge_isa(fields: tuple[str, ...]) -> Iterator[Refused]:
    """ISA by itself: the checks behind notes 010 to 020, for its fields 01, 03 and 09 to 15."""
    checks = (
        ("010", "ISA01", bool(re.fullmatch(r"0[0-6]", fields[0].strip()))),
        ("012", "ISA03", fields[2].strip() in {"00", "01"}),
        ("014", "ISA09", _is_date(fields[8])),
        ("015", "ISA10", bool(re.fullmatch(r"([01][0-9]|2[0-3])[0-5][0-9]", fields[9]))),
        ("016", "ISA11", len(fields[10]) == 1 and fields[10] != " "),
        ("017", "ISA12", bool(re.fullmatch(r"[0-9]{5}", fields[11]))),
        ("018", "ISA13", bool(re.fullmatch(r"[0-9]{1,9}", fields[12].strip()))),
        ("019", "ISA14", fields[13] in {"0", "1"}),
        ("020", "ISA15", fields[14] in {"P", "T", "I"}),
    )
    yield from (refuse("x12.envelope", note, place) for note, place, good in checks if not good)


def _is_date(text: str) -> bool:
    """YYMMDD, of any century."""
    if not re.fullmatch(r"[0-9]{6}", text):
        return False
    try:
        dt.date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        return False
    return True


def _judge_sender(header: Header, profile: Profile) -> Refused | None:
    """Another partner's name is judged before all else, and has no note: who is not who it says is told nothing."""
    if header.sender not in profile.strangers:
        return None
    text = "the sender it names is another partner, which has a connection of its own"
    return Refused("security.sender_spoof", text, place="ISA06", hint="find out who put it there; nothing was answered")


def _judge_identity(header: Header, profile: Profile) -> Iterator[Refused]:
    theirs, ours = profile.theirs.get("isa", ""), profile.ours.get("isa", "")
    parties = (
        _judge_party(header.sender, theirs, "ISA05", "ISA06", "005", "006"),
        _judge_party(header.receiver, ours, "ISA07", "ISA08", "007", "008"),
    )
    yield from (fault for fault in parties if fault is not None)


def _judge_party(named: str, agreed: str, kind: str, id: str, kind_note: str, id_note: str) -> Refused | None:
    """An identity `QUAL:ID` against the one agreed; nothing agreed takes any."""
    agreed = agreed.rstrip()
    if not agreed or named == agreed:
        return None
    same_id = named.partition(":")[2] == agreed.partition(":")[2]
    text = f"{kind if same_id else id} is not the one agreed with this partner"
    return refuse("x12.identity", kind_note if same_id else id_note, kind if same_id else id, text)


def _judge_usage(header: Header, profile: Profile) -> Refused | None:
    if not profile.usage or header.fields[14] == profile.usage:
        return None
    kinds = {"P": "production", "T": "test", "I": "information"}
    text = f"{kinds[header.fields[14]]} traffic on a channel for {kinds.get(profile.usage, profile.usage)} traffic"
    return refuse("x12.envelope", "020", "ISA15", text)


def only_acknowledges(raw: bytes, found: Interchange) -> bool:
    """Whether there is nothing in it but TA1s and groups of 997s (GS01 `FA`); one without anything does not."""
    groups = heads(raw, found, b"GS")
    return all(group[0] == "FA" for group in groups) and bool(groups or heads(raw, found, b"TA1"))


def heads(raw: bytes, found: Interchange, id: bytes) -> list[list[str]]:
    """All segments with this id in the interchange, as elements without the id; by a plain scan."""
    if found.header is None:
        return []
    separators = found.header.separators
    mark, element = separators.segment.encode(), separators.element.encode()
    body = found.start + found.header.size
    found_at = _standing(raw, id + element, body, found.end)
    starts = [at + len(id) + 1 for at in found_at if _after(raw, at, body - 1, mark)]
    pieces = [raw[at : stop if (stop := raw.find(mark, at, found.end)) >= 0 else found.end] for at in starts]
    return [piece.decode("latin-1").split(separators.element) for piece in pieces]
