"""`hilum explain` and `hilum version`."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import click

from engine.cli.output import output_options, show, show_one, talk


@click.command()
@click.argument("code", required=False)
@output_options
def explain(code: str | None, form: str | None) -> None:
    """Explain an error code: what it means and what to do. Without CODE: list them all."""
    from engine.codes import CODES
    from engine.positions import did_you_mean

    if code is None:
        show([_row(entry) for entry in CODES.values()], form, ("code", "title"))
        return
    entry = CODES.get(code) or CODES.get(code.upper()) or CODES.get(code.lower())
    if entry is None:
        talk(" ".join(filter(None, [f"no error has the code {code}.", did_you_mean(code, CODES)])))
        sys.exit(5)
    if form:
        show_one(_row(entry), form)
        return
    click.echo(f"{entry.code}: {entry.title}\n\n{entry.meaning}\n\nWhat to do: {entry.fix}")


def _row(entry: object) -> dict[str, str]:
    return {name: getattr(entry, name) for name in ("code", "title", "meaning", "fix")}


@click.command()
def version() -> None:
    """Print the version."""
    try:
        click.echo(f"hilum {installed('hilum')}")
    except PackageNotFoundError:
        click.echo("hilum (not installed)")
