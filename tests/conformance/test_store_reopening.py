"""What every store promises over its life: what survives stopping, who owns it, and how it lets go."""

from __future__ import annotations

import asyncio

import pytest

from engine.errors import Unavailable
from engine.store.contract import Store
from tests.conformance.stores_kit import Make, on, opened
from tests.store_kit import (
    HOUR,
    Clock,
    accept_orders,
    claim,
    commit,
    failed,
    incoming,
    processed,
)


def test_everything_is_there_after_reopening(make: Make) -> None:
    async def run() -> None:
        clock = Clock()
        async with opened(make(clock=clock)) as store:
            (work,) = await accept_orders(store, 1)
            await commit(store, failed(work, clock.now + HOUR))
            await store.append([incoming(n, sender=f"S{n % 3}") for n in range(10, 30)])
            await claim(store, "process", 5)
            before = await store.stats()
        async with opened(make(clock=clock)) as store:
            assert {k: v for k, v in (await store.stats()).items() if k != "size"} == {
                k: v for k, v in before.items() if k != "size"
            }
            assert await store.pull("deliver", 9) == []
            clock.pass_by(HOUR)
            (again,) = await claim(store, "deliver")
            assert again.delivery is not None
            assert (again.message.control_id, again.delivery.attempts) == ("000000001", 1)
            assert not again.delivery.possible_duplicate
            seen: list[int] = []
            while works := await claim(store, "process", 7):
                seen += [w.subject for w in works]
                await store.commit([processed(w) for w in works])
            assert sorted(seen) == list(range(3, 23))
            for lane in range(3):
                mine = [seq for seq in seen if (seq - 3 + 10) % 3 == lane]
                assert mine == sorted(mine)
            assert (await store.append([incoming(10, sender="S1")]))[0].status == "duplicate"

    asyncio.run(run())


def test_a_delivery_cut_off_by_stopping_is_a_possible_duplicate(make: Make) -> None:
    async def run() -> None:
        async with opened(make()) as store:
            await accept_orders(store, 1, 2)
            works = await claim(store, "deliver")
            assert works == []
        async with opened(make()) as store:
            works = await claim(store, "deliver")
            assert [w.delivery.possible_duplicate for w in works if w.delivery] == [True, True]
            await store.release(works)
        async with opened(make()) as store:
            await store.append([incoming(3)])
            (work,) = await claim(store, "process")
            await commit(store, processed(work, 3))
        async with opened(make()) as store:
            by_uid = {
                w.delivery.uid: w.delivery.possible_duplicate for w in await claim(store, "deliver") if w.delivery
            }
            assert by_uid == {"uid-1": True, "uid-2": True, "uid-3": False}

    asyncio.run(run())


def test_a_store_has_one_owner(make: Make) -> None:
    async def run() -> None:
        async with opened(make()):
            with pytest.raises(Unavailable) as caught:
                await make().open()
            assert caught.value.code == "store.locked"
        async with opened(make()) as store:
            await store.health()
        with pytest.raises(Unavailable):
            await store.append([incoming(1)])
        with pytest.raises(Unavailable):
            await store.health()

    asyncio.run(run())


def test_closing_lets_those_go_who_wait_for_work(make: Make) -> None:
    async def run() -> None:
        async with opened(make()) as store:
            waiting = [asyncio.create_task(store.pull(kind, 1, 600.0)) for kind in ("process", "deliver", "deadline")]
            await asyncio.sleep(0.01)
        assert await asyncio.gather(*waiting) == [[], [], []]

    asyncio.run(run())


def test_sites_are_kept_by_version(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1)])
        await store.keep_site("site-one", b"yaml")
        await store.keep_site("site-one", b"yaml")
        await store.keep_site("site-nine", b"more")
        assert (await store.site("site-one"), await store.site("site-nine"), await store.site("x")) == (
            b"yaml",
            b"more",
            None,
        )
        message = await store.get(1)
        assert message is not None
        assert message.site == "site-one"

    on(make, test)
