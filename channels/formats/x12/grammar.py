"""The standard as a grammar, release by release: elements, segments with their syntax rules, and sets as nested loops.

Read from the tables of `standard`, each line when it is first asked for. Everything else asks this module what may
stand where: reading, writing, the check of a mapping's paths and the judgement behind our 997.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from channels.formats.x12.separators import Separators
from channels.formats.x12.standard.codes import CLOSED, CLOSED_004010
from channels.formats.x12.standard.elements import COMPOSITES, ELEMENTS
from channels.formats.x12.standard.segments import SEGMENTS
from channels.formats.x12.standard.sets import PLACES, SETS
from channels.formats.x12.syntax import Rule, rule
from channels.formats.x12.tables import Table, lines
from channels.formats.x12.values import Test, pattern_of, test_of

BASE: Final = "004010"
RELEASES: Final = (BASE, "005010")

# One place in the notation of a set, or the bracket that closes a loop.
TOKEN: Final = re.compile(r"([-+]?)([A-Z][A-Z0-9]{1,2})(!?)(\*?)(\d*)(\(?)|(\))")


@dataclass(frozen=True, slots=True)
class Element:
    """A data element or one place of it. pattern: what a value of the right type, length and characters matches.

    good: whether a value is right in every way; what separates values aside.
    """

    number: str
    kind: str
    least: int
    most: int
    name: str
    pattern: re.Pattern[str]
    good: Test
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Composite:
    """excess: the AK403 code of components that it does not have."""

    number: str
    components: tuple[Slot, ...]
    rules: tuple[Rule, ...]
    excess: str
    name: str = "composite"


@dataclass(frozen=True, slots=True)
class Slot:
    """One position of a segment or composite. most: how often its value may be repeated."""

    of: Element | Composite
    required: bool
    most: int = 1


@dataclass(frozen=True, slots=True)
class Segment:
    id: str
    name: str
    slots: tuple[Slot, ...]
    rules: tuple[Rule, ...]
    parted: tuple[tuple[int, Slot], ...]  # positions (1-based) whose value has components or may be repeated
    required: int  # bits 1 << position of the mandatory ones
    tests: tuple[tuple[int, Test], ...]  # of each position, 1 << position and what no bad value passes
    complete: set[int] = field(default_factory=set, compare=False)  # filled positions that were found to be right


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment, or the loop it opens, may stand in a loop. most 0: any number of times."""

    index: int
    segment: Segment
    required: bool
    most: int
    loop: Loop  # the loop it opens; of a plain segment, a loop of that segment alone
    opens: bool

    @property
    def repeats(self) -> bool:
        return self.most != 1


class Loop:
    """Places in order. A loop's own opener stands at index 0; the root of a set has no opener."""

    __slots__ = ("index", "last_required", "name", "opener", "places", "required")

    def __init__(self, name: str, places: tuple[Place, ...], *, opener: bool) -> None:
        self.name = name
        self.places = places
        self.opener = opener
        self.index = {place.segment.id: place.index for place in places}
        self.required = tuple(place.index for place in places if place.required)
        self.last_required = max(self.required, default=-1)

    def inside(self) -> frozenset[str]:
        """Ids of all segments at any depth."""
        deeper = (place.loop.inside() for place in self.places if place.opens)
        return frozenset(self.index).union(*deeper)


@dataclass(frozen=True, slots=True)
class TransactionSet:
    """id: ST01. group: GS01. known: ids of all its segments. counted: which segment CTT01 counts, empty when none."""

    id: str
    group: str
    name: str
    release: Release
    root: Loop
    known: frozenset[str]
    counted: str


@dataclass(frozen=True, slots=True)
class _Heading:
    group: str
    name: str
    counted: str


@functools.cache
def _headings() -> dict[str, _Heading]:
    found = {}
    for id, line in lines(SETS).items():
        told, _, counted = line.partition("|")
        _, group, name = told.split(maxsplit=2)
        found[id] = _Heading(group, name.strip(), counted.strip())
    return found


# GS01 of every set that we speak in some release.
GROUPS: Final[Mapping[str, str]] = {id: heading.group for id, heading in _headings().items()}


