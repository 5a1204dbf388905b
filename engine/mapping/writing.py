"""A plan to closures that write a document into a format's tree. Faults go to the run; nothing is raised.

A record is written in two moves: all its values first become texts, then its node is made and they are put there, in
the mapping's order. So a record that a mapping leaves out (an unlisted role) leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from engine.mapping.plan import Group, Leaf, Pairs, Part, Plan, Repeat, Slots, Value
from engine.mapping.puts import EMPTY, Below, Collect, Deletion, PutAll, Sheet, Step, Texts, collector, itself, put
from engine.mapping.run import Run
from engine.mapping.translate import Encode, encoder, walk_crosswalk
from engine.plugin import NULL, Node, Scope


def compile_writing(plan: Plan, *, trace: bool = False) -> Callable[[Any, Node, Run], None]:
    """A function that writes a document into a root node."""
    scope = plan.structure.scope if plan.each is None else plan.each.scope
    collect, put_all = _whole(plan.parts, "", scope, trace)

    def write(document: Any, node: Node, run: Run) -> None:
        texts: Texts = [""]
        run.item = document
        if not collect(document, texts, run):
            run.trouble("map.unknown_code", "a value the document needs has no code in the mapping", "103", "")
        put_all(texts, node, run)

    return write


def _whole(parts: tuple[Part, ...], canonical: str, scope: Scope, trace: bool) -> tuple[Collect, PutAll]:
    """Both moves of a record that has a node of its own."""
    sheet = Sheet()
    collect = _record(parts, canonical, sheet, trace)
    return collect, sheet.putter(scope, trace=trace)


def _record(parts: tuple[Part, ...], canonical: str, sheet: Sheet, trace: bool) -> Collect:
    found = (_part(part, f"{canonical}/{part.target.name}", sheet, trace) for part in parts)
    return collector(tuple(step for step in found if step is not None))


def _part(part: Part, canonical: str, sheet: Sheet, trace: bool) -> Step | None:
    """None when it is not written."""
    name = part.target.name
    if isinstance(part, Leaf):
        return _leaf(part, part.writing, canonical, sheet, trace) if part.writing is not None else None
    if isinstance(part, Group):
        return Step(name, _group(part, canonical, sheet, trace))
    if not part.writes:
        return None
    if isinstance(part, Repeat):
        sheet.add(None, canonical, _repeat(part, canonical, trace))
        return Step(name, itself)
    if isinstance(part, Slots):
        return Step(name, _slots(part, canonical, sheet, trace))
    return Step(name, _pairs(part, canonical, sheet))


# --- records ---------------------------------------------------------------------------------------------------------
def _group(part: Group, canonical: str, sheet: Sheet, trace: bool) -> Collect:
    name, required, first = part.target.name, part.target.required, len(sheet.places)
    collect = _record(part.parts, canonical, sheet, trace)
    blank = sheet.blank(first)
    own = {leaf.writing.fields[0] for leaf in part.parts
           if isinstance(leaf, Leaf) and leaf.writing is not None and leaf.writing.fields}  # fmt: skip
    deleted = tuple(Deletion(canonical) if place.field in own else "" for place in sheet.places[first:])

    def write(record: Any, texts: Texts, run: Run) -> bool:
        inner = getattr(record, name)
        if inner is None:
            texts += deleted if name in record.model_fields_set else blank
            return True
        before = len(texts)
        if collect(inner, texts, run):
            return True
        texts[before:] = blank
        return not required

    return write


def _repeat(part: Repeat, canonical: str, trace: bool) -> Below:
    name, loop, when = part.target.name, part.loop, part.record_when
    collect, put_all = _whole(part.parts, "", loop.scope, trace)

    def write(record: Any, node: Node, run: Run) -> None:
        troubles, rows, around = run.troubles, run.rows, (run.item, run.around)
        for position, item in enumerate(getattr(record, name)):
            if when is not None and not when(item):
                continue
            known, traced = len(troubles), len(rows)
            texts: Texts = [""]
            run.item, run.around = item, around[0]
            if not collect(item, texts, run) and len(troubles) == known:
                continue
            child = loop.new(node)
            put_all(texts, child, run)
            if trace or len(troubles) > known:
                place = loop.place(node, len(loop.nodes(node)) - 1)
                run.enter(known, traced, place, f"{canonical}/{position}", writing=True)
        run.item, run.around = around

    return write


def _slots(part: Slots, canonical: str, sheet: Sheet, trace: bool) -> Collect:
    name = part.target.name
    entries = tuple(_entry(entry, canonical, sheet, trace) for entry in part.entries)

    def write(record: Any, texts: Texts, run: Run) -> bool:
        items = getattr(record, name)
        for matches, collect, blank in entries:
            before = len(texts)
            for position, item in enumerate(items):
                if matches(item):
                    known = len(run.troubles)
                    texts.append(position)
                    if not collect(item, texts, run):
                        del texts[before:]
                    if len(run.troubles) > known:
                        run.enter(known, len(run.rows), "", f"{canonical}/{position}", writing=True)
                    break
            if len(texts) == before:
                texts += blank
        return True

    return write


def _entry(
    entry: Group, canonical: str, sheet: Sheet, trace: bool
) -> tuple[Callable[[Any], bool], Collect, tuple[str, ...]]:
    """Whether a record is the entry's, what is collected of it, and what stands for one that is not there."""
    around, first = sheet.entry, sheet.add(None, canonical)
    sheet.entry = first
    collect = _record(entry.parts, "", sheet, trace)
    sheet.entry = around
    return _matcher(entry), collect, sheet.blank(first)


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


