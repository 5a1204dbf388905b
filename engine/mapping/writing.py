"""A plan to closures that write a document into a format's tree. Faults go to the run; nothing is raised.

A record is written in two moves: all its values first become texts, then its node is made and they are put there, in
the mapping's order. So a record that a mapping leaves out (an unlisted role) leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from engine.mapping.plan import Group, Leaf, Pairs, Part, Plan, Repeat, Slots, Value
from engine.mapping.puts import Below, Collect, Puts, Spot, Step, collector, later, put_all
from engine.mapping.run import Run
from engine.mapping.translate import Encode, encoder, walk_crosswalk
from engine.plugin import NULL, Node


def compile_writing(plan: Plan, *, trace: bool = False) -> Callable[[Any, Node, Run], None]:
    """A function that writes a document into a root node."""
    collect = _record(plan.parts, "", trace)

    def write(document: Any, node: Node, run: Run) -> None:
        puts: Puts = []
        if not collect(document, puts, run):
            run.trouble("map.unknown_code", "a value the document needs has no code in the mapping", "103", "")
        put_all(puts, node, run, trace)

    return write


def _record(parts: tuple[Part, ...], canonical: str, trace: bool) -> Collect:
    found = (_part(part, f"{canonical}/{part.target.name}", trace) for part in parts)
    return collector(tuple(step for step in found if step is not None))


def _part(part: Part, canonical: str, trace: bool) -> Step | None:
    """None when it is not written."""
    name = part.target.name
    if isinstance(part, Leaf):
        return _leaf(part, part.writing, canonical, trace) if part.writing is not None else None
    if isinstance(part, Group):
        return Step(name, _group(part, canonical, trace))
    if not part.writes:
        return None
    if isinstance(part, Repeat):
        return Step(name, later(_repeat(part, canonical, trace)))
    collect = _slots(part, canonical, trace) if isinstance(part, Slots) else _pairs(part, canonical)
    return Step(name, collect)


# --- records ---------------------------------------------------------------------------------------------------------
def _group(part: Group, canonical: str, trace: bool) -> Collect:
    name, required = part.target.name, part.target.required
    collect = _record(part.parts, canonical, trace)
    places = tuple(leaf.writing.fields[0] for leaf in part.parts
                   if isinstance(leaf, Leaf) and leaf.writing is not None and leaf.writing.fields)  # fmt: skip
    deletions: Puts = [(field.put, NULL, Spot(field.path, canonical)) for field in places]

    def write(record: Any, puts: Puts, run: Run) -> bool:
        inner = getattr(record, name)
        if inner is None:
            if name in record.model_fields_set:
                puts += deletions
            return True
        before = len(puts)
        if collect(inner, puts, run):
            return True
        del puts[before:]
        return not required

    return write


def _repeat(part: Repeat, canonical: str, trace: bool) -> Below:
    name, loop, when = part.target.name, part.loop, part.record_when
    collect = _record(part.parts, "", trace)

    def write(record: Any, node: Node, run: Run) -> None:
        troubles, rows = run.troubles, run.rows
        for position, item in enumerate(getattr(record, name)):
            if when is not None and not when(item):
                continue
            known, traced = len(troubles), len(rows)
            puts: Puts = []
            if not collect(item, puts, run) and len(troubles) == known:
                continue
            child = loop.new(node)
            put_all(puts, child, run, trace)
            if trace or len(troubles) > known:
                place = loop.place(node, len(loop.nodes(node)) - 1)
                run.enter(known, traced, place, f"{canonical}/{position}", writing=True)

    return write


def _slots(part: Slots, canonical: str, trace: bool) -> Collect:
    name = part.target.name
    entries = tuple((_matcher(entry), _record(entry.parts, "", trace)) for entry in part.entries)

    def write_entry(told: tuple[Puts, int], node: Node, run: Run) -> None:
        puts, position = told
        known, traced = len(run.troubles), len(run.rows)
        put_all(puts, node, run, trace)
        if trace or len(run.troubles) > known:
            run.enter(known, traced, "", f"{canonical}/{position}", writing=True)

    def write(record: Any, puts: Puts, run: Run) -> bool:
        items = getattr(record, name)
        for matches, collect in entries:
            for position, item in enumerate(items):
                if matches(item):
                    known = len(run.troubles)
                    own: Puts = []
                    if collect(item, own, run):
                        puts.append((write_entry, (own, position), None))
                    if len(run.troubles) > known:
                        run.enter(known, len(run.rows), "", f"{canonical}/{position}", writing=True)
                    break
        return True

    return write


def _matcher(entry: Group) -> Callable[[Any], bool]:
    """Whether a record has the entry's constants."""
    leaves = (leaf for leaf in entry.parts if isinstance(leaf, Leaf) and leaf.writing is not None)
    constants = {leaf.target.name: leaf.writing.const for leaf in leaves if leaf.writing and leaf.writing.const}
    if not constants:
        return lambda item: True
    told, expected = attrgetter(*constants), tuple(constants.values())
    if len(expected) == 1:
        [constant] = expected
        return lambda item: bool(told(item) == constant)
    return lambda item: bool(told(item) == expected)


