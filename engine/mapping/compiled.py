"""A compiled mapping, and the function that compiles one. Reading and writing are pure and never raise for data."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import pydantic

from canonical import DOCUMENTS, Document
from engine.errors import ConfigError, Refused
from engine.mapping.beside import Item
from engine.mapping.identified import reads_identifiers, warnings
from engine.mapping.inherit import resolve
from engine.mapping.parse import ONLY, Parser, parse_record
from engine.mapping.plan import Plan
from engine.mapping.reading import compile_reading
from engine.mapping.run import Context, Result, Row, Run, Trouble, Written, joined
from engine.mapping.writing import compile_writing
from engine.plugin import Format, Node, PathError, Structure
from engine.positions import Findings, Tree, did_you_mean

# Keys by which a mapping tells its format which message it is about; the format judges their values.
FORMAT_KEYS: Final = ("message", "structure", "set", "release", "version")
_KEYS: Final = (
    "apiVersion", "description", "document", "format", "extends", "fields", "blocks", "each", "when", "only",
    *FORMAT_KEYS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mapping:
    """Reads documents from a format's tree and writes them into one, as far as `reads` and `writes` say.

    type: the message type, as the format names it. crosswalks: names of the tables a partner needs for it. beside: the
    further keys it always asks them by. identifies: it may read identifiers that can be checked.
    """

    name: str
    document: str
    model: type[Document]
    format: str
    type: str
    header: collections.abc.Mapping[str, str]
    structure: Structure
    reads: bool
    writes: bool
    crosswalks: frozenset[str]
    beside: collections.abc.Mapping[str, frozenset[str]]
    identifies: bool
    plan: Plan
    _read: Callable[[Node, Run], dict[str, Any]] = field(repr=False)
    _write: Callable[[Any, Node, Run], None] = field(repr=False)

    def read(self, node: Node, context: Context) -> Result:
        """All documents of a message; one with faults is left out, and all its faults are told."""
        self._may("read", self.reads)
        if self.plan.each is None and self.plan.source_when is None:
            return self._one(node, context)
        try:
            found = roots(self.plan, node)
        except Refused as refusal:
            return Result(problems=(refusal,))
        results = [self._one(root, context, place) for place, root in found]
        return Result(*(tuple(chain.from_iterable(column)) for column in zip(*results, strict=True)))

    def _one(self, root: Node, context: Context, place: str = "") -> Result:
        """The document that stands at one place."""
        run = Run(context.zone, context.crosswalks, context.today)
        try:
            fields = self._read(root, run)
        except Refused as refusal:
            return Result(problems=(refusal,))
        document = self._document(fields, root, run)
        if document is not None and not run.troubles:
            told = warnings(document, lambda: self._places(root, run, place)) if self.identifies else ()
            return Result((document,), (place,), warnings=told)
        for trouble in run.troubles:
            trouble.place = joined(place, trouble.place).removeprefix("$")
        return Result((), (), tuple([trouble.refused() for trouble in run.troubles]), self.model.keys_of(fields))

    def write(self, document: Document, context: Context) -> Written:
        self._may("write", self.writes)
        run = Run(context.zone, context.crosswalks, context.today)
        node = self.structure.blank()
        each = self.plan.each
        self._write(document, node if each is None else each.new(node), run)
        if run.troubles:
            return Written(None, tuple(trouble.refused() for trouble in run.troubles))
        return Written(node)

    def _document(self, fields: dict[str, Any], root: Node, run: Run) -> Document | None:
        try:
            return self.model.from_fields(fields)
        except pydantic.ValidationError as refusal:
            # What is missing because of a fault already told is no fault of its own.
            told = bool(run.troubles)
            errors = [error for error in refusal.errors(include_input=False, include_url=False, include_context=False)
                      if not (told and error["type"] == "missing")]  # fmt: skip
            run.troubles += [self._refused(root, run, error) for error in errors]
            return None

    def _refused(self, root: Node, run: Run, error: Any) -> Trouble:
        """Where in the message the model's complaint belongs: asked of a traced run, since this is rare."""
        pointer = "".join(f"/{step}" for step in error["loc"])
        place = self._places(root, run).get(pointer, pointer)
        what = ".".join(str(step) for step in error["loc"] if not isinstance(step, int))
        return Trouble("map.document", f"a {self.document} refuses this '{what}': {error['msg']}", "102", place)

    def locate(self, node: Node, context: Context, place: str, pointer: str) -> str:
        """Where in a message the value at a pointer of a document was read. place: the document's (`Result.places`)."""
        run = Run(context.zone, context.crosswalks, context.today)
        root = next(root for here, root in roots(self.plan, node) if here == place)
        known = self._places(root, run, place)
        inside = (there for under, there in known.items() if under.startswith(f"{pointer}/"))
        return known.get(pointer) or next(inside, place)

    def _places(self, root: Node, run: Run, outer: str = "") -> dict[str, str]:
        """Where in the message each value of a document was read, by its pointer. outer: the place of the document."""
        traced = Run(run.zone, run.crosswalks, run.today)
        compile_reading(self.plan, trace=True)(root, traced)
        return {row.canonical: joined(outer, row.place).removeprefix("$") for row in reversed(traced.rows)}

    def _may(self, verb: str, able: bool) -> None:
        if not able:
            raise ConfigError("MAP110", f"mapping {self.name} does not {verb} documents")


