"""Whoever waits for the pipeline's verdict on a message hears it once, and the same whenever they ask."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import channels
from engine import wiring
from engine.dispatch import Dispatch
from engine.errors import Refused
from engine.intake import Reception, Verdicts
from engine.message import Facts
from engine.plugin import Verdict
from engine.site.model import Site
from engine.store.contract import NewException, Outcome
from engine.store.sqlite import SqliteStore
from engine.store.temporary import temporary_store
from tests.store_kit import claim, incoming, order

FORMATS = channels.registry().format
ACCEPTED = Verdict("accepted", "M1", 1, Facts("hl7v2"))
OWN = (NewException("map.miss", "unknown item", "RQD-2"), NewException("map.required", "no unit", "RQD-6"))
OF_A_DELIVERY = NewException("delivery.render", "no room for the number", new_delivery=0)


@pytest.fixture(scope="module")
def site() -> Site:
    return wiring.load({"HILUM_SITE": str(Path(__file__).resolve().parents[2])})


def parts(store: SqliteStore, site: Site) -> tuple[Reception, Dispatch]:
    verdicts = Verdicts()
    reception = Reception(site.listeners["ehr_mllp"], lambda: site, FORMATS("hl7v2"), store, verdicts)
    return reception, Dispatch(store, lambda: site, FORMATS, verdicts)


async def hear(asked: asyncio.Task[Refused | None]) -> str:
    async with asyncio.timeout(10):
        found = await asked
    return found.code if found else "yes"


@pytest.mark.parametrize(
    ("state", "exceptions", "expected"),
    [
        ("processed", (), "yes"),
        ("exception", OWN, "map.miss"),
        ("processed", (OF_A_DELIVERY,), "yes"),
        ("exception", (OF_A_DELIVERY, *OWN), "map.miss"),
    ],
)
def test_whenever_one_asks_the_verdict_is_the_same(
    state: str, exceptions: tuple[NewException, ...], expected: str, site: Site
) -> None:
    async def run() -> None:
        async with temporary_store() as store:
            reception, dispatch = parts(store, site)
            await store.append([incoming(1)])
            (work,) = await claim(store, "process")
            before = [asyncio.create_task(reception.processed(ACCEPTED)) for _ in range(2)]
            await asyncio.sleep(0.05)
            dead = order(1, state="dead", document=None, expect=())
            outcome = Outcome(work, state=state, messages=(dead,), exceptions=exceptions)
            await dispatch._commit([outcome])
            assert [await hear(one) for one in before] == [expected] * 2
            after = asyncio.create_task(reception.processed(ACCEPTED))
            assert await hear(after) == expected
            await store.resolve([row.id for row in await store.exceptions()], reason="seen", who="ann")
            after = asyncio.create_task(reception.processed(ACCEPTED))
            assert await hear(after) == expected

    asyncio.run(run())


def test_nobody_who_asks_or_leaves_takes_anothers_verdict_along(site: Site) -> None:
    async def run() -> None:
        async with temporary_store() as store:
            reception, _ = parts(store, site)
            await store.append([incoming(1)])
            (work,) = await claim(store, "process")
            first, leaving = [asyncio.create_task(reception.processed(ACCEPTED)) for _ in range(2)]
            await asyncio.sleep(0.05)
            leaving.cancel()
            await store.commit([Outcome(work, state="processed")])  # committed, but nobody has been told
            assert await hear(asyncio.create_task(reception.processed(ACCEPTED))) == "yes"
            reception._verdicts.settle(1, None)
            assert await hear(first) == "yes"
            assert not reception._verdicts._waiting

    asyncio.run(run())
