"""Trees to one interchange with one functional group, its control numbers left as slots. Pure.

Everything written is judged first by the same grammar that judges what comes in; X12 has no escape, so a value that
holds a separator or a control character is refused rather than changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Final

from channels.formats.x12.elements import CONDITION, EXCLUDED, MISSING, ElementFault
from channels.formats.x12.grammar import BASE, GROUPS, RELEASES, Loop, TransactionSet, release
from channels.formats.x12.guide import X12Guide
from channels.formats.x12.levels import LevelledSet
from channels.formats.x12.match import SegmentFault, match
from channels.formats.x12.separators import Elements, Repeats, simple_values, text_of
from channels.formats.x12.style import Identity, Style, identity_of, style_of, unwritable
from channels.formats.x12.tree import Group, place_of
from channels.formats.x12.words import fault_words
from engine.errors import Refused
from engine.message import Slot, Template
from engine.plugin import Envelope, Enveloped, Node, TemplateKey

_HINT: Final = "correct the document, the crosswalk or the mapping"
_STRUCTURAL: Final = frozenset({MISSING, CONDITION, EXCLUDED})


def envelop(nodes: Sequence[Node], envelope: Envelope) -> Enveloped:
    """One interchange with every node as a set, or with every TA1. Raises Refused at the place of what cannot be
    written."""
    made = _made_in(nodes, envelope.type)
    style = style_of(envelope.options, made)
    if envelope.type == "TA1":
        return _notes(nodes, envelope, style)
    version = _version(made, envelope.type, style)
    definition = definition_of(version, envelope)
    guide = _guide(envelope, definition)
    sets = [_set(node, definition, f"{number:04d}", style, guide) for number, node in enumerate(nodes, 1)]
    enveloped, about = wrapped([_lines(one, style) for one in sets], definition, version, style, envelope)
    refs = refs_of(enveloped.control_id, (*about, b"/0001") if len(sets) == 1 else about)
    return enveloped._replace(refs={} if definition.group == "FA" else refs)


def definition_of(version: str, envelope: Envelope) -> TransactionSet:
    spoken = release(version)
    definition = spoken.transaction_set(envelope.type) if spoken else None
    if definition is None:
        raise Refused("x12.set", "there is no such X12 set to write", hint=_HINT)
    return definition


def wrapped(
    sets: Sequence[bytes], definition: TransactionSet, version: str, style: Style, envelope: Envelope
) -> tuple[Enveloped, Template]:
    """One interchange with one group; and how answers name the group."""
    if not sets:
        raise Refused("x12.set", "there is no such X12 set to write", hint=_HINT)
    ours = identity_of(envelope.ours, "our", style)
    theirs = identity_of(envelope.theirs, "the partner's", style)
    pair, interchange = _numbering(envelope)
    group = Slot(f"gs:{ours.group}>{theirs.group}", 0)
    body = _joined(
        [
            *_isa(ours, theirs, envelope, style, interchange, asks=definition.group != "FA"),
            *_around(_gs_head(definition, ours, theirs, envelope.at), group, ["X", version], style),
            *sets,
            *_around(["GE", str(len(sets))], group, [], style),
            *_around(["IEA", "1"], interchange, [], style),
        ]
    )
    keys = tuple(TemplateKey(kind, (slot,), pair) for kind, slot in (("interchange", interchange), ("group", group)))
    return Enveloped(body, control_id=(interchange,), keys=keys), (definition.group.encode() + b"/", group)


def _made_in(nodes: Sequence[Node], type: str) -> str:
    """The release of what was written."""
    return next((name for name in RELEASES if (root := _root(name, type)) and any(n.loop is root for n in nodes)), BASE)


def _version(made: str, type: str, style: Style) -> str:
    """GS08: as the partner wants it; an acknowledgement is of the release it was made in."""
    return made if GROUPS.get(type) == "FA" and style.group_version[:6] != made else style.group_version


def _root(name: str, type: str) -> Loop | None:
    spoken = release(name)
    found = spoken.transaction_set(type) if spoken else None
    return found.root if found else None


def refs_of(interchange: Template, about: Template) -> dict[str, Template]:
    """A 997 and a 999 speak of the group or set, a TA1 of the interchange."""
    return {"997": about, "999": about, "TA1": interchange}


def _numbering(envelope: Envelope) -> tuple[str, Slot]:
    """ISA13 counts per pair of parties."""
    pair = f"{envelope.ours['isa']}>{envelope.theirs['isa']}"
    return pair, Slot(f"isa:{pair}", 9)


def _notes(notes: Sequence[Node], envelope: Envelope, style: Style) -> Enveloped:
    """TA1s stand alone, without a group, and ask for none themselves (X12.5)."""
    ours, theirs = identity_of(envelope.ours, "our", style), identity_of(envelope.theirs, "the partner's", style)
    pair, interchange = _numbering(envelope)
    body = _joined(
        [
            *_isa(ours, theirs, envelope, style, interchange, asks=False),
            *(_render(note, style) + style.end for note in notes),
            *_around(["IEA", "0"], interchange, [], style),
        ]
    )
    return Enveloped(body, control_id=(interchange,), keys=(TemplateKey("interchange", (interchange,), pair),))


# --- envelopes -------------------------------------------------------------------------------------------------------
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
def _guide(envelope: Envelope, definition: TransactionSet) -> X12Guide | None:
    guide = envelope.guide
    if not isinstance(guide, X12Guide):
        return None
    if guide.definition is not definition:
        told = f"the partner's guide is for {guide.type} of {guide.release.name}"
        told += f", and what is written is {definition.id} of {definition.release.name}"
        raise Refused("x12.set", told, hint="see `guide:` and `envelope:` in the partner's YAML")
    return guide


def _set(node: Group, definition: TransactionSet, number: str, style: Style, guide: X12Guide | None) -> list[Elements]:
    """ST to SE, judged by the same rules as what comes in, and by the receiver's guide."""
    if not _is_of(node, definition):
        raise Refused("x12.set", f"what was written is no {definition.id}", hint=_HINT)
    if isinstance(node, LevelledSet):
        node.number()
    body = [_trimmed(_without_bad_copy(segment, style)) for segment in _filled(node)]
    _count_lines(node, definition.counted, body)
    root, faults = match(body, definition)
    if not _is_plain(body, style):
        for group, segment in root.walk():
            _check_characters(group, segment, style)
    if guide is not None:
        faults = guide.judge(root, body, faults)
    if faults:
        raise _refused(faults[0])
    return [["ST", definition.id, number], *body, ["SE", str(len(body) + 2), number]]


