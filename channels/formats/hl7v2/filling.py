"""New segments spelled whole from the values of their fields, instead of put together value by value.

Where each value stands in its segment is settled when a mapping is compiled. Only the first segment of a name is
filled, where the structure places it, and only with plain texts; all else is put.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from channels.formats.hl7v2.locate import ensure
from channels.formats.hl7v2.paths import Step
from channels.formats.hl7v2.syntax import syntax
from channels.formats.hl7v2.tree import Node, Segment
from engine.plugin import Fill, Null

Put = Callable[[Node, "str | Null"], None]


class Slot(NamedTuple):
    """Where a field stands: by groups, in the first segment of a name; field from 1, component from 0."""

    steps: tuple[Step, ...]
    name: str
    field: int
    component: int


def fillable(slots: Iterable[Slot | None]) -> int:
    """How many of the first of some fields can be filled together: no two may have one slot."""
    seen: set[Slot] = set()
    for found in slots:
        if found is None or found in seen:
            break
        seen.add(found)
    return len(seen)


def filler(fields: Sequence[tuple[int, Slot, Put]]) -> Fill:
    """A function that writes the texts with these numbers into their fields, in a node of a blank tree.

    What it picks from the texts is numbered as `fields` from 1 on, with "" at 0; joined components come behind.
    """
    marks = syntax()
    pick: _Pick = itemgetter(0, *[number for number, _, _ in fields])
    segments, composites = _segments(fields)
    search, encode, field, component = marks.special.search, marks.encode, marks.field, marks.component

    def fill(node: Node, texts: Sequence[Any]) -> bool:
        own = pick(texts)
        try:
            told = "".join(own)
        except TypeError:
            return False
        values = [*own] if search(told) is None and '"' not in told else [encode(text) for text in own]
        for parts in composites:
            values.append(component.join(parts(values)).rstrip(component))
        for steps, name, row, puts in segments:
            line = field.join(row(values)).rstrip(field)
            if not line:
                continue
            group = ensure(node.at, steps) if steps else node.at
            if not group.index[name]:
                group.insert(name, Segment(f"{name}{field}{line}", marks))
                continue
            for number, put in puts:
                if texts[number]:
                    put(node, texts[number])
        return True

    return fill


_Pick = Callable[[Sequence[Any]], tuple[str, ...]]
_Row = tuple[tuple[Step, ...], str, _Pick, tuple[tuple[int, Put], ...]]


def _segments(fields: Sequence[tuple[int, Slot, Put]]) -> tuple[list[_Row], list[_Pick]]:
    """For each segment what picks its fields, and how the same is put; and what picks the components of a field."""
    spots: dict[tuple[tuple[Step, ...], str], dict[int, dict[int, int]]] = {}
    puts: dict[tuple[tuple[Step, ...], str], list[tuple[int, Put]]] = {}
    for position, (number, (steps, name, field, component), put) in enumerate(fields, 1):
        spots.setdefault((steps, name), {}).setdefault(field, {})[component] = position
        puts.setdefault((steps, name), []).append((number, put))
    composites: list[_Pick] = []
    rows: list[_Row] = []
    for (steps, name), found in spots.items():
        row: dict[int, int] = {}
        for field, components in found.items():
            if components.keys() == {0}:
                row[field] = components[0]
                continue
            composites.append(_picker([components.get(n, 0) for n in range(max(components) + 1)]))
            row[field] = len(fields) + len(composites)
        picked = _picker([row.get(n, 0) for n in range(1, max(row) + 1)])
        rows.append((steps, name, picked, tuple(puts[steps, name])))
    return rows, composites


def _picker(numbers: Sequence[int]) -> _Pick:
    """Gives the texts with some numbers, and an empty one behind, since of a single one it would give no tuple."""
    return itemgetter(*numbers, 0)
