"""From a written tree to the bytes of a message: MSH filled in, separators and charset of the receiver applied."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from functools import lru_cache

from channels.formats.hl7v2.charset import codec_named
from channels.formats.hl7v2.definitions import structure_of
from channels.formats.hl7v2.grammar import absent, gather, refusal
from channels.formats.hl7v2.header import STANDARD, Separators, legal_separators
from channels.formats.hl7v2.syntax import Syntax, syntax
from channels.formats.hl7v2.tree import HEADERS, Message, NewGroup, Segment
from engine.errors import Refused
from engine.plugin import Envelope, Enveloped

DEFAULT_VERSION = "2.5.1"
_STANDARD_MARKS = STANDARD.field + STANDARD.encoding
_IN_HEADERS = frozenset('+-./_"')  # of times, versions, charsets, structures and nulls
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
_SHIFTS = range(90, -1, -10)  # 20 letters of 5 bits, two at a time
UTF8 = "UNICODE UTF-8"


def envelop(message: Message, envelope: Envelope) -> Enveloped:
    """Write MSH where the mapping did not, and render with carriage returns.

    Options: `separators` (MSH-1 and MSH-2, default `|^~\\&`), `version` (MSH-12), `charset` (an MSH-18 name; without it
    UTF-8, which is named only when the message is not ASCII). Raises Refused at the place of what cannot be written.
    """
    segments, source, options = _segments(message), message.syntax, envelope.options
    target = _target(options.get("separators", "") or _STANDARD_MARKS)
    header, told, named = _header(message, envelope, target)
    if source.separators == target.separators:
        spelled = [_text(segment, target) for segment in segments]
    else:
        spelled = [_respelled(segment.fields, source, target) for segment in segments]
    lines = [line for line in spelled if len(line) > 3 and line[:3] != "MSH"]
    data = _encoded(header, lines, target, named, options.get("charset", ""))
    return Enveloped((data,), (told.encode(),))


def control_id(identity: str, version: str) -> str:
    """An id that fits MSH-10 (20 characters before 2.7, then 199): itself, or a digest of it that is as stable."""
    longest = 199 if version >= "2.7" else 20
    if len(identity) <= longest:
        return identity
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:13], "big") >> 4
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def _segments(message: Message) -> list[Segment]:
    """A message's segments in their order. Raises Refused (`hl7.structure`) where one is missing."""
    segments: list[Segment] = []
    root = message.at
    if not (isinstance(root, NewGroup) and gather(root, segments)):
        for text, place in absent(root):
            if place != "MSH":
                raise refusal(text, place)
        segments = root.segments()
    return segments


# --- MSH --------------------------------------------------------------------------------------------------------------
def _header(message: Message, envelope: Envelope, target: Syntax) -> tuple[list[str], str, str]:
    """MSH as it is spelled, MSH-n at n - 1: what the mapping wrote of it, and the rest from the envelope. With it the
    control id, and the charset that the mapping named. The tree is left as it is.
    """
    source, written = message.syntax, message.at.index["MSH"]
    own: list[str] = written[0].fields if written else []
    version = _decoded(own, 12, source) or envelope.options.get("version", DEFAULT_VERSION)
    ours, theirs = envelope.ours.get("hl7", ""), envelope.theirs.get("hl7", "")
    told = control_id(envelope.id, version)
    header = [*_constants(source, target, envelope.type, version, ours, theirs, envelope.usage)]
    header[6] = _timestamp(envelope.at)
    header[9] = target.encode(told)
    if not own:
        return header, told, ""
    header += [""] * (len(own) - 1 - len(header))
    for number, value in enumerate(own[3:], 2):
        if value:
            header[number] = _translate(value, source, target)
    return header, _decoded(header, 9, target), _decoded(own, 18, source)


@lru_cache(maxsize=256)
def _constants(
    source: Syntax, target: Syntax, kind: str, version: str, ours: str, theirs: str, usage: str
) -> tuple[str, ...]:
    """MSH-1 to MSH-12 but for the time (7) and the control id (10), as partners have it configured."""
    application, _, facility = ours.partition("|")
    their_application, _, their_facility = theirs.partition("|")
    names = (application, facility, their_application, their_facility)
    spelled = [_components(source, name) for name in (*names, "", "", _type(kind, version))]
    fields = [_translate(field, source, target) for field in (*spelled, "", usage, version)]
    return ("MSH", target.separators.encoding, *fields)