def _without_bad_copy(segment: Elements, style: Style) -> Elements:
    """AK404 and IK404 copy what a partner sent; what this envelope cannot carry is left out."""
    copied = segment[0] in {"AK4", "IK4"} and len(segment) > 4
    return segment[:4] if copied and unwritable(segment[4], style) else segment


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
            if why := unwritable(part, style):
                where = place_of(group, segment, position, component)
                raise Refused("x12.value", f"{why}, and X12 cannot escape it", place=where, hint=_HINT)


def _refused(fault: SegmentFault) -> Refused:
    text = fault_words(fault)[0]
    if not fault.elements:
        return Refused("x12.structure", text, place=fault.place, hint=_HINT, status=fault.code)
    first: ElementFault = fault.elements[0]
    code = "x12.element" if first.code in _STRUCTURAL else "x12.value"
    return Refused(code, text, place=fault.element_places[0], hint=_HINT, status=first.code)


# --- bytes -----------------------------------------------------------------------------------------------------------
def _lines(one: Sequence[Elements], style: Style) -> bytes:
    return b"".join([_render(segment, style) + style.end for segment in one])


def _render(segment: Elements, style: Style) -> bytes:
    marks = style.separators
    return _text(segment, marks.element, marks.component, marks.repetition).encode(style.encoding)


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
