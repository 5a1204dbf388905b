"""Where a mapping may point in a set, compiled once: `BEG03`, `REF[CT]02`, `N1[03=UL]04`, `SLN05-1`; loops by opener;
levels by code, see `level_paths`.

A path is looked for in its own loop first: a segment of it, or the opener of an inner loop; then, loop by loop,
outwards; `../DTM[011]02` begins one loop further out. A qualifier both selects on reading and is written: `REF[CT]02`
writes REF01 too. `LIN[*=LT]` is the product id that the qualifier LT stands before, in whichever pair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from channels.formats.x12.access import (
    Conditions,
    Get,
    Put,
    finder,
    getter,
    meets,
    new_segment,
    opener,
    pair_getter,
    pair_putter,
    putter,
    reader,
    write,
)
from channels.formats.x12.gather import Record, Spot, gatherer
from channels.formats.x12.grammar import Element, Place, TransactionSet
from channels.formats.x12.grammar import Loop as LoopGrammar
from channels.formats.x12.level_paths import LEVELS, STEP, LevelLoop, NearField, NearLoop
from channels.formats.x12.levels import HL, LevelledSet, tree_of
from channels.formats.x12.path_words import FIELD, LOOP, check_position, definition_of, nearest, read_conditions, spell
from channels.formats.x12.separators import Elements, simple_values
from channels.formats.x12.tree import Group
from engine.plugin import Field, Loop, PathError, Scope, Want

_PAIR: Final = re.compile(r"([A-Z][A-Z0-9]{1,2})\[\*=([A-Z0-9]{2})\]")

# A first element of at most this length says what kind of thing the segment is about (REF01, DTM01, PER01).
_QUALIFIER: Final = 3


# Data elements 235 and 234: what a product id is, and the id itself.
_PRODUCT_QUALIFIER: Final = "235"
_ASSIGNED_NUMBER: Final = "554"  # which of its kind something is (ENT01, LX01)


@dataclass(frozen=True, slots=True)
class X12Field:
    """One value of a segment, so many loops outwards."""

    path: str
    get: Get
    put: Put
    spot: Spot | None = None


@dataclass(frozen=True, slots=True)
class X12Loop:
    """The occurrences of an inner loop, or of a repeating segment, that meet the conditions."""

    path: str
    at: Place
    conditions: Conditions
    scope: X12Scope

    def nodes(self, node: Group) -> Sequence[Group]:
        found = node.groups(self.at)
        if not self.conditions:
            return found
        return [group for group in found if meets(opener(group), self.conditions)]

    def new(self, node: Group) -> Group:
        segment = new_segment(self.at, self.conditions)
        if self.at.opens:
            return node.open(self.at, segment)
        node.add(self.at, segment)
        return node.around(self.at, segment)

    def place(self, node: Group, position: int) -> str:
        """`PO1[2]`: counted among all occurrences, also when the loop selects some."""
        chosen = opener(self.nodes(node)[position])
        number = next(n for n, group in enumerate(node.groups(self.at), 1) if opener(group) is chosen)
        return f"{self.at.segment.id}[{number}]"


@dataclass(frozen=True, slots=True)
class NestedLoop:
    """The occurrences of a loop in all occurrences of another: `ENT/RMR`. In writing, all go into the last of these."""

    around: Loop
    inner: Loop

    @property
    def path(self) -> str:
        return f"{self.around.path}/{self.inner.path}"

    @property
    def scope(self) -> Scope:
        return self.inner.scope

    def nodes(self, node: Group) -> Sequence[Group]:
        return [found for outer in self.around.nodes(node) for found in self.inner.nodes(outer)]

    def new(self, node: Group) -> Group:
        known = self.around.nodes(node)
        made: Group = self.inner.new(known[-1] if known else self._numbered(self.around.new(node)))
        return made

    def place(self, node: Group, position: int) -> str:
        for number, outer in enumerate(self.around.nodes(node)):
            count = len(self.inner.nodes(outer))
            if position < count:
                return f"{self.around.place(node, number)}/{self.inner.place(outer, position)}"
            position -= count
        raise IndexError(position)

    @staticmethod
    def _numbered(outer: Group) -> Group:
        """A loop that says nothing of its own still says which it is."""
        first = outer.loop.places[0].segment.slots[0].of
        if getattr(first, "number", "") == _ASSIGNED_NUMBER:
            write(opener(outer), 1, 0, "1")
        return outer


@dataclass(frozen=True, slots=True)
class X12Scope:
    """What can be addressed inside one loop."""

    grammar: LoopGrammar
    outer: X12Scope | None = None

    def field(self, path: str) -> Field:
        if (levels := self._levels()) and (step := STEP.fullmatch(path)):
            return NearField(step[1], levels.field(step[2]))
        return self._field(path, path, 0)

    def _field(self, path: str, told: str, out: int) -> X12Field:
        """told: the path as the mapping spells it. out: how many loops further in it stands."""
        if path.startswith("../") and self.outer is not None:
            return self.outer._field(path[3:], told, out + 1)
        if pair := _PAIR.fullmatch(path):
            return self._pair(pair[1], pair[2], told, out)
        match = FIELD.fullmatch(path)
        if match is None:
            raise PathError(f"'{told}' is no X12 path: `BEG03`, `REF[CT]02` and `SLN05-1` are", self._near(path))
        id, chosen, digits, part = match.groups()
        up, place = self._find(id, path)
        position, component = int(digits), int(part or 0)
        check_position(place.segment, position, component, path)
        conditions = read_conditions(chosen, place.segment, path)
        if conditions and place.index == 0 and not place.opens:
            raise PathError(f"'{path}': every {id} here opens the loop; select at `each:` instead", (f"{id}{digits}",))
        spelled = "../" * out + spell(id, conditions) + digits + (f"-{component}" if component else "")
        find = finder(up + out, place, conditions)
        put = putter(find, up + out, place, conditions, position, component)
        read = reader(position, component)
        spot = Spot(up + out, place.index, conditions, position, find, read, plain=not component)
        return X12Field(spelled, getter(find, read), put, spot)

    def _pair(self, id: str, qualifier: str, path: str, out: int) -> X12Field:
        up, place = self._find(id, path)
        slots = enumerate(place.segment.slots, 1)
        pairs = tuple(at for at, slot in slots if getattr(slot.of, "number", "") == _PRODUCT_QUALIFIER)
        if not pairs:
            raise PathError(f"'{path}': {id} has no product ids in pairs", self._near(f"{id}01"))
        find = finder(up + out, place, ())
        return X12Field(path, pair_getter(find, pairs, qualifier), pair_putter(find, up + out, place, pairs, qualifier))

    def gather(self, wants: Sequence[Want], count: int) -> Callable[[Group], list[Record]]:
        return gatherer(wants, count)

    def loop(self, path: str) -> Loop:
        if levels := self._levels():
            if step := STEP.fullmatch(path):
                return NearLoop(step[1], levels.loop(step[2]))
            if named := LEVELS.fullmatch(path):
                return LevelLoop(named[2], bool(named[1]), levels)
        around, _, inner = path.partition("/")
        if inner:
            outer = self.loop(around)
            return NestedLoop(outer, outer.scope.loop(inner))
        match = LOOP.fullmatch(path)
        place = self._places().get(match[1]) if match else None
        if match is None or place is None or not (place.opens or place.repeats):
            known = [place.segment.id for place in self._places().values() if place.opens or place.repeats]
            raise PathError(f"'{path}' is no loop or repeating segment of {self._name()}", nearest(path, known))
        conditions = read_conditions(match[2], place.segment, path)
        return X12Loop(spell(match[1], conditions), place, conditions, X12Scope(place.loop, self))

    def _levels(self) -> X12Scope | None:
        """What can be addressed in a level, where levels can be: in a set that has them, and in a level."""
        if self.outer is None and HL in self.grammar.index:
            return X12Scope(self.grammar.places[self.grammar.index[HL]].loop, self)
        return self if self.grammar.name == HL else None

    def _find(self, id: str, path: str) -> tuple[int, Place]:
        scope: X12Scope | None = self
        up = 0
        while scope is not None:
            place = scope._places().get(id)
            if place is not None:
                return up, place
            scope, up = scope.outer, up + 1
        inside = [place.segment.id for place in self._places().values() if place.opens and id in place.loop.inside()]
        if inside:
            raise PathError(f"{id} stands inside the loop {inside[0]}: read it under `each: {inside[0]}`")
        raise PathError(f"{self._name()} has no segment {id} in '{path}'", self._near(path))

    def _places(self) -> Mapping[str, Place]:
        return {place.segment.id: place for place in self.grammar.places}

    def _name(self) -> str:
        return f"the loop {self.grammar.name}" if self.grammar.name else "the set's top level"

    def _near(self, path: str) -> list[str]:
        known = [place.segment for scope in _chain(self) for place in scope.grammar.places]
        paths = [f"{segment.id}{at:02d}" for segment in known for at in range(1, len(segment.slots) + 1)]
        return nearest(path, paths)


@dataclass(frozen=True, slots=True)
class X12Structure:
    """A set as a mapping sees it."""

    definition: TransactionSet

    @property
    def type(self) -> str:
        return self.definition.id

    @property
    def scope(self) -> X12Scope:
        return X12Scope(self.definition.root)

    def blank(self) -> Group:
        return tree_of(self.definition.root)

    def leaves(self, node: Group) -> Iterable[tuple[str, str]]:
        """Every value with its place, loops by number and repeating segments by qualifier: `PO1[2]/REF[CT]02`."""
        yield from _leaves(node, node.where())


def structure(header: Mapping[str, str]) -> X12Structure:
    """From a mapping's `set` and `release`. Raises PathError."""
    return X12Structure(definition_of(header))


