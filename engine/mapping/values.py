"""The YAML of one value: where it stands, how it is spelled, what happens when it is missing or unknown."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pydantic

from engine.mapping import inherit
from engine.mapping.beside import Beside, parse_by
from engine.mapping.codecs import NAMES, Codec, default_codec, find_codec
from engine.mapping.expression import compile_expression
from engine.mapping.plan import Codes, Leaf, Value
from engine.mapping.run import TODAY
from engine.mapping.schema import Model, Target
from engine.plugin import Field, Scope
from engine.positions import Tree, did_you_mean

if TYPE_CHECKING:
    from engine.mapping.parse import Parser

_HALF_KEYS: Final = (
    "at", "as", "codes", "crosswalk", "default", "const", "each", "join", "split", "same", "when",
    "on_miss", "by",
)  # fmt: skip
_KEYS: Final = (*_HALF_KEYS, "only", "read", "write", "use")
_MISSES: Final = ("exception", "skip", "pass", "default")
_TRANSLATIONS: Final = ("as", "codes", "crosswalk")


def parse_leaf(parser: Parser, target: Target, spec: Tree, model: Model, scope: Scope) -> Leaf | None:
    """A path, a list of paths (for a list of texts), or a mapping of keys."""
    if spec.kind != "mapping":
        spec = Tree({"at": spec}, spec.mark)
    spec = inherit.expand(spec, parser.blocks, parser.findings)
    known = len(parser.findings.found)
    parser.keys(spec, _KEYS)
    if len(parser.findings.found) > known:
        return None
    reads, writes = parser.directions(spec)
    halves = {name: spec.get(name) for name in ("read", "write")}
    base = _part(spec, (*halves, "only", "use"))
    if not any(halves.values()):
        whole = _parse_value(parser, target, base, model, scope)
        return Leaf(target, whole if reads else None, whole if writes else None) if whole else None
    reading = _parse_value(parser, target, _half(parser, base, halves["read"]), model, scope) if reads else None
    base = _part(base, ("when",))  # a condition on the source says nothing about writing
    half = _half(parser, base, halves["write"])
    writing = _parse_value(parser, target, half, model, scope, writing=True) if writes else None
    return Leaf(target, reading, writing)


def _part(spec: Tree, without: tuple[str, ...]) -> Tree:
    kept = {key: child for key, child in spec.items() if key not in without}
    return Tree(kept, spec.mark, spec.keys)


def _half(parser: Parser, base: Tree, half: Tree | None) -> Tree:
    if half is None:
        return base
    parser.keys(half, _HALF_KEYS)
    return inherit.merge(base, half, parser.findings)


def _parse_value(
    parser: Parser, target: Target, spec: Tree, model: Model, scope: Scope, *, writing: bool = False
) -> Value | None:
    inner = scope
    loop = None
    if (each := spec.get("each")) is not None:
        loop = parser.loop(scope, each)
        if loop is None:
            return None
        inner = loop.scope
    fields = _fields(parser, spec, inner)
    if fields is None:
        return None
    const, default = _literal(parser, target, spec, "const"), _literal(parser, target, spec, "default")
    if not fields and const is None and default is None:
        parser.error("MAP103", f"'{target.path}' says no place: add `at:`", spec.mark)
        return None
    _check_shape(parser, target, spec, len(fields))
    codec = _codec(parser, target, spec)
    table = spec.get("codes")
    when = spec.get("when")
    condition = parser.text(when, "a condition") if when is not None else None
    return Value(
        fields=fields,
        loop=loop,
        codec=codec,
        codes=parse_codes(parser, target, table) if table is not None else None,
        crosswalk=(crosswalk := _crosswalk(parser, spec)),
        by=(by := _by(parser, spec, crosswalk))[0],
        up=by[1],
        on_miss=parser.word(spec, "on_miss", _MISSES),
        default=default,
        const=const,
        join=_separator(parser, spec, "join"),
        split=_separator(parser, spec, "split"),
        same=parser.word(spec, "same", ("true", "false")) == "true",
        source_when=None if writing else parser.source_when(spec, inner),
        record_when=compile_expression(condition, when.mark, parser.findings, model)
        if writing and when is not None and condition
        else None,
    )


def _fields(parser: Parser, spec: Tree, scope: Scope) -> tuple[Field, ...] | None:
    at = spec.get("at")
    if at is None:
        return ()
    paths = at.value if isinstance(at.value, list) else [at]
    fields = [parser.field(scope, path) for path in paths]
    return tuple(found for found in fields if found is not None) if all(fields) else None


def _separator(parser: Parser, spec: Tree, key: str) -> str | None:
    tree = spec.get(key)
    if tree is None:
        return None
    if not isinstance(tree.value, str):
        parser.error("MAP102", f"'{key}' needs a text", tree.mark)
        return None
    return tree.value


def _check_shape(parser: Parser, target: Target, spec: Tree, places: int) -> None:
    """Keys that exclude each other or say nothing here."""
    used = [key for key in _TRANSLATIONS if spec.get(key) is not None]
    if len(used) > 1:
        parser.error("MAP208", f"'{used[0]}' and '{used[1]}' exclude each other", spec.mark)
    if spec.get("split") is not None and not target.many:
        parser.error("MAP208", f"'split' makes a list, and '{target.path}' is none", spec.mark)
    if spec.get("each") is not None and not target.many and not any(spec.get(key) for key in ("join", "same")):
        text = f"'{target.path}' holds one value: `join:` those of the loop, or say they are the `same: true`"
        parser.error("MAP208", text, spec.mark)
    if spec.get("same") is not None and (spec.get("each") is None or target.many or spec.get("join") is not None):
        parser.error("MAP208", "'same' asks for one value from all of a loop: it goes with 'each' alone", spec.mark)
    if spec.get("join") is not None and target.many:
        parser.error("MAP208", f"'join' makes one text, and '{target.path}' is a list", spec.mark)
    if spec.get("join") is not None and target.type is not str:
        parser.error("MAP208", "only texts can be joined", spec.mark)
    if (spec.get("each") is not None or spec.get("split") is not None) and places != 1:
        parser.error("MAP208", "'each' and 'split' take exactly one place", spec.mark)


def _codec(parser: Parser, target: Target, spec: Tree) -> Codec | None:
    """The codec named, or the one its type has; None for a plain text and where a table translates."""
    named = spec.get("as")
    if named is None:
        if spec.get("codes") is not None or spec.get("crosswalk") is not None:
            if spec.get("crosswalk") is not None and target.type is not str:
                parser.error("MAP202", f"a crosswalk gives texts, and '{target.path}' is none", spec.mark)
            return None
        name = default_codec(target.type)
        return None if name == "text" else find_codec(name, extended=parser.extended)
    word = parser.text(named, "the name of a codec")
    if word is None:
        return None
    codec = find_codec(word, extended=parser.extended)
    if codec is None:
        hint = did_you_mean(word, NAMES) or f"known: {', '.join(NAMES)}"
        parser.error("MAP203", f"there is no codec '{word}'", named.mark, hint)
        return None
    if target.type not in codec.types or target.choices:
        fitting = "codes" if target.choices else default_codec(target.type)
        text = f"'{word}' cannot fill '{target.path}'"
        parser.error("MAP202", text, named.mark, f"use '{fitting}'")
    return None if word == "text" else codec


def _crosswalk(parser: Parser, spec: Tree) -> str:
    tree = spec.get("crosswalk")
    name = parser.text(tree, "the name of a crosswalk") if tree is not None else None
    if name:
        parser.crosswalks.add(name)
        if spec.get("by") is None:
            parser.beside.setdefault(name, []).append(set())
    return name or ""


def _by(parser: Parser, spec: Tree, crosswalk: str) -> tuple[tuple[Beside, ...], int]:
    tree = spec.get("by")
    if tree is None:
        return (), 0
    if not crosswalk or any(spec.get(key) is not None for key in ("each", "join", "split")):
        parser.error("MAP208", "'by' goes with a crosswalk of one value", tree.mark)
        return (), 0
    found, up = parse_by(parser, tree)
    parser.beside.setdefault(crosswalk, []).append({one.column for one in found})
    return found, up


def parse_codes(parser: Parser, target: Target, table: Tree) -> Codes:
    """`canonical: external` or `canonical: [external, also]`. Of several, the first is written."""
    inward: dict[str, object] = {}
    outward: dict[object, str] = {}
    table = inherit.expand(table, parser.blocks, parser.findings)
    if table.kind != "mapping" or target.type not in {str, bool}:
        parser.error("MAP102", f"'{target.path}' cannot have a table of codes", table.mark)
        return Codes(inward, outward)
    for word, child in table.items():
        canonical = _canonical(target, word)
        if canonical is None:
            mark = table.keys.get(word, child.mark)
            parser.error("MAP206", f"'{target.path}' is never '{word}'", mark, did_you_mean(word, target.choices))
            continue
        for code in child.value if isinstance(child.value, list) else [child]:
            text = parser.text(code, "a code")
            if text is None:
                continue
            if text in inward:
                parser.error("MAP207", f"code '{text}' already stands for another value: never reached", code.mark)
                continue
            inward[text] = canonical
            outward.setdefault(canonical, text)
    return Codes(inward, outward)


def _canonical(target: Target, word: str) -> object:
    """The canonical value a word of YAML names; None when the field can never be that."""
    if target.type is bool:
        return {"true": True, "false": False}.get(word)
    return word if not target.choices or word in target.choices else None


def _literal(parser: Parser, target: Target, spec: Tree, key: str) -> object:
    tree = spec.get(key)
    if tree is None:
        return None
    text = parser.text(tree, "a value")
    if text is None:
        return None
    if key == "default" and text == "today" and target.type is dt.date:
        return TODAY
    found = literal(text, target)
    if found is None:
        hint = did_you_mean(text, target.choices)
        parser.error("MAP206", f"'{target.path}' can never have this {key}", tree.mark, hint)
    return found


def literal(text: str, target: Target) -> object:
    """A word of YAML as a value of the target's type; None when it is none."""
    if target.choices or target.type is bool:
        return _canonical(target, text)
    if target.type not in {str, Decimal, dt.date, dt.datetime}:
        return None
    try:
        found: Any = pydantic.TypeAdapter(target.type).validate_python(text)
    except pydantic.ValidationError:
        return None
    return found
