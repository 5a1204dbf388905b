"""Reading many places of a message from one node: each segment is found, judged and split once for all of them.

A received segment that holds nothing but texts and components is read from its line. Every other is read place by place
as `access.reader` does it, which is also what reading from the line must give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from channels.formats.hl7v2.access import Read, Spot
from channels.formats.hl7v2.locate import Find, is_local
from channels.formats.hl7v2.paths import Step, Target
from channels.formats.hl7v2.tree import HEADERS, Index, Node
from engine.plugin import NULL, Value, Want

Record = dict[str, Any]
Gather = Callable[[Node], list[Record]]
_Route = tuple[tuple[str, int], ...]  # names of groups, then of the segment, each with its occurrence


class Way(NamedTuple):
    """So many scopes up, by these groups, to a segment; None: to the segment that the scope is of."""

    up: int
    steps: tuple[Step, ...]
    target: Target | None

    @property
    def route(self) -> _Route:
        """Where a segment's line is found in the layout of the group a node is at; empty when it takes more."""
        target = self.target
        if self.up or target is None or target.by or is_local(target.name) or target.name in HEADERS:
            return ()
        return (*((step.name, step.occurrence) for step in self.steps), (target.name, target.occurrence))


class Place(NamedTuple):
    """A value in the segment that `find` finds at the end of a way."""

    way: Way
    spot: Spot
    find: Find
    read: Read

    @property
    def route(self) -> _Route:
        """Empty when the value is more than a component of a field."""
        simple = self.spot == Spot(self.spot.field, component=self.spot.component)
        return self.way.route if simple else ()


class _Segment:
    """What is wanted of one segment. values: how each is read by itself; firsts and parts: from a plain line.

    firsts: (field, record, name) of first components; parts: the same of others, with the component. pad: makes the
    fields of any line long enough.
    """

    __slots__ = ("find", "firsts", "pad", "parts", "route", "values")

    def __init__(self, found: list[tuple[Place, Want]]) -> None:
        self.find = found[0][0].find
        self.route = found[0][0].route
        self.values = tuple((place.read, want.nullable, want.record, want.name) for place, want in found)
        spots = [(place.spot.field, place.spot.component, want.record, want.name) for place, want in found]
        self.firsts = tuple((field, record, name) for field, component, record, name in spots if not component)
        self.parts = tuple(spot for spot in spots if spot[1])
        self.pad = [""] * (max(spots)[0] + 1)

    def settled(self) -> tuple[Any, ...]:
        """All that `gather` needs to read it from its line, the first step of the route by itself."""
        (name, occurrence), *below = self.route
        return self, name, occurrence, tuple(below), len(self.pad) - 1, self.pad, self.firsts, self.parts

    def read(self, node: Node, records: list[Record]) -> None:
        """Place by place."""
        segment = self.find(node)
        if segment is not None:
            for read, nullable, record, name in self.values:
                _keep(read(segment), nullable, records[record], name)


def gatherer(wants: Sequence[Want], count: int) -> Gather:
    """See `engine.plugin.Scope`; the fields are those of `structure`."""
    ways: dict[object, list[tuple[Place, Want]]] = {}
    alone = []
    for want in wants:
        place: Place | None = want.field.place  # type: ignore[attr-defined]
        if place is None:
            alone.append((want.field.get, want.nullable, want.record, want.name))
        else:
            ways.setdefault((place.way, place.route), []).append((place, want))
    segments = [_Segment(found) for found in ways.values()]
    others = tuple(segment for segment in segments if not segment.route)
    routed = tuple(segment.settled() for segment in segments if segment.route)
    blank: list[Record] = [{}] * count

    def gather(node: Node) -> list[Record]:
        records = [*map(dict.copy, blank)]
        for segment, name, occurrence, below, last, pad, firsts, parts in routed:
            index = node.at.index
            if type(index) is not Index or name in index:  # what was asked for before may have been written to
                segment.read(node, records)
                continue
            places = index.layout.places.get(name)
            if places is None or (occurrence and occurrence >= len(places)):
                continue
            place = places[occurrence]
            if below and (place := _below(place, below)) is None:
                continue
            texts, _, syntax = index.lines
            text = texts[place]
            if syntax.escape in text or syntax.repetition in text or syntax.subcomponent in text or '"' in text:
                segment.read(node, records)
                continue
            mark, fields = syntax.component, text.split(syntax.field)
            if len(fields) <= last:
                fields += pad
            for number, record, name in firsts:
                text = fields[number]
                if mark in text:
                    text = text[: text.index(mark)]
                if text:
                    records[record][name] = text
            for number, component, record, name in parts:
                found = fields[number].split(mark, component + 1)
                if component < len(found) and found[component]:
                    records[record][name] = found[component]
        for segment in others:
            segment.read(node, records)
        for get, nullable, record, name in alone:
            _keep(get(node), nullable, records[record], name)
        return records

    return gather


def _below(place: Any, route: _Route) -> int | None:
    """The number of the line that a route leads to from a group's layout; None when the message has it not."""
    for name, occurrence in route:
        found = place.places.get(name)
        if found is None or occurrence >= len(found):
            return None
        place = found[occurrence]
    number: int = place
    return number


def _keep(value: Value, nullable: bool, record: Record, name: str) -> None:
    if value is not NULL:
        if value is not None:
            record[name] = value
    elif nullable:
        record[name] = None
