"""The message as a tree that loses no byte: segments keep their text and their ends, and split only when read.

A tree of a received message is unfolded as it is asked for: groups and segments that nobody reads are never made. A
`Node` is what paths are read from: a place in the tree together with the scope around it, so that inner scopes can look
outward. Trees hold no references upward and need no garbage collector.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.formats.hl7v2.syntax import Syntax

if TYPE_CHECKING:
    from channels.formats.hl7v2.grammar import GroupDefinition
    from channels.formats.hl7v2.matching import Layout

_ENDS = re.compile("([\r\n]+)")
HEADERS = frozenset({"MSH", "FHS", "BHS"})  # their first field is the separator itself


class Lines(NamedTuple):
    """A received message's segments as text, without their ends, and those."""

    texts: list[str]
    ends: list[str]
    syntax: Syntax


class Segment:
    """One segment. `text` is as received or None once written to; `fields[n]` is field n, `fields[0]` the name.

    values: the fields, once they were asked for.
    """

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
            if self.id in HEADERS:
                values.insert(1, self.syntax.field)
        return values

    def write(self, number: int, value: str) -> None:
        """Replace a field's text; the caller has escaped it."""
        fields = self.values or self.fields
        if number >= len(fields):
            fields += [""] * (number + 1 - len(fields))
        fields[number] = value
        self.text = None

    def spell(self) -> str:
        """The segment's text, without its end."""
        if self.text is not None:
            return self.text
        fields = self.fields
        mark = self.syntax.field
        if self.id in HEADERS:
            return mark.join([fields[0], *fields[2:]])
        return mark.join(fields)


class Index(dict[str, list[Any]]):
    """What stands in a received group, by name: segments, or groups. Empty for what is not there.

    It is made from `lines` where `layout` says, name by name as they are asked for.
    """

    __slots__ = ("layout", "lines")

    def __init__(self, layout: Layout, lines: Lines) -> None:
        self.layout = layout
        self.lines = lines

    def __missing__(self, name: str) -> list[Any]:
        found: list[Any] = []
        self[name] = found
        texts, ends, syntax = self.lines
        for place in self.layout.places.get(name, ()):
            if isinstance(place, int):
                found.append(Segment(texts[place], syntax, ends[place]))
            else:
                found.append(Group(place.definition, Index(place, self.lines)))
        return found


class Group:
    """Segments and groups: `index` finds them by name, `children` has them in the order they came."""

    __slots__ = ("_children", "definition", "index")

    def __init__(self, definition: GroupDefinition, index: Index) -> None:
        self.definition = definition
        self.index: dict[str, list[Any]] = index
        self._children: list[Segment | Group] | None = None

    @property
    def children(self) -> list[Segment | Group]:
        children = self._children
        if children is None:
            index = self.index
            assert isinstance(index, Index)
            children = self._children = [index[name][position] for name, position in index.layout.order]
        return children

    def insert(self, name: str, child: Segment | Group) -> None:
        """Add a child after all that the structure places before it; what it does not know goes to the end."""
        children = self.children
        self.index[name].append(child)
        ranks = self.definition.ranks
        last = len(ranks)
        rank = ranks.get(name, 0 if name == "MSH" else last)
        place = len(children)
        if rank < last:  # what has no place of its own is never before anything
            while place and ranks.get(_name(children[place - 1]), last) > rank:
                place -= 1
        children.insert(place, child)

    def segments(self) -> list[Segment]:
        """All of them, those of inner groups too."""
        found: list[Segment] = []
        for child in self.children:
            if isinstance(child, Segment):
                found.append(child)
            else:
                found += child.segments()
        return found


def _name(child: Segment | Group) -> str:
    return child.id if isinstance(child, Segment) else child.definition.name


class NewGroup(Group):
    """A group that is written: what it holds stands where the structure says, whenever it came.

    strays: what the structure does not know, in the order it came; it stands at the end.
    """

    __slots__ = ("strays",)

    def __init__(self, definition: GroupDefinition) -> None:
        self.definition = definition
        self.index: dict[str, list[Any]] = defaultdict(list)
        self.strays: list[Segment] = []

    @property
    def children(self) -> list[Segment | Group]:
        index = self.index
        known = [child for name, _, _ in self.definition.order for child in index.get(name, ())]
        return [*known, *self.strays]

    def insert(self, name: str, child: Segment | Group) -> None:
        self.index[name].append(child)
        if name not in self.definition.ranks and isinstance(child, Segment):  # every group is known
            self.strays.append(child)


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
        self.at = root
        self.outer = None
        self.syntax = syntax
        self.prefix = prefix

    def render(self) -> bytes:
        """The message's bytes; those it was parsed from, but for what was written to."""
        segments = self.at.segments()
        for segment in segments[:-1]:
            segment.end = segment.end or "\r"
        text = "".join([part for segment in segments for part in (segment.spell(), segment.end)])
        return self.prefix + text.encode(self.syntax.codec)


def cut(text: str, syntax: Syntax) -> Lines:
    """Segments of a message's text; CR, LF, CRLF and blank lines end them and are kept."""
    texts = text.split("\r")
    last = texts.pop()
    if "" not in texts and text.find("\n") < 0:
        ends = ["\r"] * len(texts)
        if last:
            texts.append(last)
            ends.append("")
        return Lines(texts, ends, syntax)
    parts = _ENDS.split(text)
    pairs = zip(parts[::2], [*parts[1::2], ""], strict=True)
    kept = [(line, end) for line, end in pairs if line or end]
    return Lines([line for line, _ in kept], [end for _, end in kept], syntax)
