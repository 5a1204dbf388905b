"""The three characters an interchange is cut by, which may serve, and how its segments are cut. Pure.

X12 has no escape: a separator can never be part of a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

BLANK: Final = " \t\r\n"
BLANK_BYTES: Final = BLANK.encode()
# A point and a minus belong to numbers.
_NEVER: Final = frozenset(" .-\0")

# One segment: its id, then its elements; a composite element is a list of components.
Elements = list[Any]


class Repeats(list[Any]):
    """The repetitions of one element, each a value or a list of components (005010)."""


def simple_values(value: Any) -> Iterator[tuple[int, int, str]]:
    """What an element holds: number of the repetition and of the component (1-based, 0 where there is none), text."""
    if isinstance(value, Repeats):
        yield from (
            (number, component, text)
            for number, one in enumerate(value, 1)
            for _, component, text in simple_values(one)
        )
    elif isinstance(value, list):
        yield from ((0, component, text) for component, text in enumerate(value, 1))
    else:
        yield 0, 0, value


def shown(text: str) -> str:
    """An id, number or code as people may see it: where data stands in its place, it is not told."""
    return text.strip() if re.fullmatch(r" *[A-Za-z0-9]{1,9} *", text) else "?"


def text_of(value: Any, component: str, repetition: str) -> str:
    """An element as it is written."""
    if isinstance(value, Repeats):
        return repetition.join(text_of(one, component, repetition) for one in value)
    return component.join(value) if isinstance(value, list) else str(value)


@dataclass(frozen=True, slots=True)
class Separators:
    """repetition: empty when the interchange has none (ISA12 below 00402, or ISA11 still a letter)."""

    element: str
    component: str
    segment: str
    repetition: str = ""

    def fault(self) -> str:
        """The TA1 note code that says which of them cannot serve; empty when all can."""
        for note, mark in (("026", self.element), ("027", self.component), ("004", self.segment)):
            if not usable(mark):
                return note
        if self.element in {self.segment, self.component}:
            return "026"
        if self.component == self.segment:
            return "027"
        return "022" if self.repetition and self.repetition in self.all else ""

    @property
    def all(self) -> str:
        return self.element + self.component + self.segment


def usable(mark: str) -> bool:
    return len(mark) == 1 and mark.isascii() and not mark.isalnum() and mark not in _NEVER


@dataclass(frozen=True, slots=True)
class Tokens:
    """Segments as lists of elements, the id first. indented, wrapped, empty: tolerated departures that were met."""

    segments: list[Elements]
    indented: bool = False
    wrapped: bool = False
    empty: bool = False


def cut(text: str, separators: Separators) -> Tokens:
    """Cut an interchange's text into segments.

    Line ends after a terminator are skipped, with what indents the next line. Line ends inside a segment (files wrapped
    at 80 columns) are dropped, unless a line end is the terminator. A blank right before an id stays part of it.
    """
    pieces = text.split(separators.segment)
    if not pieces[-1].strip(BLANK):
        pieces.pop()
    segments: list[Elements] = []
    indented = wrapped = empty = False
    newline = any(mark in "\r\n" for mark in separators.all)
    for piece in pieces:
        if piece[:1] in {"\r", "\n"}:
            lines = piece.lstrip("\r\n")
            piece = lines.lstrip(BLANK)
            indented = indented or piece != lines
        if not newline and ("\n" in piece or "\r" in piece):
            piece, wrapped = piece.replace("\r", "").replace("\n", ""), True
        if piece:
            segments.append(piece.split(separators.element))
        else:
            empty = True
    return Tokens(segments, indented, wrapped, empty)
