"""From a written tree to the bytes of a message: MSH filled in, separators and charset of the receiver applied."""

from __future__ import annotations

import base64
import hashlib

from channels.formats.hl7v2.charset import codec_named
from channels.formats.hl7v2.definitions import structure_of
from channels.formats.hl7v2.grammar import absent
from channels.formats.hl7v2.header import STANDARD, Separators, legal_separators
from channels.formats.hl7v2.syntax import Syntax, syntax
from channels.formats.hl7v2.tree import Message, Segment
from engine.errors import Refused
from engine.plugin import Envelope, Enveloped, TemplateKey

DEFAULT_VERSION = "2.5.1"
_IN_HEADERS = frozenset('+-./_"')  # of times, versions, charsets, structures and nulls
UTF8 = "UNICODE UTF-8"


def envelop(message: Message, envelope: Envelope) -> Enveloped:
    """Write MSH where the mapping did not, and render with carriage returns.

    Options: `separators` (MSH-1 and MSH-2, default `|^~\\&`), `version` (MSH-12), `charset` (an MSH-18 name; without it
    UTF-8, which is named only when the message is not ASCII). Raises Refused at the place of what cannot be written.
    """
    _check_structure(message)
    header = _header(message)
    _fill(header, envelope)
    target = syntax(_separators(envelope), "utf-8")
    others = [segment for segment in message.at.segments() if segment.id != "MSH" and any(segment.fields[1:])]
    segments = [header, *others]
    codec = _name_charset(header, segments, envelope)
    text = "".join([f"{_respell(segment, target)}\r" for segment in segments])
    control_id = _decoded(header, 10)
    sender = "|".join(_decoded(header, number) for number in (3, 4))
    key = TemplateKey("control", (control_id.encode(),), sender)
    return Enveloped((text.encode(codec),), (control_id.encode(),), (key,))


def control_id(identity: str, version: str) -> str:
    """An id that fits MSH-10 (20 characters before 2.7, then 199): itself, or a digest of it that is as stable."""
    longest = 199 if version >= "2.7" else 20
    if len(identity) <= longest:
        return identity
    return base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode()[:20]


def _check_structure(message: Message) -> None:
    for problem in absent(message.at):
        if problem.place != "MSH":
            raise problem


def _header(message: Message) -> Segment:
    """What the mapping wrote of MSH, as a copy: the tree may be written again in another envelope."""
    found = message.at.index.get("MSH")
    return Segment(found[0].spell() if found else "MSH", message.syntax)


def _fill(header: Segment, envelope: Envelope) -> None:
    version = _decoded(header, 12) or envelope.options.get("version", DEFAULT_VERSION)
    application, _, facility = envelope.ours.get("hl7", "").partition("|")
    their_application, _, their_facility = envelope.theirs.get("hl7", "").partition("|")
    values = {
        2: header.syntax.separators.encoding,
        3: _components(header, application),
        4: _components(header, facility),
        5: _components(header, their_application),
        6: _components(header, their_facility),
        7: envelope.at.strftime("%Y%m%d%H%M%S%z"),
        9: _components(header, _type(envelope.type, version)),
        10: header.syntax.encode(control_id(envelope.id, version)),
        11: envelope.usage,
        12: version,
    }
    for number, value in values.items():
        if number >= len(header.fields) or not header.fields[number]:
            header.write(number, value)


def _type(kind: str, version: str) -> str:
    """`OMS^O05^OMS_O05`; MSH-9.3 exists from 2.3.1 on."""
    name = structure_of(kind)
    return f"{kind}^{name}" if name and kind.count("^") == 1 and version >= "2.3.1" else kind


def _components(header: Segment, text: str) -> str:
    """A name as people configure it, `EHR` or `EHR^1.2.3^ISO`, as a field."""
    return header.syntax.component.join(header.syntax.encode(part) for part in text.split("^"))


def _separators(envelope: Envelope) -> Separators:
    marks = envelope.options.get("separators", "") or STANDARD.field + STANDARD.encoding
    if not 5 <= len(marks) <= 6 or not legal_separators(marks) or not _IN_HEADERS.isdisjoint(marks):
        text = "the separators to write are not five or six distinct marks that no header value needs"
        raise Refused("hl7.header", text, place="MSH-2")
    return Separators(*marks)


def _name_charset(header: Segment, segments: list[Segment], envelope: Envelope) -> str:
    """The codec to write in, with MSH-18 saying so. Raises Refused (`hl7.charset`)."""
    name = _decoded(header, 18) or envelope.options.get("charset", "")
    plain = all(segment.spell().isascii() for segment in segments)
    codec = codec_named(name or UTF8)
    if not codec:
        raise Refused("hl7.charset", "the character set to write is not one we know", place="MSH-18")
    if not _decoded(header, 18) and (name or not plain):
        header.write(18, name or UTF8)
    counts: dict[str, int] = {}
    for segment in segments:
        counts[segment.id] = counts.get(segment.id, 0) + 1
        _check_encodes(segment, codec, f"{segment.id}[{counts[segment.id]}]")
    return codec


def _check_encodes(segment: Segment, codec: str, place: str) -> None:
    try:
        segment.spell().encode(codec)
    except UnicodeEncodeError as error:
        number = segment.spell()[: error.start].count(segment.syntax.field) + (segment.id == "MSH")
        text = f"a character of the value does not exist in {codec}"
        raise Refused("hl7.charset", text, place=f"{place}-{number}") from None


def _respell(segment: Segment, target: Syntax) -> str:
    """A written segment's text with the receiver's separators, without trailing empty fields."""
    source = segment.syntax
    fields = list(segment.fields)
    while len(fields) > 1 and not fields[-1]:
        fields.pop()
    if segment.id == "MSH":
        fields = [fields[0], target.separators.encoding, *fields[3:]]
        rest = [_translate(value, source, target) for value in fields[2:]]
        return target.field.join([*fields[:2], *rest])
    return target.field.join([_translate(value, source, target) for value in fields])


def _translate(field: str, source: Syntax, target: Syntax) -> str:
    if source.separators == target.separators or not field:
        return field
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


def _decoded(header: Segment, number: int) -> str:
    text = header.fields[number] if number < len(header.fields) else ""
    return header.syntax.decode(text.split(header.syntax.component, 1)[0])
