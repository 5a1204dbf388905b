"""How one value is read: at one place or several, split, joined, or from every repetition of a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from engine.mapping.plan import Value
from engine.mapping.run import BAD, SKIP, Row, Run
from engine.mapping.translate import Decode, decoder
from engine.plugin import NULL, Field, Node

# What was gathered at a node, for the records that are read from it.
Records = Sequence[dict[str, Any]]
# A step gives a value, None (nothing there), NULL (deleted), SKIP or BAD.
Step = Callable[[Node, Run, Records], Any]


class How(NamedTuple):
    """How a value is read: mostly it is the text at one `field`, which `decode` translates; else by a step."""

    field: Field | None = None
    decode: Decode | None = None
    step: Step | None = None


def compile_value(value: Value, canonical: str, trace: bool, *, many: bool, what: str) -> How | None:
    """None when it is not read. canonical: pointer inside its loop item. many: it is a list. what: for sentences."""
    if value.const is not None or not value.fields:
        return None  # the record fills in its constant or default
    one = len(value.fields) == 1 and not (many or value.loop or value.source_when)
    if one and not trace and value.join is None and value.split is None:
        field = value.fields[0]
        return How(field, decoder(value, what, field.path))
    step = _looped(value, trace, canonical, what) if value.loop else _placed(value, canonical, trace, many, what)
    when = value.source_when
    return How(
        step=step if when is None else lambda node, run, records: step(node, run, records) if when(node) else None
    )


def _placed(value: Value, canonical: str, trace: bool, many: bool, what: str) -> Step:
    if value.split is not None:
        return _split(value, canonical, trace, what)
    readers = tuple(_reader(field, value, canonical, trace, what) for field in value.fields)
    if many:
        return lambda node, run, records: _listed([reader(node, run, records) for reader in readers])
    if value.join is not None:
        return _joined(readers, value.join)
    return readers[0] if len(readers) == 1 else _first(readers)


def _reader(field: Field, value: Value, canonical: str, trace: bool, what: str) -> Step:
    get, decode = field.get, decoder(value, what, field.path)

    def read(node: Node, run: Run, records: Records) -> Any:
        raw = get(node)
        return raw if decode is None or raw is None or raw is NULL else decode(raw, run)  # type: ignore[arg-type]

    return _noting(read, field, canonical) if trace else read


def _noting(read: Step, field: Field, canonical: str) -> Step:
    """As `read`, and notes what the field feeds when there is something in it."""

    def noted(node: Node, run: Run, records: Records) -> Any:
        if field.get(node) is not None:
            run.rows.append(Row(field.path, canonical))
        return read(node, run, records)

    return noted


def _first(readers: tuple[Step, ...]) -> Step:
    def read(node: Node, run: Run, records: Records) -> Any:
        empty = None
        for reader in readers:
            value = reader(node, run, records)
            if value is not None and value is not NULL:
                return value
            empty = empty or value  # a deletion, if nothing better comes
        return empty

    return read


def _listed(found: Sequence[Any]) -> Any:
    if BAD in found:
        return BAD
    return [value for value in found if value is not None and value is not NULL and value is not SKIP] or None


def _joined(readers: tuple[Step, ...], separator: str) -> Step:
    def read(node: Node, run: Run, records: Records) -> Any:
        found = [reader(node, run, records) for reader in readers]
        told = _listed(found)
        if isinstance(told, list):
            return separator.join(told)
        return NULL if NULL in found else told

    return read


def _split(value: Value, canonical: str, trace: bool, what: str) -> Step:
    field, separator = value.fields[0], value.split
    get, decode = field.get, decoder(value, what, field.path)

    def read(node: Node, run: Run, records: Records) -> Any:
        raw = get(node)
        if not isinstance(raw, str):
            return None
        parts = [part for part in raw.split(separator) if part]
        return _listed([decode(part, run) for part in parts] if decode else parts)

    return _noting(read, field, canonical) if trace else read


def _looped(value: Value, trace: bool, canonical: str, what: str) -> Step:
    """A value of each repetition: a list of them, one text joined from them, or the one that all have."""
    loop, join, path = value.loop, value.join, value.fields[0].path
    one = join is not None or value.same
    assert loop is not None
    reader = _reader(value.fields[0], value, "", trace, what)

    def read(node: Node, run: Run, records: Records) -> Any:
        found = []
        troubles, rows = run.troubles, run.rows
        for position, child in enumerate(loop.nodes(node)):
            known, traced = len(troubles), len(rows)
            found.append(reader(child, run, records))
            if trace or len(troubles) > known:
                place = canonical if one else f"{canonical}/{position}"
                run.enter(known, traced, loop.place(node, position), place, writing=False)
        told = _listed(found)
        if not one or not isinstance(told, list):
            return told
        if join is not None:
            return join.join(told)
        if any(value != told[0] for value in told[1:]):
            run.trouble("map.value", f"'{what}' must be the same in every {loop.path}", "102", path)
            return BAD
        return told[0]

    return read
