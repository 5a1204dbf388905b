"""What MSH says, read from raw bytes without parsing the message: all that an acknowledgement needs.

`read_header` never raises and never judges: of a broken message it gives what can be known, so that even a rejection
is written with the sender's own delimiters and names the sender's control id. Judging is `envelope`'s work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

BOM = b"\xef\xbb\xbf"
_JOINT = "\x1f"  # between the parts of a duplicate key; refused in messages, so it cannot be forged
_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?\s*([^\r\n]{0,65536})")


class Separators(NamedTuple):
    r"""The delimiters of one message, one character each; a trailing one is empty where the sender shortened MSH-2.

    Order as in MSH-1 and MSH-2: `|` then `^~\&`, then the truncation character of 2.7 (usually `#`).
    """

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def encoding(self) -> str:
        """MSH-2 as it is written."""
        return "".join(self[1:])


STANDARD = Separators()


class Letterhead:
    """What a sender repeats in every MSH: all but the time (MSH-7) and the control id (MSH-10), which are empty here.

    fields: MSH-n at index n-1. type: `OMS^O05`, the first two components of MSH-9 with a caret, whatever the sender's
    separators. sender: `APP|FACILITY`. signature: the sender's names in full, as they end a duplicate key.
    character_set: MSH-18, whole. answers, readings: what is constant in acknowledgements by code, and in reading the
    message by codec; kept by who does that.
    """

    __slots__ = (
        "answers", "character_set", "code", "enhanced", "event", "fields", "readings", "sender", "separators",
        "signature", "structure", "type",
    )  # fmt: skip

    def __init__(self, fields: Sequence[str] = (), separators: Separators = STANDARD) -> None:
        self.fields = tuple(fields)
        self.separators = separators
        component = separators.component
        self.code, self.event, self.structure = (*self.field(9).split(component), "", "")[:3]
        self.type = f"{self.code}^{self.event}" if self.event else self.code
        names = (self.field(number).split(component, 1)[0] for number in (3, 4))
        self.sender = "|".join(names) if fields else ""
        self.signature = f"{_JOINT}{self.field(3)}{_JOINT}{self.field(4)}"
        self.character_set = self.field(18)
        self.enhanced = bool(self.field(15) or self.field(16))
        self.answers: dict[str, tuple[str, str, str]] = {}
        self.readings: dict[str, Any] = {}

    def field(self, number: int) -> str:
        """MSH-number, 1-based; empty when the segment is shorter."""
        if number == 1:
            return self.separators.field if self.fields else ""
        return self.fields[number - 1] if number <= len(self.fields) else ""


_NO_LETTERHEAD = Letterhead()


class Header(NamedTuple):
    """The MSH segment. All values are as received: still escaped, never None, `""` when absent.

    time, control_id: MSH-7 and MSH-10; all else is in the letterhead.
    charset: Python codec by which the values give their bytes again: encode an answer with it.
    is_answer: the message is itself an acknowledgement or response (v2.5.1 ch. 2.9: MSA is in every one of them).

    Attributes by name: `separators`, `sending_application` (MSH-3), `sending_facility` (4), `receiving_application`
    (5), `receiving_facility` (6), `message_type` (9, whole), `code` (9.1), `event` (9.2), `structure` (9.3),
    `processing_id` (11), `version` (12), `sequence_number` (13), `accept_ack` (15), `application_ack` (16),
    `character_set` (18, whole). `found` is false when the bytes hold no MSH: then everything is empty and the
    separators are the standard ones. `enhanced`: MSH-15 or MSH-16 is valued (v2.5.1 ch. 2.9.2).
    """

    letterhead: Letterhead = _NO_LETTERHEAD
    time: str = ""
    control_id: str = ""
    charset: str = "utf-8"
    is_answer: bool = False

    def field(self, number: int) -> str:
        """MSH-number, 1-based; empty when the segment is shorter."""
        if number == 7:
            return self.time
        return self.control_id if number == 10 else self.letterhead.field(number)

    @property
    def separators(self) -> Separators:
        return self.letterhead.separators

    @property
    def found(self) -> bool:
        return bool(self.letterhead.fields)

    @property
    def sending_application(self) -> str:
        return self.letterhead.field(3)

    @property
    def sending_facility(self) -> str:
        return self.letterhead.field(4)

    @property
    def receiving_application(self) -> str:
        return self.letterhead.field(5)

    @property
    def receiving_facility(self) -> str:
        return self.letterhead.field(6)

    @property
    def message_type(self) -> str:
        return self.letterhead.field(9)

    @property
    def code(self) -> str:
        return self.letterhead.code

    @property
    def event(self) -> str:
        return self.letterhead.event

    @property
    def structure(self) -> str:
        return self.letterhead.structure

    @property
    def processing_id(self) -> str:
        return self.letterhead.field(11)

    @property
    def version(self) -> str:
        return self.letterhead.field(12)

    @property
    def sequence_number(self) -> str:
        return self.letterhead.field(13)

    @property
    def accept_ack(self) -> str:
        return self.letterhead.field(15)

    @property
    def application_ack(self) -> str:
        return self.letterhead.field(16)

    @property
    def character_set(self) -> str:
        return self.letterhead.character_set

    @property
    def enhanced(self) -> bool:
        return self.letterhead.enhanced


def read_header(raw: bytes, charset: str = "") -> Header:
    """Read MSH from the start of a message, as well as it can be read. Never raises.

    A byte order mark and blank space before MSH are passed over; a UTF-16 body is read too (only to be refused by
    name). charset: codec to try first; without it UTF-8, and Latin-1 where that fails, so that bytes echo unchanged.
    """
    line = first_segment(raw)
    answers = b"\rMSA" in raw or b"\nMSA" in raw
    if line[:3] != b"MSH" or len(line) < 4:
        return Header(is_answer=answers)
    text, codec = _decode(line, charset or "utf-8")
    separators = read_separators(text)
    constant, time, control_id = part(text, separators.field)
    letterhead = Letterhead(constant, separators)
    return Header(letterhead, time, control_id, codec, answers or letterhead.code == "ACK")


def part(msh: str, mark: str) -> tuple[list[str], str, str]:
    """An MSH segment's fields without time and control id, and those."""
    fields = msh.split(mark)
    time = control_id = ""
    if len(fields) > 6:
        time, fields[6] = fields[6], ""
    if len(fields) > 9:
        control_id, fields[9] = fields[9], ""
    return fields, time, control_id


