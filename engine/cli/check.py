"""`hilum check`: every mistake of every file of a site, at its place."""

from __future__ import annotations

import sys
import time
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
    from engine.site.load import load_site
    from engine.site.reference import site_root
    from engine.site.source import read_source

    began = time.perf_counter()
    root = folder or site_root(os.environ)
    talk(f"checking {root}")
    _, findings = load_site(root, wiring.registry(), os.environ, examples=True)
    if form:
        rows = [_row(found) for found in findings.found]
        show(rows, form, ("severity", "code", "place", "text", "hint"))
    else:
        _print(root, findings)
    files = len(read_source(root, Findings()).files)
    warnings = len(findings.found) - findings.errors
    took = time.perf_counter() - began
    found = f"{_count(findings.errors, 'error')}, {_count(warnings, 'warning')}"
    talk(f"checked {files} files in {took:.2f} s: {found}")
    sys.exit(3 if findings.errors else 0)


def print_findings(error: Any) -> None:
    """What a ConfigError of a whole site holds, as `check` prints it; a single one as all errors are printed."""
    from engine.cli.output import report_error

    findings = getattr(error, "findings", None)
    if findings is None:
        report_error(error)
        return
    _print(Path(getattr(error, "root", ".")), findings, err=True)


def _print(root: Path, findings: Any, *, err: bool = False) -> None:
    from engine.site.diagnostics import render

    colour = sys.stdout.isatty()
    for found in findings.found:
        path = root / found.mark.file
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        source = lines[found.mark.line - 1] if 0 < found.mark.line <= len(lines) else ""
        click.echo(render(found, source, colour=colour and not err), err=err)


def _row(found: Any) -> dict[str, Any]:
    return {
        "severity": found.severity, "code": found.code, "place": str(found.mark), "text": found.text, "hint": found.hint
    }  # fmt: skip


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
