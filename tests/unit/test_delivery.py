"""Deliveries over a real store: whatever a receiver says, the attempt is settled and the next delivery goes out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from channels.http_sender import judge
from engine import wiring
from engine.delivery import Deliveries
from engine.errors import Rejected, Unavailable
from engine.plugin import Outbound, Sent
from engine.site.model import RetryPolicy, Site
from engine.store.records import DeliveryRecord, ExceptionRecord
from engine.store.sqlite import SqliteStore
from engine.store.temporary import temporary_store
from tests.store_kit import claim, incoming, processed

ROOT = Path(__file__).resolve().parents[2]
HALF = "half a pair \ud800"  # what JSON can spell and no encoding can carry


@pytest.fixture(scope="module")
def site() -> Site:
    return wiring.load({"HILUM_SITE": str(ROOT)})


class Receiver:
    """A sender whose receiver says no to the second delivery, in a text that cannot be stored."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def send(self, out: Outbound) -> Sent:
        self.seen.append(out.delivery.uid)
        if out.delivery.uid == "uid-2":
            raise Rejected("http.rejected", "the receiver answered 422", context={"message": HALF})
        return Sent("201")

    async def close(self) -> None:
        return


async def _plan_orders(store: SqliteStore, count: int) -> None:
    await store.append([incoming(1)])
    (work,) = await claim(store, "process")
    await store.commit([processed(work, *range(1, count + 1))])


async def _deliver(site: Site, count: int) -> tuple[list[DeliveryRecord], list[ExceptionRecord], list[str]]:
    receiver = Receiver()
    async with temporary_store() as store, asyncio.timeout(120):
        await _plan_orders(store, count)
        deliveries = Deliveries(store, lambda: site, {"acme_surgical": (site.connections["acme_surgical"], receiver)})
        await deliveries.start()
        while (await store.stats())["deliveries"]["planned"]:  # noqa: ASYNC110 - the store is asked
            await asyncio.sleep(0.005)
        await deliveries.stop()
        records = [await store.delivery(f"uid-{n}") for n in range(1, count + 1)]
        return [row for row in records if row is not None], await store.exceptions(), receiver.seen


def test_an_answer_that_cannot_be_stored_stops_no_other_delivery(site: Site) -> None:
    records, exceptions, seen = asyncio.run(_deliver(site, 5))
    assert sorted(seen) == [f"uid-{n}" for n in range(1, 6)]
    assert [row.delivery.state for row in records] == ["delivered", "dead", "delivered", "delivered", "delivered"]
    (found,) = exceptions
    assert (found.code, found.delivery) == ("internal.defect", records[1].delivery.id)


