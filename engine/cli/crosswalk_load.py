"""`hilum crosswalk load`: a CSV becomes a table of the site, whole or not at all, after its changes are told."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click

from engine.cli.output import show, talk
from engine.home import home, store_file
from engine.positions import Findings
from engine.site.crosswalks import Table
from engine.site.revise import Difference, differences, unmatched, written
from engine.site.shapes import NAME
from engine.site.shelf import FOLDER, read_tables, table_of, uses
from engine.site.source import Content, Source, read_file, read_source

_KINDS = ("added", "changed", "removed", "written", "unmatched")
_COLUMNS = ("change", "line", "partner", "enterprise", "was", "keys", "from", "until", "why")


def load_table(file: str, name: str, *, limit: int, dry_run: bool, form: str | None) -> int:
    """Returns the exit code: 3 when the file has mistakes, 4 when the site cannot be written by this user."""
    from engine.site.reference import site_root

    root, findings = site_root(os.environ), Findings()
    target = root / FOLDER / f"{name}.csv"
    if not re.fullmatch(NAME, name):
        raise click.UsageError(f"'{name}' is no name of a table: lower case, digits and _, such as acme_units")
    if not _is_ours(target):
        talk(f"{target} cannot be written by this user; name a site of your own by HILUM_SITE")
        return 4
    content = read_file(Path(file), file, findings)
    kept = not dry_run and os.path.exists(store_file())
    new = table_of(content, file, home(), findings, keep=kept) if content is not None else None
    if new is None or content is None or findings.errors:
        return _wrong(findings)
    source = read_source(root, Findings())
    tables = read_tables(source, home(), Findings())
    found, counts = _told(tables.pop(name, None), new, _known(name, source, new, tables), limit)
    show([_row(new, one) for one in found], form, _COLUMNS)
    if not dry_run:
        _write(content, Path(file), target)
    _say(name, counts, dry_run=dry_run, shown=len(found))
    return 0


def _is_ours(target: Path) -> bool:
    nearest = next(path for path in target.parents if path.exists())
    return os.access(nearest, os.W_OK)


def _wrong(findings: Findings) -> int:
    from engine.site.diagnostics import render

    for one in findings.found:
        talk(render(one, "", colour=False))
    talk("nothing was written")
    return 3


def _known(name: str, source: Source, new: Table, tables: Mapping[str, Table]) -> dict[str, Sequence[Table]]:
    """The tables that the new one's words of ours should stand in, too."""
    from engine import wiring

    used = uses(source, wiring.registry())
    own = {crosswalk for _, crosswalk in used.get(name, ())}
    if not used.get(name):
        talk(f"no partner uses a table {name} yet")

    def under(crosswalks: set[str]) -> list[Table]:
        return [table for one, table in tables.items() if crosswalks & {word for _, word in used.get(one, ())}]

    return {"": under(own), **{column: under({column}) for column in new.columns}}


def _told(
    old: Table | None, new: Table, known: Mapping[str, Sequence[Table]], limit: int
) -> tuple[list[Difference], Counter[str]]:
    """The first of each kind, and how many there are of each."""
    found: list[Difference] = []
    counts: Counter[str] = Counter()
    for one in chain(differences(old, new), written(old, new)):
        strange = () if one.how in {"removed", "written"} else unmatched([one.entry], new.columns, known)
        for told in (one, *strange):
            counts[told.how] += 1
            if counts[told.how] <= limit:
                found.append(told)
    return sorted(found, key=lambda told: _KINDS.index(told.how)), counts


def _row(new: Table, one: Difference) -> dict[str, Any]:
    entry = one.entry
    keys = dict(zip(new.columns, entry.others, strict=False)) if any(entry.others) else {}
    return {"change": one.how, "line": entry.at if one.how != "removed" else None, "partner": entry.theirs,
            "enterprise": entry.ours, "was": _was(one), "keys": keys, "from": entry.since,
            "until": entry.until, "why": one.why}  # fmt: skip


def _was(one: Difference) -> str:
    """Of a row that is changed, what our word was; of what is written, the partner's word that was."""
    if one.was is None:
        return ""
    return one.was.theirs if one.how == "written" else one.was.ours


def _write(content: Content, file: Path, target: Path) -> None:
    """Whole or not at all: a daemon that reloads meanwhile sees the old table or the new one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as place:
            if isinstance(content, bytes):
                place.write(content)
            else:
                import shutil

                with file.open("rb") as given:
                    shutil.copyfileobj(given, place, 1 << 20)
            place.flush()
            if target.exists():
                os.fchmod(place.fileno(), target.stat().st_mode & 0o777)
            os.fsync(place.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _say(name: str, counts: Mapping[str, int], *, dry_run: bool, shown: int) -> None:
    told = ", ".join(f"{counts[kind]:,} {kind}" for kind in _KINDS if counts[kind]) or "no row differs"
    if sum(counts.values()) > shown:
        told += f" ({shown} listed)"
    after = "nothing was written" if dry_run else "written; a running daemon takes it at `hilum reload`"
    talk(f"{name}: {told}; {after}")
