"""What verbs print: results to stdout in the form asked for, talk to stderr. Terminals get tables, pipes get TSV."""

from __future__ import annotations

import datetime as dt
import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import click

from engine.cli.data import as_json
from engine.errors import ConfigError, HilumError, Refused, Rejected, Unavailable

FORMS = ("table", "wide", "json", "jsonl", "yaml", "csv")
Row = Mapping[str, Any]
# What the daemon, or the worklist in its place, says no with.
_CONTROL = {
    "control.name": 5,
    "control.conflict": 4,
    "control.resolved": 4,
    "control.nothing": 4,
    "control.number": 4,
    "control.absent": 6,
}
_Verb = TypeVar("_Verb", bound=Callable[..., Any])


def output_options(verb: _Verb) -> _Verb:
    """`-o FORM` and `--json` on a verb, arriving as the argument `form` ('' when not given)."""
    form = click.option("-o", "form", type=click.Choice(FORMS), default=None, help="Form of the output.")
    short = click.option("--json", "form", flag_value="json", help="Same as -o json.")
    return form(short(verb))


def rehearsed(help: str) -> Callable[[_Verb], _Verb]:
    """`--dry-run` on a verb that prints a result only then, with the forms it may have (`dry_run` and `form`)."""

    def add(verb: _Verb) -> _Verb:
        @functools.wraps(verb)
        def checked(*, dry_run: bool, form: str | None, **given: Any) -> Any:
            if form and not dry_run:
                raise click.UsageError("-o and --json go with --dry-run")
            return verb(dry_run=dry_run, form=form, **given)

        option = click.option("--dry-run", is_flag=True, help=help)
        return option(output_options(cast(_Verb, checked)))

    return add


def show(rows: Sequence[Row], form: str | None, columns: Sequence[str]) -> None:
    """Print rows. `columns` are shown in tables; json, jsonl and yaml hold every field, csv and wide too."""
    if form == "json":
        click.echo(as_json(list(rows)))
    elif form == "jsonl":
        for row in rows:
            click.echo(json.dumps(row, default=str, ensure_ascii=False))
    elif form == "yaml":
        click.echo(_as_yaml(list(rows)), nl=False)
    elif form == "csv":
        click.echo(_as_csv(rows), nl=False)
    else:
        wide = list(dict.fromkeys(name for row in rows for name in row)) if form == "wide" and rows else list(columns)
        _table(rows, wide, forced=form is not None)


def show_one(row: Row, form: str | None) -> None:
    """Print one record: fields below each other, or as data."""
    if form in {None, "table", "wide"}:
        width = max((len(name) for name in row), default=0)
        for name, value in row.items():
            told = plain(_cell(value))
            click.echo(f"{name:<{width}}  {told}" if sys.stdout.isatty() else f"{name}\t{told}")
    elif form == "json":
        click.echo(as_json(row))
    else:
        show([row], form, list(row))


def plain(text: str) -> str:
    """The text as one line that commands no terminal, whatever a partner wrote into it."""
    return text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)


def talk(text: str) -> None:
    click.echo(text, err=True)


def instant(at: int | None) -> str:
    """Microseconds since the epoch as RFC 3339 UTC; empty for never."""
    if not at:
        return ""
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def report_error(error: HilumError) -> int:
    """Print an error the way all are printed; returns the exit code that goes with it."""
    place = f"\n  --> {error.place}" if error.place else ""
    hint = f"\n   = help: {error.hint}" if error.hint else ""
    talk(f"error[{error.code}]: {error.text}{place}{hint}\n   = help: `hilum explain {error.code}`")
    return exit_code(error)


def exit_code(error: HilumError) -> int:
    if isinstance(error, ConfigError) or error.code.startswith(("CFG", "MAP")):
        return 3
    if error.code.startswith("control."):
        return _CONTROL.get(error.code, 1)
    if isinstance(error, Unavailable):
        return 6
    return 7 if isinstance(error, (Rejected, Refused)) else 1


def _table(rows: Sequence[Row], columns: Sequence[str], *, forced: bool) -> None:
    if not (sys.stdout.isatty() or forced):
        for row in rows:
            click.echo("\t".join(plain(_cell(row.get(name))) for name in columns))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(plain(_cell(row.get(name))) for name in columns))
    width = None if sys.stdout.isatty() else 240  # a pipe has no width to fit into
    Console(highlight=False, markup=False, width=width).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={content}" for name, content in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


def _as_csv(rows: Sequence[Row]) -> str:
    import csv
    import io

    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return text.getvalue()


def _as_yaml(rows: list[Row]) -> str:
    from engine.site.yaml import dump

    return dump(json.loads(json.dumps(rows, default=str)))
