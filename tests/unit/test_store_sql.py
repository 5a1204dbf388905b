"""The SQLite store's statements: the hot ones use indexes, migrations go forward only, rows are split rightly."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import sqlite3
from pathlib import Path

import pytest

from engine.errors import Unavailable
from engine.store import sql
from engine.store.reader import open_reader
from engine.store.sql import (
    CHUNKS,
    connect_writer,
    matching,
    migrate,
    migrations,
    queries,
    schema_version,
    statement,
    write,
)
from engine.store.sqlite import SqliteStore
from tests.store_kit import claim, fill, incoming

BIG = ("messages", "bodies", "keys", "edges", "documents", "deliveries", "attempts", "acknowledgements", "exceptions")
# Questions people ask now and then, or tests only: they may read a table from end to end, newest first.
UNHURRIED = {"find", "exceptions_any", "missed", "ledger"}
_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path = tmp_path_factory.mktemp("store") / "store.db"

    async def run() -> None:
        store = SqliteStore(path)
        await store.open()
        await fill(store, 400, batch=100)
        await store.close()

    asyncio.run(run())
    return connect_writer(path)


def plan(con: sqlite3.Connection, name: str) -> list[str]:
    """What SQLite would do, one line per step."""
    text = queries()[name]
    if "{rows}" in text:
        columns = max(map(int, re.findall(r"v\.column(\d)", text)), default=0) or _inserted(text)
        text = statement(name, columns, 2)
    named = dict.fromkeys(re.findall(r":(\w+)", text), 1) or [1] * text.count("?")
    fresh = next(_NUMBERS)  # a plan once prepared is not made again when an index goes
    return [row[3] for row in con.execute(f"EXPLAIN QUERY PLAN {text} -- {fresh}", named)]


def _inserted(text: str) -> int:
    return text[text.index("(") : text.index(")")].count(",") + 1


def scans(steps: list[str]) -> list[str]:
    big = "|".join(BIG)
    return [step for step in steps if re.match(rf"SCAN ({big}|m|a|e|d)\b", step)]


@pytest.mark.parametrize("name", sorted(set(queries()) - UNHURRIED))
def test_no_hot_statement_reads_a_whole_table(filled: sqlite3.Connection, name: str) -> None:
    found = scans(plan(filled, name))
    if name == "last_ids":  # min and max of a primary key are one step each
        found = [step for step in found if "USING" in step]
    if name == "exceptions_open":  # the index of open exceptions is the answer itself
        found = [step for step in found if "USING INDEX exceptions_open" not in step]
    if name in {"awaited", "overdue", "next_check"}:  # likewise
        found = [step for step in found if "acknowledgements_" not in step]
    assert found == []


@pytest.mark.parametrize("name", ["arrivals_near", "arrived_page", "find_arrived"])
def test_what_is_not_filed_yet_is_read_by_its_number(filled: sqlite3.Connection, name: str) -> None:
    """There may be tens of thousands of rows, each with a text to take apart."""
    assert [step for step in plan(filled, name) if re.match(r"SCAN block\b", step)] == []
    assert any(re.match(r"SEARCH block USING INTEGER PRIMARY KEY", step) for step in plan(filled, name))


def test_the_check_sees_a_look_through_all_that_is_not_filed(filled: sqlite3.Connection) -> None:
    steps = filled.execute("EXPLAIN QUERY PLAN SELECT * FROM arrived WHERE seq = 1").fetchall()
    assert any(step[3].startswith("SCAN block") for step in steps)


def test_the_check_sees_a_missing_index(filled: sqlite3.Connection) -> None:
    filled.execute("BEGIN")
    filled.execute("DROP INDEX keys_by_seq")
    filled.execute("DROP INDEX deliveries_by_message")
    found = [name for name in queries() if name not in UNHURRIED and scans(plan(filled, name))]
    filled.execute("ROLLBACK")
    assert {"keys_of", "deliveries_by_message", "walk_deliveries"} <= set(found)


def test_rows_are_split_without_a_trace() -> None:
    con = sqlite3.connect(":memory:")
    migrate(con, 1)
    for count in (1, 3, 7, 63, 64, 65, 200):
        con.execute("DELETE FROM edges")
        assert write(con, "add_edges", [(n, n + 1, "causes") for n in range(count)]) == count
        assert con.execute("SELECT count(*), min(source), max(source) FROM edges").fetchone() == (count, 0, count - 1)
    write(con, "add_messages", [_row(n) for n in range(1, 100)])
    found = matching(con, "known_dedups", [(f"C{n}", b"%d" % n) for n in range(50, 150)])
    assert sorted(seq for _, seq, _ in found) == list(range(50, 100))


def _row(n: int) -> tuple[object, ...]:
    return (n, "in", "c", "p", "f", "t", f"C{n}", b"%d" % n, "s", 1, 1, b"", "received", "", None, None, "", "", 5)


def test_a_fresh_file_gets_every_migration_and_a_second_run_none() -> None:
    con = sqlite3.connect(":memory:")
    assert schema_version(con) == (0, "")
    migrate(con, 1)
    assert schema_version(con) == migrations()[-1][:2]
    before = con.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    migrate(con, 2)
    assert con.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == before
    assert con.execute("SELECT DISTINCT at FROM migrations").fetchall() == [(1,)]


def test_a_migration_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    con = sqlite3.connect(":memory:")
    migrate(con, 1)
    newer = [*migrations(), (9998, "9998_broken", "CREATE TABLE half (a);\nCREATE TABLE half (a);")]
    monkeypatch.setattr(sql, "migrations", lambda: newer)
    with pytest.raises(sqlite3.OperationalError):
        migrate(con, 2)
    assert schema_version(con)[0] < 9998
    assert con.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)


def test_a_store_of_each_older_schema_is_brought_up_to_date_with_all_its_work(tmp_path: Path) -> None:
    async def run(number: int) -> None:
        path = tmp_path / f"{number}.db"
        con = connect_writer(path)
        with pytest.MonkeyPatch.context() as patch:
            older = migrations()[:number]
            patch.setattr(sql, "migrations", lambda: older)
            migrate(con, 1)
        raw = b"MSH|^~\\&|WARD|7"
        write(con, "add_messages", [(*_row(1)[:10], len(raw), hashlib.sha256(raw).digest(), *_row(1)[12:])])
        write(con, "add_bodies", [(CHUNKS, 0, raw)])
        write(con, "add_work", [(1, "process", "lane", 5, 0, 1, "")])
        con.close()
        with pytest.raises(Unavailable) as caught:
            await open_reader(path)
        assert caught.value.code == "store.schema"
        store = SqliteStore(path)
        await store.open()
        (work,) = await claim(store, "process")
        assert (work.message.control_id, work.message.body) == ("C1", raw)
        await store.close()

    for number in range(1, len(migrations())):
        asyncio.run(run(number))


def test_an_older_version_refuses_a_newer_schema_by_name(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "store.db"
        store = SqliteStore(path)
        await store.open()
        await store.close()
        con = sqlite3.connect(path)
        con.execute("INSERT INTO migrations VALUES (9999, '9999_from_the_future', 1)")
        con.commit()
        con.close()
        with pytest.raises(Unavailable, match="9999_from_the_future") as caught:
            await SqliteStore(path).open()
        assert caught.value.code == "store.schema"
        with pytest.raises(Unavailable) as caught:
            await open_reader(path)
        assert caught.value.code == "store.schema"

    asyncio.run(run())


def test_a_reader_sees_a_store_that_runs_and_one_that_does_not(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "store.db"
        with pytest.raises(Unavailable) as caught:
            await open_reader(path)
        assert caught.value.code == "store.missing"
        store = SqliteStore(path)
        await store.open()
        reader = await open_reader(path)
        await store.append([incoming(1)])
        assert await reader.body(1) == incoming(1).raw
        await store.close()
        assert await reader.body(1) == incoming(1).raw
        with pytest.raises(Unavailable):
            await reader.read(lambda con: con.execute("DELETE FROM messages"))
        await reader.close()
        reader = await open_reader(path)
        assert (await reader.ledger())["received"] == 1
        await reader.close()

    asyncio.run(run())


def test_commits_are_synced(filled: sqlite3.Connection) -> None:
    """NORMAL would lose acknowledged messages on power loss."""
    assert filled.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert filled.execute("PRAGMA synchronous").fetchone() == (2,)
