"""Segments put into the groups of a structure, in one pass over their names; what is wrong with their order.

Matching never drops and never moves a segment: what the structure does not expect stays where it came, inside the
group that was open, and is reported. A result depends on the names alone, so that of a message like the last one it is
remembered; the tree is then unfolded from the message's own lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from channels.formats.hl7v2.grammar import FLAT, GroupDefinition, Problem, missing, refusal
from channels.formats.hl7v2.tree import Group, Index, Lines
from engine.errors import Refused

_NAME = itemgetter(slice(3))  # of a segment's text
_SHORT = 100  # segments: the order of a longer message is not worth remembering


class Layout:
    """What stands where in a group: `places[name]` are numbers of lines, or the layouts of groups.

    order: (name, position in its places) as they came.
    """

    __slots__ = ("definition", "order", "places")

    def __init__(self, definition: GroupDefinition) -> None:
        self.definition = definition
        self.order: list[tuple[str, int]] = []
        self.places: dict[str, list[int | Layout]] = {}

    def add(self, name: str, place: int | Layout) -> None:
        found = self.places.setdefault(name, [])
        self.order.append((name, len(found)))
        found.append(place)


class _Outcome(NamedTuple):
    layout: Layout
    problems: tuple[Problem, ...]
    unknown: bool


class Matched(NamedTuple):
    """problems: `hl7.structure` refusals, each with its place. unknown: whether segments stand that no one defined."""

    root: Group
    problems: tuple[Refused, ...] = ()
    unknown: bool = False


def match(definition: GroupDefinition, lines: Lines) -> Matched:
    """Put segments into the groups of a structure: each into the innermost open group that can take it.

    A required element that is passed over, and a segment the structure has but not there, are problems (100). Z
    segments may stand anywhere; in the FLAT structure all may.
    """
    names = tuple(map(_NAME, lines.texts))
    layout, problems, unknown = (_remembered if len(names) <= _SHORT else _matched)(definition, names)
    root = Group(definition, Index(layout, lines))
    return Matched(root, tuple([refusal(*found) for found in problems]) if problems else (), unknown)


def _matched(definition: GroupDefinition, names: Sequence[str]) -> _Outcome:
    return _Matching(definition, names).run()


_remembered = lru_cache(maxsize=256)(_matched)


class _Matching:
    """The open groups, outermost first, each with the rank it has come to."""

    __slots__ = ("definition", "misplaced", "names", "open", "problems", "unknown")

    def __init__(self, definition: GroupDefinition, names: Sequence[str]) -> None:
        self.definition = definition
        self.names = names
        self.open: list[tuple[Layout, int]] = [(Layout(definition), -1)]
        self.problems: list[Problem] = []
        self.misplaced: list[int] = []
        self.unknown = False

    def run(self) -> _Outcome:
        stack = self.open
        for number, name in enumerate(self.names):
            for depth in range(len(stack) - 1, -1, -1):
                group, last = stack[depth]
                rank = group.definition.table[last + 1].get(name)
                if rank is not None:
                    if depth < len(stack) - 1:
                        self.close(depth)
                    self.take(number, depth, rank)
                    break
            else:
                self.leave(number)
        self.close(0)
        self.passed(0, len(self.definition.elements))
        problems = (*_out_of_order(self.names, self.misplaced), *self.problems)
        return _Outcome(stack[0][0], problems, self.unknown)

    def take(self, number: int, depth: int, rank: int) -> None:
        name = self.names[number]
        group, last = self.open[depth]
        if rank > last + 1:
            self.passed(depth, rank)
        self.open[depth] = (group, rank)
        element = group.definition.elements[rank]
        if element.group is None:
            group.add(name, number)
            return
        inner = Layout(element.group)
        group.add(element.name, inner)
        self.open.append((inner, -1))
        self.take(number, depth + 1, element.group.table[0][name])

    def leave(self, number: int) -> None:
        """Keep a segment no open group expects, in the innermost one."""
        name = self.names[number]
        self.open[-1][0].add(name, number)
        if name[0] == "Z" or self.definition is FLAT:
            return
        if name in self.definition.known:
            self.misplaced.append(number)
        else:
            self.unknown = True

    def close(self, depth: int) -> None:
        """Close the groups inside the one at depth."""
        while len(self.open) > depth + 1:
            self.passed(len(self.open) - 1, len(self.open[-1][0].definition.elements))
            self.open.pop()

    def passed(self, depth: int, rank: int) -> None:
        """Report the required elements between what was seen last and rank."""
        group, last = self.open[depth]
        for element in group.definition.elements[last + 1 : rank]:
            if element.required:
                self.problems.append(missing(self.path(depth), element))

    def path(self, depth: int) -> str:
        """`ORDER[2]/OBSERVATION[1]`."""
        names = []
        for (outer, _), (inner, _) in zip(self.open[:depth], self.open[1 : depth + 1], strict=True):
            name = inner.definition.name
            names.append(f"{name}[{len(outer.places[name])}]")
        return "/".join(names)


def _out_of_order(names: Sequence[str], misplaced: Sequence[int]) -> Iterator[Problem]:
    wanted = set(misplaced)
    counts: dict[str, int] = {}
    for number, name in enumerate(names if wanted else ()):
        counts[name] = counts.get(name, 0) + 1
        if number in wanted:
            yield f"{name} stands where the structure does not allow it", f"{name}[{counts[name]}]"
