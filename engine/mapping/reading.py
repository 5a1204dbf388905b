"""A plan to closures that read a document's fields from a format's tree. Faults go to the run; nothing is raised.

Compiled once per mapping. The traced compile is a second one: it also notes which place fed which field, so that the
plain one need not ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.errors import Refused
from engine.mapping.plan import Group, Leaf, Pairs, Part, Plan, Repeat, Slots, Value
from engine.mapping.run import BAD, SKIP, TODAY, Row, Run, Sentinel
from engine.mapping.translate import decoder, walk_crosswalk
from engine.plugin import NULL, Field, Node, Null

# A step gives a value, None (nothing there), NULL (deleted), SKIP or BAD.
Step = Callable[[Node, Run], Any]
Get = Callable[[Node, Run], "str | Null | None"]


class _Named(NamedTuple):
    """A step and what its record must know about it."""

    name: str
    step: Step
    required: bool
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
    steps = tuple(step for part in parts if (step := _named(part, canonical, trace, obliged)) is not None)
    defaults = tuple((step.name, step.default) for step in steps if step.default is not None)

    def read(node: Node, run: Run) -> Any:
        out: dict[str, Any] = {}
        missing: list[_Named] | None = None
        bad = False
        for named in steps:
            name, step, required, nullable, default, place, _ = named
            try:
                value = step(node, run)
            except Refused as refusal:
                refusal.place = refusal.place or place
                run.refuse(refusal)
                value = BAD
            if type(value) is str:  # first, because it is the rule
                out[name] = value
            elif value is None or (value is NULL and not nullable):
                if required and default is None:
                    missing = [*(missing or ()), named]
            elif value is NULL:
                out[name] = None
            elif value is BAD:
                bad = True
            elif value is not SKIP:
                out[name] = value
            elif required:
                return SKIP
        if not out and not obliged:
            return BAD if bad else None
        for name, default in defaults:
            if name not in out and (value := run.today if default is TODAY else default) is not None:
                out[name] = value
        if missing:
            _report_missing(missing, run)
        return out

    return read


def _report_missing(missing: list[_Named], run: Run) -> None:
    for named in missing:
        run.trouble("map.missing", f"'{named.what}' must have a value, and there is none", "101", named.place)


def _named(part: Part, canonical: str, trace: bool, obliged: bool) -> _Named | None:
    """The step of a part; None when it is not read."""
    target = part.target
    here = f"{canonical}/{target.name}"
    required = target.required
    step: Step
    default: object = None
    if isinstance(part, Leaf):
        if part.reading is None:
            return None
        step = _leaf(part.reading, here, trace, many=target.many, what=target.path)
        constant = part.reading.const
        default = part.reading.default if constant is None else constant
    elif isinstance(part, Group):
        inside = obliged and required
        step = _record(part.parts, here, trace, obliged=inside)
        required = required and not inside  # what an obliged record lacks, it tells itself
    elif not part.reads:
        return None
    elif isinstance(part, Repeat):
        step, required = _repeat(part, here, trace), False
    elif isinstance(part, Slots):
        step, required = _slots(part, here, trace), False
    else:
        step, required = _pairs(part, here, trace), False
    return _Named(target.name, step, required, target.nullable, default, part.place, target.path)


# --- lists of records ------------------------------------------------------------------------------------------------
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
            known, traced = len(run.troubles), len(run.rows)
            item = entry(node, run)
            if trace:
                run.enter(known, traced, "", f"{canonical}/{len(items)}", writing=False)
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
            code = qualifier(node)
            scheme = inward.get(code) if isinstance(code, str) else None
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


# --- single values ---------------------------------------------------------------------------------------------------
def _leaf(value: Value, canonical: str, trace: bool, *, many: bool, what: str) -> Step:
    if value.const is not None or not value.fields:
        return lambda node, run: None  # its constant or default is filled in by the record
    step = _looped(value, canonical, trace, what) if value.loop else _placed(value, canonical, trace, many, what)
    when = value.source_when
    if when is None:
        return step
    return lambda node, run: step(node, run) if when(node) else None


def _placed(value: Value, canonical: str, trace: bool, many: bool, what: str) -> Step:
    readers = tuple(_reader(field, value, canonical, trace, what) for field in value.fields)
    if value.split is not None:
        return _split(value, canonical, trace, what)
    if many:
        return lambda node, run: _listed([reader(node, run) for reader in readers])
    if value.join is not None:
        return _joined(readers, value.join)
    return readers[0] if len(readers) == 1 else _first(readers)


def _reader(field: Field, value: Value, canonical: str, trace: bool, what: str) -> Step:
    get, decode, place = _getter(field, canonical, trace), decoder(value, what), field.path
    if decode is None:
        return get

    def read(node: Node, run: Run) -> Any:
        raw = get(node, run)
        return raw if raw is None or raw is NULL else decode(raw, run, place)  # type: ignore[arg-type]

    return read


def _getter(field: Field, canonical: str, trace: bool) -> Get:
    get, place = field.get, field.path
    if not trace:
        return lambda node, run: get(node)

    def traced(node: Node, run: Run) -> str | Null | None:
        raw = get(node)
        if raw is not None:
            run.rows.append(Row(place, canonical))
        return raw

    return traced


def _first(readers: tuple[Step, ...]) -> Step:
    def read(node: Node, run: Run) -> Any:
        empty = None
        for reader in readers:
            value = reader(node, run)
            if value is not None and value is not NULL:
                return value
            empty = empty or value  # a deletion, if nothing better comes
        return empty

    return read


def _listed(found: list[Any]) -> Any:
    if BAD in found:
        return BAD
    kept = [value for value in found if value is not None and not isinstance(value, Null | Sentinel)]
    return kept or None


def _joined(readers: tuple[Step, ...], separator: str) -> Step:
    def read(node: Node, run: Run) -> Any:
        found = [reader(node, run) for reader in readers]
        told = _listed(found)
        if isinstance(told, list):
            return separator.join(told)
        return NULL if NULL in found else told

    return read


def _split(value: Value, canonical: str, trace: bool, what: str) -> Step:
    get, decode = _getter(value.fields[0], canonical, trace), decoder(value, what)
    separator, place = value.split, value.fields[0].path

    def read(node: Node, run: Run) -> Any:
        raw = get(node, run)
        if not isinstance(raw, str):
            return None
        parts = [part for part in raw.split(separator) if part]
        return _listed([decode(part, run, place) for part in parts] if decode else parts)

    return read


def _looped(value: Value, canonical: str, trace: bool, what: str) -> Step:
    """A value of each repetition: a list of them, one text joined from them, or the one that all have."""
    loop, join, same, path = value.loop, value.join, value.same, value.fields[0].path
    one = join is not None or same
    assert loop is not None
    reader = _reader(value.fields[0], value, "", trace, what)

    def read(node: Node, run: Run) -> Any:
        found = []
        for position, child in enumerate(loop.nodes(node)):
            known, traced = len(run.troubles), len(run.rows)
            found.append(reader(child, run))
            if trace or len(run.troubles) > known:
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
