"""Code tables: which word of a partner is which word of ours, read both ways from CSV files.

One word of a partner's means one thing on one day. Several may mean one of ours: the one that came last into force is
written, and of those the first. Tables of any size go by the same rules: small ones in memory, large ones in `bulk`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Protocol

from engine.positions import Findings, Mark
from engine.site.rows import Entry, Key, Rows, clash


class Table(Protocol):
    """What partners translate by. columns: names of the further keys. count: its rows."""

    @property
    def file(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def dated(self) -> bool: ...
    @property
    def count(self) -> int: ...
    def entries(self, key: Key, *, out: bool) -> Sequence[Entry]:
        """The rows of exactly this key, in the order of the file. out: the key is ours."""
        ...

    def rows(self) -> Iterator[Entry]: ...
    def line(self, entry: Entry) -> int: ...


# --- small tables ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SmallTable:
    """A table in memory. inward, outward: its rows by the partner's key, and by ours."""

    file: str
    columns: tuple[str, ...]
    dated: bool
    count: int
    inward: Mapping[Key, Sequence[Entry]]
    outward: Mapping[Key, Sequence[Entry]]

    def entries(self, key: Key, *, out: bool) -> Sequence[Entry]:
        return (self.outward if out else self.inward).get(key, ())

    def rows(self) -> Iterator[Entry]:
        return iter(sorted(entry for entries in self.inward.values() for entry in entries))

    def line(self, entry: Entry) -> int:
        return entry.at


def read_table(content: bytes, file: str, findings: Findings) -> SmallTable:
    """The table of a CSV file as far as it is sound; what is not is a finding (CFG402-CFG406)."""
    rows = Rows(io.BytesIO(content), file, findings)
    inward: dict[Key, list[Entry]] = {}
    outward: dict[Key, list[Entry]] = {}
    count = 0
    for _, entry in rows:
        same = inward.setdefault(entry.key(out=False), [])
        if not clash(entry, Mark(file, entry.at), same, lambda other: other.at, findings):
            same.append(entry)
            outward.setdefault(entry.key(out=True), []).append(entry)
            count += 1
    heading = rows.heading
    return SmallTable(file, heading.columns if heading else (), bool(heading and heading.dated), count, inward, outward)


# --- looking up ------------------------------------------------------------------------------------------------------
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Search:
    """One direction through several tables: the first of them that knows a word tells.

    out: from our words to the partner's. day: ISO 8601; without one, the row that came last into force tells.
    """

    tables: tuple[Table, ...]
    out: bool
    day: str = ""

    def get(self, word: str, others: Mapping[str, str] = _NOTHING) -> str | None:
        """others: our words for further keys, by column; the row that names most of them tells."""
        for table in self.tables:
            for key in _keys(word, table.columns, others):
                if (found := holding(table.entries(key, out=self.out), self.day)) is not None:
                    return found.theirs if self.out else found.ours
        return None


def holding(entries: Sequence[Entry], day: str) -> Entry | None:
    """Of the rows of a key the one that holds: the last to come into force, and of those the first."""
    held = [entry for entry in entries if entry.holds(day)] if day else entries
    return max(held, key=lambda entry: entry.since, default=None)


def _keys(word: str, columns: Sequence[str], others: Mapping[str, str]) -> Iterator[Key]:
    """The keys to look for, the most particular first."""
    if not columns:
        yield (word,)
        return
    told = [(others[column], "") if others.get(column) else ("",) for column in columns]
    for rest in sorted(product(*told), key=lambda rest: rest.count("")):
        yield word, *rest


def directions(tables: tuple[Table, ...]) -> tuple[Mapping[str, str] | Search, Mapping[str, str] | Search]:
    """What a mapping asks, inward and out: plain dictionaries where one small table will do."""
    table = tables[0]
    if len(tables) == 1 and isinstance(table, SmallTable) and not table.dated and not table.columns:
        inward = {entries[0].theirs: entries[0].ours for entries in table.inward.values()}
        return inward, {entries[0].ours: entries[0].theirs for entries in table.outward.values()}
    return Search(tables, out=False), Search(tables, out=True)
