"""HL7 v2 acknowledgements: which one a message asks for, writing it, reading one, and what it means for what we sent.

Written with the sender's delimiters, charset and version (v2.5.1 ch. 2.9 and 2.15); read as loosely as is safe: any
separators and segment ends, but only a known MSA-1 with our own control id ever counts as "received".
Control ids and time are arguments. No value of a message is put into an error's text.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from channels.formats.hl7v2.header import Header, Letterhead
from engine.errors import Refused, Rejected, Unavailable
from engine.plugin import Sent

ACCEPT, ERROR, REJECT = "A", "E", "R"

# Table 0357, in our words.
CONDITIONS: Final = {
    "0": "accepted",
    "100": "segment sequence error",
    "101": "required field missing",
    "102": "data type error",
    "103": "table value not found",
    "104": "value too long",
    "200": "unsupported message type",
    "201": "unsupported event code",
    "202": "unsupported processing id",
    "203": "unsupported version id",
    "204": "unknown key identifier",
    "205": "duplicate key identifier",
    "206": "application record locked",
    "207": "application internal error",
}
SYSTEM_ERROR = "207"
# What table 0357 says for refusals that carry no status of it, because no HL7 v2 part made them.
_BY_CODE: Final = {
    "map.miss": "204",
    "map.value": "102",
    "map.missing": "101",
    "map.unknown_code": "103",
    "map.document": "102",
    "dup.conflict": "205",
    "route.none": "200",
    "route.partner": "204",
}
# `RQD[2]-5.1`, `PID-3(2).4.1`; what a repetition or segment is chosen by (`PID-3[5=MR]`) an ERL cannot say.
_PLACE = re.compile(
    r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\]|\[[^]]*\])?"
    r"(?:-(\d+)(?:[\[(](\d+)[\])]|\[[^]]*\])?(?:\.(\d+))?(?:\.(\d+))?)?"
)
_LAST_NUMBER = re.compile(r"\[(\d+)\][^\[]*$")


# --- answering -------------------------------------------------------------------------------------------------------
def answer_code(header: Header, outcome: str, *, reply: bool = False) -> str:
    """MSA-1 of the answer that a message's header asks for, or "" when it wants none.

    outcome: ACCEPT, ERROR or REJECT. reply: the message is itself an answer, which only an accept ack may follow.
    Original mode: AA, AE, AR. Enhanced: CA, CE, CR as MSH-15 wishes; a sender that declines the accept ack and asks
    for the application's (`NE|AL`, as IHE devices do) gets AA, AE, AR as MSH-16 wishes.
    """
    if not header.letterhead.enhanced:
        return "" if reply else "A" + outcome
    if header.accept_ack and header.accept_ack != "NE":
        return "C" + outcome if _wished(header.accept_ack, outcome) else ""
    if reply or not header.application_ack:
        return ""
    return "A" + outcome if _wished(header.application_ack, outcome) else ""


def _wished(wish: str, outcome: str) -> bool:
    """Table 0155; a word that it does not have is taken as AL."""
    if wish == "ER":
        return outcome != ACCEPT
    if wish == "SU":
        return outcome == ACCEPT
    return wish != "NE"


def outcome_of(refusal: Refused | None) -> str:
    if refusal is None:
        return ACCEPT
    return REJECT if refusal.reject else ERROR


def build_ack(header: Header, *, code: str, control_id: str, now: dt.datetime, refusal: Refused | None = None) -> bytes:
    """A general acknowledgement (ACK) of the message with this header, without framing.

    code: MSA-1. control_id: of the acknowledgement itself (MSH-10). now: with its zone, to the second.
    """
    letterhead = header.letterhead
    first, then, last = letterhead.answers.get(code) or _constants(letterhead, code)
    answer = f"{first}{_timestamp(now)}{then}{control_id}{last}{header.control_id}\r"
    if refusal is not None:
        answer = answer[:-1] + _explained(header, refusal)
    return answer.encode(header.charset, "replace")


def _constants(letterhead: Letterhead, code: str) -> tuple[str, str, str]:
    """An acknowledgement's text before its time, its control id and the answered one's; kept for the next."""
    marks, field = letterhead.separators, letterhead.field
    kind = marks.component.join(("ACK", letterhead.event, "ACK")) if letterhead.event else "ACK"
    first = ["MSH", marks.encoding, field(5), field(6), field(3), field(4), ""]
    last = ["", field(11) or "P", field(12) or "2.5.1"]
    if field(18):
        last += ["", "", "", "", "", field(18)]
    msa = marks.field.join(("MSA", code, ""))
    pieces = marks.field.join(first), marks.field.join(("", "", kind, "")), f"{marks.field.join(last)}\r{msa}"
    letterhead.answers[code] = pieces
    return pieces


def _explained(header: Header, refusal: Refused) -> str:
    """What follows the answered control id: MSA-3 and the segment ERR."""
    field, version = header.separators.field, _version(header)
    words = "" if version >= (2, 7) else field + _escape(header, _words(refusal))  # MSA-3 was withdrawn then
    err = _err_2_5(header, refusal) if version >= (2, 5) else _err_eld(header, refusal)
    return f"{words}\r{field.join(err).rstrip(field)}\r"


@lru_cache(maxsize=2)
def _timestamp(now: dt.datetime) -> str:
    return now.strftime("%Y%m%d%H%M%S%z")


def _err_2_5(header: Header, refusal: Refused) -> list[str]:
    """ERR since 2.5: ERR-2 ERL, ERR-3 table 0357, ERR-4 severity, ERR-5 our own code, ERR-7 and ERR-8 the words."""
    component = header.separators.component
    status = condition(refusal)
    coded = component.join((status, CONDITIONS[status], "HL70357"))
    own = component.join((_escape(header, refusal.code), "", "L"))
    text = _escape(header, _words(refusal))
    hint = _escape(header, refusal.hint)
    return ["ERR", "", component.join(_location(refusal.place)), coded, "E", own, "", text, hint]


def _err_eld(header: Header, refusal: Refused) -> list[str]:
    """ERR before 2.5: ERR-1 ELD is segment^sequence^field^code&text."""
    marks, status = header.separators, condition(refusal)
    coded = marks.subcomponent.join((status, CONDITIONS[status])) if marks.subcomponent else status
    segment, sequence, field = (*_location(refusal.place), "", "", "")[:3]
    return ["ERR", marks.component.join((segment, sequence, field, coded))]


def condition(refusal: Refused) -> str:
    """The code of table 0357 for a refusal: its own status where that is one."""
    if refusal.status in CONDITIONS:
        return refusal.status
    return _BY_CODE.get(refusal.code, SYSTEM_ERROR)


def _location(place: str) -> list[str]:
    """ERL of a place like `ORDER[2]/RQD-5.1`: segment, sequence, field, repetition, component, subcomponent.

    A segment without a number of its own has that of its group. Of `ORDER[1]: RQD` it is the missing RQD.
    """
    groups, _, last = place.replace(": ", "/").rpartition("/")
    found = _PLACE.fullmatch(last)
    if found is None:
        return []
    segment, sequence, field, repetition, component, subcomponent = found.groups("")
    numbered = _LAST_NUMBER.search(groups)
    sequence = sequence or (numbered[1] if numbered else "1")
    if not field:
        return [segment, sequence]
    parts = [segment, sequence, field, repetition or ("1" if component else ""), component, subcomponent]
    while not parts[-1]:
        parts.pop()
    return parts


def _words(refusal: Refused) -> str:
    """The sentence, with the place wherever an ERL cannot say all of it."""
    whole = not refusal.place or _PLACE.fullmatch(refusal.place)
    return refusal.text if whole else f"{refusal.text} (at {refusal.place})"


def _version(header: Header) -> tuple[int, int]:
    found = re.match(r"(\d)\.(\d)", header.version)
    return (int(found[1]), int(found[2])) if found else (2, 5)


def _escape(header: Header, text: str) -> str:
    marks = header.separators
    names = {marks.field: "F", marks.component: "S", marks.repetition: "R", marks.escape: "E", marks.subcomponent: "T"}
    return "".join(_escaped(letter, names, marks.escape) for letter in text)


def _escaped(letter: str, names: dict[str, str], escape: str) -> str:
    if not letter.isprintable():
        return " "
    if letter not in names:
        return letter
    return f"{escape}{names[letter]}{escape}" if escape else " "


# --- being answered --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement as received. error_code: table 0357 or the receiver's own; place: `RQD[1]-5`; both may be
    empty. text: the receiver's words, which may hold values of the message: never for a log."""

    code: str
    control_id: str
    error_code: str = ""
    text: str = ""
    place: str = ""


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
