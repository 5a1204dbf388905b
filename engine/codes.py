"""Every error code with its meaning and what to do: what `hilum explain CODE` tells. The table is `engine/codes.txt`.

One line a code: `code|title|meaning|what to do`. Importing this module reads the table, and only `explain` imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """title: a few words. meaning: what has happened and why it matters. fix: what to do about it."""

    code: str
    title: str
    meaning: str
    fix: str


def parse(text: str) -> dict[str, Code]:
    """The table by code. Raises ValueError for a line that is not four texts, or a code that stands twice."""
    codes: dict[str, Code] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        code = Code(*_cells(line))
        if code.code in codes:
            raise ValueError(f"{code.code} stands twice")
        codes[code.code] = code
    return codes


def _cells(line: str) -> tuple[str, str, str, str]:
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) != 4 or not all(cells):
        raise ValueError(f"not code|title|meaning|what to do: {line[:40]}")
    return cells[0], cells[1], cells[2], cells[3]


CODES: Final[Mapping[str, Code]] = parse(resources.files("engine").joinpath("codes.txt").read_text("utf-8"))


def explain(code: str) -> Code | None:
    """What a code means, however it is capitalised; None when no error has it."""
    return CODES.get(code) or CODES.get(code.upper()) or CODES.get(code.lower())
