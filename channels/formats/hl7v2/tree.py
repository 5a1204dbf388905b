"""The message as a tree that loses no byte: segments keep their text and their ends, and split only when read.

A `Node` is what paths are read from: a place in the tree together with the scope around it, so that inner scopes can
look outward. Trees hold no references upward and need no garbage collector.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from channels.formats.hl7v2.syntax import Syntax

if TYPE_CHECKING:
    from channels.formats.hl7v2.grammar import GroupDefinition

_ENDS = re.compile("([\r\n]+)")
_HEADERS = frozenset({"MSH", "FHS", "BHS"})  # their first field is the separator itself


class Segment:
    """One segment. `text` is as received or None once written to; `fields[n]` is field n, `fields[0]` the name."""

    __slots__ = ("end", "id", "syntax", "text", "values")

    def __init__(self, text: str, syntax: Syntax, end: str = "\r") -> None:
        self.id = text[:3]
        self.text: str | None = text
        self.end = end
        self.syntax = syntax
        self.values: list[str] | None = None

    @property
    def fields(self) -> list[str]:
        values = self.values
        if values is None:
            values = self.values = (self.text or "").split(self.syntax.field)
            if self.id in _HEADERS:
                values.insert(1, self.syntax.field)
        return values

    def write(self, number: int, value: str) -> None:
        """Replace a field's text; the caller has escaped it."""
        fields = self.fields
        fields.extend([""] * (number + 1 - len(fields)))
        fields[number] = value
        self.text = None

    def spell(self) -> str:
        """The segment's text, without its end."""
        if self.text is not None:
            return self.text
        fields = self.fields
        mark = self.syntax.field
        if self.id in _HEADERS:
            return mark.join([fields[0], *fields[2:]])
        return mark.join(fields)


class Group:
    """Segments and groups in the order they came; `index` finds them by name."""

    __slots__ = ("children", "definition", "index")

    def __init__(self, definition: GroupDefinition) -> None:
        self.definition = definition
        self.children: list[Segment | Group] = []
        self.index: dict[str, list[Any]] = {}

    def add(self, name: str, child: Segment | Group) -> None:
        self.children.append(child)
        found = self.index.get(name)
        if found is None:
            self.index[name] = [child]
        else:
            found.append(child)

    def insert(self, name: str, child: Segment | Group) -> None:
        """Add a child after all that the structure places before it; what it does not know goes to the end."""
        self.add(name, child)
        ranks, children = self.definition.ranks, self.children
        last = len(ranks)
        rank = ranks.get(name, 0 if name == "MSH" else last)
        place = len(children) - 1
        while place and ranks.get(_name(children[place - 1]), last) > rank:
            place -= 1
        children.insert(place, children.pop())

    def segments(self) -> Iterator[Segment]:
        for child in self.children:
            if isinstance(child, Segment):
                yield child
            else:
                yield from child.segments()


def _name(child: Segment | Group) -> str:
    return child.id if isinstance(child, Segment) else child.definition.name


class Repetition:
    """One repetition (0-based) of a field."""

    __slots__ = ("index", "number", "segment")

    def __init__(self, segment: Segment, number: int, index: int) -> None:
        self.segment = segment
        self.number = number
        self.index = index

    @property
    def text(self) -> str:
        fields = self.segment.fields
        parts = fields[self.number].split(self.segment.syntax.repetition) if self.number < len(fields) else []
        return parts[self.index] if self.index < len(parts) else ""


class Node:
    """A place in the tree (a Group, Segment or Repetition, as its scope says) and the node of the scope around it."""

    __slots__ = ("at", "outer")

    def __init__(self, at: Any, outer: Node | None = None) -> None:
        self.at = at
        self.outer = outer


class Message(Node):
    """The root node of one message. prefix: what stood before MSH (a byte order mark)."""

    __slots__ = ("prefix", "syntax")

    def __init__(self, root: Group, syntax: Syntax, prefix: bytes = b"") -> None:
        super().__init__(root)
        self.syntax = syntax
        self.prefix = prefix

    def render(self) -> bytes:
        """The message's bytes; those it was parsed from, but for what was written to."""
        segments = list(self.at.segments())
        for segment in segments[:-1]:
            segment.end = segment.end or "\r"
        text = "".join([part for segment in segments for part in (segment.spell(), segment.end)])
        return self.prefix + text.encode(self.syntax.codec)


def tokenize(text: str, syntax: Syntax) -> list[Segment]:
    """Segments of a message's text; CR, LF, CRLF and blank lines end them and are kept."""
    if "\n" not in text and "\r\r" not in text:
        lines = text.split("\r")
        last = lines.pop()
        segments = [Segment(line, syntax) for line in lines]
        return [*segments, Segment(last, syntax, "")] if last else segments
    parts = _ENDS.split(text)
    pairs = zip(parts[::2], [*parts[1::2], ""], strict=True)
    return [Segment(line, syntax, end) for line, end in pairs if line or end]