class Release:
    """One release of the standard (`004010`). Elements, composites, segments and sets are made when first asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._other = "+" if name == BASE else "-"  # marks what this release does not have
        self.elements: Mapping[str, Element] = Table(lines(ELEMENTS), self._element)
        self.composites: Mapping[str, Composite] = Table(lines(COMPOSITES), self._composite)
        self.segments: Mapping[str, Segment] = Table(self._segment_lines(), self._segment)
        self.groups: Mapping[str, str] = {id: _headings()[id].group for id in PLACES if self._has(id)}
        self._sets = Table({id: f"{id} {PLACES[id]}" for id in self.groups}, self._set)

    def transaction_set(self, id: str) -> TransactionSet | None:
        """The set with this ST01, or None when this release has none that we speak."""
        if id not in self.groups:
            return None
        return self._sets[id]

    def reserved(self, separators: Separators) -> dict[str, str]:
        """What no value may hold, each with the AK403 code of a value that does (12 and 13 are of 005010)."""
        component, repetition = ("6", "6") if self.name == BASE else ("13", "12")
        marks = {separators.component: component, separators.repetition: repetition}
        return {mark: code for mark, code in marks.items() if mark}

    # --- reading the tables
    def _segment_lines(self) -> dict[str, str]:
        return {id.lstrip("+"): line.lstrip("+") for id, line in lines(SEGMENTS).items() if id[0] != self._other}

    def _has(self, id: str) -> bool:
        return not PLACES[id].lstrip().startswith(self._other)

    def _here(self, words: list[str]) -> list[str]:
        """The words of this release, without their marks."""
        return [word.lstrip("+-") for word in words if not word.startswith(self._other)]

    def _element(self, line: str) -> Element:
        number, kind, lengths, name = line.split(maxsplit=3)
        before, _, after = lengths.partition(">")
        least, most = map(int, (before if self.name == BASE else after or before).split("/"))
        codes = _codes(number, self.name)
        good = test_of(kind, least, most, codes)
        return Element(number, kind, least, most, name, pattern_of(kind, least, most), good, codes)

    def _composite(self, line: str) -> Composite:
        (number, *parts), rules = self._halves(line)
        return Composite(number, tuple(map(self._slot, parts)), rules, "3" if self.name == BASE else "13")

    def _segment(self, line: str) -> Segment:
        head, _, tail = line.partition("|")
        id, name = head.split(maxsplit=1)
        words, rules = self._halves(tail)
        slots = tuple(self._slot(number) for word in words for number in _repeated(word))
        parted = tuple(
            (at, slot) for at, slot in enumerate(slots, 1) if isinstance(slot.of, Composite) or slot.most > 1
        )
        required = sum(1 << at for at, slot in enumerate(slots, 1) if slot.required)
        tests = tuple((1 << at, _test(slot)) for at, slot in enumerate(slots, 1))
        return Segment(id, name.strip(), slots, rules, parted, required, tests)

    def _halves(self, line: str) -> tuple[list[str], tuple[Rule, ...]]:
        words, _, rules = line.partition("|")
        return self._here(words.split()), tuple(map(rule, self._here(rules.split())))

    def _slot(self, text: str) -> Slot:
        text, _, most = text.partition("^")
        number = text.rstrip("!")
        of = self.composites[number] if number.startswith("C") else self.elements[number]
        return Slot(of, text.endswith("!"), int(most or 1))

    def _set(self, line: str) -> TransactionSet:
        id, text = line.split(maxsplit=1)
        tokens = [*self._tokens(text)]
        tokens.reverse()
        root = Loop("", tuple(self._places(tokens, 0)), opener=False)
        heading = _headings()[id]
        return TransactionSet(id, heading.group, heading.name, self, root, root.inside(), heading.counted)

    def _tokens(self, text: str) -> Iterator[tuple[str, ...]]:
        """What the notation says, without what this release does not have."""
        depth = 0  # of the brackets inside what is left out
        for match in TOKEN.finditer(text):
            mark, *_, opens, closes = match.groups()
            if depth or mark == self._other:
                depth += bool(opens) - bool(closes)
            else:
                yield match.groups()

    def _places(self, tokens: list[tuple[str, ...]], first: int) -> list[Place]:
        """Places up to the closing bracket; `tokens` are reversed, so that the next one is popped."""
        places: list[Place] = []
        while tokens:
            _, id, must, star, number, opens, closes = tokens.pop()
            if closes:
                break
            segment, index = self.segments[id], first + len(places)
            most = int(number) if number else 0 if star else 1
            own = Place(0, segment, True, 1, Loop(id, (), opener=True), opens=False)
            inner = (own, *self._places(tokens, 1)) if opens else (own,)
            places.append(Place(index, segment, bool(must), most, Loop(id, inner, opener=True), opens=bool(opens)))
        return places


def release(name: str) -> Release | None:
    """The release a GS08 or a mapping names, by its first six characters; None when we do not speak it."""
    return _made(name[:6]) if name[:6] in RELEASES else None


@functools.cache
def _made(name: str) -> Release:
    return Release(name)


# --- the tables ------------------------------------------------------------------------------------------------------
def _codes(number: str, name: str) -> frozenset[str]:
    """The complete list of an element's codes; empty when we hold none."""
    told = CLOSED.get(number) or (CLOSED_004010.get(number) if name == BASE else None)
    return frozenset(told.split()) if told else frozenset()


def _test(slot: Slot) -> Test:
    """What may be repeated passes none: its parts are judged one by one."""
    if slot.most > 1:
        return lambda _: False
    return slot.of.good if isinstance(slot.of, Element) else _composite_test(slot.of)


def _composite_test(composite: Composite) -> Test:
    tests = tuple((1 << at, _test(slot)) for at, slot in enumerate(composite.components, 1))
    required = sum(1 << at for at, slot in enumerate(composite.components, 1) if slot.required)

    def good(parts: Any) -> bool:
        if len(parts) > len(tests):
            return False
        present = 0
        for part, (bit, right) in zip(parts, tests, strict=False):
            if part:
                if not right(part):
                    return False
                present |= bit
        return not required & ~present and all(present & rule.all in rule.good for rule in composite.rules)

    return good


def _repeated(word: str) -> list[str]:
    """`235/234*10` as ten times the two numbers."""
    numbers, _, times = word.partition("*")
    return numbers.split("/") * int(times or 1)
