"""A set's segments matched to their places in one pass: the tree, and what is wrong, in the codes of AK304. Pure.

A segment belongs to the innermost open loop that still expects it, else to the next one out. What no open loop expects
any more is told and left out of the tree; nothing after it is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from channels.formats.x12.elements import BINARY, NOTHING, ElementFault, check, check_binary
from channels.formats.x12.grammar import Composite, Place, Slot, TransactionSet
from channels.formats.x12.levels import tree_of
from channels.formats.x12.separators import Elements, Repeats, Separators, shown
from channels.formats.x12.tree import Group, place_of

UNKNOWN: Final = "1"
MISSING: Final = "3"
LOOP_TOO_OFTEN: Final = "4"
TOO_OFTEN: Final = "5"
NOT_IN_SET: Final = "6"
OUT_OF_ORDER: Final = "7"
HAS_ELEMENT_FAULTS: Final = "8"

# More would help nobody, and a 997 must not outgrow what it answers.
MOST_FAULTS: Final = 200


@dataclass(frozen=True, slots=True)
class SegmentFault:
    """position: in the set, ST is 1. code: AK304. loop: id of the loop it stands in. place: for people.

    rule: the line of the partner's guide that it breaks; empty when it breaks the standard.
    """

    id: str
    position: int
    code: str
    place: str
    loop: str = ""
    elements: tuple[ElementFault, ...] = ()
    element_places: tuple[str, ...] = ()
    rule: str = ""


@dataclass(slots=True)
class _Frame:
    """An open loop and the place last filled in it."""

    group: Group
    cursor: int


class _Matcher:
    __slots__ = ("definition", "faults", "reserved", "separators", "size", "stack")

    def __init__(self, definition: TransactionSet, separators: Separators | None, size: Callable[[], int]) -> None:
        self.definition = definition
        self.size = size  # characters of the set
        self.separators = separators
        self.reserved = definition.release.reserved(separators) if separators else NOTHING
        self.stack = [_Frame(tree_of(definition.root), -1)]
        self.faults: list[SegmentFault] = []

    def take(self, segment: Elements, position: int) -> None:
        place = self._expecting(segment[0], position)
        if place is None:
            self._unexpected(segment, position)
            return
        frame = self.stack[-1]
        if place.index > frame.cursor + 1:
            self._missing(frame, place.index, position)
        frame.cursor = place.index
        for at, slot in place.segment.parted:
            if self.separators and at < len(segment) and segment[at]:
                segment[at] = _parts(segment[at], slot, self.separators)
        into = frame.group.add(place, segment)
        if into is not frame.group:
            self.stack.append(_Frame(into, 0))
        self._judge(frame.group, place, into, segment, position)

    def finish(self, position: int) -> None:
        while self.stack:
            self._close(position)

    def _expecting(self, id: str, position: int) -> Place | None:
        """Its place at or after the cursor of the innermost open loop that has one; loops inside that are closed."""
        for frame in reversed(self.stack):
            group = frame.group
            index = group.loop.index.get(id)
            if index is not None and index >= frame.cursor and (index or group.parent is None):
                while self.stack[-1] is not frame:
                    self._close(position)
                return group.loop.places[index]
        return None

    def _unexpected(self, segment: Elements, position: int) -> None:
        id, group = segment[0], self.stack[-1].group
        known = self.definition.release.segments
        code = OUT_OF_ORDER if id in self.definition.known else NOT_IN_SET if id in known else UNKNOWN
        where, loop = place_of(group, [shown(id)]), group.loop.name
        if id in BINARY and (found := check_binary(segment, known[id], self.size)):
            places = (f"{where}/{id}{found.position:02d}",)
            self._tell(SegmentFault(id, position, HAS_ELEMENT_FAULTS, where, loop, (found,), places))
            return
        self._tell(SegmentFault(id, position, code, where, loop))

    def _close(self, position: int) -> None:
        frame = self.stack.pop()
        loop = frame.group.loop
        if frame.cursor < loop.last_required:
            self._missing(frame, len(loop.places), position)

    def _missing(self, frame: _Frame, until: int, position: int) -> None:
        """Mandatory places passed over without being filled."""
        loop = frame.group.loop
        for index in loop.required:
            if frame.cursor < index < until:
                id = loop.places[index].segment.id
                where = "/".join(filter(None, (frame.group.where(), id)))
                self._tell(SegmentFault(id, position, MISSING, where, loop.name))

    def _tell(self, fault: SegmentFault) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)

    def _judge(self, group: Group, place: Place, into: Group, segment: Elements, position: int) -> None:
        """How often it occurs, and its elements."""
        if place.most and len(group.at[place.index]) > place.most:
            code = LOOP_TOO_OFTEN if place.opens else TOO_OFTEN
            where = place_of(into, segment)
            self._tell(SegmentFault(segment[0], position, code, where, group.loop.name))
        elif found := check(segment, place.segment, self.reserved):
            where = place_of(into, segment)
            places = tuple(place_of(into, segment, fault.position, fault.component) for fault in found)
            loop = into.loop.name
            self._tell(SegmentFault(segment[0], position, HAS_ELEMENT_FAULTS, where, loop, tuple(found), places))


def _parts(value: str, slot: Slot, separators: Separators) -> Any:
    """The text of an element as its repetitions and components."""
    if slot.most > 1 and separators.repetition and separators.repetition in value:
        alone = Slot(slot.of, slot.required)
        return Repeats(_parts(one, alone, separators) for one in value.split(separators.repetition))
    return value.split(separators.component) if isinstance(slot.of, Composite) else value


def match(
    body: Sequence[Elements], definition: TransactionSet, separators: Separators | None = None
) -> tuple[Group, list[SegmentFault]]:
    """The tree of a set's segments without ST and SE, and all faults in order of position.

    separators: None for segments of our own, whose elements are in parts already.
    """
    matcher = _Matcher(definition, separators, lambda: sum([len(part) + 1 for segment in body for part in segment]))
    root = matcher.stack[0].group
    for position, segment in enumerate(body, 2):
        matcher.take(segment, position)
    matcher.finish(len(body) + 2)
    return root, matcher.faults
