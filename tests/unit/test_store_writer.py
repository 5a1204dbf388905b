"""The writer when the disk fails: nothing unsaved is answered, and it goes on by itself when the disk does."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Unavailable
from engine.message import Slot
from engine.store import transaction
from engine.store.sql import connect_writer
from engine.store.sqlite import SqliteStore
from engine.store.temporary import temporary_store
from engine.store.writer import Writer
from tests.store_kit import HOUR, Clock, accept_orders, claim, commit, delivered, failed, incoming, order, processed


class Failing:
    """A connection whose COMMIT fails as on a bad disk: the sync fails, after the log was written or before it."""

    def __init__(self, con: sqlite3.Connection, *, landed: bool) -> None:
        self._con = con
        self._landed = landed

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return self._con.execute(sql, *values)
        self._con.execute("COMMIT" if self._landed else "ROLLBACK")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"  # type: ignore[misc]
        raise error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)


def break_disk(store: SqliteStore, *, landed: bool) -> None:
    writer = writer_of(store)
    writer._con = Failing(writer._con, landed=landed)  # type: ignore[assignment]


def writer_of(store: SqliteStore) -> Writer:
    assert store._writer is not None
    return store._writer


@contextmanager
def unhealed() -> Iterator[None]:
    """Meanwhile the store does not heal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "_recover", lambda self: False)
        yield


async def healthy(store: SqliteStore) -> None:
    """Until the store has healed; it must do so by itself."""
    for _ in range(6_000):
        try:
            return await store.health()
        except Unavailable:
            await asyncio.sleep(0.01)
    raise AssertionError("the store did not become healthy")


@asynccontextmanager
async def quick_store(monkeypatch: pytest.MonkeyPatch, **options: Any) -> AsyncIterator[SqliteStore]:
    monkeypatch.setattr("engine.store.writer.PROBE_EVERY", 0.02)
    async with temporary_store(**options) as store:
        yield store


@pytest.mark.parametrize("landed", [False, True])
def test_an_append_whose_sync_failed_is_not_answered(monkeypatch: pytest.MonkeyPatch, landed: bool) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            await store.append([incoming(1)])
            break_disk(store, landed=landed)
            with unhealed():
                with pytest.raises(Unavailable) as caught:
                    await store.append([incoming(2)])
                assert caught.value.code == "store.write"
                with pytest.raises(Unavailable):
                    await store.health()
                assert await store.pull("process", 10) == []
            await healthy(store)
            (again,) = await store.append([incoming(2)])
            assert again.status == ("duplicate" if landed else "new")
            works = await claim(store, "process")
            assert [work.message.control_id for work in works] == ["CTL000001", "CTL000002"]

    asyncio.run(run())


@pytest.mark.parametrize("landed", [False, True])
def test_an_outcome_in_doubt_happens_once(monkeypatch: pytest.MonkeyPatch, landed: bool) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            await store.append([incoming(1), incoming(2, sender="S2")])
            works = await claim(store, "process")
            break_disk(store, landed=landed)
            with pytest.raises(Unavailable):
                await commit(store, processed(works[0], 1))
            await healthy(store)
            (row,) = await commit(store, processed(works[0], 1))
            assert row.status == ("conflict" if landed else "done")
            await commit(store, processed(works[1], 2))
            sent = await claim(store, "deliver")
            assert [work.message.control_id for work in sent] == ["000000001", "000000002"]
            assert (await store.ledger())["in_flight"] == 2
            stats = await store.stats()
            assert (stats["processed"], stats["deliveries"]["planned"]) == (2, 2)

    asyncio.run(run())


def test_work_released_in_doubt_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            (work,) = await accept_orders(store, 1)
            break_disk(store, landed=True)
            with pytest.raises(Unavailable):
                await commit(store, delivered(work))
            await store.release([work])
            await healthy(store)
            assert await claim(store, "deliver") == []
            assert (await store.ledger())["delivered"] == 1

    asyncio.run(run())


