"""What a store knows of its work in memory: nothing piles up while it waits, and nothing taken back is given out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from engine.errors import Unavailable
from engine.store import pulling
from engine.store.claims import Claims
from engine.store.contract import Outcome, Work
from engine.store.sqlite import SqliteStore
from engine.store.temporary import temporary_store
from engine.store.writer import Writer
from tests.store_kit import claim, commit, delivered, incoming, order, processed


def claims_of(store: SqliteStore) -> Claims:
    assert store._claims is not None
    return store._claims


def test_those_who_wait_in_vain_are_forgotten() -> None:
    async def run() -> None:
        async with temporary_store() as store:
            for _ in range(3):
                await asyncio.gather(*[store.pull("process", 10, wait=0.001) for _ in range(8)])
            assert not any(claims_of(store)._waiting.values())

    asyncio.run(run())


async def replacing(store: SqliteStore) -> tuple[list[Work], Outcome]:
    """Twelve deliveries of which four stand in memory, claimed; and the outcome that replaces the sixth."""
    await store.append([incoming(n) for n in range(12)])
    while works := await claim(store, "process"):
        made = [order(work.subject, lane=f"out/{work.subject}", document=None) for work in works]
        await commit(store, *[processed(work, messages=(new,)) for work, new in zip(works, made, strict=True)])
    first = await claim(store, "deliver")
    sixth = await store.delivery("uid-6")
    assert sixth is not None
    assert sixth.delivery.id not in [work.subject for work in first]
    await store.replay(resend=[sixth.delivery.id], reason="unit fixed", who="ann")
    (again,) = await claim(store, "process")
    anew = order(99, lane="out/anew", document=None, replaces=sixth.delivery.id)
    return first, Outcome(again, state="processed", messages=(anew,))


async def sent(pull: asyncio.Task[list[tuple[str, list[Work]]]]) -> list[str]:
    return [work.delivery.uid for _, works in await pull for work in works if work.delivery]


def test_what_is_replaced_while_its_page_is_read_is_not_sent() -> None:
    async def run() -> None:
        async with temporary_store(most=4, memory=0) as store, asyncio.timeout(60):
            first, replace = await replacing(store)
            claims, reading, go_on = claims_of(store), asyncio.Event(), asyncio.Event()
            whole = claims._read

            async def slow(ask: Any, *args: Any) -> Any:
                found = await whole(ask, *args)
                if ask is pulling.work_page and args[0] == "deliver":
                    reading.set()
                    await go_on.wait()
                return found

            claims._read = slow
            await commit(store, *[delivered(work) for work in first])
            pull = asyncio.create_task(store.pull("deliver", 100))
            await reading.wait()
            await store.commit([replace])
            go_on.set()
            assert await sent(pull) == ["uid-5", "uid-7", "uid-8", "uid-9"]

    asyncio.run(run())


def test_what_is_just_being_replaced_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with temporary_store(most=4, memory=0) as store, asyncio.timeout(60):
            first, replace = await replacing(store)
            await commit(store, *[delivered(work) for work in first])
            whole, go_on = Writer._commit, asyncio.Event()

            async def slow(self: Writer, jobs: Any) -> Any:
                await go_on.wait()
                return await whole(self, jobs)

            monkeypatch.setattr(Writer, "_commit", slow)
            replaced = asyncio.create_task(store.commit([replace]))
            await asyncio.sleep(0)
            pull = asyncio.create_task(store.pull("deliver", 100))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asyncio.shield(pull)
            go_on.set()
            assert [row.status for row in await replaced] == ["done"]
            assert await sent(pull) == ["uid-5", "uid-7", "uid-8", "uid-9"]

    asyncio.run(run())


def test_what_cannot_be_read_ahead_keeps_nobody_from_what_can_be_had() -> None:
    """And it is tried again, as often as there is room for it."""

    async def run() -> None:
        async with temporary_store(memory=2 * 5 * 2_000) as store, asyncio.timeout(60):  # half of it for deliveries
            await store.append([incoming(n, raw=b"x" * 900, lane=f"lane {n}") for n in range(1, 9)])
            claims = claims_of(store)
            whole, failed = claims._read, list[int]()

            async def unreadable(ask: Any, *args: Any) -> Any:
                if ask is pulling.load_items and len(failed) < 2:
                    failed.append(len(args[1]))
                    raise Unavailable("store.read", "a bad page")
                return await whole(ask, *args)

            claims._read = unreadable
            claimed = [await claim(store, "process", limit=1) for _ in range(8)]
            assert [work.message.seq for (work,) in claimed] == [1, 2, 3, 4, 5, 6, 7, 8]
            assert (failed, claims._backlogs["process"]._reading) == ([3, 3], set())

    asyncio.run(run())
