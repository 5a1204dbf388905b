"""The accept path: one frame's payload in, one Unit out, from MSH and a few scans of the bytes; nothing is parsed.

`scan` finds what makes bytes unreadable as one HL7 v2 message, `judge` what this channel does not take.
Codes of table 0357 and AR against AE follow v2.5.1 ch. 2.9; `reject` marks an AR.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from channels.formats.hl7v2.charset import decide, place_of
from channels.formats.hl7v2.definitions import SEGMENTS
from channels.formats.hl7v2.header import BOM, STANDARD, Header, Separators, legal_separators, read_header
from engine.errors import Refused
from engine.message import Facts, Unit
from engine.plugin import Profile

_Measure = Callable[[bytes], int]
MAX_SEGMENTS = 10_000
MAX_REPETITIONS = 5_000
MAX_FIELD = 5 * 1024 * 1024
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r\x1b")
_CONTROLS_AND_ESCAPE = _CONTROLS + b"\x1b"  # ISO 2022 charsets shift with it; elsewhere it is as bad as the others
_STANDARD_START = b"MSH|^~\\&|"
_VERSION = re.compile(r"2\.[1-9](\.[0-9]+)?")
_JOINT = "\x1f"  # between the parts of a duplicate key; refused in messages, so it cannot be forged


def split(raw: bytes, profile: Profile) -> list[Unit]:
    """One Unit for the payload of one frame; `Facts.context` is its Header. Never raises.

    A refused message has no duplicate key: sent again it is judged again, and corrected under its old id it is new.
    """
    try:
        header, warnings = scan(raw, profile)
    except Refused as refusal:
        header = read_header(raw)
        return [Unit(raw, _facts(raw, header, ()), refusal)]
    problem = judge(header, profile)
    return [Unit(raw, _facts(raw, header, warnings, accepted=problem is None), problem)]


def scan(raw: bytes, profile: Profile) -> tuple[Header, tuple[str, ...]]:
    """MSH, and the codes of tolerated departures. Raises Refused when the bytes are not one readable message."""
    body = raw.removeprefix(BOM)
    warnings: tuple[str, ...] = () if body is raw else ("hl7.bom",)
    if not body.startswith(b"MSH"):
        raise _no_header(body)
    lines = body.splitlines()
    header = _header(body, lines[0], profile)
    separators = header.separators
    _check_segments(lines, separators.field)
    controls = _CONTROLS if header.charset.startswith("iso2022") else _CONTROLS_AND_ESCAPE
    if len(body.translate(None, controls)) != len(body):
        raise _control_character(body, controls)
    _check_sizes(body, lines, separators, profile)
    if b"\n" in body:
        if _switched_on(profile, "strict_segment_ends"):
            text = "segments end with a line feed, and only carriage returns are agreed"
            raise Refused("hl7.segment", text, place="MSH", status="100")
        warnings = (*warnings, "hl7.lf_segments")
    return header, warnings


def judge(header: Header, profile: Profile) -> Refused | None:
    """What of MSH-9 to MSH-12 this channel does not take; None when it takes the message."""
    fields = header.fields
    if len(fields) < 9:
        return _rejected("hl7.header", "MSH ends before the message type", "MSH-9", "101")
    refusal = _judge_type(message_type(header), profile.accepts)
    if refusal is not None:
        return refusal
    control_id, processing_id, version = (*fields[9:12], "", "", "")[:3]
    if not control_id and not _switched_on(profile, "allow_empty_control_id"):
        return _rejected("hl7.control_id", "the message has no control id", "MSH-10", "101")
    component = header.separators.component
    if processing_id.split(component, 1)[0] != profile.usage:
        text = f"this channel takes messages of processing id {profile.usage} only"
        return _rejected("hl7.processing_id", text, "MSH-11", "202")
    if not _VERSION.fullmatch(version.split(component, 1)[0]):
        return _rejected("hl7.version", "the version is not one of 2.1 to 2.9", "MSH-12", "203")
    return None


def message_type(header: Header) -> str:
    """`OMS^O05`: the first two components of MSH-9 with a caret, whatever the sender's separators."""
    if len(header.fields) < 9:
        return ""
    parts = header.fields[8].split(header.separators.component, 2)
    return f"{parts[0]}^{parts[1]}" if len(parts) > 1 and parts[1] else parts[0]


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