@contextmanager
def slow_to_heal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk is well again, but until the end of this the loop has not heard of it."""
    whole, go_on = Writer._recover, threading.Event()

    def recover(self: Writer) -> bool:
        if well := whole(self):
            go_on.wait()
        return well

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_recover", recover)
        try:
            yield
        finally:
            go_on.set()


def test_what_has_landed_is_known_before_the_store_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            (work,) = await accept_orders(store, 1)
            break_disk(store, landed=True)
            with slow_to_heal(monkeypatch):
                with pytest.raises(Unavailable):
                    await commit(store, delivered(work))
                await store.release([work])
                await asyncio.sleep(0.2)
                assert await claim(store, "deliver") == []  # it would be sent again
            await healthy(store)
            assert await claim(store, "deliver") == []

    asyncio.run(run())


def test_an_attempt_in_doubt_that_is_committed_again_meanwhile_happens_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            (work,) = await accept_orders(store, 1)
            break_disk(store, landed=True)
            with slow_to_heal(monkeypatch):
                with pytest.raises(Unavailable):
                    await commit(store, delivered(work))
                await asyncio.sleep(0.2)
                again = asyncio.create_task(commit(store, delivered(work)))
                await asyncio.sleep(0)
            with pytest.raises(Unavailable):
                await again
            assert [row.status for row in await commit(store, delivered(work))] == ["conflict"]
            assert (await store.stats())["deliveries"]["delivered"] == 1

    asyncio.run(run())


def test_an_attempt_that_landed_in_doubt_counts_and_belongs_to_whoever_claims_it_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        clock = Clock()
        async with quick_store(monkeypatch, clock=clock) as store:
            (work,) = await accept_orders(store, 1)
            break_disk(store, landed=True)
            with pytest.raises(Unavailable):
                await commit(store, failed(work, clock.now + HOUR))
            await healthy(store)
            assert [row.status for row in await commit(store, failed(work, clock.now + HOUR))] == ["conflict"]
            clock.pass_by(HOUR)
            (again,) = await claim(store, "deliver")
            assert again.delivery is not None
            assert (again.delivery.state, again.delivery.attempts) == ("retrying", 1)
            assert [row.status for row in await commit(store, failed(work, clock.now + HOUR))] == ["conflict"]
            await store.release([work])
            assert await claim(store, "deliver") == []
            assert [row.status for row in await commit(store, delivered(again))] == ["done"]

    asyncio.run(run())


def test_whatever_spoils_the_healing_nobody_waits_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(self: Writer) -> None:
        raise ValueError("something on the disk is not what it was")

    async def run() -> None:
        async with quick_store(monkeypatch) as store, asyncio.timeout(60):
            break_disk(store, landed=False)
            with monkeypatch.context() as patch:
                patch.setattr(Writer, "_reload", spoiled)
                for number in range(3):
                    with pytest.raises(Unavailable):
                        await store.append([incoming(number)])
                    await asyncio.sleep(0.05)
            await healthy(store)
            assert [row.status for row in await store.append([incoming(1)])] == ["new"]

    asyncio.run(run())


def test_a_full_disk_is_said_and_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            await store.append([incoming(1)])
            con = writer_of(store).connection
            con.execute(f"PRAGMA max_page_count = {con.execute('PRAGMA page_count').fetchone()[0]}")
            with pytest.raises(Unavailable) as caught:
                await store.append([incoming(2, raw=bytes(1 << 16))])
            assert caught.value.code == "store.full"
            await healthy(store)
            (row,) = await store.append([incoming(2, raw=bytes(1 << 16))])
            assert row.status == "new"
            assert await store.body(row.seq) == bytes(1 << 16)

    asyncio.run(run())


# --- becoming healthy beside a reader ---------------------------------------------------------------------------------
@contextmanager
def snapshot(store: SqliteStore) -> Iterator[sqlite3.Connection]:
    """A backup, or a forgotten shell: it reads the store as of now until it ends."""
    con = sqlite3.connect(store.path, isolation_level=None)
    con.execute("BEGIN")
    con.execute("SELECT count(*) FROM bodies").fetchone()
    yield con
    con.close()


def test_a_store_becomes_healthy_while_another_process_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            await store.append([incoming(1)])
            with snapshot(store) as reader:
                break_disk(store, landed=False)
                with pytest.raises(Unavailable):
                    await store.append([incoming(2)])
                await healthy(store)
                assert [row.status for row in await store.append([incoming(2)])] == ["new"]
                assert reader.execute("SELECT count(*) FROM bodies").fetchone() == (1,)
            works = await claim(store, "process")
            assert [work.message.control_id for work in works] == ["CTL000001", "CTL000002"]

    asyncio.run(run())


def test_a_full_disk_is_left_behind_while_another_process_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            await store.append([incoming(1)])
            with snapshot(store):
                con = writer_of(store).connection
                con.execute(f"PRAGMA max_page_count = {con.execute('PRAGMA page_count').fetchone()[0]}")
                with pytest.raises(Unavailable):
                    await store.append([incoming(2, raw=bytes(1 << 16))])
                await healthy(store)
                assert [row.status for row in await store.append([incoming(2, raw=bytes(1 << 16))])] == ["new"]

    asyncio.run(run())


def test_a_log_not_to_be_trusted_waits_for_its_readers_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            await store.append([incoming(1)])
            with snapshot(store):
                break_disk(store, landed=True)
                with pytest.raises(Unavailable):
                    await store.append([incoming(2)])
                await asyncio.sleep(0.2)
                for _ in range(3):
                    with pytest.raises(Unavailable, match="while another process reads the store") as caught:
                        await store.health()
                    assert caught.value.code == "store.busy"
                    with pytest.raises(Unavailable):
                        await store.append([incoming(3)])
            await healthy(store)
            assert [row.status for row in await store.append([incoming(2)])] == ["duplicate"]
            assert (await store.ledger())["received"] == 3

    asyncio.run(run())


def test_a_writer_beside_us_is_named_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            writer_of(store).connection.execute("PRAGMA busy_timeout = 0")
            con = sqlite3.connect(store.path, isolation_level=None)
            con.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="another process writes to the store") as caught:
                await store.append([incoming(1)])
            assert caught.value.code == "store.busy"
            con.close()
            await healthy(store)
            assert [row.status for row in await store.append([incoming(1)])] == ["new"]

    asyncio.run(run())


def test_the_log_outlives_the_connection_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever closes the last connection lets the log be read anew, with all that stands in it."""
    calls = list[str]()

    class Closing(Failing):
        def close(self) -> None:
            calls.append("close")
            self._con.close()

    def connect(path: Path) -> sqlite3.Connection:
        calls.append("open")
        return connect_writer(path)

    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            broken = Closing(writer_of(store).connection, landed=False)
            writer_of(store)._con = broken  # type: ignore[assignment]
            monkeypatch.setattr("engine.store.writer.connect_writer", connect)
            with pytest.raises(Unavailable):
                await store.append([incoming(1)])
            await healthy(store)

    asyncio.run(run())
    assert calls[:2] == ["open", "close"]


