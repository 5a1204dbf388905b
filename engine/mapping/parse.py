"""A mapping's YAML to its plan: every mistake is found here, at its place, with the nearest right word.

The canonical model leads: what a key may hold follows from the type of the field it fills. Pure; the paths are
compiled by the format's own structure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.mapping import inherit
from engine.mapping.beside import Item
from engine.mapping.expression import compile_condition, compile_expression
from engine.mapping.plan import (
    Derive,
    Group,
    Leaf,
    Pairs,
    Part,
    RecordCondition,
    Repeat,
    Slots,
    SourceCondition,
)
from engine.mapping.schema import Model, Target, targets
from engine.mapping.values import parse_codes, parse_leaf
from engine.plugin import Field, Loop, PathError, Scope
from engine.positions import Findings, Mark, Tree, did_you_mean

ONLY = ("read", "write")
_RECORD_KEYS = frozenset({"each", "when", "only", "write"})
_PAIR_KEYS = ("pairs", "codes", "derive", "only")
_DERIVE_KEYS = ("add", "from", "crosswalk", "on_miss")


@dataclass(slots=True)
class Parser:
    """What all parts of one mapping share while it is parsed."""

    findings: Findings
    blocks: Mapping[str, Tree]
    extended: bool  # the format writes ISO 8601 extended dates
    document: str
    reads: bool = True
    writes: bool = True
    crosswalks: set[str] = field(default_factory=set)
    beside: dict[str, list[set[str]]] = field(default_factory=dict)  # by crosswalk, the columns of each use
    item: Item | None = None  # where paths of `by` start; None in lists at fixed places

    # --- small questions the parsing functions ask -------------------------------------------------------------------
    def error(self, code: str, text: str, mark: Mark, hint: str = "") -> None:
        self.findings.error(code, text, mark, hint)

    def field(self, scope: Scope, tree: Tree) -> Field | None:
        text = self.text(tree, "a path")
        if text is None:
            return None
        try:
            return scope.field(text)
        except PathError as wrong:
            self.error("MAP301", wrong.text, tree.mark, _nearest(wrong))
            return None

    def loop(self, scope: Scope, tree: Tree) -> Loop | None:
        text = self.text(tree, "the name of a loop")
        if text is None:
            return None
        try:
            return scope.loop(text)
        except PathError as wrong:
            self.error("MAP301", wrong.text, tree.mark, _nearest(wrong))
            return None

    def text(self, tree: Tree, what: str) -> str | None:
        if isinstance(tree.value, str) and tree.value:
            return tree.value
        self.error("MAP102", f"expected {what}, found {'an empty text' if tree.value == '' else tree.kind}", tree.mark)
        return None

    def word(self, spec: Tree, key: str, known: Iterable[str]) -> str:
        """The value of a key that has a closed list of words; empty when absent or wrong."""
        child = spec.get(key)
        if child is None:
            return ""
        text = self.text(child, "a word")
        if text is not None and text not in known:
            hint = did_you_mean(text, known) or f"known: {', '.join(known)}"
            self.error("MAP101", f"unknown word '{text}' for '{key}'", child.mark, hint)
            return ""
        return text or ""

    def keys(self, spec: Tree, known: Iterable[str]) -> None:
        for key, child in spec.items():
            if key not in known:
                self.error("MAP101", f"unknown key '{key}'", spec.keys.get(key, child.mark), did_you_mean(key, known))

    def directions(self, spec: Tree) -> tuple[bool, bool]:
        only = self.word(spec, "only", ONLY)
        return self.reads and only != "write", self.writes and only != "read"

    def source_when(self, spec: Tree, scope: Scope) -> SourceCondition | None:
        tree = spec.get("when")
        text = self.text(tree, "a condition") if tree is not None else None
        return compile_condition(text, tree.mark, self.findings, scope) if tree is not None and text else None

    def record_when(self, spec: Tree, model: Model) -> RecordCondition | None:
        """`write: {when: ...}`: a condition on the record that is written."""
        half = spec.get("write")
        tree = half.get("when") if half is not None else None
        text = self.text(tree, "a condition") if tree is not None else None
        return compile_expression(text, tree.mark, self.findings, model) if tree is not None and text else None


def parse_record(
    parser: Parser, spec: Tree, model: Model, scope: Scope, path: str = "", given: frozenset[str] = frozenset()
) -> tuple[Part, ...]:
    """The parts of one record. given: control keys that may stand among the fields."""
    if spec.kind != "mapping":
        parser.error("MAP102", f"expected fields, found {spec.kind}", spec.mark)
        return ()
    spec = inherit.expand(spec, parser.blocks, parser.findings)
    known = targets(model, path)
    nested = inherit.nest(_without(spec, given), parser.findings)
    parts: list[Part] = []
    for name, child in nested.items():
        mark = nested.keys.get(name, child.mark)
        if name not in known:
            whole = f"{path}.{name}" if path else name
            text = f"a {parser.document} has no field '{whole}'"
            parser.error("MAP201", text, mark, did_you_mean(name, known))
        elif (part := _parse_part(parser, known[name], child, model, scope)) is not None:
            parts.append(part)
    _check_required(parser, known, nested, parts, spec.mark)
    return tuple(parts)


def _without(spec: Tree, names: frozenset[str]) -> Tree:
    kept = {key: child for key, child in spec.items() if key not in names}
    return Tree(kept, spec.mark, {key: mark for key, mark in spec.keys.items() if key in kept})


def _check_required(parser: Parser, known: Mapping[str, Target], spec: Tree, parts: Iterable[Part], mark: Mark) -> None:
    """A reading mapping fills in every field the model cannot be without."""
    if not parser.reads:
        return
    unread = {part.target.name for part in parts if isinstance(part, Leaf) and part.reading is None}
    for name, target in known.items():
        if target.required and (spec.get(name) is None or name in unread):
            text = f"a {parser.document} needs '{target.path}', and nothing reads it"
            parser.error("MAP204", text, spec.keys.get(name, mark), "map it, or say `only: write`")


def _parse_part(parser: Parser, target: Target, spec: Tree, model: Model, scope: Scope) -> Part | None:
    record = target.record
    if record is None:
        return parse_leaf(parser, target, spec, model, scope)
    spec = inherit.expand(spec, parser.blocks, parser.findings)
    if not target.many:
        return Group(target, parse_record(parser, spec, record, scope, target.path))
    if isinstance(spec.value, list):
        return _parse_slots(parser, target, spec.value, record, scope)
    if spec.get("pairs") is not None:
        return _parse_pairs(parser, target, spec, record, scope)
    if spec.get("each") is not None:
        return _parse_repeat(parser, target, spec, record, scope)
    text = f"'{target.path}' is a list: say `each:`, `pairs:`, or list its entries"
    parser.error("MAP102", text, spec.mark)
    return None


def _parse_repeat(parser: Parser, target: Target, spec: Tree, record: Model, scope: Scope) -> Repeat | None:
    each = spec.get("each")
    loop = parser.loop(scope, each) if each is not None else None
    if loop is None:
        return None
    half = spec.get("write")
    if half is not None:
        parser.keys(half, ("when",))
    reads, writes = parser.directions(spec)
    around, parser.item = parser.item, Item(record, parser.item)
    parts = parse_record(parser, spec, record, loop.scope, target.path, _RECORD_KEYS)
    parser.item = around
    source_when = parser.source_when(spec, loop.scope)
    return Repeat(target, loop, parts, reads, writes, source_when, parser.record_when(spec, record))


def _parse_slots(parser: Parser, target: Target, specs: list[Tree], record: Model, scope: Scope) -> Slots:
    entries = []
    around, parser.item = parser.item, None
    for spec in specs:
        parts = parse_record(parser, spec, record, scope, target.path)
        fixed = [part for part in parts if isinstance(part, Leaf) and _const(part) is not None]
        if parts and not fixed:
            text = "an entry of a list needs a `const:` field that tells it from the others"
            parser.error("MAP208", text, spec.mark)
        entries.append(Group(target, parts))
    parser.item = around
    return Slots(target, tuple(entries))


def _const(leaf: Leaf) -> object:
    value = leaf.reading or leaf.writing
    return value.const if value else None


def _parse_pairs(parser: Parser, target: Target, spec: Tree, record: Model, scope: Scope) -> Pairs | None:
    parser.keys(spec, _PAIR_KEYS)
    listed, table = spec.get("pairs"), spec.get("codes")
    paths = listed.value if listed is not None and isinstance(listed.value, list) else []
    if listed is not None and (len(paths) < 2 or len(paths) % 2):
        parser.error("MAP102", "pairs lists a qualifier and a value position in turn", listed.mark)
        return None
    if table is None:
        parser.error("MAP103", "pairs need `codes:` for their qualifiers", spec.mark)
        return None
    (key, key_target), (value, _) = list(targets(record, target.path).items())[:2]
    codes = parse_codes(parser, key_target, table)
    fields = [parser.field(scope, path) for path in paths]
    places = tuple((first, second) for first, second in zip(fields[::2], fields[1::2], strict=True) if first and second)
    reads, writes = parser.directions(spec)
    return Pairs(target, key, value, places, codes, _parse_derive(parser, spec, key_target), reads, writes)


def _parse_derive(parser: Parser, spec: Tree, key: Target) -> Derive | None:
    tree = spec.get("derive")
    if tree is None:
        return None
    parser.keys(tree, _DERIVE_KEYS)
    crosswalk = tree.get("crosswalk")
    name = parser.text(crosswalk, "the name of a crosswalk") if crosswalk is not None else None
    add, source = parser.word(tree, "add", key.choices), parser.word(tree, "from", key.choices)
    if not (name and add and source):
        parser.error("MAP103", "derive needs `add:`, `from:` and `crosswalk:`", tree.mark)
        return None
    parser.crosswalks.add(name)
    parser.beside.setdefault(name, []).append(set())
    return Derive(add, source, name, parser.word(tree, "on_miss", ("exception", "skip")))


def _nearest(wrong: PathError) -> str:
    return f"did you mean '{wrong.nearest[0]}'?" if wrong.nearest else ""
