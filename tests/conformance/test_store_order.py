"""What every store promises of the work it gives out: in order inside a lane, and no lane waits for another."""

from __future__ import annotations

import asyncio

import pytest

from engine.store.contract import LARGE, Store
from tests.conformance.stores_kit import Make, on
from tests.store_kit import (
    Clock,
    claim,
    commit,
    dead,
    delivered,
    failed,
    incoming,
    lanes,
    order,
    processed,
)


def test_a_lane_gives_its_work_in_order_and_nothing_while_it_is_busy(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(n, sender=f"S{n % 2}") for n in range(6)])
        first = await store.pull("process", 4)
        assert lanes(first) == {"ehr_mllp/S0": [1, 3], "ehr_mllp/S1": [2, 4]}
        assert await store.pull("process", 4) == []
        await store.commit([processed(work) for _, works in first[:1] for work in works])
        assert lanes(await store.pull("process", 4)) == {"ehr_mllp/S0": [5]}

    on(make, test)


def test_urgent_work_overtakes_between_lanes_and_never_inside_one(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1, sender="A"), incoming(2, sender="B")])
        await store.append([incoming(3, sender="B", priority=1)])
        assert [work.subject for work in await claim(store, "process", 1)] == [2]
        assert [work.subject for work in await claim(store, "process", 1)] == [1]

    on(make, test)


def test_released_work_comes_again_at_its_place(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(n) for n in range(3)])
        works = await claim(store, "process")
        await commit(store, processed(works[0]))
        await store.release(works[1:])
        assert [work.subject for work in await claim(store, "process")] == [2, 3]

    on(make, test)


def test_pull_waits_for_the_first_work(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        waiting = asyncio.create_task(store.pull("process", 10, 30.0))
        await asyncio.sleep(0)
        await store.append([incoming(1)])
        assert lanes(await waiting) == {"ehr_mllp/WARD|7": [1]}
        assert await store.pull("process", 10, 0.01) == []

    on(make, test)


@pytest.mark.parametrize("kind", ["process", "deliver"])
def test_a_pull_gives_no_more_bytes_than_asked_and_always_one_piece(kind: str, make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        sizes = {"A": (3_000, 500), "B": (400, 2_000_000), "C": (600,)}
        for sender, raws in sizes.items():
            await store.append([incoming(n, sender=sender, raw=b"x" * size, dedup="") for n, size in enumerate(raws)])
        if kind == "deliver":
            works = await claim(store, "process")
            new = [order(n, body=(b"x" * work.message.size,), lane=work.lane) for n, work in enumerate(works)]
            await commit(store, *[processed(work, 1, messages=(one,)) for work, one in zip(works, new, strict=True)])
        given = list[list[tuple[str, int]]]()
        while found := await store.pull(kind, 32, bytes=1_000):
            works = [work for _, lane in found for work in lane]
            given.append([(work.lane.rpartition("/")[2], work.message.size) for work in works])
            bodies = [work.message.size if kind == "deliver" or work.message.size <= LARGE else 0 for work in works]
            assert [len(work.message.body) for work in works] == bodies
            done = delivered if kind == "deliver" else processed
            await commit(store, *[done(work) for work in works])
        assert given == [[("A", 3_000)], [("A", 500), ("B", 400)], [("B", 2_000_000)], [("C", 600)]]

    on(make, test)


def test_a_retrying_head_blocks_its_own_lane_only(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        await store.append([incoming(1)])
        (work,) = await claim(store, "process")
        orders = [order(1, lane="a"), order(2, lane="a", document=None), order(3, lane="b", document=None)]
        await commit(store, processed(work, 1)._replace(messages=tuple(orders)))
        first = await claim(store, "deliver", 100)
        assert [work.delivery.uid for work in first if work.delivery] == ["uid-1", "uid-2", "uid-3"]
        await commit(store, failed(first[0], clock.now + 60_000_000), delivered(first[2]))
        await store.release([first[1]])
        assert await store.pull("deliver", 100) == []
        clock.pass_by(60_000_000)
        again = await claim(store, "deliver")
        assert [(work.delivery.uid, work.delivery.attempts) for work in again if work.delivery] == [
            ("uid-1", 1),
            ("uid-2", 0),
        ]
        assert again[0].delivery is not None
        assert again[0].delivery.state == "retrying"
        assert again[0].message.body == first[0].message.body

    on(make, test)


def test_a_dead_delivery_leaves_its_lane_free(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1)])
        (work,) = await claim(store, "process")
        pair = (order(1, lane="a"), order(2, lane="a", document=None))
        await commit(store, processed(work, 1)._replace(messages=pair))
        head, tail = await claim(store, "deliver")
        await store.release([tail])
        await commit(store, dead(head))
        assert [work.subject for work in await claim(store, "deliver")] == [tail.subject]

    on(make, test)
