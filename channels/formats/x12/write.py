"""Trees to one interchange with one functional group, its control numbers left as slots. Pure.

Everything written is judged first by the same grammar that judges what comes in; X12 has no escape, so a value that
holds a separator or a control character is refused rather than changed.
"""

from __future__ import annotations

import codecs
import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from channels.formats.x12.elements import CONDITION, EXCLUDED, MISSING, ElementFault
from channels.formats.x12.grammar import BASE, RELEASES, TransactionSet, release
from channels.formats.x12.levels import LevelledSet
from channels.formats.x12.match import SegmentFault, match
from channels.formats.x12.separators import Elements, Repeats, Separators, simple_values, text_of
from channels.formats.x12.tree import Group, place_of
from channels.formats.x12.words import fault_words
from engine.errors import Refused
from engine.message import Slot, Template
from engine.plugin import Envelope, Enveloped, Node, TemplateKey

_HINT: Final = "correct the document, the crosswalk or the mapping"
_YAML: Final = "see `envelope:` in the partner's YAML"
_STRUCTURAL: Final = frozenset({MISSING, CONDITION, EXCLUDED})
_DEFAULTS: Final = {
    "element": "*",
    "component": ">",
    "segment": "~",
    "after_segment": "",
    "standards_id": "U",
    "version": "00401",
    "acknowledgement_requested": "0",
    "charset": "ascii",
    "group_version": BASE,
}


class Identity(NamedTuple):
    """kind, id: ISA05/06 or ISA07/08. group: GS02 or GS03."""

    kind: str
    id: str
    group: str


@dataclass(frozen=True, slots=True)
class Style:
    """How a partner wants its interchanges written.

    end: the segment terminator with the line end after it. guard: finds what no ASCII value may hold.
    """

    separators: Separators
    end: bytes
    guard: re.Pattern[str]
    standards_id: str
    version: str
    acknowledgement_requested: str
    charset: str
    group_version: str


def envelop(nodes: Sequence[Node], envelope: Envelope) -> Enveloped:
    """One interchange with every node as a set, or with every TA1. Raises Refused at the place of what cannot be
    written."""
    style = style_of(envelope.options)
    if envelope.type == "TA1":
        return _notes(nodes, envelope, style)
    spoken = release(style.group_version)
    definition = spoken.transaction_set(envelope.type) if spoken else None
    if definition is None or not nodes:
        raise Refused("x12.set", "there is no such X12 set to write", hint=_HINT)
    ours = _identity(envelope.ours, "our", style)
    theirs = _identity(envelope.theirs, "the partner's", style)
    pair, interchange = _numbering(envelope)
    group = Slot(f"gs:{ours.group}>{theirs.group}", 0)
    sets = [_set(node, definition, f"{number:04d}", style) for number, node in enumerate(nodes, 1)]
    body = _joined(
        [
            *_isa(ours, theirs, envelope, style, interchange, asks=definition.group != "FA"),
            *_around(_gs_head(definition, ours, theirs, envelope.at), group, ["X", style.group_version], style),
            *(_render(segment, style) + style.end for one in sets for segment in one),
            *_around(["GE", str(len(sets))], group, [], style),
            *_around(["IEA", "1"], interchange, [], style),
        ]
    )
    about: Template = (definition.group.encode() + b"/", group)
    return Enveloped(
        body,
        control_id=(interchange,),
        keys=tuple(TemplateKey(kind, (slot,), pair) for kind, slot in (("interchange", interchange), ("group", group))),
        refs=(
            {}
            if definition.group == "FA"
            else {"997": (*about, b"/0001") if len(sets) == 1 else about, "TA1": (interchange,)}
        ),
    )


def _numbering(envelope: Envelope) -> tuple[str, Slot]:
    """ISA13 counts per pair of parties."""
    pair = f"{envelope.ours['isa']}>{envelope.theirs['isa']}"
    return pair, Slot(f"isa:{pair}", 9)


