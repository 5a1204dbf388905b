"""The words of a path: a set, a segment with its qualifier, an element and its component; each as the standard has it.

Mappings (`paths`) and partners' guides (`guide`) name places in the same words. Everything raises PathError.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from channels.formats.x12.access import Conditions
from channels.formats.x12.grammar import BASE, GROUPS, RELEASES, Composite, Loop, Place, TransactionSet, release
from channels.formats.x12.grammar import Segment as SegmentGrammar
from channels.formats.x12.levels import HL
from engine.plugin import PathError

FIELD: Final = re.compile(r"([A-Z][A-Z0-9]{1,2})(?:\[([^\]]*)\])?([0-9]{2})(?:-([0-9]{1,2}))?")
LOOP: Final = re.compile(r"([A-Z][A-Z0-9]{1,2})(?:\[([^\]]*)\])?")


class ElementPath(NamedTuple):
    """component: 0 for the whole element."""

    place: Place
    conditions: Conditions
    position: int
    component: int


def definition_of(header: Mapping[str, str]) -> TransactionSet:
    """From `set` and `release`."""
    id, name = header.get("set", ""), header.get("release", BASE)
    known = release(name) if name in RELEASES else None
    if id not in GROUPS:
        raise PathError(f"there is no X12 set '{id}' here: {', '.join(sorted(GROUPS))} are", nearest(id, GROUPS))
    if known is None:
        raise PathError(f"X12 release '{name}' is not known: {' and '.join(RELEASES)} are", nearest(name, RELEASES))
    definition = known.transaction_set(id)
    if definition is None:
        raise PathError(f"X12 {name} has no set {id}: {', '.join(sorted(known.groups))} are in it")
    return definition


def read_segment(loop: Loop, path: str) -> tuple[Place, Conditions]:
    """A segment of a loop, or one that opens an inner loop: `REF[CT]`, `N1`, `HL[I]`."""
    match = LOOP.fullmatch(path)
    if match is None:
        raise PathError(
            f"'{path}' is no segment or element: `REF`, `N1[ST]` and `PO103` are", nearest(path, loop.index)
        )
    place = _place(loop, match[1], path)
    return place, read_conditions(match[2], place.segment, path, 3 if match[1] == HL else 1)


def read_element(loop: Loop, path: str) -> ElementPath | None:
    """An element of a segment of a loop, or of one that opens an inner loop; None when the path names a segment.

    Unlike a mapping, a guide may speak of a composite as a whole.
    """
    match = FIELD.fullmatch(path)
    if match is None:
        return None
    place, chosen = read_segment(loop, path[: match.start(3)])
    position, component = int(match[3]), int(match[4] or 0)
    slots = place.segment.slots
    whole = 0 < position <= len(slots) and not component and isinstance(slots[position - 1].of, Composite)
    if not whole:
        check_position(place.segment, position, component, path)
    return ElementPath(place, chosen, position, component)


def _place(loop: Loop, id: str, path: str) -> Place:
    if id in loop.index:
        return loop.places[loop.index[id]]
    inside = [place.segment.id for place in loop.places if place.opens and id in place.loop.inside()]
    if inside:
        raise PathError(f"{id} stands inside the loop {inside[0]}", [f"{one}/{path}" for one in inside[:3]])
    where = f"the loop {loop.name}" if loop.name else "the set's top level"
    raise PathError(f"{where} has no segment {id} in '{path}'", nearest(id, loop.index))


def check_position(segment: SegmentGrammar, position: int, component: int, path: str) -> None:
    if not 1 <= position <= len(segment.slots):
        last = f"{segment.id}{len(segment.slots):02d}"
        raise PathError(f"{segment.id} has {len(segment.slots)} elements, and '{path}' names none of them", (last,))
    of = segment.slots[position - 1].of
    if component and not (isinstance(of, Composite) and component <= len(of.components)):
        raise PathError(f"'{path}' names a component that the element does not have")
    if isinstance(of, Composite) and not component:
        raise PathError(f"'{path}' is a composite: name its component", (f"{path}-1",))


def read_conditions(text: str | None, segment: SegmentGrammar, path: str, usual: int = 1) -> Conditions:
    """`CT` is short for `01=CT`; several, joined by commas, must all hold. usual: the one without a number."""
    if text is None:
        return ()
    pairs = []
    for part in text.split(","):
        match = re.fullmatch(r"(?:([0-9]{2})=)?([^=]+)", part)
        if match is None:
            raise PathError(f"'{path}': write a qualifier as `[CT]` or `[03=UL]`")
        position = int(match[1] or usual)
        check_position(segment, position, 0, path)
        pairs.append((position, match[2]))
    return tuple(pairs)


def spell(id: str, conditions: Conditions) -> str:
    told = ",".join(value if at == 1 else f"{at:02d}={value}" for at, value in conditions)
    return f"{id}[{told}]" if conditions else id


def nearest(word: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
