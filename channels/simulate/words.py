"""The words a hospital uses for items, units, departments and itself: the partner's side of the site's crosswalks.

Only the CSV files are read (`partner,enterprise,description`); the simulated hospital knows nothing of the engine.
"""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Word:
    partner: str
    enterprise: str
    description: str


@dataclass(frozen=True, slots=True)
class Words:
    facilities: tuple[Word, ...]
    items: tuple[Word, ...]
    units: tuple[Word, ...]
    departments: tuple[Word, ...]

    def unit_for(self, item: Word, *, short: bool) -> str:
        """The unit an item is usually asked for in: always the same one. short: the code older systems send."""
        usual = ("EA", "BX", "CA")[zlib.crc32(item.partner.encode()) % 3]
        names = [word.partner for word in self.units if word.enterprise == usual] or [self.units[0].partner]
        return min(names, key=len) if short else max(names, key=len)


def load(site: Path) -> Words:
    """The EHR's crosswalks of a site folder. Raises OSError when a file is missing, KeyError when a column is."""
    folder = site / "config" / "crosswalks"
    tables = {name: _table(folder / f"ehr_{name}.csv") for name in ("facilities", "items", "units", "departments")}
    return Words(**tables)


def _table(path: Path) -> tuple[Word, ...]:
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(Word(row["partner"], row["enterprise"], row["description"]) for row in csv.DictReader(file))
