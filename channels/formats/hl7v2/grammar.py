"""Message structures: HL7's abstract syntax read once into tables, and what of a structure a tree lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from channels.formats.hl7v2.tree import Group, NewGroup, Segment
from engine.errors import Refused

Problem = tuple[str, str]  # text and place of what is wrong with a message's structure
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

    asked: the elements that must be there, and the groups, which may lack something inside.
    order: (name, whether it must be written, whether it is a group) as names stand in the group; a name that stands
    twice has its last place. MSH need not be written: the envelope does it.
    table[i][name]: which element a segment belongs to when element i-1 was the last one seen (0: none yet).
    ranks: position of each element by name, the last where a name stands twice.
    """

    __slots__ = ("asked", "elements", "firsts", "known", "name", "order", "ranks", "table")

    def __init__(self, name: str, elements: tuple[Element, ...]) -> None:
        self.name = name
        self.elements = elements
        self.asked = tuple(element for element in elements if element.required or element.group)
        self.firsts = _firsts(elements)
        self.table = tuple(_next(elements, last) for last in range(-1, len(elements)))
        self.ranks = {element.name: rank for rank, element in enumerate(elements)}
        required = {element.name for element in elements if element.required and element.name != "MSH"}
        self.order = tuple(
            (element.name, element.name in required, element.group is not None)
            for rank, element in enumerate(elements)
            if self.ranks[element.name] == rank
        )
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


def missing(path: str, element: Element) -> Problem:
    """The problem of a required segment or group that is not there, at `ORDER[1]: RQD`."""
    what = f"group {element.name}" if element.group else f"segment {element.name}"
    return f"the required {what} is missing", f"{path}: {element.name}" if path else element.name


def refusal(text: str, place: str) -> Refused:
    return Refused("hl7.structure", text, place=place, status="100")


def absent(group: Group, path: str = "") -> list[Problem]:
    """The required elements a written tree does not have."""
    problems: list[Problem] = []
    for element in group.definition.asked:
        found = group.index[element.name]
        if not found:
            problems += [missing(path, element)] if element.required else []
        elif element.group:
            for position, inner in enumerate(found, 1):
                place = f"{element.name}[{position}]"
                problems += absent(inner, f"{path}/{place}" if path else place)
    return problems


def gather(group: NewGroup, segments: list[Segment]) -> bool:
    """Add a written group's segments in their order; False where something required is absent."""
    whole = True
    index = group.index
    for name, required, inner in group.definition.order:
        found = index.get(name)
        if not found:
            whole = whole and not required
        elif inner:
            for each in found:
                whole = gather(each, segments) and whole
        else:
            segments += found
    segments += group.strays
    return whole
