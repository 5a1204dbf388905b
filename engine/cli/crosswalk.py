"""`hilum crosswalk`: code tables of the site, and the words that traffic asked for and they did not have."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from engine.cli.output import instant, output_options, show, talk
from engine.cli.reading import at_once, reader

_COLUMNS = ("table", "line", "partner", "enterprise", "keys", "from", "until")


@click.group()
def crosswalk() -> None:
    """Code tables: what there is, what a word means, what is missing, and new rows."""


@crosswalk.command("list")
@output_options
def list_(form: str | None) -> None:
    """List the site's tables: how many rows, and which partners use them under which name."""
    source, tables = _tables()
    used = _uses(source)
    rows = [_described(name, table, used.get(name, [])) for name, table in sorted(tables.items())]
    show(rows, form, ("table", "rows", "keys", "dated", "used_by"))


def _described(name: str, table: Any, uses: list[str]) -> dict[str, Any]:
    return {"table": name, "rows": table.count, "keys": list(table.columns), "dated": "yes" if table.dated else "no",
            "used_by": uses, "file": table.file}  # fmt: skip


@crosswalk.command("show")
@click.argument("table")
@click.argument("word")
@output_options
def show_(table: str, word: str, form: str | None) -> None:
    """Show the rows of TABLE in which WORD stands, as the partner's word or as ours."""
    _, found = _tables()
    if table not in found:
        _unknown(table, found)
    rows = [_row(table, found[table].columns, line, entry) for line, entry in _having(found[table], word)]
    show(rows, form, _COLUMNS)
    if not rows:
        talk(f"{found[table].file} has no row for {word}")
        sys.exit(5)


def _having(table: Any, word: str) -> Iterator[tuple[int, Any]]:
    """Rows with their lines. Where there are further keys, only reading all of them finds those of every one."""
    if table.columns:
        yield from ((entry.at, entry) for entry in table.rows() if word in {entry.theirs, entry.ours})
        return
    found = [*table.entries((word,), out=False)]
    found += [entry for entry in table.entries((word,), out=True) if entry not in found]
    yield from ((table.line(entry), entry) for entry in found)


def _row(name: str, columns: Sequence[str], line: int, entry: Any) -> dict[str, Any]:
    keys = {column: told for column, told in zip(columns, entry.others, strict=True) if told}
    return {"table": name, "line": line, "partner": entry.theirs, "enterprise": entry.ours, "keys": keys,
            "from": entry.since, "until": entry.until}  # fmt: skip


def _tables() -> tuple[Any, dict[str, Any]]:
    """The site's files, and its tables by name; one with mistakes as far as it is sound."""
    from engine.home import home
    from engine.positions import Findings
    from engine.site.reference import site_root
    from engine.site.shelf import read_tables
    from engine.site.source import read_source

    findings = Findings()
    source = read_source(site_root(os.environ), findings)
    tables = read_tables(source, home(), findings)
    if findings.errors:
        talk(f"{findings.errors} mistakes in the tables; `hilum check` tells them")
    return source, tables


def _uses(source: Any) -> dict[str, list[str]]:
    from engine import wiring
    from engine.site.shelf import uses

    return {table: [f"{partner}.{name}" for partner, name in used]
            for table, used in uses(source, wiring.registry()).items()}  # fmt: skip


def _unknown(table: str, known: Any) -> None:
    from engine.positions import did_you_mean

    hint = did_you_mean(table, known) or f"there is: {', '.join(list(known)[:12]) or 'none'}"
    talk(f"no table is called {table}. {hint}")
    sys.exit(5)


@crosswalk.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True))
@click.option("--table", required=True, help="The table of config/crosswalks that it is to be.")
@click.option("--limit", default=100, show_default=True, help="How many rows are listed of each kind.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@output_options
def load(file: str, table: str, limit: int, dry_run: bool, form: str | None) -> None:
    """Make FILE, a CSV, the table NAME of the site, after telling what that adds, changes and removes."""
    from engine.cli.crosswalk_load import load_table

    sys.exit(load_table(file, table, limit=limit, dry_run=dry_run, form=form))


@crosswalk.command("missing")
@click.option("--partner", default="", help="Only this partner's.")
@click.option("--table", default="", help="Only this table of config/crosswalks, or this crosswalk of a partner.")
@click.option("--state", type=click.Choice(["open", "resolved", "all"]), default="open", show_default=True)
@click.option("--limit", default=100, show_default=True, help="How many at most, those asked for most first.")
@output_options
def missing(partner: str, table: str, state: str, limit: int, form: str | None) -> None:
    """List words that traffic asked for and no table had, from the exceptions in the store."""
    found = [row for row in at_once(_missed(partner)) if _is_of(row, table) and _fits(row, state)]
    columns = ("partner", "crosswalk", "way", "word", "open", "resolved", "first", "last", "table")
    show([_missing(row) for row in found[:limit]], form, columns)
    if not found:
        talk("nothing is missing")
    elif len(found) > limit:
        talk(f"more than {limit}; narrow it, or raise --limit")


async def _missed(partner: str) -> list[Any]:
    async with reader() as store:
        return await store.missed(partner=partner)


def _fits(row: Any, state: str) -> bool:
    return state == "all" or bool(row.open) == (state == "open")


def _is_of(row: Any, table: str) -> bool:
    names = {os.path.basename(file).removesuffix(".csv") for file in row.table.split(", ")}
    return not table or table == row.crosswalk or table in names


def _missing(row: Any) -> dict[str, Any]:
    return {**row._asdict(), "first": f"M{row.first}", "last": f"M{row.last}", "last_at": instant(row.last_at)}
