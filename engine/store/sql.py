"""Named queries, multi-row statements, connections and migrations of the SQLite store.

sqlite3 gives up the GIL at every step; beside a busy event loop each step then costs a switch interval. So the writer
never runs one statement per row: `write` binds many rows to one statement, in a few fixed sizes that stay prepared.
"""

from __future__ import annotations

import os
import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from engine.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

_HERE = os.path.dirname(__file__)
_MIGRATIONS = os.path.join(_HERE, "migrations")

# Rows per statement. Few and fixed, so that each stays prepared; close to each other, so that few statements do.
SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)
# KiB of pages. More was measured and gains nothing: what is written is new or was written just now, and behind these
# caches stands that of the system.
WRITER_CACHE = 4_000
READER_CACHE = 2_000
CHUNK = 1 << 20  # bytes of a body per row
CHUNKS = 4096  # chunks a body may have


@cache
def queries() -> dict[str, str]:
    """All named queries of `queries.sql`."""
    parts = ("\n" + _text(_HERE, "queries.sql")).split("\n-- name: ")[1:]
    named = [part.partition("\n") for part in parts]
    return {name: _bare(body) for name, _, body in named}


def _text(folder: str, file: str) -> str:
    # by its path: importlib.resources and pathlib would take a verb longer to load than its queries take to run
    with open(os.path.join(folder, file), encoding="utf-8") as opened:
        return opened.read()


def _bare(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if line and not line.startswith("--"))


@cache
def statement(name: str, columns: int, size: int) -> str:
    """The named query for `size` rows of so many columns."""
    row = "(" + ", ".join("?" * columns) + ")"
    return queries()[name].replace("{rows}", "VALUES " + ", ".join([row] * size))


def write(con: sqlite3.Connection, name: str, rows: Sequence[Sequence[Any]]) -> int:
    """Run a `{rows}` query over all rows; returns the number of rows changed."""
    return sum([con.execute(text, values).rowcount for text, values in _statements(name, rows)])


def matching(con: sqlite3.Connection, name: str, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Read with a `{rows}` query."""
    found: list[tuple[Any, ...]] = []
    for text, values in _statements(name, rows):
        found.extend(con.execute(text, values).fetchall())
    return found


def _statements(name: str, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, list[Any]]]:
    """What takes all rows, the largest statements first."""
    start, count = 0, len(rows)
    while start < count:
        size = SIZES[bisect_right(SIZES, count - start) - 1]
        part = rows[start : start + size]
        yield statement(name, len(part[0]), size), list(chain.from_iterable(part))
        start += size


def connect_writer(path: Path) -> sqlite3.Connection:
    """WAL with synchronous=FULL: a commit returns after the log is synced (NORMAL loses it on power loss)."""
    con = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=5.0)
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("PRAGMA synchronous = FULL")
    con.execute("PRAGMA temp_store = MEMORY")
    con.execute(f"PRAGMA cache_size = -{WRITER_CACHE}")
    return con


def connect_reader(path: Path | str) -> sqlite3.Connection:
    """A connection that cannot change anything. It may make the shared-memory file, which WAL readers need."""
    name = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    con = sqlite3.connect(f"file:{name}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=5.0)
    con.execute("PRAGMA query_only = 1")
    con.execute(f"PRAGMA cache_size = -{READER_CACHE}")
    return con


def migrations() -> list[tuple[int, str, str]]:
    """(number, name, SQL) of every migration, in order."""
    return [(int(name[:4]), name[:-4], _text(_MIGRATIONS, name)) for name in _steps()]


def _steps() -> list[str]:
    return sorted(name for name in os.listdir(_MIGRATIONS) if name.endswith(".sql"))


def schema_version(con: sqlite3.Connection) -> tuple[int, str]:
    """(number, name) of the last migration the store has seen; (0, "") for an empty file."""
    known = con.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'").fetchone()[0]
    if not known:
        return 0, ""
    row = con.execute("SELECT number, name FROM migrations ORDER BY number DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, "")


def newest_schema() -> int:
    return int(_steps()[-1][:4])


def check_schema(con: sqlite3.Connection) -> None:
    """Raise Unavailable (`store.schema`) when a newer Hilum has written this store."""
    number, name = schema_version(con)
    newest = newest_schema()
    if number > newest:
        raise Unavailable(
            "store.schema",
            f"the store has schema {name}, this version knows up to {newest:04}",
            hint="run the version of Hilum that wrote it, or a newer one",
        )


def migrate(con: sqlite3.Connection, now: int) -> None:
    """Bring the store to the newest schema, each step in a transaction of its own."""
    check_schema(con)
    done, _ = schema_version(con)
    if done == 0:
        con.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL) STRICT"
        )
    for number, name, text in migrations():
        if number > done:
            _run_migration(con, number, name, text, now)


def _run_migration(con: sqlite3.Connection, number: int, name: str, text: str, now: int) -> None:
    note = f"INSERT INTO migrations VALUES ({number}, '{name}', {now})"
    try:
        con.executescript(f"BEGIN IMMEDIATE;\n{text};\n{note};\nCOMMIT;")
    except sqlite3.Error:
        if con.in_transaction:
            con.execute("ROLLBACK")
        raise
