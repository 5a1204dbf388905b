"""The standard as a grammar: elements, segments with their syntax rules, and sets as nested loops.

Read once from the tables of `elements_*`, `segments_*`, `sets_*` and `codes_*`. Everything else asks this module what
may stand where: reading, writing, the check of a mapping's paths and the judgement behind our 997.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass
from typing import Final

from channels.formats.x12.codes_004010 import CLOSED
from channels.formats.x12.elements_004010 import COMPOSITES, ELEMENTS
from channels.formats.x12.segments_004010 import SEGMENTS
from channels.formats.x12.sets_004010 import GROUPS, RELEASE, SETS
from channels.formats.x12.values import Test, pattern_of, test_of

_TOKEN: Final = re.compile(r"([A-Z][A-Z0-9]{1,2})(!?)(\*?)(\d*)(\(?)|(\))")


@dataclass(frozen=True, slots=True)
class Rule:
    """A relation between elements of one segment: P, R, E, C or L, and their positions (1-based).

    all: bits 1 << position of its positions. good: which of those may be present together.
    """

    kind: str
    positions: tuple[int, ...]
    all: int
    good: frozenset[int]


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
    number: str
    components: tuple[Slot, ...]
    rules: tuple[Rule, ...]
    name: str = "composite"


@dataclass(frozen=True, slots=True)
class Slot:
    """One position of a segment or composite."""

    of: Element | Composite
    required: bool


@dataclass(frozen=True, slots=True)
class Segment:
    id: str
    name: str
    slots: tuple[Slot, ...]
    rules: tuple[Rule, ...]
    composites: tuple[int, ...]  # positions (1-based) that have components
    required: int  # bits 1 << position of the mandatory ones
    tests: tuple[tuple[int, Test], ...]  # of each position, 1 << position and what no bad value passes


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
    """id: ST01. group: GS01. known: ids of all its segments."""

    id: str
    group: str
    root: Loop
    known: frozenset[str]


@functools.cache
def elements() -> dict[str, Element]:
    return {element.number: element for element in map(_element, _lines(ELEMENTS))}


@functools.cache
def composites() -> dict[str, Composite]:
    found = {}
    for line in _lines(COMPOSITES):
        (number, *parts), rules = _halves(line)
        found[number] = Composite(number, tuple(_slot(part) for part in parts), rules)
    return found


@functools.cache
def segments() -> dict[str, Segment]:
    return {segment.id: segment for segment in map(_segment, _lines(SEGMENTS))}


@functools.cache
def transaction_set(id: str) -> TransactionSet | None:
    """The set of 004010 with this ST01, or None when it is not among those we speak."""
    if id not in SETS:
        return None
    tokens = [match.groups() for match in _TOKEN.finditer(SETS[id])]
    tokens.reverse()
    root = Loop("", tuple(_places(tokens, 0)), opener=False)
    return TransactionSet(id, GROUPS[id], root, root.inside())


def supported(release: str) -> bool:
    """Whether a group of this GS08 can be read: its first six characters are the release."""
    return release[:6] == RELEASE


# --- reading the tables ----------------------------------------------------------------------------------------------
def _lines(table: str) -> list[str]:
    """Table lines with their indented continuations joined on."""
    return [line for line in table.replace("\n    ", " ").splitlines() if line.strip()]


def _halves(line: str) -> tuple[list[str], tuple[Rule, ...]]:
    words, _, rules = line.partition("|")
    return words.split(), tuple(map(_rule, rules.split()))


def _rule(text: str) -> Rule:
    kind, positions = text[0], tuple(int(text[at : at + 2]) for at in range(1, len(text), 2))
    bits = [1 << position for position in positions]
    subsets = (sum(some) for count in range(len(bits) + 1) for some in itertools.combinations(bits, count))
    good = frozenset(subset for subset in subsets if _holds(kind, subset, sum(bits), bits[0]))
    return Rule(kind, positions, sum(bits), good)


def _holds(kind: str, there: int, all: int, first: int) -> bool:
    """Whether a relation holds for the elements that are there (X12.6, syntax notes)."""
    if kind == "P":
        return there in {0, all}
    if kind == "R":
        return there != 0
    if kind == "E":
        return there.bit_count() < 2
    if kind == "C":
        return not there & first or there == all
    return there != first


def _element(line: str) -> Element:
    number, kind, lengths, name = line.split(maxsplit=3)
    least, most = map(int, lengths.split("/"))
    codes = frozenset(CLOSED.get(number, "").split())
    good = test_of(kind, least, most, codes)
    return Element(number, kind, least, most, name, pattern_of(kind, least, most), good, codes)


def _slot(text: str) -> Slot:
    number = text.rstrip("!")
    return Slot(composites()[number] if number.startswith("C") else elements()[number], text.endswith("!"))


def _segment(line: str) -> Segment:
    head, _, tail = line.partition("|")
    id, name = head.split(maxsplit=1)
    words, rules = _halves(tail)
    slots = tuple(_slot(number) for word in words for number in _repeated(word))
    positions = tuple(at for at, slot in enumerate(slots, 1) if isinstance(slot.of, Composite))
    required = sum(1 << at for at, slot in enumerate(slots, 1) if slot.required)
    tests = tuple((1 << at, _test(slot)) for at, slot in enumerate(slots, 1))
    return Segment(id, name.strip(), slots, rules, positions, required, tests)


def _test(slot: Slot) -> Test:
    """A composite passes none: its components have rules of their own, and are judged one by one."""
    return slot.of.good if isinstance(slot.of, Element) else lambda _: False


def _repeated(word: str) -> list[str]:
    """`235/234*10` as ten times the two numbers."""
    numbers, _, times = word.partition("*")
    return numbers.split("/") * int(times or 1)


def _places(tokens: list[tuple[str, ...]], first: int) -> list[Place]:
    """Places up to the closing bracket; `tokens` are reversed, so that the next one is popped."""
    places: list[Place] = []
    while tokens:
        id, must, star, number, opens, closes = tokens.pop()
        if closes:
            break
        segment, index = segments()[id], first + len(places)
        most = int(number) if number else 0 if star else 1
        own = Place(0, segment, True, 1, Loop(id, (), opener=True), opens=False)
        inner = (own, *_places(tokens, 1)) if opens else (own,)
        places.append(Place(index, segment, bool(must), most, Loop(id, inner, opener=True), opens=bool(opens)))
    return places
