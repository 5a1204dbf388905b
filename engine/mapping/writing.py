"""A plan to closures that write a document into a format's tree. Faults go to the run; nothing is raised.

A record is written in two moves: all its values first become texts, then its node is made and they are put there, in
the mapping's order. So a record that a mapping leaves out (an unlisted role) leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.errors import Refused
from engine.mapping.plan import Group, Leaf, Pairs, Part, Plan, Repeat, Slots, Value
from engine.mapping.run import BAD, SKIP, TODAY, Row, Run
from engine.mapping.translate import encoder, walk_crosswalk
from engine.plugin import NULL, Field, Node, Null


class Put(NamedTuple):
    """A text for a place. canonical: pointer of where it comes from, inside its loop item."""

    field: Field
    value: str | Null
    canonical: str


class Later(NamedTuple):
    """A loop of a record, to be written below the record's node once that is made."""

    write: Callable[[Any, Node, Run], None]
    record: Any


Puts = list[Put | Later]
# Collects what is to be written of a record; False: the record must be left out.
Collect = Callable[[Any, Puts, Run], bool]
Below = Callable[[Any, Node, Run], None]


def compile_writing(plan: Plan, *, trace: bool = False) -> Callable[[Any, Node, Run], None]:
    """A function that writes a document into a root node."""
    collect = _record(plan.parts, "", trace)

    def write(document: Any, node: Node, run: Run) -> None:
        puts: Puts = []
        if not collect(document, puts, run):
            run.trouble("map.unknown_code", "a value the document needs has no code in the mapping", "103", "")
        _put(puts, node, run, trace)

    return write


def _record(parts: tuple[Part, ...], canonical: str, trace: bool) -> Collect:
    found = (_part(part, f"{canonical}/{part.target.name}", trace) for part in parts)
    steps = tuple(step for step in found if step is not None)

    def collect(record: Any, puts: Puts, run: Run) -> bool:
        kept = True
        for step in steps:  # every one, so that all faults are told
            kept = step(record, puts, run) and kept
        return kept

    return collect


def _part(part: Part, canonical: str, trace: bool) -> Collect | None:
    """None when it is not written."""
    if isinstance(part, Leaf):
        value = part.writing
        if value is None:
            return None
        return _leaf(part, value, canonical) if value.loop is None else _later(_looped(part, value, canonical, trace))
    if isinstance(part, Group):
        return _group(part, canonical, trace)
    if not part.writes:
        return None
    if isinstance(part, Repeat):
        return _later(_repeat(part, canonical, trace))
    return _slots(part, canonical, trace) if isinstance(part, Slots) else _pairs(part, canonical)


def _later(write: Below) -> Collect:
    def collect(record: Any, puts: Puts, run: Run) -> bool:
        puts.append(Later(write, record))
        return True

    return collect


def _put(puts: Puts, node: Node, run: Run, trace: bool) -> None:
    for put in puts:
        if isinstance(put, Later):
            put.write(put.record, node, run)
            continue
        field, value, canonical = put
        try:
            field.put(node, value)
        except Refused as refusal:
            refusal.place = refusal.place or field.path
            run.refuse(refusal, canonical)
        if trace:
            run.rows.append(Row(field.path, canonical))


# --- records ---------------------------------------------------------------------------------------------------------
def _group(part: Group, canonical: str, trace: bool) -> Collect:
    name, required = part.target.name, part.target.required
    collect = _record(part.parts, canonical, trace)
    places = tuple(leaf.writing.fields[0] for leaf in part.parts
                   if isinstance(leaf, Leaf) and leaf.writing is not None and leaf.writing.fields)  # fmt: skip

    def write(record: Any, puts: Puts, run: Run) -> bool:
        inner = getattr(record, name)
        if inner is None:
            if name in record.model_fields_set:
                puts += [Put(field, NULL, canonical) for field in places]
            return True
        own: Puts = []
        if collect(inner, own, run):
            puts += own
            return True
        return not required

    return write


def _repeat(part: Repeat, canonical: str, trace: bool) -> Below:
    name, loop, when = part.target.name, part.loop, part.record_when
    collect = _record(part.parts, "", trace)

    def write(record: Any, node: Node, run: Run) -> None:
        for position, item in enumerate(getattr(record, name)):
            if when is not None and not when(item):
                continue
            known, traced = len(run.troubles), len(run.rows)
            puts: Puts = []
            if not collect(item, puts, run) and len(run.troubles) == known:
                continue
            child = loop.new(node)
            _put(puts, child, run, trace)
            if trace or len(run.troubles) > known:
                place = loop.place(node, len(loop.nodes(node)) - 1)
                run.enter(known, traced, place, f"{canonical}/{position}", writing=True)

    return write


def _slots(part: Slots, canonical: str, trace: bool) -> Collect:
    name = part.target.name
    entries = tuple((_constants(entry), _record(entry.parts, "", trace)) for entry in part.entries)

    def write(record: Any, puts: Puts, run: Run) -> bool:
        items = getattr(record, name)
        for constants, collect in entries:
            for position, item in enumerate(items):
                if all(getattr(item, key) == constant for key, constant in constants):
                    known = len(run.troubles)
                    own: Puts = []
                    if collect(item, own, run):
                        puts += [_below(put, f"{canonical}/{position}") for put in own]
                    for trouble in run.troubles[known:]:
                        trouble.canonical = f"{canonical}/{position}{trouble.canonical}"
                    break
        return True

    return write