def read_separators(msh: str) -> Separators:
    """Separators of an MSH segment's text; the standard ones in place of what cannot be one (a letter, a repeat)."""
    mark = msh[3:4]
    if not legal_separators(mark):
        return STANDARD
    encoding = msh[4:].split(mark, 1)[0]
    if not (2 <= len(encoding) <= 5 and legal_separators(mark + encoding)):
        return STANDARD._replace(field=mark) if mark not in STANDARD[1:] else STANDARD
    return Separators(mark, *encoding, *[""] * (5 - len(encoding)))


def legal_separators(marks: str) -> bool:
    """Whether these may delimit: distinct, printable ASCII, neither letter, digit nor space (v2.5.1 ch. 2.5.4)."""
    return (
        len(set(marks)) == len(marks)
        and marks.isascii()
        and all(mark.isprintable() and not mark.isalnum() and mark != " " for mark in marks)
    )


def first_segment(raw: bytes) -> bytes:
    """The bytes of the first segment, without byte order mark, leading blanks and segment end; at most 64 KiB."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raw = _narrow(raw, "utf-16")
    elif b"\x00" in raw[:4]:
        raw = _narrow(raw, "utf-16-be" if raw[:1] == b"\x00" else "utf-16-le")
    found = _FIRST.match(raw)
    return found[1] if found else b""


def _narrow(raw: bytes, codec: str) -> bytes:
    return raw[:4096].decode(codec, "replace").encode()


def _decode(line: bytes, codec: str) -> tuple[str, str]:
    try:
        return line.decode(codec), codec
    except (UnicodeDecodeError, LookupError):
        return line.decode("latin-1"), "latin-1"
