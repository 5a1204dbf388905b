"""Invented interchanges for the X12 tests, built as text so that every byte can be wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from channels.formats.x12 import FORMAT
from engine.errors import Refused
from engine.message import Template
from engine.plugin import Envelope, Enveloped, Opened, Profile

PROFILE = Profile(partner="quill", ours={"isa": "ZZ:NORTH"}, theirs={"isa": "ZZ:QUILL"})
AT = dt.datetime(2026, 11, 21, 9, 14)

BAK = "BAK*00*AC*PO-7001*20261121"
ORDER = "BEG*00*SA*PO-7001**20261121"
LINE = "PO1*1*10*BX*4.5**VC*Q-100"
ACK = "ACK*IA*10*BX*067*20261125"
GOOD_855 = (BAK, "REF*CT*C-77", "N1*ST*Lakeside*92*LAKE", LINE, ACK, "CTT*1")
GOOD_850 = (ORDER, LINE, "CTT*1")


def isa(control: str = "000000012", **changed: str) -> str:
    fields = {
        "01": "00", "02": " " * 10, "03": "00", "04": " " * 10, "05": "ZZ", "06": "QUILL".ljust(15), "07": "ZZ",
        "08": "NORTH".ljust(15), "09": "261121", "10": "0914", "11": "U", "12": "00401", "13": control, "14": "0",
        "15": "P", "16": ">",
    }  # fmt: skip
    fields |= {name.removeprefix("isa"): value for name, value in changed.items()}
    return "*".join(["ISA", *fields.values()])


def one_set(
    id: str, body: Iterable[str], number: str = "0001", *, count: int | None = None, end: str | None = None
) -> str:
    segments = list(body)
    trailer = f"SE*{len(segments) + 2 if count is None else count}*{number if end is None else end}"
    return "~".join([f"ST*{id}*{number}", *segments, trailer]) + "~"


def group(
    sets: Sequence[str], kind: str = "PR", number: str = "7", *, release: str = "004010", ge: str | None = None
) -> str:
    trailer = f"GE*{len(sets)}*{number}~" if ge is None else ge
    return f"GS*{kind}*QUILL*NORTH*20261121*0914*{number}*X*{release}~" + "".join(sets) + trailer


def interchange(*groups: str, control: str = "000000012", iea: str | None = None, **changed: str) -> bytes:
    trailer = f"IEA*{len(groups)}*{control}~" if iea is None else iea
    return (isa(control, **changed) + "~" + "".join(groups) + trailer).encode("latin-1")


def with_855(*body: str, **changed: str) -> bytes:
    return interchange(group([one_set("855", body or GOOD_855)]), **changed)


def again(raw: bytes, marks: str) -> bytes:
    """The same interchange with other separators: element, component, segment."""
    return raw.translate(bytes.maketrans(b"*>~", marks.encode("latin-1")))


def opened(raw: bytes, profile: Profile = PROFILE) -> Opened:
    [unit] = FORMAT.split(raw, profile)
    assert unit.refusal is None, unit.refusal
    return FORMAT.open(unit.raw, profile)


def in_portions(raw: bytes, profile: Profile = PROFILE, window: int = 300) -> list[Opened]:
    """What is found in the bytes of one Unit that are looked at through a window, which widens as it must."""
    found, at, state, wide = list[Opened](), 0, "", window
    while True:
        seen = raw[at : at + wide]
        portion = FORMAT.open_portion(seen, at, state, profile, last=at + len(seen) >= len(raw))
        if portion is None:
            assert at + wide < len(raw)
            wide *= 2
            continue
        assert portion.done or (portion.at, portion.state) != (at, state)
        found.append(portion.opened)
        if portion.done:
            return found
        at, state, wide = portion.at, portion.state, window


def plain(*found: Opened, known: Iterable[str] = ()) -> dict[str, Any]:
    """What was found, all together, to compare: trees as segments; each kind of answer as one. known: warnings of the
    envelope, which were kept at the door."""
    answers: dict[str, list[Any]] = {}
    for one in found:
        for answer in one.answers:
            answers.setdefault(answer.type, []).extend(map(_plain, answer.nodes))
    return {
        "parts": [
            (part.type, _plain(part.node), part.place, part.control_id, list(map(_told, part.refusals)))
            for one in found
            for part in one.parts
        ],
        "receipts": sorted(str(receipt) for one in found for receipt in one.receipts),
        "problems": sorted(_told(problem) for one in found for problem in one.problems),
        "answers": answers,
        "warnings": {*known, *[warning for one in found for warning in one.warnings]},
    }


def _plain(node: Any) -> Any:
    return [segment for _, segment in node.walk()] if hasattr(node, "walk") else node


def _told(refusal: Refused) -> tuple[str, ...]:
    return refusal.code, refusal.text, refusal.place, refusal.hint, refusal.status


def envelope(type: str, **options: str) -> Envelope:
    """From us to quill."""
    return Envelope(
        type,
        "u-1",
        AT,
        ours={"isa": "ZZ:NORTH", "gs": "NORTH"},
        theirs={"isa": "ZZ:QUILL", "gs": "QUILL"},
        options=options,
    )


def filled(template: Template, number: int = 7) -> bytes:
    """The bytes, every control number allocated as `number`."""
    return b"".join(part if isinstance(part, bytes) else str(number).zfill(part.width).encode() for part in template)


def written(node: Any, type: str, **options: str) -> Enveloped:
    return FORMAT.envelop([node], envelope(type, **options))


def segments(raw: bytes) -> list[str]:
    return raw.decode("latin-1").split("~")


def answers(result: Opened, type: str = "997") -> list[Any]:
    """The trees of our 997s, or our TA1s."""
    return [node for answer in result.answers if answer.type == type for node in answer.nodes]


def answer_of(result: Opened, number: int = 0) -> list[str]:
    """The segments of one of our 997s, from AK1 to AK9."""
    body = segments(filled(written(answers(result)[number], "997").body))
    return [segment for segment in body if segment.startswith("AK")]
