"""What tells two editions of a code table apart, and what in the new one nothing else of the site knows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from engine.site.crosswalks import Table, holding
from engine.site.rows import Entry

_MANY: Final = 50_000  # rows


class Difference(NamedTuple):
    """how: added, changed, removed, written or unmatched. was: of a row that is changed; for what is written, the row
    that was written before. why: of what is unmatched.
    """

    how: str
    entry: Entry
    was: Entry | None = None
    why: str = ""


def differences(old: Table | None, new: Table) -> Iterator[Difference]:
    """Row by row: a row is the same one if it has the same partner's word, further keys and first day."""
    same_heading = old is not None and old.columns == new.columns
    known = {_content(entry) for entry in old.rows()} if old is not None and same_heading else set()
    for entry in new.rows():
        if _content(entry) not in known:
            was = _same(old, entry) if old is not None and same_heading else None
            yield Difference("changed" if was else "added", entry, was)
    del known
    if old is not None:
        kept = {_content(entry) for entry in new.rows()} if same_heading else set()
        for entry in old.rows():
            if _content(entry) not in kept and not (same_heading and _same(new, entry)):
                yield Difference("removed", entry)


def written(old: Table | None, new: Table) -> Iterator[Difference]:
    """Words of ours for which another of the partner's words is written now, though the old one is still there.

    So does the mere order of rows decide. Looked for in tables that are not large.
    """
    if old is None or old.columns != new.columns or max(old.count, new.count) > _MANY:
        return
    for key in dict.fromkeys(entry.key(out=True) for entry in new.rows()):
        was, now = (holding(table.entries(key, out=True), "") for table in (old, new))
        kept = _same(new, was) if was and now and was.theirs != now.theirs else None
        if was and now and kept and kept.ours == was.ours:
            yield Difference("written", now, was)


def unmatched(
    new: Sequence[Entry], columns: Sequence[str], known: Mapping[str, Sequence[Table]]
) -> Iterator[Difference]:
    """Words of ours that no other table of their kind has: they are new, or misspelt.

    known: by "" the other tables that are used under the same name, by a further key those used under its name. Where
    there are none, nothing can be said.
    """
    for entry in new:
        if not _is_known(known.get("", ()), entry.ours):
            yield Difference("unmatched", entry, why=f"no other table has our '{entry.ours}'")
        for column, word in zip(columns, entry.others, strict=True):
            if word and not _is_known(known.get(column, ()), word):
                yield Difference("unmatched", entry, why=f"no table has our {column} '{word}'")


def _is_known(tables: Sequence[Table], word: str) -> bool:
    return not tables or any(_has(table, word) for table in tables)


def _has(table: Table, word: str) -> bool:
    if not table.columns:
        return bool(table.entries((word,), out=True))
    return any(entry.ours == word for entry in table.rows())  # of few tables and small ones: units


def _content(entry: Entry) -> int:
    """64 bits, since a million rows themselves would fill the memory."""
    return hash(entry[1:])


def _same(table: Table, entry: Entry) -> Entry | None:
    found = table.entries(entry.key(out=False), out=False)
    return next((one for one in found if one.since == entry.since), None)