def roots(plan: Plan, node: Node) -> list[tuple[str, Node]]:
    """The nodes a document each is read from, with their places. Raises Refused when they are not where they belong."""
    found = [("", node)]
    if plan.each is not None:
        nodes = plan.each.nodes(node)
        absent = getattr(plan.each, "absent", None)  # formats that tell a missing list from an empty one
        if absent is not None and absent(node):
            text = "what this message is to be made of is missing; an empty list would say that there is nothing"
            raise Refused("map.missing", text, place=plan.each.path, status="101")
        found = [(plan.each.place(node, position), child) for position, child in enumerate(nodes)]
    when = plan.source_when
    return found if when is None else [pair for pair in found if when(pair[1])]


def compile_mapping(
    name: str, tree: Tree, format: Format, findings: Findings, trees: collections.abc.Mapping[str, Tree]
) -> Mapping | None:
    """None when it has mistakes; they are all in `findings`. trees: every mapping of the site by name."""
    known = findings.errors
    whole = resolve(name, tree, trees, findings)
    if whole is None or not _header_is_sound(whole, findings):
        return None
    model = _model(whole, findings)
    structure = _structure(whole, format, findings)
    if model is None or structure is None:
        return None
    parser = _parser(whole, format, findings, trees)
    plan = _plan(parser, whole, model, structure)
    if plan is None or findings.errors > known:
        return None
    return Mapping(
        name=name,
        document=model.TYPE,
        model=model,
        format=format.name,
        type=structure.type,
        header=_header(whole),
        structure=structure,
        reads=plan.reads,
        writes=plan.writes,
        crosswalks=plan.crosswalks,
        beside=plan.beside,
        identifies=reads_identifiers(plan.parts),
        plan=plan,
        _read=_at_first(lambda: compile_reading(plan)),
        _write=_at_first(lambda: compile_writing(plan)),
    )


def _at_first(make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """A function that is made when it is first used: a site has many mappings, and a process needs few of them."""
    made: Callable[..., Any] | None = None

    def run(*arguments: Any) -> Any:
        nonlocal made
        if made is None:
            made = make()
        return made(*arguments)

    return run


def _header_is_sound(tree: Tree, findings: Findings) -> bool:
    if tree.kind != "mapping":
        findings.error("MAP102", f"a mapping file holds keys, not {tree.kind}", tree.mark)
        return False
    known = findings.errors
    for key, child in tree.items():
        if key not in _KEYS:
            findings.error("MAP101", f"unknown key '{key}'", tree.keys.get(key, child.mark), did_you_mean(key, _KEYS))
    for key in ("document", "format", "fields"):
        if tree.get(key) is None:
            findings.error("MAP103", f"a mapping needs '{key}:'", tree.mark)
    return findings.errors == known


def _model(tree: Tree, findings: Findings) -> type[Document] | None:
    named = tree.get("document")
    assert named is not None
    word = named.value if isinstance(named.value, str) else ""
    if word not in DOCUMENTS:
        hint = did_you_mean(word, DOCUMENTS) or f"known: {', '.join(DOCUMENTS)}"
        findings.error("MAP104", f"there is no document '{word}'", named.mark, hint)
    return DOCUMENTS.get(word)


def _header(tree: Tree) -> dict[str, str]:
    return {key: child.value for key in FORMAT_KEYS if (child := tree.get(key)) and isinstance(child.value, str)}


def _structure(tree: Tree, format: Format, findings: Findings) -> Structure | None:
    try:
        return format.structure(_header(tree))
    except PathError as wrong:
        marks = [tree.keys[key] for key in FORMAT_KEYS if key in tree.keys]
        hint = f"did you mean '{wrong.nearest[0]}'?" if wrong.nearest else ""
        findings.error("MAP105", wrong.text, marks[0] if marks else tree.mark, hint)
        return None


def _parser(tree: Tree, format: Format, findings: Findings, trees: collections.abc.Mapping[str, Tree]) -> Parser:
    """Blocks go by their name in their own mapping, and by `mapping.name` in every other."""
    blocks = {f"{owner}.{name}": block for owner, other in trees.items() for name, block in _blocks(other)}
    blocks |= dict(_blocks(tree))
    extended = getattr(format, "dates", "basic") == "extended"
    document = tree.get("document")
    parser = Parser(findings, blocks, extended, str(document.value if document else ""))
    only = parser.word(tree, "only", ONLY)
    parser.reads, parser.writes = only != "write", only != "read"
    return parser


def _blocks(tree: Tree) -> Iterator[tuple[str, Tree]]:
    found = tree.get("blocks")
    return iter(()) if found is None else found.items()


def _plan(parser: Parser, tree: Tree, model: type[Document], structure: Structure) -> Plan | None:
    scope = structure.scope
    each = None
    if (named := tree.get("each")) is not None:
        each = parser.loop(scope, named)
        if each is None:
            return None
        scope = each.scope
    fields = tree.get("fields")
    assert fields is not None
    parser.item = Item(model)
    parts = parse_record(parser, fields, model, scope)
    when = parser.source_when(tree, scope)
    beside = {name: frozenset(set.intersection(*columns)) for name, columns in parser.beside.items()}
    return Plan(model, structure, parts, each, parser.reads, parser.writes, when, frozenset(parser.crosswalks), beside)


__all__ = ["Mapping", "Row", "compile_mapping", "roots"]
