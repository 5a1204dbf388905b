"""`hilum partner new`: asks on a terminal for what no flag says, and writes nothing that is wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from engine.cli.output import report_error, talk


def new(name: str, given: dict[str, Any], tables: list[tuple[str, bytes]], dry_run: bool) -> int:
    """Returns the exit code. given: the fields of a `Wish`, None where no flag says."""
    from engine import wiring
    from engine.errors import ConfigError
    from engine.positions import Findings
    from engine.site.new_partner import Wish, judged, new_files
    from engine.site.reference import site_root
    from engine.site.source import read_source

    root, registry = site_root(os.environ), wiring.registry()
    source = read_source(root, Findings())
    templates = [found for found, _, _ in source.named("partners/templates")]
    told = _asked(given, templates)
    wish = Wish(name, **told, tables=dict(tables))
    try:
        made = new_files(wish, source, registry)
    except ConfigError as error:
        return 4 if report_error(error) and error.code == "CFG340" else 3
    found = judged(made, source, registry, os.environ)
    if any(one.severity == "error" for one in found):
        _show_findings(found, made)
        talk("nothing was written")
        return 3
    for path, content in made.items():
        if not dry_run:
            _write(root / path, content)
        click.echo(f"{'would write' if dry_run else 'wrote'}\t{path}")
    if not dry_run:
        talk(_next(name, made))
    return 0


def _asked(given: dict[str, Any], templates: list[str]) -> dict[str, Any]:
    """A terminal is asked for what is missing; elsewhere a flag that is needed and missing is a usage error."""
    told = {key: value for key, value in given.items() if value is not None}
    if sys.stdin.isatty():
        for key, question, default in (
            ("template", "Template", templates[0] if templates else ""),
            ("title", "Name as people say it", ""),
            ("isa", "Their interchange id, QUALIFIER:ID (ISA05, ISA06)", None),
            ("gs", "Their application code (GS02); empty: as in ISA06", ""),
            ("code", "What the ERP calls them; empty: nothing yet", ""),
            ("contact", "Mail address of their EDI desk", ""),
        ):
            if key not in told:
                told[key] = click.prompt(question, default=default, err=True)
    elif "isa" not in told:
        raise click.UsageError("--isa is needed: QUALIFIER:ID of ISA05 and ISA06, such as 01:081234567")
    if "template" not in told:
        if len(templates) != 1:
            raise click.UsageError(f"--template is needed; there is: {', '.join(templates) or 'none'}")
        told["template"] = templates[0]
    return told


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a running daemon may read the site at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.tmp")
    part.write_bytes(content)
    part.replace(path)


def _show_findings(found: list[Any], made: dict[str, bytes]) -> None:
    from engine.site.diagnostics import render
    from engine.site.yaml import lines_of

    for one in found:
        lines = lines_of(made[one.mark.file].decode()) if one.mark.file in made else []
        click.echo(render(one, lines[one.mark.line - 1] if one.mark.line <= len(lines) else ""), err=True)


def _next(name: str, made: dict[str, bytes]) -> str:
    empty = [path for path, content in made.items() if path.endswith(".csv") and content.count(b"\n") < 2]
    fill = f"fill {' and '.join(empty)}; then " if empty else ""
    return f"{name} is a draft: nothing is sent to it\nnext: {fill}hilum partner test {name}"
