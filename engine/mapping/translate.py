"""One value from a text to what the document holds, and back: codecs, closed tables, crosswalks, and their misses.

Each is compiled for one place of one mapping: what a fault has to say is known before there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from engine.mapping.beside import Pending, others
from engine.mapping.plan import Value
from engine.mapping.run import BAD, SKIP, Run

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
Decode = Callable[[str, Run], Any]  # a text to a canonical value, SKIP or BAD
Encode = Callable[[Any, Run], Any]  # a canonical value to a text, SKIP or BAD


# --- from a text to a canonical value --------------------------------------------------------------------------------
def decoder(value: Value, what: str, place: str) -> Decode | None:
    """None for a plain text, which is taken as it is."""
    if value.crosswalk:
        return _inward(value, place)
    if value.codes is not None:
        return _from_codes(value, what, place)
    codec = value.codec
    if codec is None:
        return None
    decode, expects = codec.decode, codec.expects

    def run_codec(raw: str, run: Run) -> Any:
        try:
            return decode(raw, run.zone)
        except ValueError:
            run.trouble("map.value", f"'{what}' needs {expects}", "102", place)
            return BAD

    return run_codec


def _from_codes(value: Value, what: str, place: str) -> Decode:
    assert value.codes is not None
    inward, on_miss, default = value.codes.inward, value.on_miss, value.default

    def look_up(raw: str, run: Run) -> Any:
        found = inward.get(raw)
        if found is not None:
            return found
        if on_miss == "skip":
            return SKIP
        if on_miss == "pass":
            return raw
        if on_miss == "default":
            return default
        run.trouble("map.unknown_code", f"the mapping's table for '{what}' does not have this code", "103", place)
        return BAD

    return look_up


def _inward(value: Value, place: str) -> Decode:
    name, on_miss, default = value.crosswalk, value.on_miss, value.default

    def look_up(raw: str, run: Run) -> Any:
        table = run.crosswalks.get(name)
        if table is not None and (found := table.inward.get(raw)) is not None:
            return found
        return walk_crosswalk(run, name, raw, place, "", on_miss, out=False, default=default)

    def look_up_later(raw: str, run: Run) -> Any:
        table = run.crosswalks.get(name)
        if table is None or not table.columns:
            found = table and table.inward.get(raw)
            return look_up(raw, run) if found is None else found
        run.pending = True
        return Pending(raw, place)

    return look_up_later if value.by else look_up


def settler(value: Value) -> Callable[[Pending, Any, Run], Any]:
    """What becomes of a word that waited, when the item it stands in has been read."""

    def settle(pending: Pending, item: Any, run: Run) -> Any:
        return walk_crosswalk(
            run, value.crosswalk, pending.raw, pending.place, "", value.on_miss, out=False, default=value.default,
            beside=others(value.by, item),
        )  # fmt: skip

    return settle


def walk_crosswalk(
    run: Run, name: str, raw: str, place: str, canonical: str, on_miss: str = "", *, out: bool, default: object = None,
    beside: Mapping[str, str] = NOTHING,
) -> Any:  # fmt: skip
    """A word through a partner's crosswalk, inward or out; what a miss does is the mapping's word, then the table's.

    beside: our words for further keys, by column.
    """
    table = run.crosswalks.get(name)
    if table is None:
        run.trouble("map.miss", f"the partner has no crosswalk '{name}'", "204", place, canonical)
        return BAD
    words: Any = table.outward if out else table.inward
    found = words.get(raw, beside) if beside else words.get(raw)
    if found is not None:
        return found
    decision = on_miss or table.on_miss
    if decision == "skip":
        return SKIP
    if decision == "pass":
        return raw
    if decision == "default":
        return default or (table.default_out if out else table.default)
    run.miss(name, table.source, raw, place, canonical, out=out)
    return BAD


# --- from a canonical value to a text --------------------------------------------------------------------------------
def encoder(value: Value, what: str, canonical: str) -> Encode | None:
    """None for a plain text, which is written as it is. canonical: pointer of the value inside its loop item."""
    place = value.fields[0].path
    if value.crosswalk:
        return _outward(value, place, canonical)
    if value.codes is not None:
        return _to_codes(value, what, place, canonical)
    codec = value.codec
    if codec is None:
        return None
    encode, expects = codec.encode, codec.expects

    def run_codec(told: Any, run: Run) -> Any:
        try:
            return encode(told, run.zone)
        except (ValueError, ArithmeticError):
            run.trouble("map.value", f"'{what}' cannot be written as {expects}", "102", place, canonical)
            return BAD

    return run_codec


def _to_codes(value: Value, what: str, place: str, canonical: str) -> Encode:
    assert value.codes is not None
    outward, on_miss = value.codes.outward, value.on_miss

    def look_up(told: Any, run: Run) -> Any:
        found = outward.get(told)
        if found is not None:
            return found
        if on_miss in {"skip", "default"}:
            return SKIP
        if on_miss == "pass":
            return str(told)
        run.trouble("map.unknown_code", f"the mapping's table has no code for this '{what}'", "103", place, canonical)
        return BAD

    return look_up


def _outward(value: Value, place: str, canonical: str) -> Encode:
    name, on_miss, by, up = value.crosswalk, value.on_miss, value.by, value.up

    def look_up(told: Any, run: Run) -> Any:
        table = run.crosswalks.get(name)
        if table is not None and (found := table.outward.get(told)) is not None:
            return found
        return walk_crosswalk(run, name, told, place, canonical, on_miss, out=True)

    def look_up_beside(told: Any, run: Run) -> Any:
        table = run.crosswalks.get(name)
        if table is None or not table.columns:
            return look_up(told, run)
        beside = others(by, run.around if up else run.item)
        return walk_crosswalk(run, name, told, place, canonical, on_miss, out=True, beside=beside)

    return look_up_beside if by else look_up
