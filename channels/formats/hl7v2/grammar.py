"""Message structures: HL7's abstract syntax read once into tables, and segments matched to them in one pass.

Matching never drops and never moves a segment: what the structure does not expect stays where it came, inside the
group that was open, and is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from channels.formats.hl7v2.tree import Group, Segment
from engine.errors import Refused

_TOKEN = re.compile(r"[][{}()]|[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Element:
    """One place of a group: a segment, or a group when `group` is set."""

    name: str
    required: bool
    repeats: bool
    group: GroupDefinition | None = None

    @property
    def firsts(self) -> frozenset[str]:
        """Segment names that can begin it."""
        return self.group.firsts if self.group else frozenset([self.name])


class GroupDefinition:
    """A group's elements with what matching needs precomputed. The root of a structure is one with an empty name.

    table[i][name]: which element a segment belongs to when element i-1 was the last one seen (0: none yet).
    ranks: position of each element by name, the last where a name stands twice.
    """

    __slots__ = ("elements", "firsts", "known", "name", "ranks", "table")

    def __init__(self, name: str, elements: tuple[Element, ...]) -> None:
        self.name = name
        self.elements = elements
        self.firsts = _firsts(elements)
        self.table = tuple(_next(elements, last) for last in range(-1, len(elements)))
        self.ranks = {element.name: rank for rank, element in enumerate(elements)}
        self.known: frozenset[str] = frozenset().union(
            *(element.group.known if element.group else {element.name} for element in elements)
        )

    def element(self, name: str) -> Element | None:
        rank = self.ranks.get(name)
        return None if rank is None else self.elements[rank]

    def groups(self) -> Iterator[Element]:
        return (element for element in self.elements if element.group)


def read_notation(text: str) -> GroupDefinition:
    """Read `MSH [{SFT}] [PATIENT( PID [PD1] )] {ORDER( ORC RQD )}`. Raises ValueError when it is not that."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != "".join(text.split()):
        raise ValueError("a structure holds names, brackets, braces and parentheses only")
    elements = _elements(tokens)
    if tokens:
        raise ValueError(f"'{tokens[0]}' closes nothing")
    return GroupDefinition("", elements)


def _elements(tokens: list[str]) -> tuple[Element, ...]:
    found = []
    while tokens and tokens[0] not in ")]}":
        found.append(_element(tokens, required=True, repeats=False))
    return tuple(found)


def _element(tokens: list[str], required: bool, repeats: bool) -> Element:
    token = tokens.pop(0)
    if token in "[{":
        inner = _element(tokens, required and token != "[", repeats or token == "{")
        _expect(tokens, "]" if token == "[" else "}")
        return inner
    if not tokens or tokens[0] != "(":
        return Element(token, required, repeats)
    tokens.pop(0)
    group = GroupDefinition(token, _elements(tokens))
    _expect(tokens, ")")
    return Element(token, required, repeats, group)


def _expect(tokens: list[str], token: str) -> None:
    if not tokens or tokens.pop(0) != token:
        raise ValueError(f"'{token}' is missing")


def _firsts(elements: Iterable[Element]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for element in elements:
        found |= element.firsts
        if element.required:
            break
    return found


def _next(elements: tuple[Element, ...], last: int) -> dict[str, int]:
    start = last if last >= 0 and elements[last].repeats else last + 1
    found: dict[str, int] = {}
    for rank in range(len(elements) - 1, start - 1, -1):
        found |= dict.fromkeys(elements[rank].firsts, rank)
    return found


FLAT = GroupDefinition("", ())  # of messages whose structure is not defined: no groups, any segment


# --- matching ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Matched:
    """problems: `hl7.structure` refusals, each with its place. unknown: whether segments stand that no one defined."""

    root: Group
    problems: tuple[Refused, ...] = ()
    unknown: bool = False


def match(definition: GroupDefinition, segments: Iterable[Segment]) -> Matched:
    """Put segments into the groups of a structure: each into the innermost open group that can take it.

    A required element that is passed over, and a segment the structure has but not there, are problems (100). Z
    segments may stand anywhere.
    """
    return _Matching(definition).run(segments)


class _Matching:
    """The open groups, outermost first, each with the rank it has come to."""

    __slots__ = ("definition", "misplaced", "open", "problems", "unknown")

    def __init__(self, definition: GroupDefinition) -> None:
        self.definition = definition
        self.open: list[tuple[Group, int]] = [(Group(definition), -1)]
        self.problems: list[Refused] = []
        self.misplaced: list[Segment] = []
        self.unknown = False

    def run(self, segments: Iterable[Segment]) -> Matched:
        stack = self.open
        for segment in segments:
            name = segment.id
            for depth in range(len(stack) - 1, -1, -1):
                group, last = stack[depth]
                rank = group.definition.table[last + 1].get(name)
                if rank is not None:
                    if depth < len(stack) - 1:
                        self.close(depth)
                    self.take(segment, depth, rank)
                    break
            else:
                self.leave(segment)
        self.close(0)
        self.passed(0, len(self.definition.elements))
        root = stack[0][0]
        return Matched(root, (*_out_of_order(root, self.misplaced), *self.problems), self.unknown)

    def take(self, segment: Segment, depth: int, rank: int) -> None:
        group, last = self.open[depth]
        if rank > last + 1:
            self.passed(depth, rank)
        self.open[depth] = (group, rank)
        element = group.definition.elements[rank]
        if element.group is None:
            group.add(segment.id, segment)
            return
        inner = Group(element.group)
        group.add(element.name, inner)
        self.open.append((inner, -1))
        self.take(segment, depth + 1, element.group.table[0][segment.id])

    def leave(self, segment: Segment) -> None:
        """Keep a segment no open group expects, in the innermost one."""
        name = segment.id
        self.open[-1][0].add(name, segment)
        if name[0] == "Z":
            return
        if name in self.definition.known:
            self.misplaced.append(segment)
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
            names.append(f"{name}[{len(outer.index[name])}]")
        return "/".join(names)


def _out_of_order(root: Group, misplaced: list[Segment]) -> Iterator[Refused]:
    counts: dict[str, int] = {}
    wanted = iter(misplaced)
    found = next(wanted, None)
    for segment in root.segments() if found else ():
        counts[segment.id] = counts.get(segment.id, 0) + 1
        if segment is found:
            text = f"{segment.id} stands where the structure does not allow it"
            place = f"{segment.id}[{counts[segment.id]}]"
            yield Refused("hl7.structure", text, place=place, status="100")
            found = next(wanted, None)


def missing(path: str, element: Element) -> Refused:
    """The problem of a required segment or group that is not there, at `ORDER[1]: RQD`."""
    what = f"group {element.name}" if element.group else f"segment {element.name}"
    place = f"{path}: {element.name}" if path else element.name
    return Refused("hl7.structure", f"the required {what} is missing", place=place, status="100")


def absent(group: Group, path: str = "") -> Iterator[Refused]:
    """The required elements a written tree does not have."""
    for element in group.definition.elements:
        found = group.index.get(element.name, ())
        if element.required and not found:
            yield missing(path, element)
        for position, inner in enumerate(found, 1):
            if isinstance(inner, Group):
                place = f"{element.name}[{position}]"
                yield from absent(inner, f"{path}/{place}" if path else place)