# --- scopes ----------------------------------------------------------------------------------------------------------
def _chain(scope: X12Scope | None) -> Iterator[X12Scope]:
    while scope is not None:
        yield scope
        scope = scope.outer


# --- leaves ----------------------------------------------------------------------------------------------------------
def _leaves(group: Group, where: str) -> Iterator[tuple[str, str]]:
    levels = group.names() if isinstance(group, LevelledSet) else []
    for place in group.loop.places:
        for number, entry in enumerate(group.at.get(place.index, ()), 1):
            if isinstance(entry, Group):
                name = levels[number - 1] if levels and place.segment.id == HL else f"{place.segment.id}[{number}]"
                yield from _leaves(entry, "/".join(filter(None, (where, name))))
            else:
                yield from (
                    ("/".join(filter(None, (where, path))), value) for path, value in _values(place, entry, number)
                )


def _values(place: Place, segment: Elements, number: int) -> Iterator[tuple[str, str]]:
    """number: which of its kind the segment is; told from the second on, where no qualifier tells them apart."""
    first = place.segment.slots[0].of
    qualified = place.repeats and isinstance(first, Element) and first.most <= _QUALIFIER and any(segment[1:2])
    id = place.segment.id
    name = f"{id}[{segment[1]}]" if qualified else id if number == 1 else f"{id}[{number}]/{id}"
    for position, value in enumerate(segment[1:], 1):
        for repetition, component, part in simple_values(value):
            if part:
                again = f"({repetition})" if repetition > 1 else ""
                yield f"{name}{position:02d}{again}" + (f"-{component}" if component else ""), part