def _below(put: Put | Later, canonical: str) -> Put | Later:
    return put._replace(canonical=canonical + put.canonical) if isinstance(put, Put) else put


def _constants(entry: Group) -> tuple[tuple[str, object], ...]:
    leaves = (leaf for leaf in entry.parts if isinstance(leaf, Leaf) and leaf.writing is not None)
    return tuple((leaf.target.name, leaf.writing.const) for leaf in leaves if leaf.writing and leaf.writing.const)


def _pairs(part: Pairs, canonical: str) -> Collect:
    name, key, value, derive = part.target.name, part.key, part.value, part.derive
    outward, places = part.codes.outward, part.places

    def write(record: Any, puts: Puts, run: Run) -> bool:
        items = [(getattr(item, key), getattr(item, value)) for item in getattr(record, name)]
        if derive is not None:
            known = dict(reversed(items))
            if derive.key not in known and derive.source in known:
                place, source = places[min(len(items), len(places) - 1)][1].path, known[derive.source]
                told = walk_crosswalk(run, derive.crosswalk, source, place, canonical, derive.on_miss, out=True)
                items += [(derive.key, told)] if isinstance(told, str) else []
        listed = [(outward[kind], told) for kind, told in items if kind in outward]
        if len(listed) > len(places):
            text = f"there is room for {len(places)} identifiers, and the document has {len(listed)}"
            run.trouble("map.value", text, "102", places[-1][1].path if places else "", canonical)
        for position, ((code, told), (first, second)) in enumerate(zip(listed, places, strict=False)):
            here = f"{canonical}/{position}"
            puts += (Put(first, code, f"{here}/{key}"), Put(second, told, f"{here}/{value}"))
        return True

    return write


# --- single values ---------------------------------------------------------------------------------------------------
def _leaf(leaf: Leaf, value: Value, canonical: str) -> Collect:
    when = value.record_when
    place = _constant(value, canonical) if value.const is not None else _placed(leaf, value, canonical)

    def write(record: Any, puts: Puts, run: Run) -> bool:
        return place(record, puts, run) if when is None or when(record) else True

    return place if when is None else write


def _constant(value: Value, canonical: str) -> Collect:
    encode, fields, const = encoder(value, canonical), value.fields, value.const

    def write(record: Any, puts: Puts, run: Run) -> bool:
        if fields:
            text = encode(const, run, fields[0].path, canonical)
            puts += [Put(fields[0], text, canonical)] if isinstance(text, str) else []
        return True

    return write


def _placed(leaf: Leaf, value: Value, canonical: str) -> Collect:
    if not value.fields:
        return lambda record, puts, run: True
    if leaf.target.many or value.join is not None:
        return _several(leaf, value, canonical)
    name, field, default, required = leaf.target.name, value.fields[0], value.default, leaf.target.required
    encode = encoder(value, leaf.target.path)

    def write(record: Any, puts: Puts, run: Run) -> bool:
        told = getattr(record, name)
        if told is None:
            if name in record.model_fields_set:
                puts.append(Put(field, NULL, canonical))
                return True
            told = run.today if default is TODAY else default
            if told is None:
                return True
        text = encode(told, run, field.path, canonical)
        if text is SKIP:
            return not required
        if text is not BAD:
            puts.append(Put(field, text, canonical))
        return True

    return write


def _several(leaf: Leaf, value: Value, canonical: str) -> Collect:
    """A list, or a text in parts: into one place joined, or into one place each."""
    name, fields, join, split = leaf.target.name, value.fields, value.join, value.split
    encode, what = encoder(value, leaf.target.path), leaf.target.path

    def write(record: Any, puts: Puts, run: Run) -> bool:
        told = getattr(record, name)
        if told is None:
            puts += [Put(fields[0], NULL, canonical)] if name in record.model_fields_set else []
            return True
        parts = told.split(join) if join is not None else told
        texts = [encode(part, run, fields[0].path, canonical) for part in parts]
        texts = [text for text in texts if isinstance(text, str)]
        if split is not None:
            texts = [split.join(texts)] if texts else []
        if len(texts) > len(fields):
            text = f"'{what}' has {len(texts)} parts, and there is room for {len(fields)}"
            run.trouble("map.value", text, "102", fields[-1].path, canonical)
        puts += [Put(field, text, canonical) for field, text in zip(fields, texts, strict=False)]
        return True

    return write


def _looped(leaf: Leaf, value: Value, canonical: str, trace: bool) -> Below:
    name, loop, join, field = leaf.target.name, value.loop, value.join, value.fields[0]
    encode, when, same = encoder(value, leaf.target.path), value.record_when, value.same
    assert loop is not None

    def write(record: Any, node: Node, run: Run) -> None:
        told = getattr(record, name)
        if not told or (when is not None and not when(record)):
            return
        if same:  # in every node that the loop has by now
            nodes, parts = loop.nodes(node) or [loop.new(node)], [told] * max(1, len(loop.nodes(node)))
        else:
            parts = told.split(join) if join is not None else told
            nodes = []
        for position, part in enumerate(parts):
            known, traced = len(run.troubles), len(run.rows)
            text = encode(part, run, field.path, canonical)
            if not isinstance(text, str) and len(run.troubles) == known:
                continue
            child = nodes[position] if same else loop.new(node)
            _put([Put(field, text, canonical)] if isinstance(text, str) else [], child, run, trace)
            place = loop.place(node, position if same else len(loop.nodes(node)) - 1)
            run.enter(known, traced, place, "", writing=True)

    return write
