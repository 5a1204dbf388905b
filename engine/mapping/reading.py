"""A plan to closures that read a document's fields from a format's tree. Faults go to the run; nothing is raised.

Compiled once per mapping: what a field is decides there how it is read, so that a run asks nothing twice. The traced
compile is a second one: it also notes which place fed which field, so that the plain one need not ask.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from engine.errors import Refused
from engine.mapping.plan import Group, Leaf, Pairs, Part, Plan, Repeat, Slots
from engine.mapping.reading_later import outward_of, place_outward, settled, waiting_of
from engine.mapping.reading_values import How, Records, Step, compile_value
from engine.mapping.run import BAD, SKIP, TODAY, Row, Run
from engine.mapping.translate import walk_crosswalk
from engine.plugin import NULL, Field, Node, Scope, Want

_USUAL = frozenset({str, Decimal, bool, dt.date, dt.datetime, dict, list})  # what values are, unless something is amiss


class _Gathering:
    """What a format that can gather (`Scope.gather`) reads at once of a node: most texts of the records read there."""

    def __init__(self, scope: Scope | None) -> None:
        self._gather = getattr(scope, "gather", None)
        self._wants: list[Want] = []
        self._records = 0

    def record(self) -> int:
        """Another record that is read from the node: its number."""
        self._records += 1
        return self._records - 1

    def takes(self, record: int, named: _Named, how: How) -> bool:
        """Whether the text that a value is made of will be in the record."""
        if self._gather is None or how.field is None:
            return False
        self._wants.append(Want(record, named.name, how.field, named.nullable))
        return True

    def texts(self, fields: Sequence[Field]) -> int | None:
        """A record of their texts, each by its position as a text; None when the format cannot gather."""
        if self._gather is None:
            return None
        number = self.record()
        self._wants += [Want(number, str(at), field, False) for at, field in enumerate(fields)]
        return number

    def compiled(self) -> Callable[[Node], Records]:
        if self._gather is None:
            blank: list[dict[str, Any]] = [{}] * self._records
            return lambda node: [*map(dict.copy, blank)]
        gather: Callable[[Node], Records] = self._gather(self._wants, self._records)
        return gather


class _Named(NamedTuple):
    """What its record must know about a part. needed: required, and nothing stands in for it."""

    order: int
    name: str
    required: bool
    needed: bool
    nullable: bool
    default: object  # used when there is nothing; None has none
    place: str
    what: str  # canonical path, for sentences


Needed = tuple[str, _Named]
# name; a step, or else what gets the text (None: it was gathered) and what decodes it.
Way = tuple[str, Any, Any, Any, _Named]


def compile_reading(plan: Plan, *, trace: bool = False) -> Callable[[Node, Run], dict[str, Any]]:
    """A function from a root node to the fields of a document."""
    gather, record = _record_at(plan.structure.scope if plan.each is None else plan.each.scope, plan.parts, trace)

    def read(node: Node, run: Run) -> dict[str, Any]:
        fields = record(node, run, gather(node))
        return fields if isinstance(fields, dict) else {}

    return read


def _record_at(scope: Scope, parts: tuple[Part, ...], trace: bool) -> tuple[Callable[[Node], Records], Step]:
    """The record that is read from a node of a scope, and what gathers the texts for it there."""
    gathering = _Gathering(None if trace else scope)
    record = _record(parts, "", gathering, trace, obliged=True)
    waiting = waiting_of(parts)
    return gathering.compiled(), settled(record, waiting) if waiting else record


def _record(parts: tuple[Part, ...], canonical: str, gathering: _Gathering, trace: bool, *, obliged: bool) -> Step:
    """canonical: pointer of the record inside its loop item. obliged: it must be there, so what it lacks is a fault."""
    number = gathering.record()
    found = [_part(order, part, canonical, gathering, trace, obliged) for order, part in enumerate(parts)]
    known = [pair for pair in found if pair is not None]
    defaults = tuple((named.name, named.default) for named, _ in known if named.default is not None)
    texts, steps = _ways(known, number, gathering)

    def read(node: Node, run: Run, records: Records) -> Any:
        out = records[number]
        missing: list[_Named] = []
        bad = False
        for name, named in texts:
            if name not in out:
                missing.append(named)
        for name, step, get, decode, named in steps:
            try:
                if step is not None:
                    value = step(node, run, records)
                else:
                    value = out.get(name) if get is None else get(node)
                    if decode is not None and value is not None and value is not NULL:
                        value = decode(value, run)
            except Refused as refusal:
                refusal.place = refusal.place or named.place
                run.refuse(refusal)
                value = BAD
            if type(value) in _USUAL:  # first, because it is the rule
                out[name] = value
            elif value is None or (value is NULL and not named.nullable):
                if named.needed and name not in out:
                    missing.append(named)
            elif value is NULL:
                out[name] = None
            elif value is BAD:
                bad = True
                out.pop(name, None)
            elif value is not SKIP:
                out[name] = value
            elif named.required:
                return SKIP
            else:
                out.pop(name, None)
        if not out and not obliged:
            return BAD if bad else None
        for name, default in defaults:
            if name not in out and (value := run.today if default is TODAY else default) is not None:
                out[name] = value
        for named in sorted(missing) if missing else ():
            run.trouble("map.missing", f"'{named.what}' must have a value, and there is none", "101", named.place)
        return out

    return read


def _ways(known: list[tuple[_Named, How | None]], record: int, gathering: _Gathering) -> tuple[list[Needed], list[Way]]:
    """How the parts of a record are read: those that must be there and are nothing but gathered, and all that take
    a step."""
    texts: list[Needed] = []
    steps: list[Way] = []
    for named, how in known:
        if how is None:
            continue
        gathered = gathering.takes(record, named, how)
        if gathered and how.decode is None:
            texts += [(named.name, named)] if named.needed else []
        else:
            get = how.field.get if how.field and not gathered else None
            steps.append((named.name, how.step, get, how.decode, named))
    return texts, steps


def _part(
    order: int, part: Part, canonical: str, gathering: _Gathering, trace: bool, obliged: bool
) -> tuple[_Named, How | None] | None:
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
        how = How(step=_record(part.parts, here, gathering, trace, obliged=inside))
        required = required and not inside  # what an obliged record lacks, it tells itself
    elif not part.reads:
        return None
    else:
        how, required = How(step=_list(part, here, gathering, trace)), False
    needed = required and default is None
    return _Named(order, target.name, required, needed, target.nullable, default, part.place, target.path), how


# --- lists of records ------------------------------------------------------------------------------------------------
def _list(part: Repeat | Slots | Pairs, canonical: str, gathering: _Gathering, trace: bool) -> Step:
    if isinstance(part, Repeat):
        return _repeat(part, canonical, trace)
    if isinstance(part, Slots):
        return _slots(part, canonical, gathering, trace)
    return _pairs(part, canonical, gathering, trace)


def _repeat(part: Repeat, canonical: str, trace: bool) -> Step:
    loop, when = part.loop, part.source_when
    gather, record = _record_at(loop.scope, part.parts, trace)
    always, outward = part.target.required, outward_of(part.parts)

    def read(node: Node, run: Run, records: Records) -> Any:
        items: list[Any] = []
        troubles, rows = run.troubles, run.rows
        for position, child in enumerate(loop.nodes(node)):
            if when is not None and not when(child):
                continue
            known, traced = len(troubles), len(rows)
            item = record(child, run, gather(child))
            if run.pending and outward:
                place_outward(item, outward, loop.place(node, position))
            if len(troubles) > known or trace:
                run.enter(known, traced, loop.place(node, position), f"{canonical}/{len(items)}", writing=False)
            if item is SKIP and trace:
                del rows[traced:]
            if item and item is not SKIP:
                items.append(item)
        return items if items or always else None

    return read


def _slots(part: Slots, canonical: str, gathering: _Gathering, trace: bool) -> Step:
    entries = tuple(_record(entry.parts, "", gathering, trace, obliged=False) for entry in part.entries)
    always = part.target.required

    def read(node: Node, run: Run, records: Records) -> Any:
        items: list[Any] = []
        bad = False
        for entry in entries:
            traced = len(run.rows)
            item = entry(node, run, records)
            if trace:
                run.enter(len(run.troubles), traced, "", f"{canonical}/{len(items)}", writing=False)
            bad = bad or item is BAD
            if isinstance(item, dict):
                items.append(item)
        if not items and bad:
            return BAD
        return items if items or always else None

    return read


def _pairs(part: Pairs, canonical: str, gathering: _Gathering, trace: bool) -> Step:
    key, value, derive = part.key, part.value, part.derive
    inward = part.codes.inward
    pairs = _told_pairs(part.places, gathering)

    def read(node: Node, run: Run, records: Records) -> Any:
        found: dict[object, str] = {}
        for qualifier, told, places in pairs(node, records):
            scheme = inward.get(qualifier)
            # The same qualifier twice: the first counts, the second stays in the unmapped ledger.
            if scheme is None or scheme in found or not isinstance(told, str):
                continue
            if trace:
                here = f"{canonical}/{len(found)}"
                run.rows += (Row(places[0].path, f"{here}/{key}"), Row(places[1].path, f"{here}/{value}"))
            found[scheme] = told
        if derive is not None and derive.source not in found and derive.key in found:
            made = walk_crosswalk(run, derive.crosswalk, found[derive.key], part.place, "", derive.on_miss, out=False)
            if isinstance(made, str):
                found[derive.source] = made
        return [{key: scheme, value: told} for scheme, told in found.items()] or None

    return read


def _told_pairs(
    places: Sequence[tuple[Field, Field]], gathering: _Gathering
) -> Callable[[Node, Records], list[tuple[Any, Any, tuple[Field, Field]]]]:
    """What stands at the pairs that have a qualifier, with their places."""
    number = gathering.texts([field for pair in places for field in pair])
    if number is None:
        return lambda node, records: [(pair[0].get(node), pair[1].get(node), pair) for pair in places]
    named = [(str(2 * at), str(2 * at + 1), pair) for at, pair in enumerate(places)]

    def told(node: Node, records: Records) -> list[tuple[Any, Any, tuple[Field, Field]]]:
        texts = records[number]
        return [(texts[first], texts.get(second), pair) for first, second, pair in named if first in texts]

    return told