def _pairs(part: Pairs, canonical: str, sheet: Sheet) -> Collect:
    name, key, value, derive = part.target.name, part.key, part.value, part.derive
    outward, places = part.codes.outward, part.places
    for position, (first, second) in enumerate(places):
        sheet.add(first, f"{canonical}/{position}/{key}")
        sheet.add(second, f"{canonical}/{position}/{value}")
    read = attrgetter(key, value)

    def write(record: Any, texts: Texts, run: Run) -> bool:
        items = [read(item) for item in getattr(record, name)]
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
        for pair in listed[: len(places)]:
            texts.extend([text or EMPTY for text in pair])
        texts += [""] * (2 * (len(places) - len(listed)))
        return True

    return write


# --- single values ---------------------------------------------------------------------------------------------------
def _leaf(leaf: Leaf, value: Value, canonical: str, sheet: Sheet, trace: bool) -> Step | None:
    """One field to one place needs no closure of its own; all others do."""
    name, when, first = leaf.target.name, value.record_when, len(sheet.places)
    if not value.fields:
        return None
    if value.loop is not None:
        sheet.add(value.fields[0], canonical, _looped(leaf, value, canonical, trace))
        return Step(name, itself)
    if value.const is not None:
        step = Step(name, _constant(value, canonical, sheet))
    elif leaf.target.many or value.join is not None:
        step = Step(name, _several(leaf, value, canonical, sheet))
    else:
        sheet.add(value.fields[0], canonical)
        step = Step(name, None, encoder(value, leaf.target.path, canonical), value.default, leaf.target.required)
    return step if when is None else Step(name, _when(when, step, sheet.blank(first)))


def _when(condition: Callable[[Any], bool], step: Step, blank: Sequence[str]) -> Collect:
    collect = collector((step,))

    def write(record: Any, texts: Texts, run: Run) -> bool:
        if condition(record):
            return collect(record, texts, run)
        texts += blank
        return True

    return write


def _constant(value: Value, canonical: str, sheet: Sheet) -> Collect:
    const, encode = value.const, encoder(value, canonical, canonical)
    sheet.add(value.fields[0], canonical)

    def write(record: Any, texts: Texts, run: Run) -> bool:
        text = const if encode is None else encode(const, run)
        texts.append((text or EMPTY) if isinstance(text, str) else "")
        return True

    return write


def _several(leaf: Leaf, value: Value, canonical: str, sheet: Sheet) -> Collect:
    """A list, or a text in parts: into one place joined, or into one place each."""
    name, join, split, what, fields = leaf.target.name, value.join, value.split, leaf.target.path, value.fields
    encode, room = encoder(value, what, canonical), len(fields)
    for field in fields:
        sheet.add(field, canonical)

    def write(record: Any, texts: Texts, run: Run) -> bool:
        told = getattr(record, name)
        if told is None:
            found: Sequence[Any] = [NULL] if name in record.model_fields_set else []
        else:
            parts = _encoded(told.split(join) if join is not None else told, encode, run)
            if split is not None:
                parts = [split.join(parts)] if parts else []
            if len(parts) > room:
                text = f"'{what}' has {len(parts)} parts, and there is room for {room}"
                run.trouble("map.value", text, "102", fields[-1].path, canonical)
            found = [part or EMPTY for part in parts[:room]]
        texts.extend(found)
        texts.extend([""] * (room - len(found)))
        return True

    return write


def _encoded(parts: Iterable[Any], encode: Encode | None, run: Run) -> list[str]:
    if encode is None:
        return list(parts)
    return [text for part in parts if isinstance(text := encode(part, run), str)]


def _looped(leaf: Leaf, value: Value, canonical: str, trace: bool) -> Below:
    name, loop, join, when, same = leaf.target.name, value.loop, value.join, value.record_when, value.same
    encode, field = encoder(value, leaf.target.path, canonical), value.fields[0]
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
            if isinstance(text, str):
                put(field, text, canonical, child, run, trace)
            if trace or len(run.troubles) > known:
                place = loop.place(node, position if same else len(loop.nodes(node)) - 1)
                run.enter(known, traced, place, "", writing=True)

    return write
