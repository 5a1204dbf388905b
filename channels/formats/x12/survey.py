"""What unknown interchanges show of their sender: who, separators, sets, releases, and the codes in use. Pure.

Nothing is judged: a file that would be refused may still tell who wrote it, and how. Never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from channels.formats.x12.envelope import Interchange, find_interchange, find_isa
from channels.formats.x12.separators import Elements, cut
from channels.formats.x12.split import skip_lead
from engine.plugin import Seen

# Where a segment has its unit of measure, and where its pairs of qualifier and id begin (X12.22).
_UNITS: Final = {"PO1": 3, "ACK": 3, "IT1": 3, "SN1": 3, "POC": 5, "PO4": 3, "SAC": 9, "CTP": 5}
_ITEMS: Final = {"PO1": 6, "ACK": 7, "IT1": 6, "LIN": 2, "POC": 8}
_CODE: Final = re.compile(r"[A-Z0-9]{1,3}")
_MOST: Final = 20_000  # segments looked at in one interchange


def survey(raw: bytes) -> list[Seen]:
    """Every observation with the number of its interchange, from 1; `unusable` for what is none, in words."""
    start, _ = skip_lead(raw)
    seen: list[Seen] = []
    number = 0
    while start < len(raw):
        number += 1
        if not raw.startswith(b"ISA", start):
            end = find_isa(raw, start)
            seen.append(Seen(number, "unusable", "text that is no interchange"))
        else:
            found = find_interchange(raw, start)
            seen += _of(found, raw, number)
            end = max(found.end, start + 3)
        start = end
        while start < len(raw) and raw[start : start + 1].isspace():
            start += 1
    return seen or [Seen(1, "unusable", "there is nothing in it")]


def _of(found: Interchange, raw: bytes, number: int) -> Iterator[Seen]:
    header = found.header
    if header is None:
        yield Seen(number, "unusable", found.refusal.text if found.refusal else "it cannot be cut into segments")
        return
    marks = header.separators
    yield Seen(number, "sender", header.sender)
    yield Seen(number, "receiver", header.receiver)
    told = {"usage": header.fields[14], "version": header.fields[11], "standards_id": header.fields[10],
            "acknowledgement_requested": header.fields[13]}  # fmt: skip
    yield from (Seen(number, kind, value) for kind, value in told.items())
    text = raw[found.start : found.end].decode("latin-1")
    for kind, value in (("element", marks.element), ("component", marks.component), ("segment", marks.segment)):
        yield Seen(number, kind, value)
    if after := re.match(r"[\r\n]*", text[header.size :]):
        yield Seen(number, "after_segment", after[0])
    if found.refusal:
        yield Seen(number, "fault", found.refusal.text)
    for segment in cut(text, marks).segments[:_MOST]:
        yield from _told(segment, number)


def _told(segment: Elements, number: int) -> Iterator[Seen]:
    id = str(segment[0]).strip()
    values = [str(value).strip() for value in segment]
    if id == "GS" and len(values) > 3:
        yield Seen(number, "group", f"{values[2]}>{values[3]}")
        yield Seen(number, "release", values[8][:6] if len(values) > 8 else "")
    elif id == "ST" and len(values) > 1:
        yield Seen(number, "set", values[1])
    elif id == "N1" and len(values) > 4:
        yield Seen(number, "party", f"{values[1]} by {values[3]}")
        if values[1] in {"SE", "SU", "VN"}:
            yield Seen(number, "name", values[2])
    if (at := _UNITS.get(id)) and at < len(values) and _CODE.fullmatch(values[at]):
        yield Seen(number, "unit", values[at])
    if (first := _ITEMS.get(id)) is not None:
        pairs = zip(values[first::2], values[first + 1 :: 2], strict=False)
        yield from (Seen(number, "item", kind) for kind, value in pairs if value and _CODE.fullmatch(kind))
