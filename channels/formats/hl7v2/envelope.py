"""The accept path: one frame's payload in, one Unit out, from MSH and a few scans of the bytes; nothing is parsed.

`scan` finds what makes bytes unreadable as one HL7 v2 message, `judge` what this channel does not take.
Codes of table 0357 and AR against AE follow v2.5.1 ch. 2.9; `reject` marks an AR.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from channels.formats.hl7v2.charset import decide, place_of
from channels.formats.hl7v2.header import (
    BOM,
    STANDARD,
    Header,
    Letterhead,
    Separators,
    legal_separators,
    part,
    read_header,
)
from engine.errors import Refused
from engine.message import Facts, Unit, record
from engine.plugin import Profile

_Measure = Callable[[bytes], int]
MAX_SEGMENTS = 10_000
MAX_REPETITIONS = 5_000
MAX_FIELD = 5 * 1024 * 1024
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r\x1b")
_CONTROLS_AND_ESCAPE = _CONTROLS + b"\x1b"  # ISO 2022 charsets shift with it; elsewhere it is as bad as the others
_STANDARD_START = "MSH|^~\\&|"
_USUAL = 500  # characters: a longer header is not worth remembering
_VERSION = re.compile(r"2\.[1-9](\.[0-9]+)?")


def split(raw: bytes, profile: Profile) -> list[Unit]:
    """One Unit for the payload of one frame; `Facts.context` is its Header. Never raises.

    A refused message has no duplicate key: sent again it is judged again, and corrected under its old id it is new.
    """
    try:
        header, warnings, taken = scan(raw, profile)
    except Refused as refusal:
        return [Unit(raw, _facts(read_header(raw), "", ()), refusal)]
    problem = None if taken and header.control_id else judge(header, profile)
    if problem is not None:
        return [Unit(raw, _facts(header, "", warnings), problem)]
    known_by = header.control_id or hashlib.sha256(raw).hexdigest()
    return [record(Unit, (raw, _facts(header, known_by + header.letterhead.signature, warnings), None))]


def scan(raw: bytes, profile: Profile) -> tuple[Header, tuple[str, ...], bool]:
    """MSH of one readable message, codes of tolerated departures, and whether the channel is known to take all of MSH
    but its control id. Raises Refused when the bytes are not one readable message.
    """
    body = raw.removeprefix(BOM)
    if not body.startswith(b"MSH"):
        raise _no_header(body)
    feeds = body.find(b"\n") >= 0
    letterhead, taken, time, control_id, codec = _header(body, feeds, profile)
    mark, is_answer = letterhead.separators.field, letterhead.code == "ACK"
    if feeds or _unusual(mark).search(body):
        is_answer = _check_segments(body.splitlines(), mark) or is_answer
    controls = _CONTROLS if codec.startswith("iso2022") else _CONTROLS_AND_ESCAPE
    if len(body.translate(None, controls)) != len(body):
        raise _control_character(body, controls)
    if profile.limits or len(body) >= MAX_REPETITIONS:
        _check_sizes(body, letterhead.separators, profile.limits)
    warnings: tuple[str, ...] = () if body is raw else ("hl7.bom",)
    if feeds:
        if _switched_on(profile, "strict_segment_ends"):
            text = "segments end with a line feed, and only carriage returns are agreed"
            raise Refused("hl7.segment", text, place="MSH", status="100")
        warnings = (*warnings, "hl7.lf_segments")
    return record(Header, (letterhead, time, control_id, codec, is_answer)), warnings, taken


def judge(header: Header, profile: Profile) -> Refused | None:
    """What of MSH-9 to MSH-12 this channel does not take; None when it takes the message."""
    letterhead = header.letterhead
    if len(letterhead.fields) < 9:
        return _rejected("hl7.header", "MSH ends before the message type", "MSH-9", "101")
    refusal = _judge_type(letterhead.type, profile.accepts)
    if refusal is not None:
        return refusal
    if not header.control_id and not _switched_on(profile, "allow_empty_control_id"):
        return _rejected("hl7.control_id", "the message has no control id", "MSH-10", "101")
    component = letterhead.separators.component
    if letterhead.field(11).split(component, 1)[0] != profile.usage:
        text = f"this channel takes messages of processing id {profile.usage} only"
        return _rejected("hl7.processing_id", text, "MSH-11", "202")
    if not _VERSION.fullmatch(letterhead.field(12).split(component, 1)[0]):
        return _rejected("hl7.version", "the version is not one of 2.1 to 2.9", "MSH-12", "203")
    return None


def _judge_type(kind: str, accepts: frozenset[str]) -> Refused | None:
    if kind in accepts:
        return None
    code = kind.split("^", 1)[0]
    if not code:
        return _rejected("hl7.type", "the message has no type", "MSH-9", "200")
    if not accepts or code in accepts:
        return None
    if any(known.split("^", 1)[0] == code for known in accepts):
        return _rejected("hl7.type", "this channel takes the message type, but not its event", "MSH-9.2", "201")
    return _rejected("hl7.type", "this channel does not take the message type", "MSH-9.1", "200")


def _facts(header: Header, dedup: str, warnings: tuple[str, ...]) -> Facts:
    letterhead, _, control_id, _, _ = header
    known = ("hl7v2", letterhead.type, control_id, letterhead.sender, dedup, (), warnings, header, "MSH-10")
    return record(Facts, known)


# --- MSH --------------------------------------------------------------------------------------------------------------
# A letterhead with whether it is known to be taken, the time, the control id, and the codec of the message.
_Opening = tuple[Letterhead, bool, str, str, str]


def _header(body: bytes, feeds: bool, profile: Profile) -> _Opening:
    """MSH of a body that has line feeds, or not; with the codec of all of it, which is decided by MSH-18.

    MSH-18 is ASCII in every charset we read.
    """
    end = body.find(b"\r")
    line = body if end < 0 else body[:end]
    if feeds:
        line = line.split(b"\n", 1)[0]
    if len(line) < 9:
        raise _rejected("hl7.header", "MSH ends before the message type", "MSH-9", "101")
    opening = _opening(line.decode("latin-1"), "utf-8", profile)
    letterhead = opening[0]
    if not (letterhead.character_set or profile.charset) and body.isascii():
        return opening
    named = letterhead.character_set.split(letterhead.separators.repetition, 1)[0]
    codec = decide(body, named, profile.charset, profile.options.get("default_charset", ""))
    return (*opening[:4], codec) if line.isascii() else _opening(line.decode(codec), codec, profile)


def _opening(msh: str, codec: str, profile: Profile) -> _Opening:
    mark = msh[3]
    fields = msh.split(mark, 10)
    if len(fields) < 11 or len(msh) > _USUAL:
        separators = _separators(msh)
        constant, time, control_id = part(msh, mark)
        return Letterhead(constant, separators), False, time, control_id, codec
    time, control_id = fields[6], fields[9]
    fields[6] = fields[9] = ""
    letterhead, taken = _known(mark.join(fields), profile.accepts, profile.usage)
    return letterhead, taken, time, control_id, codec


@lru_cache(maxsize=512)
def _known(msh: str, accepts: frozenset[str], usage: str) -> tuple[Letterhead, bool]:
    """A letterhead from its text, and whether a channel takes it: neither depends on anything else of a message."""
    separators = _separators(msh)
    letterhead = Letterhead(msh.split(separators.field), separators)
    profile = Profile(accepts=accepts, usage=usage)
    return letterhead, judge(Header(letterhead, control_id="any"), profile) is None


def _separators(msh: str) -> Separators:
    if msh.startswith(_STANDARD_START):
        return STANDARD
    mark = msh[3]
    if not legal_separators(mark):
        raise _rejected("hl7.header", "MSH-1 cannot separate fields", "MSH-1", "101")
    encoding = msh[4:].split(mark, 1)[0]
    if not 2 <= len(encoding) <= 5 or not legal_separators(mark + encoding):
        raise _rejected("hl7.header", "MSH-2 does not hold two to five distinct separators", "MSH-2", "101")
    return Separators(mark, *encoding, *[""] * (5 - len(encoding)))


# --- what makes bytes unreadable --------------------------------------------------------------------------------------
def _no_header(body: bytes) -> Refused:
    if body[:3] in (b"FHS", b"BHS"):
        return _rejected("hl7.type", "batches of messages are not taken here", body[:3].decode(), "200")
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in body[:4]:
        return Refused("hl7.charset", "the body looks like UTF-16, which MLLP cannot carry", place="MSH", status="102")
    return _rejected("hl7.header", "the message does not start with MSH", "MSH", "100")


@lru_cache(maxsize=64)
def _unusual(mark: str) -> re.Pattern[bytes]:
    """Finds the first segment end behind which comes neither a named segment other than MSH and MSA, nor the end."""
    return re.compile(rb"\r(?!(?!MS[HA])[A-Z][A-Z0-9]{2}%b|\Z)" % re.escape(mark.encode()))


def _check_segments(lines: list[bytes], mark: str) -> bool:
    """Whether MSA is among the segments. Raises Refused when there is another MSH, or a line that is no segment."""
    heads = {line[:4] for line in lines[1:] if line}
    if not all(_is_head(head, mark) for head in heads) or any(head[:3] == b"MSH" for head in heads):
        raise _bad_segment(lines, mark)
    return any(head[:3] == b"MSA" for head in heads)


def _bad_segment(lines: list[bytes], mark: str) -> Refused:
    count = sum(line[:3] == b"MSH" for line in lines)
    if count > 1:
        text = "one frame holds more than one MSH; none of them is taken"
        return Refused("hl7.multi_msh", text, place=f"MSH[{count}]", status="100")
    number = next(number for number, line in enumerate(lines, 1) if line and not _is_head(line[:4], mark))
    text = "a segment does not start with a name of three capitals and the field separator"
    return Refused("hl7.segment", text, place=f"segment {number}", status="100")


@lru_cache(maxsize=1024)
def _is_head(head: bytes, mark: str) -> bool:
    return re.fullmatch(rb"[A-Z][A-Z0-9]{2}(?:%b)?" % re.escape(mark.encode()), head) is not None


def _control_character(body: bytes, controls: bytes) -> Refused:
    offset = next(index for index, byte in enumerate(body) if byte in controls)
    text = f"control character 0x{body[offset]:02X} in the data, at byte {offset + 1}"
    return Refused("hl7.control_char", text, place=place_of(body, offset), status="102")


def _check_sizes(body: bytes, separators: Separators, limits: Mapping[str, int]) -> None:
    size, lines = len(body), body.splitlines()
    cap = limits.get("segments", MAX_SEGMENTS)
    if len(lines) > cap:
        raise _over("segments", len(lines), cap, f"segment {cap + 1}")
    cap = limits.get("field", MAX_FIELD)
    if size > cap:
        _check_fields(lines, separators, cap, "bytes in a field", len)
    cap = limits.get("repetitions", MAX_REPETITIONS)
    if size >= cap and body.count(mark := separators.repetition.encode()) >= cap:
        _check_fields(lines, separators, cap, "repetitions of a field", lambda value: value.count(mark) + 1)


def _check_fields(lines: Iterable[bytes], separators: Separators, cap: int, what: str, measure: _Measure) -> None:
    seen: dict[bytes, int] = {}
    for line in lines:
        name = line[:3]
        seen[name] = seen.get(name, 0) + 1
        for number, value in enumerate(line.split(separators.field.encode()), name == b"MSH"):
            if measure(value) > cap:
                raise _over(what, measure(value), cap, f"{name.decode()}[{seen[name]}]-{number}")


def _over(what: str, found: int, cap: int, place: str) -> Refused:
    return Refused("hl7.limit", f"{found} {what}, and at most {cap} are taken", place=place, status="102")


def _rejected(code: str, text: str, place: str, status: str) -> Refused:
    return Refused(code, text, place=place, status=status, reject=True)


def _switched_on(profile: Profile, option: str) -> bool:
    return profile.options.get(option, "").lower() in {"true", "yes", "on", "1"}
