"""A plan to closures that read a document's fields from a format's tree. Faults go to the run; nothing is raised.

Compiled once per mapping: what a field is decides there how it is read, so that a run asks nothing twice. The traced
compile is a second one: it also notes which place fed which field, so that the plain one need not ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.errors import Refused
from engine.mapping.plan import Group, Leaf, Pairs, Part, Plan, Repeat, Slots
from engine.mapping.reading_values import How, Step, compile_value
from engine.mapping.run import BAD, SKIP, TODAY, Row, Run
from engine.mapping.translate import walk_crosswalk
from engine.plugin import NULL, Node


class _Named(NamedTuple):
    """What its record must know about a part. needed: required, and nothing stands in for it."""

    name: str
    required: bool
    needed: bool
    nullable: bool
    default: object  # used when there is nothing; None has none
    place: str
    what: str  # canonical path, for sentences


def compile_reading(plan: Plan, *, trace: bool = False) -> Callable[[Node, Run], dict[str, Any]]:
    """A function from a root node to the fields of a document."""
    record = _record(plan.parts, "", trace, obliged=True)

    def read(node: Node, run: Run) -> dict[str, Any]:
        fields = record(node, run)
        return fields if isinstance(fields, dict) else {}

    return read


def _record(parts: tuple[Part, ...], canonical: str, trace: bool, *, obliged: bool) -> Step:
    """canonical: pointer of the record inside its loop item. obliged: it must be there, so what it lacks is a fault."""
    found = [pair for part in parts if (pair := _part(part, canonical, trace, obliged)) is not None]
    steps = tuple((named.name, *how, named) for named, how in found if how is not None)
    defaults = tuple((named.name, named.default) for named, _ in found if named.default is not None)

    def read(node: Node, run: Run) -> Any:
        out: dict[str, Any] = {}
        missing: list[_Named] = []
        bad = False
        for name, get, decode, step, named in steps:
            try:
                value = get(node, run) if step else get(node)
                if decode is not None and value is not None and value is not NULL:
                    value = decode(value, run)
            except Refused as refusal:
                refusal.place = refusal.place or named.place
                run.refuse(refusal)
                value = BAD
            if type(value) is str:  # first, because it is the rule
                out[name] = value
            elif value is None or (value is NULL and not named.nullable):
                if named.needed:
                    missing.append(named)
            elif value is NULL:
                out[name] = None
            elif value is BAD:
                bad = True
            elif value is not SKIP:
                out[name] = value
            elif named.required:
                return SKIP
        if not out and not obliged:
            return BAD if bad else None
        for name, default in defaults:
            if name not in out and (value := run.today if default is TODAY else default) is not None:
                out[name] = value
        for named in missing:
            run.trouble("map.missing", f"'{named.what}' must have a value, and there is none", "101", named.place)
        return out

    return read


def _part(part: Part, canonical: str, trace: bool, obliged: bool) -> tuple[_Named, How | None] | None:
    """None when it is not read. Without a way to read it, it has its default."""
    target = part.target
    here = f"{canonical}/{target.name}"
    required = target.required
    default: object = None
    how: How | None
    if isinstance(part, Leaf):
        if part.reading is None:
            return None
        how = compile_value(part.reading, here, trace, many=target.many, what=target.path)
        constant = part.reading.const
        default = part.reading.default if constant is None else constant
    elif isinstance(part, Group):
        inside = obliged and required
        how = How(_record(part.parts, here, trace, obliged=inside))
        required = required and not inside  # what an obliged record lacks, it tells itself
    elif not part.reads:
        return None
    else:
        how, required = How(_list(part, here, trace)), False
    needed = required and default is None
    return _Named(target.name, required, needed, target.nullable, default, part.place, target.path), how


# --- lists of records ------------------------------------------------------------------------------------------------
def _list(part: Repeat | Slots | Pairs, canonical: str, trace: bool) -> Step:
    if isinstance(part, Repeat):
        return _repeat(part, canonical, trace)
    return _slots(part, canonical, trace) if isinstance(part, Slots) else _pairs(part, canonical, trace)


def _repeat(part: Repeat, canonical: str, trace: bool) -> Step:
    loop, when = part.loop, part.source_when
    record = _record(part.parts, "", trace, obliged=True)
    always = part.target.required

    def read(node: Node, run: Run) -> Any:
        items: list[Any] = []
        troubles, rows = run.troubles, run.rows
        for position, child in enumerate(loop.nodes(node)):
            if when is not None and not when(child):
                continue
            known, traced = len(troubles), len(rows)
            item = record(child, run)
            if len(troubles) > known or trace:
                run.enter(known, traced, loop.place(node, position), f"{canonical}/{len(items)}", writing=False)
            if item is SKIP and trace:
                del rows[traced:]
            if item and item is not SKIP:
                items.append(item)
        return items if items or always else None

    return read


def _slots(part: Slots, canonical: str, trace: bool) -> Step:
    entries = tuple(_record(entry.parts, "", trace, obliged=False) for entry in part.entries)
    always = part.target.required

    def read(node: Node, run: Run) -> Any:
        items: list[Any] = []
        bad = False
        for entry in entries:
            traced = len(run.rows)
            item = entry(node, run)
            if trace:
                run.enter(len(run.troubles), traced, "", f"{canonical}/{len(items)}", writing=False)
            bad = bad or item is BAD
            if isinstance(item, dict):
                items.append(item)
        if not items and bad:
            return BAD
        return items if items or always else None

    return read


def _pairs(part: Pairs, canonical: str, trace: bool) -> Step:
    key, value, derive = part.key, part.value, part.derive
    inward = part.codes.inward
    places = tuple((first.get, second.get, first.path, second.path) for first, second in part.places)

    def read(node: Node, run: Run) -> Any:
        found: dict[object, str] = {}
        for qualifier, get, qualifier_place, place in places:
            scheme = inward.get(qualifier(node))  # type: ignore[arg-type]  # a table has no row for nothing
            # The same qualifier twice: the first counts, the second stays in the unmapped ledger.
            if scheme is None or scheme in found or not isinstance(told := get(node), str):
                continue
            if trace:
                here = f"{canonical}/{len(found)}"
                run.rows += (Row(qualifier_place, f"{here}/{key}"), Row(place, f"{here}/{value}"))
            found[scheme] = told
        if derive is not None and derive.source not in found and derive.key in found:
            told = walk_crosswalk(run, derive.crosswalk, found[derive.key], part.place, "", derive.on_miss, out=False)
            if isinstance(told, str):
                found[derive.source] = told
        return [{key: scheme, value: told} for scheme, told in found.items()] or None

    return read
