"""A partner's first files, made from a template: its YAML as a draft, and its code tables. Pure: writes nothing.

What is made is judged with the whole site before anyone keeps it. No code and no unit is guessed: tables begin empty
unless rows are given.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.errors import ConfigError
from engine.plugin import Registry
from engine.positions import Finding, did_you_mean
from engine.site.changes import mapping_trees
from engine.site.effective import effective_tree
from engine.site.load import judge_source
from engine.site.rows import COLUMNS
from engine.site.shapes import NAME
from engine.site.source import Source
from engine.site.yaml import read_tree

FOLDER: Final = "folder"
_ISA: Final = re.compile(r"[A-Z0-9]{2}:[ -~]{1,15}")
_GS: Final = re.compile(r"[ -~]{2,15}")
_TABLE_OF_PARTNERS: Final = "supplier"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known of a new partner.

    isa, gs: who it is, `01:081234567`. connection: `folder`, or a name of config/connections.yaml; test_connection
    then too. code: the ERP's word for it. tables: by the names mappings use, the CSV to begin with. separators:
    element, component, segment, and what follows it.
    """

    name: str
    template: str
    isa: str
    gs: str = ""
    test_isa: str = ""
    test_gs: str = ""
    title: str = ""
    code: str = ""
    contact: str = ""
    connection: str = FOLDER
    test_connection: str = ""
    separators: str = ""
    tables: Mapping[str, bytes] = field(default_factory=dict)


def new_files(wish: Wish, source: Source, registry: Registry) -> dict[str, bytes]:
    """Path in the site to content, of files that are new or grow. Raises ConfigError for a wish that cannot be met."""
    _check(wish, source)
    tables = {word: f"{wish.name}_{word}s" for word in _tables_needed(wish, source, registry)}
    if unknown := sorted(set(wish.tables) - set(tables)):
        hint = did_you_mean(unknown[0], tables) or f"they use: {', '.join(tables) or 'none'}"
        raise ConfigError("CFG401", f"the mappings of this template use no table '{unknown[0]}'", hint=hint)
    made = {f"partners/{wish.name}.yaml": "".join(f"{line}\n" for line in _lines(wish, tables)).encode()}
    for word, table in tables.items():
        made[f"config/crosswalks/{table}.csv"] = wish.tables.get(word, f"{','.join(COLUMNS)}\n".encode())
    if taken := next((path for path in made if path in source.files), None):
        raise ConfigError("CFG340", "this file is there already, and is not overwritten", place=taken)
    return made | dict(_named_to_partners(wish, source))


def judged(made: Mapping[str, bytes], source: Source, registry: Registry, environ: Mapping[str, str]) -> list[Finding]:
    """What `hilum check` would say of these files beside those there are, and does not say without them."""
    _, before = judge_source(source, registry, environ)
    _, after = judge_source(Source(source.root, dict(sorted({**source.files, **made}.items()))), registry, environ)
    return [found for found in after.found if found not in before.found]


# --- what may be wished ----------------------------------------------------------------------------------------------
def _check(wish: Wish, source: Source) -> None:
    if not re.fullmatch(NAME, wish.name):
        slug = re.sub(r"[^a-z0-9]+", "_", wish.name.lower()).strip("_")
        hint = f"did you mean '{slug}'?" if re.fullmatch(NAME, slug) else "lower case letters, digits and _"
        raise ConfigError("CFG105", f"'{wish.name}' can be no partner's name", hint=hint)
    if f"partners/{wish.name}.yaml" in source.files:
        place = f"partners/{wish.name}.yaml"
        raise ConfigError("CFG340", f"there is a partner {wish.name} already", place=place, hint="choose another name")
    _known("CFG209", "template", wish.template, [name for name, _, _ in source.named("partners/templates")])
    for what, word in (("--isa", wish.isa), ("--test-isa", wish.test_isa or wish.isa)):
        if not _ISA.fullmatch(word):
            raise ConfigError("CFG105", f"{what} must be QUALIFIER:ID of ISA05 and ISA06, such as 01:081234567")
    for what, word in (("--gs", wish.gs or "--"), ("--test-gs", wish.test_gs or "--")):
        if not _GS.fullmatch(word):
            raise ConfigError("CFG105", f"{what} must have 2 to 15 characters, as GS02 has")
    ways = [FOLDER, *_connections(source)]
    for word in (wish.connection, wish.test_connection or wish.connection):
        _known("CFG305", "connection", word, ways)
    if wish.separators and len(wish.separators) not in {3, 4, 5}:
        raise ConfigError("CFG105", "--separators are element, component, segment, and what follows it")


def _known(code: str, what: str, word: str, words: list[str]) -> None:
    if word not in words:
        hint = did_you_mean(word, words) or f"there is: {', '.join(words) or 'none'}"
        raise ConfigError(code, f"no {what} is called '{word}'", hint=hint)