def _type(kind: str, version: str) -> str:
    """`OMS^O05^OMS_O05`; MSH-9.3 exists from 2.3.1 on."""
    name = structure_of(kind)
    return f"{kind}^{name}" if name and kind.count("^") == 1 and version >= "2.3.1" else kind


def _components(source: Syntax, text: str) -> str:
    """A name as people configure it, `EHR` or `EHR^1.2.3^ISO`, as a field."""
    return source.component.join(source.encode(part) for part in text.split("^"))


def _timestamp(at: dt.datetime) -> str:
    """`20261121093005-0600`; the messages of one second share its text."""
    return _spelled(int(at.timestamp()), at.tzinfo)


@lru_cache(maxsize=16)
def _spelled(second: int, zone: dt.tzinfo | None) -> str:
    return dt.datetime.fromtimestamp(second, zone).strftime("%Y%m%d%H%M%S%z")


def _decoded(fields: Sequence[str], number: int, source: Syntax) -> str:
    if number >= len(fields):
        return ""
    return source.decode(fields[number].split(source.component, 1)[0])


# --- the receiver's separators and charset ----------------------------------------------------------------------------
@lru_cache(maxsize=64)
def _target(marks: str) -> Syntax:
    """The syntax of MSH-1 and MSH-2 as partners have it configured. Raises Refused (`hl7.header`)."""
    if not 5 <= len(marks) <= 6 or not legal_separators(marks) or not _IN_HEADERS.isdisjoint(marks):
        text = "the separators to write are not five or six distinct marks that no header value needs"
        raise Refused("hl7.header", text, place="MSH-2")
    return syntax(Separators(*marks), "utf-8")


def _text(segment: Segment, target: Syntax) -> str:
    """A segment as it is spelled already, without trailing empty fields."""
    text = segment.text
    if text is None or segment.id in HEADERS:
        text = target.field.join(segment.fields)
    return text.rstrip(target.field)


def _respelled(fields: Sequence[str], source: Syntax, target: Syntax) -> str:
    """Fields with the receiver's separators, without trailing empty ones."""
    return target.field.join([_translate(field, source, target) for field in fields]).rstrip(target.field)


def _translate(field: str, source: Syntax, target: Syntax) -> str:
    return target.repetition.join(
        target.component.join(
            target.subcomponent.join(
                part if part == '""' else target.encode(source.decode(part))
                for part in component.split(source.subcomponent)
            )
            for component in repetition.split(source.component)
        )
        for repetition in field.split(source.repetition)
    )


def _encoded(header: list[str], lines: list[str], target: Syntax, named: str, charset: str) -> bytes:
    """The message's bytes, with MSH-18 naming what they are written in. Raises Refused (`hl7.charset`)."""
    codec = codec_named(named or charset or UTF8)
    if not codec:
        raise Refused("hl7.charset", "the character set to write is not one we know", place="MSH-18")
    if charset and not named:
        _name_charset(header, charset)
    text = "\r".join([target.field.join(header).rstrip(target.field), *lines, ""])
    if not (named or charset or text.isascii()):
        _name_charset(header, UTF8)
        text = "\r".join([target.field.join(header), *lines, ""])
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        raise _unwritable(text[: error.start], codec, target) from None


def _name_charset(header: list[str], charset: str) -> None:
    header += [""] * (18 - len(header))
    header[17] = charset


def _unwritable(before: str, codec: str, target: Syntax) -> Refused:
    """The refusal of the character behind a message's beginning."""
    lines = before.split("\r")
    name = lines[-1][:3]
    number = lines[-1].count(target.field) + (name == "MSH")
    place = f"{name}[{sum(line[:3] == name for line in lines)}]-{number}"
    return Refused("hl7.charset", f"a character of the value does not exist in {codec}", place=place)
