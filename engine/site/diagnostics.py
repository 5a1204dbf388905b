"""Findings as people read them: code, sentence, place, the line itself with carets, and where to read more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engine.positions import Finding, Findings, Mark
from engine.site.yaml import lines_of

WIDTH: Final = 140  # of a source line that is shown
_COLOURS: Final = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "place": "\x1b[34m", "bold": "\x1b[1m"}
_END: Final = "\x1b[0m"
_CLEAR_SECRET: Final = "CFG204"


def render(finding: Finding, source_line: str, colour: bool = False) -> str:
    """The block of one finding, lines joined by newlines; source_line is empty when there is none to show."""
    paint = _Paint(colour)
    mark = finding.mark
    head = paint(finding.severity, f"{finding.severity}[{finding.code}]") + paint("bold", f": {finding.text}")
    margin = " " * len(str(mark.line))
    lines = [head, f"{margin}{paint('place', '-->')} {mark}"]
    if source_line.strip():
        line, column = _window(_shown(finding, source_line), mark.column)
        carets = "^" * max(1, min(mark.length, len(line) - column + 1))
        bar = paint("place", "|")
        pointed = paint(finding.severity, f"{carets} {finding.hint}".rstrip())
        lines += [
            f"{margin} {bar}",
            f"{paint('place', str(mark.line))} {bar} {line}",
            f"{margin} {bar} {' ' * (column - 1)}{pointed}",
        ]
    elif finding.hint:
        lines.append(f"{margin} {paint('place', '=')} {finding.hint}")
    lines.append(f"{margin} {paint('place', '=')} help: `hilum explain {finding.code}`")
    return "\n".join(lines)


def finding_data(finding: Finding) -> dict[str, Any]:
    """A finding as verbs and the control socket give it."""
    return {
        "severity": finding.severity, "code": finding.code, "place": str(finding.mark), "length": finding.mark.length,
        "text": finding.text, "hint": finding.hint,
    }  # fmt: skip


def finding_from(told: Mapping[str, Any]) -> Finding:
    """The reverse of `finding_data`."""
    file, line, column = told["place"].rsplit(":", 2)
    mark = Mark(file, int(line), int(column), told["length"])
    return Finding(told["code"], told["text"], mark, told["hint"], told["severity"])


def summary(files: int, seconds: float, findings: Findings) -> str:
    errors = findings.errors
    warnings = len(findings.found) - errors
    return (
        f"checked {_count(files, 'file')} in {seconds:.2f} s: {_count(errors, 'error')}, {_count(warnings, 'warning')}"
    )


def line_at(root: Path, mark: Mark) -> str:
    """The line of a site's file that a mark is on; empty when there is no such line."""
    try:
        lines = lines_of((root / mark.file).read_bytes().decode("utf-8-sig", "replace"))
    except OSError:
        return ""
    return lines[mark.line - 1] if mark.line <= len(lines) else ""


class _Paint:
    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, what: str, text: str) -> str:
        return f"{_COLOURS[what]}{text}{_END}" if self._colour else text


def _shown(finding: Finding, line: str) -> str:
    """The line without tabs and control characters; a secret written in clear is not written a second time."""
    line = "".join(character if character.isprintable() else " " for character in line)
    if finding.code == _CLEAR_SECRET:
        start = finding.mark.column - 1
        line = line[:start] + "*" * len(line[start : start + finding.mark.length]) + line[start + finding.mark.length :]
    return line


def _window(line: str, column: int) -> tuple[str, int]:
    """A long line is cut to what lies around the column."""
    start = max(0, min(column - WIDTH // 2, len(line) - WIDTH))
    return line[start : start + WIDTH].rstrip(), column - start


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
