"""The tree a transaction set is read into and written from: loops of segments, by their places in the grammar.

A segment is the list of its elements, its id first; a composite element is a list of components. Trees are for reading
and writing values; received bytes are never rendered from them.
"""

from __future__ import annotations

from collections.abc import Iterator

from channels.formats.x12.grammar import Loop, Place
from channels.formats.x12.separators import Elements


class Group:
    """One occurrence of a loop, or a whole set. at: what stands at each place: segments, or Groups of an inner loop."""

    __slots__ = ("at", "loop", "parent")

    def __init__(self, loop: Loop, parent: Group | None = None) -> None:
        self.loop = loop
        self.parent = parent
        self.at: dict[int, list[Elements | Group]] = {}

    def open(self, place: Place, segment: Elements) -> Group:
        """A new occurrence of an inner loop, opened by `segment`."""
        group = self.around(place, segment)
        self.at.setdefault(place.index, []).append(group)
        return group

    def add(self, place: Place, segment: Elements) -> Group:
        """Put a segment at its place, and open the loop it opens. Returns where what follows belongs."""
        if place.opens:
            return self.open(place, segment)
        self.at.setdefault(place.index, []).append(segment)
        return self

    def append(self, *segment: str | list[str]) -> Group:
        """`add` by the segment's own id."""
        return self.add(self.loop.places[self.loop.index[str(segment[0])]], list(segment))

    def groups(self, place: Place) -> list[Group]:
        """The occurrences of an inner loop, or of a plain segment as loops of their own."""
        entries = self.at.get(place.index, ())
        return [entry if isinstance(entry, Group) else self.around(place, entry) for entry in entries]

    def around(self, place: Place, segment: Elements) -> Group:
        """A loop that a segment opens, or is by itself."""
        group = Group(place.loop, self)
        group.at[0] = [segment]
        return group

    def walk(self) -> Iterator[tuple[Group, Elements]]:
        """All segments in the order of the set, each with the loop it stands in."""
        for _, entries in sorted(self.at.items()):
            for entry in entries:
                if isinstance(entry, Group):
                    yield from entry.walk()
                else:
                    yield self, entry

    def where(self) -> str:
        """`PO1[2]/N1[1]`; empty for a whole set."""
        if self.parent is None:
            return ""
        outer = self.parent.where()
        place = self.parent.loop.places[self.parent.loop.index[self.loop.name]]
        number = _ordinal(self.parent.at.get(place.index, []), self, self.at[0][0])
        name = f"{self.loop.name}[{number}]"
        return f"{outer}/{name}" if outer else name


def _ordinal(entries: list[Elements | Group], one: object, other: object) -> int:
    """1-based position of either; the last is tried first, because that is where matching stands."""
    if entries and (entries[-1] is one or entries[-1] is other):
        return len(entries)
    return next((n for n, entry in enumerate(entries, 1) if entry is one or entry is other), len(entries) + 1)


def place_of(group: Group, segment: Elements, element: int = 0, component: int = 0) -> str:
    """`PO1[2]/PO103`, `PO1[2]/REF[3]/REF02`, `BEG03`; without an element, the segment itself."""
    id = segment[0]
    steps = [group.where()]
    place = group.loop.places[index] if (index := group.loop.index.get(id)) is not None else None
    opener = place is not None and place.index == 0 and group.loop.opener
    if place is not None and not opener and (place.repeats or not element):
        number = _ordinal(group.at.get(place.index, []), segment, segment)
        steps.append(f"{id}[{number}]" if place.repeats else id)
    elif place is None:
        steps.append(id)
    if element:
        steps.append(f"{id}{element:02d}" + (f"-{component}" if component else ""))
    return "/".join(filter(None, steps))
