"""The code tables of a site by themselves, and who uses which: for loading a site, and for verbs about tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.plugin import Registry
from engine.positions import Findings
from engine.site.bulk import Bulk, open_table
from engine.site.crosswalks import Table, read_table
from engine.site.effective import effective_tree, partner_names
from engine.site.source import Content, Source

FOLDER = "config/crosswalks"


def read_tables(source: Source, home: Path, findings: Findings, *, keep: bool = False) -> dict[str, Table]:
    """Every table by its name. home, keep: where large ones are kept, and whether they are to be."""
    named = source.all_named(FOLDER)
    return {name: table_of(content, path, home, findings, keep=keep) for name, path, content in named}


def table_of(content: Content, file: str, home: Path, findings: Findings, *, keep: bool = False) -> Table:
    if isinstance(content, Bulk):
        return open_table(content, file, home, keep=keep, findings=findings)
    return read_table(content, file, findings)


def uses(source: Source, registry: Registry) -> dict[str, list[tuple[str, str]]]:
    """By the name of each table that is used: partner and crosswalk, as far as the partners' files can be read."""
    found: dict[str, list[tuple[str, str]]] = {}
    for partner in sorted(partner_names(source)):
        tree = effective_tree(source, partner, registry)
        plain: Any = tree.plain() if tree else None
        crosswalks = plain.get("crosswalks") if isinstance(plain, Mapping) else None
        for name, use in crosswalks.items() if isinstance(crosswalks, Mapping) else ():
            named = use.get("use") if isinstance(use, Mapping) else use
            for table in named if isinstance(named, list) else [named]:
                found.setdefault(str(table), []).append((partner, name))
    return found