def _connections(source: Source) -> list[str]:
    entries: Any = _plain(source, "config/connections.yaml").get("connections")
    return [*entries] if isinstance(entries, dict) else []


def _tables_needed(wish: Wish, source: Source, registry: Registry) -> list[str]:
    """The crosswalks that the template's mappings translate by, less those it has itself."""
    tree = effective_tree(source, wish.template, registry, folder="partners/templates")
    template: Any = tree.plain() if tree else {}
    mappings = mapping_trees(source.files)
    documents: Any = template.get("documents") or {}
    used = [entry["mapping"] for entry in documents.values() if isinstance(entry, dict) and entry.get("mapping")]
    words = {word for name in used for word in _crosswalks_of(mappings.get(name, {}))}
    return sorted(words - set(template.get("crosswalks") or {}))


def _crosswalks_of(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(word := tree.get("crosswalk"), str):
            yield word
        for child in tree.values():
            yield from _crosswalks_of(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _crosswalks_of(child)


# --- what is written -------------------------------------------------------------------------------------------------
def _lines(wish: Wish, tables: Mapping[str, str]) -> Iterator[str]:
    yield "# yaml-language-server: $schema=../.schemas/partner.v1.json"
    yield "# A draft: checked, and nothing is sent. See `hilum partner test`, `certify` and `go-live`."
    yield "apiVersion: partner/v1"
    yield f"name: {wish.name}"
    yield f"extends: templates/{wish.template}"
    yield f"title: {_text(wish.title or wish.name.replace('_', ' ').title())}"
    yield "status: draft"
    if wish.contact:
        yield f"contacts: {{edi: {_text(wish.contact)}}}"
    yield "live:"
    yield from _side(wish.connection, wish.name, wish.isa, wish.gs)
    yield "test:"
    test_connection = wish.test_connection or (FOLDER if wish.connection == FOLDER else "")
    yield from _side(test_connection, f"{wish.name}_test", wish.test_isa or wish.isa, wish.test_gs or wish.gs)
    if tables:
        yield f"crosswalks: {{{', '.join(f'{word}: {table}' for word, table in tables.items())}}}"
    if wish.separators:
        marks = (*wish.separators[:3], wish.separators[3:])
        told = zip(("element", "component", "segment", "after_segment"), marks, strict=True)
        yield f"envelope: {{{', '.join(f'{key}: {_text(mark)}' for key, mark in told if mark)}}}"


def _side(connection: str, folder: str, isa: str, gs: str) -> Iterator[str]:
    if connection == FOLDER:
        base = f"${{env:HILUM_HOME:-./var}}/exchange/{folder}"
        yield "  connection:"
        yield "    folder:"
        yield f"      send: {_text(f'{base}/out')}"
        yield f"      fetch: {_text(f'{base}/in')}"
    elif connection:
        yield f"  connection: {connection}"
    group = f", gs: {_text(gs)}" if gs else ""
    yield f"  identity: {{theirs: {{isa: {_text(isa)}{group}}}}}"


def _text(word: str) -> str:
    """In double quotes: what JSON escapes, YAML reads alike."""
    return json.dumps(word, ensure_ascii=False)


def _named_to_partners(wish: Wish, source: Source) -> Iterator[tuple[str, bytes]]:
    """A row in the tables by which other partners (the ERP) name this one, so that orders find it."""
    if not wish.code:
        return
    tables = dict.fromkeys(_supplier_tables(source))
    if not tables:
        text = "no partner translates suppliers by a table, so --code has nowhere to stand"
        raise ConfigError("CFG401", text, hint="leave --code away, or give the ERP `crosswalks: {supplier: ...}`")
    for path in tables:
        row = io.StringIO()
        csv.writer(row, lineterminator="\n").writerow([wish.code, wish.name, wish.title])
        content = source.held(path) or b""
        yield path, content + b"\n" * (not content.endswith(b"\n")) + row.getvalue().encode()


def _supplier_tables(source: Source) -> Iterator[str]:
    for _, path, _ in source.named("partners"):
        crosswalks: Any = _plain(source, path).get("crosswalks")
        use = crosswalks.get(_TABLE_OF_PARTNERS) if isinstance(crosswalks, dict) else None
        named = use.get("use") if isinstance(use, dict) else use
        table = f"config/crosswalks/{named[0] if isinstance(named, list) and named else named}.csv"
        if use and source.held(table) is not None:
            yield table


def _plain(source: Source, path: str) -> dict[str, Any]:
    from engine.positions import Findings

    content = source.held(path)
    tree = read_tree(content, path, Findings()) if content is not None else None
    plain = tree.plain() if tree else None
    return plain if isinstance(plain, dict) else {}
