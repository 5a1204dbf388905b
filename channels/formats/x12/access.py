"""Reading and writing one element, as functions compiled once per path; and the segments that meet conditions. Pure."""

from __future__ import annotations

from collections.abc import Callable

from channels.formats.x12.grammar import Place
from channels.formats.x12.separators import Elements, Repeats
from channels.formats.x12.tree import Group
from engine.errors import Refused
from engine.plugin import Null, Value

Find = Callable[[Group], "Elements | None"]
Read = Callable[[Elements], Value]
Get = Callable[[Group], Value]
Put = Callable[[Group, "str | Null"], None]

# (position, value) pairs a segment must have.
Conditions = tuple[tuple[int, str], ...]


def finder(up: int, place: Place, conditions: Conditions) -> Find:
    """The first segment at a place, so many loops outwards, that meets the conditions."""
    index, opens = place.index, place.opens

    def find(node: Group) -> Elements | None:
        group = outer(node, up) if up else node
        for entry in group.at.get(index, ()):
            segment: Elements = entry.at[0][0] if opens else entry  # type: ignore[union-attr,assignment]
            for position, value in conditions:
                if position >= len(segment) or segment[position] != value:
                    break
            else:
                return segment
        return None

    return find


def reader(position: int, component: int) -> Read:
    """component: 1-based; 0 for an element that has none."""

    def read(segment: Elements) -> Value:
        if position >= len(segment):
            return None
        value = segment[position]
        return (value[0] if isinstance(value, Repeats) and value else value) or None

    def read_component(segment: Elements) -> Value:
        parts = read(segment) or ()
        return parts[component - 1] or None if component <= len(parts) else None  # type: ignore[arg-type,index]

    return read_component if component else read


def getter(find: Find, read: Read) -> Get:
    def get(node: Group) -> Value:
        segment = find(node)
        return None if segment is None else read(segment)

    return get


def putter(find: Find, up: int, place: Place, conditions: Conditions, position: int, component: int) -> Put:
    """Writes one element, making its segment when there is none yet. NULL writes nothing: X12 cannot say delete."""
    blank = new_segment(place, conditions)

    def put(node: Group, value: str | Null) -> None:
        if not isinstance(value, str) or not value:
            return
        segment = find(node)
        if segment is None:
            segment = blank.copy()
            outer(node, up).add(place, segment)
        write(segment, position, component, value)

    return put


def pair_getter(find: Find, pairs: tuple[int, ...], qualifier: str) -> Get:
    """The value behind a qualifier. pairs: the positions where qualifiers stand, each before its value."""

    def get(node: Group) -> Value:
        segment = find(node) or ()
        for at in pairs:
            if at + 1 < len(segment) and segment[at] == qualifier:
                return segment[at + 1] or None
        return None

    return get


def pair_putter(find: Find, up: int, place: Place, pairs: tuple[int, ...], qualifier: str) -> Put:
    """Writes into the pair of the qualifier, else into the first that is free: so it goes after pairs with a place."""

    def put(node: Group, value: str | Null) -> None:
        if not isinstance(value, str) or not value:
            return
        segment = find(node)
        if segment is None:
            segment = new_segment(place, ())
            outer(node, up).add(place, segment)
        told = {segment[at] if at < len(segment) else "": at for at in reversed(pairs)}
        at = told.get(qualifier, told.get(""))
        if at is None:
            raise Refused("map.value", f"{segment[0]} has no room for another product id", status="102")
        write(segment, at, 0, qualifier)
        write(segment, at + 1, 0, value)

    return put


def write(segment: Elements, position: int, component: int, value: str) -> None:
    """What is missing before it is added empty."""
    if position >= len(segment):
        segment += [""] * (position + 1 - len(segment))
    if not component:
        segment[position] = value
        return
    parts = segment[position] = segment[position] or []
    parts += [""] * (component - len(parts))
    parts[component - 1] = value


def outer(node: Group, up: int) -> Group:
    for _ in range(up):
        assert node.parent is not None
        node = node.parent
    return node


def opener(group: Group) -> Elements:
    segment = group.at[0][0]
    assert isinstance(segment, list)
    return segment


def meets(segment: Elements, conditions: Conditions) -> bool:
    return all(position < len(segment) and segment[position] == value for position, value in conditions)


def new_segment(place: Place, conditions: Conditions) -> Elements:
    segment: Elements = [place.segment.id]
    for position, value in conditions:
        write(segment, position, 0, value)
    return segment