def _pairs(part: Pairs, canonical: str) -> Collect:
    name, key, value, derive = part.target.name, part.key, part.value, part.derive
    outward = part.codes.outward
    places = tuple((first.put, Spot(first.path, f"{canonical}/{position}/{key}"),
                    second.put, Spot(second.path, f"{canonical}/{position}/{value}"))
                   for position, (first, second) in enumerate(part.places))  # fmt: skip
    read = attrgetter(key, value)

    def write(record: Any, puts: Puts, run: Run) -> bool:
        items = [read(item) for item in getattr(record, name)]
        if derive is not None:
            known = dict(reversed(items))
            if derive.key not in known and derive.source in known:
                place, source = part.places[min(len(items), len(places) - 1)][1].path, known[derive.source]
                told = walk_crosswalk(run, derive.crosswalk, source, place, canonical, derive.on_miss, out=True)
                items += [(derive.key, told)] if isinstance(told, str) else []
        listed = [(outward[kind], told) for kind, told in items if kind in outward]
        if len(listed) > len(places):
            text = f"there is room for {len(places)} identifiers, and the document has {len(listed)}"
            run.trouble("map.value", text, "102", part.places[-1][1].path if places else "", canonical)
        for (code, told), (put_code, code_spot, put_told, told_spot) in zip(listed, places, strict=False):
            puts += ((put_code, code, code_spot), (put_told, told, told_spot))
        return True

    return write


# --- single values ---------------------------------------------------------------------------------------------------
def _leaf(leaf: Leaf, value: Value, canonical: str, trace: bool) -> Step | None:
    """One field to one place needs no closure of its own; all others do."""
    name, when = leaf.target.name, value.record_when
    if not value.fields:
        return None
    if value.loop is not None:
        return Step(name, later(_looped(leaf, value, canonical, trace)))
    if value.const is not None:
        step = Step(name, _constant(value, canonical))
    elif leaf.target.many or value.join is not None:
        step = Step(name, _several(leaf, value, canonical))
    else:
        field, encode = value.fields[0], encoder(value, leaf.target.path, canonical)
        step = Step(name, field.put, Spot(field.path, canonical), encode, value.default, leaf.target.required)
    return step if when is None else Step(name, _when(when, step))


def _when(condition: Callable[[Any], bool], step: Step) -> Collect:
    collect = collector((step,))
    return lambda record, puts, run: collect(record, puts, run) if condition(record) else True


def _constant(value: Value, canonical: str) -> Collect:
    field, const = value.fields[0], value.const
    encode, put, spot = encoder(value, canonical, canonical), field.put, Spot(field.path, canonical)

    def write(record: Any, puts: Puts, run: Run) -> bool:
        text = const if encode is None else encode(const, run)
        if isinstance(text, str):
            puts.append((put, text, spot))
        return True

    return write


def _several(leaf: Leaf, value: Value, canonical: str) -> Collect:
    """A list, or a text in parts: into one place joined, or into one place each."""
    name, join, split, what = leaf.target.name, value.join, value.split, leaf.target.path
    encode = encoder(value, what, canonical)
    places = tuple((field.put, Spot(field.path, canonical)) for field in value.fields)

    def write(record: Any, puts: Puts, run: Run) -> bool:
        told = getattr(record, name)
        if told is None:
            if name in record.model_fields_set:
                put, spot = places[0]
                puts.append((put, NULL, spot))
            return True
        texts = _encoded(told.split(join) if join is not None else told, encode, run)
        if split is not None:
            texts = [split.join(texts)] if texts else []
        if len(texts) > len(places):
            text = f"'{what}' has {len(texts)} parts, and there is room for {len(places)}"
            run.trouble("map.value", text, "102", places[-1][1].place, canonical)
        puts += [(put, text, spot) for (put, spot), text in zip(places, texts, strict=False)]
        return True

    return write


def _encoded(parts: Iterable[Any], encode: Encode | None, run: Run) -> list[str]:
    if encode is None:
        return list(parts)
    return [text for part in parts if isinstance(text := encode(part, run), str)]


def _looped(leaf: Leaf, value: Value, canonical: str, trace: bool) -> Below:
    name, loop, join, when, same = leaf.target.name, value.loop, value.join, value.record_when, value.same
    encode, put = encoder(value, leaf.target.path, canonical), value.fields[0].put
    spot = Spot(value.fields[0].path, canonical)
    assert loop is not None

    def write(record: Any, node: Node, run: Run) -> None:
        told = getattr(record, name)
        if not told or (when is not None and not when(record)):
            return
        nodes: Sequence[Node] = ()
        if same:  # in every node that the loop has by now
            nodes = loop.nodes(node) or [loop.new(node)]
            parts = [told] * len(nodes)
        else:
            parts = told.split(join) if join is not None else told
        for position, part in enumerate(parts):
            known, traced = len(run.troubles), len(run.rows)
            text = part if encode is None else encode(part, run)
            if not isinstance(text, str) and len(run.troubles) == known:
                continue
            child = nodes[position] if same else loop.new(node)
            put_all([(put, text, spot)] if isinstance(text, str) else [], child, run, trace)
            if trace or len(run.troubles) > known:
                place = loop.place(node, position if same else len(loop.nodes(node)) - 1)
                run.enter(known, traced, place, "", writing=True)

    return write