def _notes(notes: Sequence[Node], envelope: Envelope, style: Style) -> Enveloped:
    """TA1s stand alone, without a group, and ask for none themselves (X12.5)."""
    ours, theirs = _identity(envelope.ours, "our", style), _identity(envelope.theirs, "the partner's", style)
    pair, interchange = _numbering(envelope)
    body = _joined(
        [
            *_isa(ours, theirs, envelope, style, interchange, asks=False),
            *(_render(note, style) + style.end for note in notes),
            *_around(["IEA", "0"], interchange, [], style),
        ]
    )
    return Enveloped(body, control_id=(interchange,), keys=(TemplateKey("interchange", (interchange,), pair),))


# --- the partner's agreement -----------------------------------------------------------------------------------------
def style_of(options: Mapping[str, str]) -> Style:
    """A partner's `envelope:` settings over the defaults. Raises Refused for what no envelope can have."""
    told = {**_DEFAULTS, **options}
    unknown = sorted(told.keys() - _DEFAULTS.keys())
    if unknown:
        raise Refused("x12.separators", f"the partner's envelope has the unknown setting '{unknown[0]}'", hint=_YAML)
    repeats = told["version"] >= "00402" and not told["standards_id"].isalnum()
    separators = Separators(
        told["element"], told["component"], told["segment"], told["standards_id"] if repeats else ""
    )  # fmt: skip
    if separators.fault() or told["after_segment"].strip("\r\n") or len(told["standards_id"]) != 1:
        raise Refused("x12.separators", "the partner's envelope has separators that cannot serve", hint=_YAML)
    if (
        not _known_charset(told["charset"])
        or len(told["version"]) != 5
        or told["acknowledgement_requested"] not in {"0", "1"}
    ):
        raise Refused("x12.envelope", "the partner's envelope has an impossible setting", hint=_YAML)
    end = (separators.segment + told["after_segment"]).encode()
    guard = re.compile(rf"[\x00-\x1f\x7f{re.escape(separators.all + separators.repetition)}]")
    return Style(
        separators,
        end,
        guard,
        told["standards_id"],
        told["version"],
        told["acknowledgement_requested"],
        told["charset"],
        told["group_version"],
    )


def _known_charset(name: str) -> bool:
    try:
        return bool(codecs.lookup(name))
    except LookupError:
        return False


def _identity(side: Mapping[str, str], whose: str, style: Style) -> Identity:
    kind, _, id = side.get("isa", "").partition(":")
    group = side.get("gs", "") or id.rstrip()
    fits = len(kind) == 2 and 1 <= len(id) <= 15 and 2 <= len(group) <= 15
    if not fits or any(_unwritable(text, style) for text in (kind, id, group)):
        text = f"{whose} identity cannot be written as QUALIFIER:ID in this envelope"
        raise Refused("x12.identity", text, place="ISA", hint="see `identity:` in the partner's YAML")
    return Identity(kind, id, group)


def _isa(ours: Identity, theirs: Identity, envelope: Envelope, style: Style, control: Slot, *, asks: bool) -> Template:
    """asks: for a TA1, if the partner's envelope says so; an acknowledgement never does."""
    parties = [ours.kind, ours.id.ljust(15), theirs.kind, theirs.id.ljust(15)]
    times = [envelope.at.strftime("%y%m%d"), envelope.at.strftime("%H%M")]
    head = ["ISA", "00", " " * 10, "00", " " * 10, *parties, *times, style.standards_id, style.version]
    wanted = style.acknowledgement_requested if asks else "0"
    return _around(head, control, [wanted, envelope.usage, style.separators.component], style)


def _gs_head(definition: TransactionSet, ours: Identity, theirs: Identity, at: dt.datetime) -> Elements:
    return ["GS", definition.group, ours.group, theirs.group, at.strftime("%Y%m%d"), at.strftime("%H%M")]


# --- sets ------------------------------------------------------------------------------------------------------------
def _set(node: Group, definition: TransactionSet, number: str, style: Style) -> list[Elements]:
    """ST to SE, judged by the same rules as what comes in."""
    if not _is_of(node, definition):
        raise Refused("x12.set", f"what was written is no {definition.id}", hint=_HINT)
    if isinstance(node, LevelledSet):
        node.number()
    body = [_trimmed(segment) for segment in _filled(node)]
    _count_lines(node, definition.counted, body)
    root, faults = match(body, definition)
    if not _is_plain(body, style):
        for group, segment in root.walk():
            _check_characters(group, segment, style)
    if faults:
        raise _refused(faults[0])
    return [["ST", definition.id, number], *body, ["SE", str(len(body) + 2), number]]


