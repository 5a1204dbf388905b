"""HL7 v2 acknowledgements that we give: which one a message asks for, and writing it.

Written with the sender's delimiters, charset and version (v2.5.1 ch. 2.9 and 2.15). Control ids and time are arguments.
No value of a message is put into an error's text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from channels.formats.hl7v2.header import Header, Letterhead
from engine.errors import Refused

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


_Pieces = tuple[str, str, str]  # an acknowledgement's text before its time, its control id and the answered one's
_SILENCE: Final = ("", "", "")


def acknowledge(header: Header, refusal: Refused | None, ids: Callable[[], str], time: str) -> bytes:
    """The acknowledgement that a message with this header asks for, without framing; empty when it wants none.

    refusal: why the message is not accepted. ids: gives acknowledgements' control ids (MSH-10). time: see `timestamp`.
    """
    letterhead, _, control_id, charset, is_answer = header
    if refusal is not None:
        code = answer_code(header, outcome_of(refusal), reply=is_answer)
        return build_ack(header, code=code, control_id=ids(), time=time, refusal=refusal) if code else b""
    first, then, last = letterhead.answers.get("reply" if is_answer else "") or _yes(header)
    if not first:
        return b""
    return f"{first}{time}{then}{ids()}{last}{control_id}\r".encode(charset, "replace")


def _yes(header: Header) -> _Pieces:
    """What a message of this letterhead is answered when it is accepted, kept for the next one."""
    code = answer_code(header, ACCEPT, reply=header.is_answer)
    pieces = _constants(header.letterhead, code) if code else _SILENCE
    header.letterhead.answers["reply" if header.is_answer else ""] = pieces
    return pieces


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


def build_ack(header: Header, *, code: str, control_id: str, time: str, refusal: Refused | None = None) -> bytes:
    """A general acknowledgement (ACK) of the message with this header, without framing.

    code: MSA-1. control_id: of the acknowledgement itself (MSH-10). time: see `timestamp`.
    """
    letterhead = header.letterhead
    first, then, last = letterhead.answers.get(code) or _constants(letterhead, code)
    answer = f"{first}{time}{then}{control_id}{last}{header.control_id}\r"
    if refusal is not None:
        answer = answer[:-1] + _explained(header, refusal)
    return answer.encode(header.charset, "replace")


def _constants(letterhead: Letterhead, code: str) -> _Pieces:
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
def timestamp(now: dt.datetime) -> str:
    """MSH-7 of an acknowledgement, to the second. now: with its zone."""
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
