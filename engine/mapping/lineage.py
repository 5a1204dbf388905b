"""Field lineage, recomputed on request by a traced compile: which place of a message fed which field, and what of the
message no mapping reads (the unmapped ledger). No values, places only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from canonical import Document
from engine.mapping.compiled import Mapping, roots
from engine.mapping.plan import Group, Leaf, Pairs, Part, Repeat, Slots
from engine.mapping.reading import compile_reading
from engine.mapping.run import Context, Row, Run, joined
from engine.mapping.writing import compile_writing
from engine.plugin import Node


@dataclass(frozen=True, slots=True)
class Lineage:
    """rows: (place in the message, pointer in the document), in reading or writing order.

    Where a message makes several documents, pointers start with the document's position: `/1/lines/0/price`.
    unmapped: places that hold a value which nothing read; empty for a writing.
    """

    rows: tuple[tuple[str, str], ...]
    unmapped: tuple[str, ...] = ()


def trace_read(mapping: Mapping, node: Node, context: Context) -> Lineage:
    read = compile_reading(mapping.plan, trace=True)
    rows: list[Row] = []
    for position, (place, root) in enumerate(roots(mapping.plan, node)):
        run = Run(context.zone, context.crosswalks, context.today)
        read(root, run)
        run.enter(0, 0, place, f"/{position}" if mapping.plan.each is not None else "", writing=False)
        rows += run.rows
    told = _told(rows)
    known = {place for place, _ in told}
    leaves = (path for path, _ in mapping.structure.leaves(node))
    return Lineage(told, tuple(path for path in leaves if not _covered(path, known)))


def trace_write(mapping: Mapping, document: Document, context: Context) -> Lineage:
    """Rows as (pointer in the document, place in the message)."""
    run = Run(context.zone, context.crosswalks, context.today)
    node = mapping.structure.blank()
    each = mapping.plan.each
    compile_writing(mapping.plan, trace=True)(document, node if each is None else each.new(node), run)
    if each is not None:
        run.enter(0, 0, each.place(node, 0), "", writing=False)
    return Lineage(tuple((canonical, place) for place, canonical in _told(run.rows)))


def _told(rows: Iterable[Row]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys((joined("", row.place).removeprefix("$"), row.canonical) for row in rows))


def _covered(path: str, known: set[str]) -> bool:
    """Whether the path, or what it is a part of, was read: reading `RQD-2` reads `RQD-2.1`."""
    if path in known:
        return True
    return any(path[:end] in known for end, letter in enumerate(path) if letter in ".-[(/")


def mapped_fields(mapping: Mapping) -> tuple[str, ...]:
    """Every field the mapping reads or writes, dotted: `lines.quantity.value`."""
    return tuple(dict.fromkeys(_fields(mapping.plan.parts)))


def _fields(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Leaf):
            if part.place:
                yield part.target.path
        elif isinstance(part, Group | Repeat):
            yield from _fields(part.parts)
        elif isinstance(part, Slots):
            for entry in part.entries:
                yield from _fields(entry.parts)
        elif isinstance(part, Pairs):
            yield from (f"{part.target.path}.{name}" for name in (part.key, part.value))


def derived_fields(mapping: Mapping) -> frozenset[str]:
    """Fields that may gain what a document did not have: by `derive:`, `default:`, `const:` or the model's default."""
    return frozenset(_derived(mapping.plan.parts))


def _derived(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Leaf):
            values = [value for value in (part.reading, part.writing) if value is not None]
            fixed = any(value.default is not None or value.const is not None for value in values)
            if fixed or part.target.default is not None:
                yield part.target.path
        elif isinstance(part, Group | Repeat):
            yield from _derived(part.parts)
        elif isinstance(part, Pairs) and part.derive is not None:
            yield part.target.path


def field_of(pointer: str) -> str:
    """`/lines/0/price` as the field it is an instance of: `lines.price`."""
    return ".".join(step for step in pointer.split("/") if step and not step.isdigit())