def _facts(raw: bytes, header: Header, warnings: tuple[str, ...], accepted: bool = False) -> Facts:
    component = header.separators.component
    application, facility, control_id = header.field(3), header.field(4), header.field(10)
    sender = f"{application.split(component, 1)[0]}|{facility.split(component, 1)[0]}" if header.fields else ""
    dedup = ""
    if accepted:
        dedup = f"{control_id or hashlib.sha256(raw).hexdigest()}{_JOINT}{application}{_JOINT}{facility}"
    return Facts("hl7v2", message_type(header), control_id, sender, dedup, (), warnings, header, "MSH-10")


# --- what makes bytes unreadable --------------------------------------------------------------------------------------
def _header(body: bytes, line: bytes, profile: Profile) -> Header:
    """MSH decoded; the codec is decided by MSH-18, which is ASCII in every charset we read."""
    separators = STANDARD if line.startswith(_STANDARD_START) else _separators(line)
    fields = line.decode("latin-1").split(separators.field)
    character_set = fields[17].split(separators.repetition, 1)[0] if len(fields) > 17 else ""
    fallback = profile.options.get("default_charset", "")
    codec = decide(body, character_set, profile.charset, fallback)
    if not line.isascii():
        fields = line.decode(codec).split(separators.field)
    return Header(tuple(fields), codec, separators)


def _separators(line: bytes) -> Separators:
    if len(line) < 9:
        raise _rejected("hl7.header", "MSH ends before the message type", "MSH-9", "101")
    marks = line[3:4].decode("latin-1")
    if not legal_separators(marks):
        raise _rejected("hl7.header", "MSH-1 cannot separate fields", "MSH-1", "101")
    encoding = line[4:].decode("latin-1").split(marks, 1)[0]
    if not 2 <= len(encoding) <= 5 or not legal_separators(marks + encoding):
        raise _rejected("hl7.header", "MSH-2 does not hold two to five distinct separators", "MSH-2", "101")
    return Separators(marks, *encoding, *[""] * (5 - len(encoding)))


def _no_header(body: bytes) -> Refused:
    if body[:3] in (b"FHS", b"BHS"):
        return _rejected("hl7.type", "batches of messages are not taken here", body[:3].decode(), "200")
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in body[:4]:
        return Refused("hl7.charset", "the body looks like UTF-16, which MLLP cannot carry", place="MSH", status="102")
    return _rejected("hl7.header", "the message does not start with MSH", "MSH", "100")


@lru_cache(maxsize=64)
def _later_heads(mark: str) -> frozenset[bytes]:
    """How good lines after MSH start: a standard segment's name alone or with its separator; also the blank line."""
    names = [name.encode() for name in SEGMENTS if name != "MSH"]
    return frozenset([b"", *names, *(name + mark.encode() for name in names)])


def _check_segments(lines: list[bytes], mark: str) -> None:
    heads = {line[:4] for line in lines[1:]}
    if heads <= _later_heads(mark):
        return
    if any(head[:3] == b"MSH" for head in heads):
        count = sum(line[:3] == b"MSH" for line in lines)
        text = "one frame holds more than one MSH; none of them is taken"
        raise Refused("hl7.multi_msh", text, place=f"MSH[{count}]", status="100")
    for number, line in enumerate(lines, 1):
        if line and not _is_head(line[:4], mark):
            text = "a segment does not start with a name of three capitals and the field separator"
            raise Refused("hl7.segment", text, place=f"segment {number}", status="100")


@lru_cache(maxsize=1024)
def _is_head(head: bytes, mark: str) -> bool:
    return re.fullmatch(rb"[A-Z][A-Z0-9]{2}(?:%b)?" % re.escape(mark.encode()), head) is not None


def _control_character(body: bytes, controls: bytes) -> Refused:
    offset = next(index for index, byte in enumerate(body) if byte in controls)
    text = f"control character 0x{body[offset]:02X} in the data, at byte {offset + 1}"
    return Refused("hl7.control_char", text, place=place_of(body, offset), status="102")


def _check_sizes(body: bytes, lines: list[bytes], separators: Separators, profile: Profile) -> None:
    limits = profile.limits
    cap = limits.get("segments", MAX_SEGMENTS)
    if len(lines) > cap:
        raise _over("segments", len(lines), cap, f"segment {cap + 1}")
    cap = limits.get("field", MAX_FIELD)
    if len(body) > cap:
        _check_fields(lines, separators, cap, "bytes in a field", len)
    cap = limits.get("repetitions", MAX_REPETITIONS)
    mark = separators.repetition.encode()
    if body.count(mark) >= cap:
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
