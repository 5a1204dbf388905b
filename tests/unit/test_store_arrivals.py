"""Received messages share a row until their fate is known: nobody who looks can tell, no crash loses or doubles one.

A crash is a copy of the files of a store that still runs.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Unavailable
from engine.message import Key
from engine.store import reading
from engine.store.arrivals import Arrivals
from engine.store.contract import Outcome
from engine.store.records import Search
from engine.store.sqlite import SqliteStore
from tests.store_kit import Clock, claim, commit, conserved, incoming, processed

Test = Callable[[SqliteStore], Awaitable[None]]


def run(folder: Path, test: Test, unfiled: int = 50_000) -> None:
    async def play() -> None:
        store = SqliteStore(folder / "store.db", clock=Clock(), unfiled=unfiled)
        await store.open()
        try:
            await test(store)
            assert conserved(await store.ledger())
        finally:
            await store.close()

    asyncio.run(play())


def crashed(store: SqliteStore) -> SqliteStore:
    """The store as a crash at this moment would leave it."""
    copy = store.path.parent / f"crash-{len(list(store.path.parent.glob('crash-*')))}"
    copy.mkdir()
    for file in store.path.parent.glob("store.db*"):
        shutil.copy(file, copy)
    return SqliteStore(copy / "store.db", clock=Clock())


def rows(store: SqliteStore, table: str) -> int:
    con = sqlite3.connect(store.path)
    (count,) = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    con.close()
    return int(count)


async def accept(store: SqliteStore, *numbers: int) -> None:
    await store.append([incoming(number) for number in numbers])


async def process(store: SqliteStore, count: int) -> None:
    works = (await claim(store, "process"))[:count]
    await commit(store, *[processed(work) for work in works])


async def duplicates(store: SqliteStore, *numbers: int) -> list[str]:
    return [row.status for row in await store.append([incoming(number) for number in numbers])]


def test_accepting_costs_one_row_and_whoever_looks_sees_messages(tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        await accept(store, *range(1, 21))
        assert (rows(store, "messages"), rows(store, "arrivals"), rows(store, "work")) == (0, 1, 0)
        message = await store.get(7)
        assert message is not None
        assert (message.control_id, message.state, message.site) == ("CTL000007", "received", "site-one")
        assert await store.body(7) == incoming(7).raw
        assert (await store.ledger())["in_flight"] == (await store.stats())["in_flight"] == 20
        assert (7, "control") in await store.seqs("CTL000007")
        assert [found.seq for found in (await store.thread([7])).messages] == [7]
        await process(store, 20)
        assert (rows(store, "messages"), rows(store, "arrivals"), rows(store, "work")) == (20, 0, 0)

    run(tmp_path, test)


def test_a_search_pages_through_the_filed_and_the_others_as_one(tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        await accept(store, 1, 2, 3, 4, 5, 6)
        await process(store, 3)
        await accept(store, 7, 8)
        found, cursor = list[int](), ""
        while True:
            page = await store.find(Search(limit=3, cursor=cursor))
            found += [message.seq for message in page.messages]
            cursor = page.cursor
            if not cursor:
                break
        assert found == [8, 7, 6, 5, 4, 3, 2, 1]
        assert [row.seq for row in (await store.find(Search(state="received", limit=9))).messages] == [8, 7, 6, 5, 4]
        for key, seqs in {"CTL000005": [5], "CTL000002": [2], "nobody": []}.items():
            for kind in ("", "control"):
                assert [row.seq for row in (await store.find(Search(key=key, kind=kind))).messages] == seqs
        assert (await store.find(Search(key="CTL000005", kind="interchange"))).messages == ()

    run(tmp_path, test)


def test_each_message_is_found_whatever_it_shares_its_row_with(tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        odd = ['a"b', "a\\b", "a\tb", "Ärzte", "CTL000003"]
        await accept(store, 1, 2)  # 1, 2
        await process(store, 1)
        await accept(store, 2, 3, 4, 2, 5)  # 3 to 7, two of them duplicates
        await store.append([incoming(9, control_id=control, dedup=control, keys=()) for control in odd])  # 8 to 12
        await accept(store, 6)
        everyone = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
        found = await store.read(reading.messages, [99, *reversed(everyone)])
        assert [message.seq for message in found] == everyone
        for seq in everyone:
            message = await store.get(seq)
            assert message is not None
            assert (message.seq, message.control_id) in [(row.seq, row.control_id) for row in found]
        assert await store.get(14) is None
        for seq, control in enumerate(odd, 8):
            assert (seq, "control") in await store.seqs(control)
            assert seq in [row.seq for row in (await store.find(Search(key=control))).messages]
        assert [found.seq for found in (await store.find(Search(limit=4))).messages] == [13, 12, 11, 10]

    run(tmp_path, test)


@pytest.mark.parametrize("altered", ["[[1,", "[[3]]", "7"])
def test_an_altered_row_fails_nobody_but_the_messages_in_it(altered: str, tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        await accept(store, 1)
        (work,) = await claim(store, "process")
        await commit(store, processed(work, 1))
        await accept(store, 2)  # 3, behind the order that was made of 1
        con = sqlite3.connect(store.path, isolation_level=None)
        (whole,) = con.execute("SELECT facts FROM arrivals").fetchone()
        con.execute("UPDATE arrivals SET facts = ?", (altered,))
        for seq in (1, 2):
            assert await store.get(seq) is not None
        with pytest.raises(Unavailable) as caught:
            await store.get(3)
        assert caught.value.code == "store.read"
        con.execute("UPDATE arrivals SET facts = ?", (whole,))
        con.close()
        assert await store.get(3) is not None

    run(tmp_path, test)


def test_a_message_found_by_its_own_keys_is_found_before_it_is_filed(tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        await store.append([incoming(1, keys=(Key("interchange", "000000905", "acme"),))])
        assert [row.seq for row in (await store.find(Search(key="000000905"))).messages] == [1]
        assert (await store.find(Search(key="000000905", kind="group"))).messages == ()

    run(tmp_path, test)


def test_a_crash_leaves_each_message_once_filed_or_not(tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        await accept(store, 1, 2, 3, 4)
        await process(store, 2)
        await accept(store, 5)
        again = crashed(store)
        await again.open()
        try:
            assert [work.subject for work in await claim(again, "process")] == [3, 4, 5]
            assert await duplicates(again, 2, 4, 5, 6) == ["duplicate", "duplicate", "duplicate", "new"]
            assert (await again.append([incoming(7)]))[0].seq == 10  # no number is given twice
            ledger = await again.ledger()
            assert conserved(ledger)
            assert ledger["received"] == 10
        finally:
            await again.close()

    run(tmp_path, test)


def test_a_message_put_off_is_filed_and_stays_at_its_place(tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        await accept(store, 1, 2)
        first, _ = works = await claim(store, "process")
        await commit(store, Outcome(first, status="retry", at=Clock().now + 1_000))
        await store.release(works)
        assert (rows(store, "messages"), rows(store, "work")) == (1, 1)
        assert await claim(store, "process") == []
        again = crashed(store)
        again._clock = lambda: Clock().now + 1_000
        await again.open()
        try:
            assert [work.subject for work in await claim(again, "process")] == [1, 2]
        finally:
            await again.close()

    run(tmp_path, test)


def test_what_is_beyond_the_bound_gets_its_own_row_and_its_turn(tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        await accept(store, 1, 2, 3)
        await accept(store, 4)
        assert (rows(store, "messages"), rows(store, "arrivals"), rows(store, "work")) == (2, 1, 2)
        again = crashed(store)
        await again.open()
        try:
            assert [work.subject for work in await claim(again, "process")] == [1, 2, 3, 4]
        finally:
            await again.close()

    run(tmp_path, test, unfiled=2)


@pytest.mark.parametrize("name", ["control_id", "type", "sender"])
def test_a_text_that_sqlite_would_cut_is_kept_whole(name: str, tmp_path: Path) -> None:
    async def test(store: SqliteStore) -> None:
        await store.append([incoming(1, keys=(), **{name: "A\0B"})])
        message = await store.get(1)
        assert message is not None
        assert getattr(message, name) == "A\0B"

    run(tmp_path, test)


FORGETS_DUPLICATES = ("dedup", lambda self, seq: None)
DROPS_TOO_EARLY = ("emptied", lambda self, filed: [*{self.block(seq) for seq in filed}])
KEEPS_TOO_LONG = ("emptied", lambda self, filed: [])


@pytest.mark.parametrize(
    ("defect", "check"),
    [
        (FORGETS_DUPLICATES, test_a_crash_leaves_each_message_once_filed_or_not),
        (DROPS_TOO_EARLY, test_a_crash_leaves_each_message_once_filed_or_not),
        (KEEPS_TOO_LONG, test_accepting_costs_one_row_and_whoever_looks_sees_messages),
    ],
)
def test_the_checks_see_a_careless_filing(
    defect: tuple[str, Any], check: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Arrivals, *defect)
    with pytest.raises(AssertionError):
        check(tmp_path)
