"""A list of plain records that is also a file of JSON lines, so that a party remembers across restarts.

A line is written whole before its record counts; a last line torn by a kill is dropped when the file is read again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Records:
    """What a party saw and did, in order. Without a path it lives in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rows: list[Row] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._rows = read(path)
            _drop_torn_end(path)

    def add(self, **row: Any) -> Row:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._rows.append(row)
        return row

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def where(self, test: Callable[[Row], bool] | None = None, **equal: Any) -> list[Row]:
        """Rows whose named fields have these values (and that pass the test)."""
        found = [row for row in self._rows if all(row.get(name) == value for name, value in equal.items())]
        return [row for row in found if test(row)] if test else found


def read(path: Path) -> list[Row]:
    """The whole lines of a record file; none when there is no file. Safe while its party still writes."""
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines() if line]


def _drop_torn_end(path: Path) -> None:
    if not path.exists():
        return
    raw = path.read_bytes()
    whole = raw.rfind(b"\n") + 1
    if whole != len(raw):
        with path.open("r+b") as file:
            file.truncate(whole)
