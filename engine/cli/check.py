"""`hilum check`: every mistake of every file of a site, at its place."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.output import output_options, show, talk


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@output_options
def check(folder: Path | None, form: str | None) -> None:
    """Check a site (default: HILUM_SITE, or here): YAML, references, mappings and their examples."""
    import os

    from engine import wiring
    from engine.positions import Findings
    from engine.site.diagnostics import finding_data, summary
    from engine.site.load import load_site
    from engine.site.reference import site_root
    from engine.site.source import read_source

    began = time.perf_counter()
    root = folder or site_root(os.environ)
    talk(f"checking {root}")
    _, findings = load_site(root, wiring.registry(), os.environ, examples=True)
    if form:
        rows = [finding_data(found) for found in findings.found]
        show(rows, form, ("severity", "code", "place", "text", "hint"))
    else:
        print_found(root, findings.found)
    files = len(read_source(root, Findings()).files)
    talk(summary(files, time.perf_counter() - began, findings))
    sys.exit(3 if findings.errors else 0)


def print_findings(error: Any) -> None:
    """What a ConfigError of a whole site holds, as `check` prints it; a single one as all errors are printed."""
    from engine.cli.output import report_error

    findings = getattr(error, "findings", None)
    if findings is None:
        report_error(error)
        return
    print_found(Path(getattr(error, "root", ".")), findings.found, err=True)


def print_found(root: Path, found: Sequence[Any], *, err: bool = False) -> None:
    """Findings of the site at `root`, each with its line."""
    from engine.site.diagnostics import line_at, render

    colour = sys.stdout.isatty() and not err
    for one in found:
        click.echo(render(one, line_at(root, one.mark), colour=colour), err=err)
