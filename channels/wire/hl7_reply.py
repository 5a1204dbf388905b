"""HL7 v2 acknowledgements that we get: reading one, and what it means for the message we sent.

Read as loosely as is safe: any separators and segment ends, but only a known MSA-1 with our own control id ever counts
as "received". No value of a message is put into an error's text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from channels.wire.hl7_ack import CONDITIONS, ERROR, REJECT, SYSTEM_ERROR
from engine.errors import Rejected, Unavailable
from engine.plugin import Sent

_YES: Final = {b"AA": Sent("AA"), b"CA": Sent("CA")}


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement as received. error_code: table 0357 or the receiver's own; place: `RQD[1]-5`; both may be
    empty. text: the receiver's words, which may hold values of the message: never for a log."""

    code: str
    control_id: str
    error_code: str = ""
    text: str = ""
    place: str = ""


def accepted(answer: bytes, control_id: str) -> Sent | None:
    """What nearly every answer is, a yes under our control id, told from the bytes of its MSA alone.

    None: `read_ack` and `judge` must say what it means. Says yes only where they would.
    """
    at = answer.find(b"\rMSA") + 1
    if not at or not control_id or answer[:3] != b"MSH" or b"\n" in answer:
        return None
    line = answer[at:].partition(b"\r")[0]
    fields = line.split(line[3:4], 3) if len(line) > 3 else ()
    if len(fields) < 3 or fields[2].decode("latin-1").strip() != control_id or not control_id.isascii():
        return None
    return _YES.get(fields[1])


def read_ack(payload: bytes) -> Ack | None:
    """The acknowledgement in a frame, or None when it holds no MSA. The separator is the one behind `MSA`."""
    segments = [line for line in re.split(r"[\r\n]+", _decode(payload).lstrip("\ufeff")) if line]
    msa = _fields(segments, "MSA")
    if len(msa) < 2:
        return None
    msh, err = _fields(segments, "MSH"), _fields(segments, "ERR")
    encoding = msh[1] if len(msh) > 1 else ""
    component, subcomponent = encoding[:1] or "^", encoding[3:4] or "&"
    error_code, place, words = _read_err(err, component, subcomponent)
    error_code = error_code or _at(_at(msa, 6).split(component), 0)
    return Ack(msa[1].strip(), _at(msa, 2).strip(), error_code, words or _at(msa, 3), place)


def judge(ack: Ack | None, control_id: str, *, retry_errors: bool = True) -> Sent | Unavailable | Rejected | None:
    """What an answer means for the message sent under this control id; None: it says nothing about it, keep waiting.

    AE and CE are worth another try (unless retry_errors is off), AR and CR only with 207; all others never again.
    """
    if ack is None or not control_id or ack.control_id != control_id:
        return None
    if ack.code in {"AA", "CA"}:
        return Sent(ack.code)
    if ack.code not in {"AE", "CE", "AR", "CR"}:
        return None
    known = ack.error_code if ack.error_code in CONDITIONS else ""
    text = f"the receiver answered {ack.code}" + (f" {known} ({CONDITIONS[known]})" if known else "")
    said = {"status": ack.code, "code": ack.error_code, "message": ack.text, "pointer": ack.place}
    context = {name: value[:500] for name, value in said.items() if value}
    if ack.code[1] == ERROR and retry_errors:
        return Unavailable("mllp.nak_error", text, place=ack.place, context=context)
    if ack.code[1] == REJECT and known == SYSTEM_ERROR:
        return Unavailable("mllp.nak_busy", text, place=ack.place, context=context)
    return Rejected("mllp.rejected", text, place=ack.place, context=context)


def _read_err(err: list[str], component: str, subcomponent: str) -> tuple[str, str, str]:
    """Code, place and words of an ERR segment in either form."""
    if _at(err, 3) or _at(err, 2):
        coded = _at(err, 3).split(component)
        return coded[0], _place(_at(err, 2).split(component)), _at(err, 8) or _at(err, 7) or _at(coded, 1)
    eld = _at(err, 1).split(component)
    coded = _at(eld, 3).split(subcomponent)
    return coded[0], _place(eld[:3]), _at(coded, 1)


def _place(erl: list[str]) -> str:
    """`RQD[1]-5` from an ERL, if it looks like one; a stranger's words are not repeated as a place."""
    segment, sequence, field = _at(erl, 0), _at(erl, 1), _at(erl, 2)
    if not re.fullmatch(r"[A-Z][A-Z0-9]{2}", segment) or not f"0{sequence}{field}".isdigit():
        return ""
    return segment + (f"[{sequence}]" if sequence else "") + (f"-{field}" if field else "")


def _fields(segments: list[str], name: str) -> list[str]:
    found = next((line for line in segments if line.startswith(name)), "")
    return found.split(found[3:4]) if len(found) > 3 else []


def _at(parts: list[str], index: int) -> str:
    return parts[index] if index < len(parts) else ""


def _decode(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload.decode("latin-1")