def _is_of(node: Group, definition: TransactionSet) -> bool:
    """Whether a tree is such a set; one of another release is, and is judged by this one."""
    same = (known.transaction_set(definition.id) for name in RELEASES if (known := release(name)))
    return node.loop is definition.root or any(one is not None and node.loop is one.root for one in same)


def _filled(group: Group) -> list[Elements]:
    """Segments to write: loops without any value are left out, and so are plain segments without one."""
    kept: list[Elements] = []
    for _, entries in sorted(group.at.items()):
        for entry in entries:
            if isinstance(entry, Group):
                inner = _filled(entry)
                if any(any(segment[1:]) for segment in inner):
                    kept += inner
            elif group.loop.opener or any(entry[1:]):
                kept.append(entry)
    return kept


def _count_lines(node: Group, counted: str, body: list[Elements]) -> None:
    """CTT01 is the number of lines (of PO1 in an 850); a set that has totals and lines gets it."""
    lines = sum(segment[0] == counted for segment in body)
    if not lines or "CTT" not in node.loop.index:
        return
    totals = next((segment for segment in body if segment[0] == "CTT"), None)
    if totals is None:
        body.append(["CTT", str(lines)])
    else:
        totals[1:2] = [str(lines)]


def _trimmed(segment: Elements) -> Elements:
    """A copy without empty elements and components at its end (X12.6)."""
    if any(isinstance(value, list) for value in segment):
        segment = [_without_tail(value) if isinstance(value, list) else value for value in segment]
    return _without_tail(segment)


def _without_tail(values: list[Any]) -> list[Any]:
    if isinstance(values, Repeats):
        return Repeats(_without_tail(one) if isinstance(one, list) else one for one in values)
    last = len(values)
    while last and not values[last - 1]:
        last -= 1
    return values[:last]


def _is_plain(body: Iterable[Elements], style: Style) -> bool:
    """Whether no value of a set needs a closer look at its characters."""
    text = "".join([_text(segment, "", "", "") for segment in body])
    return text.isascii() and style.guard.search(text) is None


def _check_characters(group: Group, segment: Elements, style: Style) -> None:
    for position, value in enumerate(segment[1:], 1):
        for _, component, part in simple_values(value):
            if why := _unwritable(part, style):
                where = place_of(group, segment, position, component)
                raise Refused("x12.value", f"{why}, and X12 cannot escape it", place=where, hint=_HINT)


def _unwritable(value: str, style: Style) -> str:
    """Why a value cannot stand in these bytes; empty when it can."""
    if value.isascii() and style.guard.search(value) is None:
        return ""
    try:
        encoded = value.encode(style.charset)
    except UnicodeEncodeError:
        return f"the value has a character outside {style.charset}"
    if any(mark.encode() in encoded for mark in style.separators.all + style.separators.repetition):
        return "the value holds a separator of this partner's envelope"
    return "" if value.isprintable() else "the value holds a control character"


def _refused(fault: SegmentFault) -> Refused:
    text = fault_words(fault)[0]
    if not fault.elements:
        return Refused("x12.structure", text, place=fault.place, hint=_HINT, status=fault.code)
    first: ElementFault = fault.elements[0]
    code = "x12.element" if first.code in _STRUCTURAL else "x12.value"
    return Refused(code, text, place=fault.element_places[0], hint=_HINT, status=first.code)


# --- bytes -----------------------------------------------------------------------------------------------------------
def _render(segment: Elements, style: Style) -> bytes:
    marks = style.separators
    return _text(segment, marks.element, marks.component, marks.repetition).encode(style.charset)


def _text(segment: Elements, element: str, component: str, repetition: str) -> str:
    try:
        return element.join(segment)
    except TypeError:  # a composite is no text yet
        return element.join([text_of(value, component, repetition) for value in segment])


def _around(head: Elements, slot: Slot, tail: Elements, style: Style) -> Template:
    """A segment whose control number is still to be allocated."""
    return (_render([*head, ""], style), slot, _render(["", *tail], style) if tail else b"", style.end)


def _joined(parts: Iterable[bytes | Slot]) -> Template:
    """The same template with neighbouring bytes as one."""
    joined: list[bytes | Slot] = []
    for part in parts:
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
