"""Reading many elements from one loop: each segment is found once for all that is wanted of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from channels.formats.x12.access import Conditions, Find, Read
from channels.formats.x12.tree import Group
from engine.plugin import Want

Record = dict[str, Any]


class Spot(NamedTuple):
    """An element of the segment that `find` finds: so many loops outwards, at a place, where it meets conditions.

    read: it from the segment. plain: a text there is the value.
    """

    up: int
    place: int
    conditions: Conditions
    position: int
    find: Find
    read: Read
    plain: bool


def gatherer(wants: Sequence[Want], count: int) -> Callable[[Group], list[Record]]:
    """See `engine.plugin.Scope`; the fields are those of `paths`."""
    ways: dict[object, list[tuple[Spot, Want]]] = {}
    alone = []
    for want in wants:
        spot: Spot | None = getattr(want.field, "spot", None)
        if spot is None:
            alone.append((want.field.get, want.record, want.name))
        else:
            ways.setdefault((spot.up, spot.place, spot.conditions), []).append((spot, want))
    segments = tuple((found[0][0].find, tuple(_by_position(found))) for found in ways.values())
    blank: list[Record] = [{}] * count

    def gather(node: Group) -> list[Record]:
        records = [*map(dict.copy, blank)]
        for find, spots in segments:
            segment = find(node)
            if segment is None:
                continue
            size = len(segment)
            for position, plain, read, record, name in spots:
                if position >= size:
                    break
                value = segment[position]
                if not plain or type(value) is not str:
                    value = read(segment)
                if value:
                    records[record][name] = value
        for get, record, name in alone:
            if value := get(node):
                records[record][name] = value
        return records

    return gather


def _by_position(found: Sequence[tuple[Spot, Want]]) -> list[tuple[int, bool, Read, int, str]]:
    spots = [(spot.position, spot.plain, spot.read, want.record, want.name) for spot, want in found]
    return sorted(spots, key=lambda spot: spot[0])
