"""Code tables: CSV files with the columns `partner,enterprise,description`, read both ways.

Several words of a partner may mean one of ours: the first is the one we write. One word of theirs never means two.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.positions import Findings, Mark

COLUMNS: Final = ["partner", "enterprise", "description"]


@dataclass(frozen=True, slots=True)
class Table:
    """inward: partner's word -> ours. outward: ours -> the first of theirs. file: where it comes from."""

    file: str
    inward: Mapping[str, str]
    outward: Mapping[str, str]


def read_table(content: bytes, file: str, findings: Findings) -> Table:
    """The table of a CSV file; every bad row is a finding at its line (CFG402-CFG405)."""
    inward: dict[str, str] = {}
    outward: dict[str, str] = {}
    table = Table(file, inward, outward)
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if next(rows, []) != COLUMNS:
            findings.error("CFG405", "the first row must name the columns", Mark(file), ",".join(COLUMNS))
            return table
        line, lines = 2, dict[str, int]()
        for row in rows:
            if row:
                _add(row, Mark(file, line), inward, outward, lines, findings)
            line = rows.line_num + 1
    except (UnicodeDecodeError, csv.Error) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        findings.error("CFG405", f"the table cannot be read: {reason}", Mark(file))
    return table


def _add(
    row: list[str],
    mark: Mark,
    inward: dict[str, str],
    outward: dict[str, str],
    lines: dict[str, int],
    findings: Findings,
) -> None:
    if len(row) not in {2, 3}:
        findings.error("CFG405", f"the row has {len(row)} columns", mark, f"give {','.join(COLUMNS)}; quote commas")
        return
    theirs, ours = row[0].strip(), row[1].strip()
    if not theirs or not ours:
        findings.error("CFG404", f"the {'enterprise' if theirs else 'partner'} column is empty", mark)
    elif theirs not in inward:
        inward[theirs], lines[theirs] = ours, mark.line
        outward.setdefault(ours, theirs)
    elif inward[theirs] == ours:
        findings.error("CFG402", f"the row of line {lines[theirs]} stands here again", mark, "remove one of them")
    else:
        text = f"line {lines[theirs]} says that the same partner code means something else"
        findings.error("CFG403", text, mark, "one code of a partner can mean one thing only")