def test_jobs_are_refused_at_once_while_the_disk_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with quick_store(monkeypatch) as store:
            break_disk(store, landed=False)
            with unhealed():
                for number in range(3):
                    with pytest.raises(Unavailable):
                        await store.append([incoming(number)])
            await healthy(store)
            assert (await store.ledger())["received"] == 0

    asyncio.run(run())


def test_an_outcome_that_cannot_be_kept_fails_alone() -> None:
    async def run() -> None:
        async with temporary_store() as store:
            await store.append([incoming(n, sender=f"S{n}") for n in range(3)])
            works = await claim(store, "process")
            calls = [commit(store, processed(work, 1)) for work in works]  # all with the same delivery uid
            results = await asyncio.gather(*calls, return_exceptions=True)
            kept = [result for result in results if not isinstance(result, BaseException)]
            assert len(kept) == 1
            assert all(
                isinstance(result, sqlite3.IntegrityError) for result in results if isinstance(result, BaseException)
            )
            await store.health()
            stats = await store.stats()
            assert (stats["processed"], stats["in_flight"], stats["deliveries"]["planned"]) == (1, 2, 1)
            lost = [work for work, result in zip(works, results, strict=True) if isinstance(result, BaseException)]
            await commit(store, *[processed(work, 10 + work.id) for work in lost])
            assert [work.message.control_id for work in await claim(store, "deliver")] == [
                "000000001", "000000002", "000000003",
            ]  # fmt: skip

    asyncio.run(run())


def test_a_cancelled_caller_changes_nothing_about_its_outcome() -> None:
    async def run() -> None:
        async with temporary_store() as store:
            await store.append([incoming(1)])
            (work,) = await claim(store, "process")
            call = asyncio.create_task(commit(store, processed(work, 1)))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await store.release([work])
            (sent,) = await claim(store, "deliver", wait=60)
            assert sent.message.control_id == "000000001"
            assert await claim(store, "process") == []

    asyncio.run(run())


def test_control_numbers_wrap_after_nine_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr(transaction, "LARGEST_CONTROL_NUMBER", 3)
        async with temporary_store() as store:
            works = await accept_orders(store, 1, 2, 3, 4)
            assert [work.message.control_id for work in works] == ["000000001", "000000002", "000000003", "000000001"]

    asyncio.run(run())
    assert transaction.LARGEST_CONTROL_NUMBER == 3  # still swapped: the real one is nine nines
    monkeypatch.undo()
    assert transaction.LARGEST_CONTROL_NUMBER == 999_999_999


def test_counters_go_on_after_reopening(tmp_path: Path) -> None:
    async def run() -> None:
        plain = Slot("msh:erp")
        for expected in ("1", "2"):
            store = SqliteStore(tmp_path / "store.db")
            await store.open()
            number = int(expected)
            await store.append([incoming(number)])
            (work,) = await claim(store, "process")
            new = order(number, body=(plain, b"-", plain), control_id=(plain,), keys=(), expect=())
            await commit(store, processed(work, messages=(new,), documents=(processed(work, 1).documents)))
            (sent,) = [work for work in await claim(store, "deliver") if work.message.control_id == expected]
            assert sent.message.body == f"{expected}-{expected}".encode()
            await commit(store, delivered(sent))
            await store.close()

    asyncio.run(run())
