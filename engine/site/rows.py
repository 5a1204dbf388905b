"""The rows of code tables: what the columns of a CSV file mean, and what is wrong with a row.

The heading names the columns: `partner` and `enterprise`; as wanted `from` and `until`, the first and last day a row
holds, and `description`; any other name is a further key, such as `item`, in words of ours.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from engine.positions import Findings, Mark

COLUMNS: Final = ("partner", "enterprise", "description")  # of a table that is begun
MOST_FAULTS: Final = 100  # told of one table; more are the same mistake again
_MOST_KEYS: Final = 3  # beside the word itself
_NAMED: Final = frozenset({"partner", "enterprise", "from", "until", "description"})
_KEY_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_BOM: Final = b"\xef\xbb\xbf"

Key = tuple[str, ...]  # a word, and one word per further key ("": any)


class Entry(NamedTuple):
    """One row. others: our words for the further keys, "" where it holds for any. since, until: its first and last
    day, ISO 8601, "" open. at: its line, or in a large table its byte.
    """

    at: int
    theirs: str
    ours: str
    others: tuple[str, ...] = ()
    since: str = ""
    until: str = ""

    def key(self, *, out: bool) -> Key:
        return (self.ours if out else self.theirs, *self.others)

    def holds(self, day: str) -> bool:
        return self.since <= day and (not self.until or day <= self.until)

    def overlaps(self, other: Entry) -> bool:
        return not (self.until and self.until < other.since) and not (other.until and other.until < self.since)


_entry = partial(tuple.__new__, Entry)  # of a tuple: in half the time


# --- reading rows ----------------------------------------------------------------------------------------------------
class Heading(NamedTuple):
    """Which cell of a row is what. since, until: -1 for none. needed: cells a row must have at least."""

    theirs: int
    ours: int
    others: tuple[int, ...]
    since: int
    until: int
    needed: int
    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.names[cell] for cell in self.others)

    @property
    def dated(self) -> bool:
        return self.since >= 0 or self.until >= 0

    def entry(self, row: Sequence[str], at: int) -> Entry:
        """The row of some cells, which must be enough."""
        since = row[self.since].strip() if self.since >= 0 else ""
        until = row[self.until].strip() if self.until >= 0 else ""
        others = tuple([row[cell].strip() for cell in self.others])
        return Entry(at, row[self.theirs].strip(), row[self.ours].strip(), others, since, until)


class Rows:
    """The rows of a CSV file in turn, each with the byte it begins at; every bad one is a finding at its line
    (CFG404-CFG406). heading: None when it is no table at all.
    """

    def __init__(self, lines: Iterable[bytes], file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._given = 0  # bytes taken from `lines`
        self._cells = csv.reader(self._texts(lines), strict=True)
        self.heading: Heading | None = None
        try:
            self.heading = _heading(next(self._cells, []), Mark(file), findings)
        except (UnicodeDecodeError, csv.Error) as error:
            self._broken(error)

    def __iter__(self) -> Iterator[tuple[int, Entry]]:
        if self.heading is None:
            return
        try:
            yield from self._entries(self.heading)
        except (UnicodeDecodeError, csv.Error) as error:
            self._broken(error)

    def _entries(self, heading: Heading) -> Iterator[tuple[int, Entry]]:
        cells, found, file = self._cells, self._findings.found, self._file
        theirs, ours, needed, width = heading.theirs, heading.ours, heading.needed, len(heading.names)
        plain, most = not heading.others and not heading.dated, len(found) + MOST_FAULTS
        before, line = self._given, cells.line_num + 1
        for row in cells:
            if plain and needed <= len(row) <= width and (told := row[theirs].strip()) and (own := row[ours].strip()):
                yield before, _entry((line, told, own, (), "", ""))
            elif row:
                entry = self._entry(row, heading, Mark(file, line))
                if entry is not None:
                    yield before, entry
            if len(found) >= most:
                self._findings.error("CFG405", "there are too many mistakes: the rest was not read", Mark(file, line))
                return
            before, line = self._given, cells.line_num + 1

    def _texts(self, lines: Iterable[bytes]) -> Iterator[str]:
        for raw in lines:
            text = (raw if self._given else raw.removeprefix(_BOM)).decode()
            self._given += len(raw)
            yield text

    def _broken(self, error: Exception) -> None:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        mark = Mark(self._file, self._cells.line_num + 1)
        self._findings.error("CFG405", f"the table cannot be read: {reason}", mark)

    def _entry(self, row: list[str], heading: Heading, mark: Mark) -> Entry | None:
        known = self._findings.errors
        if not heading.needed <= len(row) <= len(heading.names):
            hint = f"give {','.join(heading.names)}; quote commas"
            self._findings.error("CFG405", f"the row has {len(row)} columns", mark, hint)
            return None
        cells = [cell.strip() for cell in row]
        for name, cell in (("partner", heading.theirs), ("enterprise", heading.ours)):
            if not cells[cell]:
                self._findings.error("CFG404", f"the {name} column is empty", mark)
        entry = heading.entry(cells, mark.line)
        if not all(_is_day(day) for day in (entry.since, entry.until) if day):
            self._findings.error("CFG406", "a row's from or until is no day", mark, "write it as 2026-11-21")
        elif entry.until and entry.until < entry.since:
            self._findings.error("CFG406", "the row ends before it begins", mark)
        return None if self._findings.errors > known else entry


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _heading(names: list[str], mark: Mark, findings: Findings) -> Heading | None:
    known = findings.errors
    names = [name.strip() for name in names]
    for name in ("partner", "enterprise"):
        if name not in names:
            text = "the first row must name the columns, partner and enterprise among them"
            findings.error("CFG405", text, mark, "partner,enterprise,description")
            return None
    others = tuple(cell for cell, name in enumerate(names) if name not in _NAMED)
    for name in (name for cell, name in enumerate(names) if name in names[:cell]):
        findings.error("CFG405", f"two columns are called '{name}'", mark)
    if any(not _KEY_NAME.fullmatch(names[cell]) for cell in others) or len(others) > _MOST_KEYS:
        text = f"beside {', '.join(sorted(_NAMED))} a table has at most {_MOST_KEYS} columns, with names such as item"
        findings.error("CFG405", text, mark)
    if findings.errors > known:
        return None
    place = {name: cell for cell, name in enumerate(names)}
    since, until = place.get("from", -1), place.get("until", -1)
    needed = 1 + max(place["partner"], place["enterprise"], since, until, *others)
    return Heading(place["partner"], place["enterprise"], others, since, until, needed, tuple(names))


def clash(entry: Entry, mark: Mark, others: Iterable[Entry], line: Callable[[Entry], int], findings: Findings) -> bool:
    """Whether a row says again, or otherwise, what one of its key says for the same days (CFG402, CFG403)."""
    for other in others:
        if not entry.overlaps(other):
            continue
        if entry.ours == other.ours:
            findings.error("CFG402", f"the row of line {line(other)} stands here again", mark, "remove one of them")
        else:
            text = f"line {line(other)} says that the same partner code means something else"
            dated = any((entry.since, entry.until, other.since, other.until))
            hint = f"one code of a partner can mean one thing only{' at one time' if dated else ''}"
            findings.error("CFG403", text, mark, hint)
        return True
    return False
