"""What every store promises of work done in portions: each portion stands, and the next begins where it said."""

from __future__ import annotations

import asyncio

import pytest

from engine.store.contract import Committed, Store
from tests.conformance.stores_kit import Make, on, opened
from tests.store_kit import Clock, claim, commit, conserved, incoming, processed


@pytest.mark.parametrize("size", [40, 3_000_000])
def test_a_portion_stands_and_the_work_goes_on_at_its_step(size: int, make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1, raw=b"x" * size), incoming(2)])
        for number in range(1, 4):
            [work] = await claim(store, "process", 1)
            assert (work.subject, work.step) == (1, f"[{number}]" if number > 1 else "")
            kept = await commit(store, processed(work, number, status="more", state="", step=f"[{number + 1}]"))
            assert [row.status for row in kept] == ["done"]
            thread = await store.thread([1])
            assert [row.number for row in thread.documents] == [f"PO-{n}" for n in range(1, number + 1)]
            assert thread.messages[0].state == "received"
            ledger = await store.ledger()
            assert (ledger["in_flight"], conserved(ledger)) == (2, True)
        [work] = await claim(store, "process", 1)
        await commit(store, processed(work, 4))
        assert [work.subject for work in await claim(store, "process")] == [2]
        thread = await store.thread([1])
        assert (len(thread.documents), len(thread.deliveries), thread.messages[0].state) == (4, 4, "processed")
        assert (await store.stats())["in_flight"] == 1
        assert conserved(await store.ledger())

    on(make, test)


def test_its_lane_waits_until_the_last_portion(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1), incoming(2), incoming(3, sender="OTHER|1")])
        first, second, _other = await claim(store, "process")
        await store.release([second])
        await commit(store, processed(first, 1, status="more", state="", step="[2]"))
        assert [(work.subject, work.step) for work in await claim(store, "process", 1)] == [(1, "[2]")]
        assert await claim(store, "process") == []

    on(make, test)


def test_a_step_survives_stopping(make: Make) -> None:
    async def run() -> None:
        async with opened(make()) as store:
            await store.append([incoming(1), incoming(2)])
            for step in ("[2]", "[3]"):
                [work] = await claim(store, "process", 1)
                await commit(store, processed(work, status="more", state="", step=step))
            [work] = await claim(store, "process", 1)
        async with opened(make()) as store:
            works = await claim(store, "process")
            assert [(work.subject, work.step) for work in works] == [(1, "[3]"), (2, "")]
            assert await commit(store, *[processed(work) for work in works]) == [Committed("done")] * 2
            assert (await store.ledger())["delivered"] == 2

    asyncio.run(run())


def test_a_replay_goes_on_in_portions_too(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1)])
        [work] = await claim(store, "process")
        await commit(store, processed(work, state="exception"))
        await store.replay(messages=[1], reason="mended", who="tester")
        [work] = await claim(store, "process")
        await commit(store, processed(work, 1, status="more", state="", step="[2]"))
        assert (await store.stats())["in_flight"] == 1
        [work] = await claim(store, "process")
        await commit(store, processed(work, 2))
        stats = await store.stats()
        assert (stats["in_flight"], stats["processed"], stats["exception"]) == (0, 1, 0)
        assert conserved(await store.ledger())

    on(make, test)
