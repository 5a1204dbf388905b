"""TA1s: what the sender of an interchange is told of its envelope, and what partners say of ours. Pure.

Nothing acknowledges an acknowledgement: an interchange of TA1s and 997s gets no TA1, whatever is wrong with it. Nor
does one that ends before its control number (ISA13), since a TA1 could not say which one is meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from channels.formats.x12.envelope import ISA_SIZE, Header, find_interchange, only_acknowledges
from channels.formats.x12.groups import element
from channels.formats.x12.separators import Elements
from channels.formats.x12.split import skip_lead
from channels.formats.x12.standard.codes import INTERCHANGE_NOTES
from engine.errors import Refused
from engine.plugin import Answer, Receipt

KIND: Final = "TA1"
ACCEPTED: Final = "000"
_DUPLICATE: Final = "025"
_NONE: Final = "000000000"


# --- ours ------------------------------------------------------------------------------------------------------------
def acceptance(header: Header, warned: Sequence[str] = ()) -> Answer:
    """For an interchange that asks for a TA1 (ISA14) and was taken. warned: notes of faults that only warn."""
    note = warned[0] if warned else ACCEPTED
    return _answer(header.fields, "E" if warned else "A", note)


def rejection(raw: bytes, refusal: Refused) -> tuple[Answer, ...]:
    """For the bytes of one Unit that was refused as a whole; a TA1 names one fault, the first."""
    start, _ = skip_lead(raw)
    fields = _claimed(raw, start) if raw.startswith(b"ISA", start) else []
    note = _DUPLICATE if refusal.code == "dup.conflict" else refusal.status
    if len(fields) < 13 or note not in INTERCHANGE_NOTES or _acknowledges(raw, start):
        return ()
    return (_answer(fields, "R", note),)


def _answer(fields: Sequence[str], verdict: str, note: str) -> Answer:
    """ISA13, ISA09 and ISA10 as they were received, to find it by; zeros for what cannot be repeated."""
    control = fields[12].strip()
    number = control.zfill(9) if re.fullmatch(r"[0-9]{1,9}", control) else _NONE
    date, time = (_copied(fields[at], size) for at, size in ((8, 6), (9, 4)))
    return Answer(KIND, ([KIND, number, date, time, verdict, note],))


def _copied(text: str, size: int) -> str:
    return text if re.fullmatch(rf"[0-9A-Za-z]{{{size}}}", text) else "0" * size


def _claimed(raw: bytes, start: int) -> list[str]:
    """The elements of any ISA as far as they stand there: by their places where these hold, else one by one."""
    isa = raw[start : start + ISA_SIZE].decode("latin-1")
    return isa.split(isa[3:4] or "*")[1:]


def _acknowledges(raw: bytes, start: int) -> bool:
    """Whether it holds nothing but acknowledgements, as far as its separators let that be seen."""
    found = find_interchange(raw, start)
    if found.header is not None:
        return only_acknowledges(raw, found)
    mark = raw[start + 3 : start + 4]
    return b"TA1" + mark in raw and b"GS" + mark not in raw


# --- theirs ----------------------------------------------------------------------------------------------------------
def receipt(segment: Elements) -> Receipt:
    """What a TA1 says of an interchange we sent, by its ISA13. Raises Refused when it cannot be read."""
    verdict, note = element(segment, 4), element(segment, 5)
    for at, form in ((1, "[0-9]{1,9}"), (4, "[AER]"), (5, "[0-9]{3}")):
        if not re.fullmatch(form, element(segment, at)):
            raise Refused("x12.element", "this TA1 says nothing that can be read", place=f"TA1{at:02d}")
    told = () if note == ACCEPTED else (f"interchange: {INTERCHANGE_NOTES.get(note, 'fault')} [{note}]",)
    return Receipt(KIND, element(segment, 1).zfill(9), verdict in {"A", "E"}, verdict, told, whole=True)