def test_a_store_that_fails_for_a_moment_loses_no_settlement(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = SqliteStore.commit, []

    async def commit(self: SqliteStore, outcomes):  # type: ignore[no-untyped-def]
        calls.append(outcomes)
        if len(calls) == 2:  # the first commit plans the orders
            raise Unavailable("store.write", "the store could not be written")
        return await whole(self, outcomes)

    monkeypatch.setattr(SqliteStore, "commit", commit)
    monkeypatch.setattr("engine.settling._AGAIN", 0.01)
    records, _, seen = asyncio.run(_deliver(site, 5))
    assert sorted(seen) == [f"uid-{n}" for n in range(1, 6)], "nothing is sent twice"
    assert all(row.delivery.state in {"delivered", "dead"} for row in records)


def test_stopping_does_not_wait_for_ever_for_a_store_that_cannot_write(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = asyncio.Event()

    async def commit(self: SqliteStore, outcomes):  # type: ignore[no-untyped-def]
        tried.set()
        raise Unavailable("store.full", "the store's disk is full")

    class Late(Receiver):
        """The last delivery is answered when the first ones could not be settled."""

        async def send(self, out: Outbound) -> Sent:
            if out.delivery.uid == "uid-3":
                await tried.wait()
            return await super().send(out)

    async def stopping() -> None:
        receiver = Late()
        async with temporary_store() as store, asyncio.timeout(120):
            await _plan_orders(store, 3)
            monkeypatch.setattr(SqliteStore, "commit", commit)
            courier = {"acme_surgical": (site.connections["acme_surgical"], receiver)}
            deliveries = Deliveries(store, lambda: site, courier)
            await deliveries.start()
            while len(receiver.seen) < 3:  # noqa: ASYNC110 - another party is watched
                await asyncio.sleep(0.005)
            await deliveries.stop()

    monkeypatch.setattr("engine.settling._DRAIN", 0.05)
    asyncio.run(stopping())


def test_one_worker_takes_whatever_comes_while_it_works_and_after(site: Site) -> None:
    async def run() -> list[str]:
        receiver = Receiver()
        one = replace(site.connections["acme_surgical"], in_flight=1)
        async with temporary_store() as store, asyncio.timeout(120):
            deliveries = Deliveries(store, lambda: site, {"acme_surgical": (one, receiver)})
            await deliveries.start()
            await store.append([incoming(n) for n in range(1, 4)])
            for work in await claim(store, "process"):
                await store.commit([processed(work, *(10 * work.subject + n for n in range(4)))])
                while len(receiver.seen) < 4 * work.subject:  # noqa: ASYNC110 - another party is watched
                    await asyncio.sleep(0)
            await deliveries.stop()
        return receiver.seen

    assert len(set(asyncio.run(run()))) == 12


def test_what_still_waits_for_a_worker_at_a_stop_goes_back_unsent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(Receiver):
        async def send(self, out: Outbound) -> Sent:
            self.seen.append(out.delivery.uid)
            await asyncio.Event().wait()
            raise AssertionError

    async def run() -> tuple[list[str], list[str]]:
        receiver = Mute()
        one = replace(site.connections["acme_surgical"], in_flight=1)
        async with temporary_store() as store, asyncio.timeout(120):
            await _plan_orders(store, 3)
            deliveries = Deliveries(store, lambda: site, {"acme_surgical": (one, receiver)})
            await deliveries.start()
            while not receiver.seen:  # noqa: ASYNC110 - another party is watched
                await asyncio.sleep(0.005)
            await deliveries.stop()
            back = [work.delivery.uid for work in await claim(store, "deliver") if work.delivery]
        return receiver.seen, back

    monkeypatch.setattr("engine.delivery._GRACE", 0.05)
    seen, back = asyncio.run(run())
    assert len(seen) == 1
    assert sorted(seen + back) == ["uid-1", "uid-2", "uid-3"]


def test_what_a_receiver_says_can_be_stored() -> None:
    with pytest.raises(Rejected) as caught:
        judge(422, b'{"code": "x", "message": "half a pair \\ud800"}')
    assert caught.value.context["message"] == "half a pair ?"


BUSY = b'{"code": "unavailable", "message": "Closed for\\u001b[2J maintenance\\nuntil nine.", "pointer": "/a"}'
SAID = "the receiver answered 503, saying unavailable: Closed for [2J maintenance until nine."


class Busy:
    """A sender whose receiver has no time now, and says why."""

    async def send(self, out: Outbound) -> Sent:
        return judge(503, BUSY)

    async def close(self) -> None:
        return


@pytest.mark.parametrize(("attempts", "state"), [(0, "retrying"), (1, "dead")])
def test_the_receivers_reason_of_the_last_attempt_is_kept(site: Site, attempts: int, state: str) -> None:
    config = replace(site.connections["acme_surgical"], retry=RetryPolicy(attempts=attempts))

    async def deliver() -> tuple[DeliveryRecord | None, list[ExceptionRecord]]:
        async with temporary_store() as store, asyncio.timeout(120):
            await _plan_orders(store, 1)
            deliveries = Deliveries(store, lambda: site, {"acme_surgical": (config, Busy())})
            await deliveries.start()
            while (await store.stats())["deliveries"]["planned"]:  # noqa: ASYNC110 - the store is asked
                await asyncio.sleep(0.005)
            await deliveries.stop()
            return await store.delivery("uid-1"), await store.exceptions()

    delivery, exceptions = asyncio.run(deliver())
    assert delivery is not None
    assert delivery.delivery.state == state
    assert [(row.code, row.text) for row in delivery.attempts] == [("http.retry", SAID)]
    told = [(row.code, row.place, row.context["code"], row.context["status"]) for row in exceptions]
    assert told == ([("delivery.exhausted", "/a", "unavailable", "503")] if attempts else [])
    assert all("maintenance" not in row.text for row in exceptions)
