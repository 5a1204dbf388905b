"""What every store promises of deliveries that wait for each other: each goes once, and ends as what carries it."""

from __future__ import annotations

from engine.store.contract import GATHERED, Carried, Expectation, Outcome, Store, Work
from engine.store.records import AwaitedNeed
from tests.conformance.stores_kit import Make, on
from tests.store_kit import (
    GS,
    HOUR,
    Clock,
    claim,
    commit,
    conserved,
    dead,
    delivered,
    failed,
    incoming,
    order,
    processed,
)

LANE = "acme_surgical/850"


async def waiting(store: Store, *numbers: int) -> list[Work]:
    """Requisitions that became one order each, which waits; the work to look after them, claimed."""
    await store.append([incoming(number) for number in numbers])
    for work, number in zip(await claim(store, "process"), numbers, strict=True):
        one = order(
            number, document=0, lane=LANE, state="gathering", body=(b"ST*850",), control_id=(), keys=(), expect=()
        )
        await commit(store, processed(work, number, messages=(one,)))
    return await claim(store, "process")


async def carried(store: Store, work: Work, most: int = 10, **other: object) -> Outcome:
    """All that wait, in one message."""
    found = await store.gathering(LANE, most)
    answers = [
        Carried(one.delivery, (Expectation("997", (b"PO/", GS, b"/%04d" % number), HOUR),))
        for number, one in enumerate(found, 1)
    ]
    message = order(0, document=None, lane=GATHERED + LANE, expect=(), carries=tuple(answers), **other)
    return Outcome(work, messages=(message,))


async def states(store: Store, *numbers: int) -> list[str]:
    found = [await store.delivery(f"uid-{number}") for number in numbers]
    return [record.delivery.state for record in found if record]


def test_they_go_together_and_each_awaits_its_own(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        works = await waiting(store, 1, 2, 3)
        assert [work.step for work in works] == [f"gather:{LANE}"] * 3
        assert await states(store, 1, 2, 3) == ["gathering"] * 3
        assert [one.since for one in await store.gathering(LANE, 2)] == [clock.now] * 2
        assert await store.gathering("acme_surgical/810", 10) == []
        assert (await store.ledger())["in_flight"] == 3
        assert [row.status for row in await commit(store, await carried(store, works[1]))] == ["done"]
        assert await states(store, 1, 2, 3) == ["planned"] * 3
        await commit(store, *[Outcome(work) for work in (works[0], works[2])])
        assert await claim(store, "process") == []
        (sending,) = await claim(store, "deliver")
        assert sending.message.control_id == "000000001"
        assert await store.awaited() == []
        await commit(store, delivered(sending))
        assert await states(store, 1, 2, 3) == ["delivered"] * 3
        assert [row.ref for row in await store.awaited()] == ["PO/1/0001", "PO/1/0002", "PO/1/0003"]
        stats = await store.stats()
        assert {state: count for state, count in stats["deliveries"].items() if count} == {"delivered": 4}
        assert (stats["in_flight"], stats["awaited"]) == (0, 3)
        ledger = await store.ledger()
        assert (ledger["delivered"], conserved(ledger)) == (3, True)

    on(make, test)


def test_none_goes_twice(make: Make) -> None:
    """Two who looked at the same time; also in one transaction."""

    async def test(store: Store, _: Clock) -> None:
        first, second = await waiting(store, 1, 2)
        both = [await carried(store, first), await carried(store, second, uid="uid-again")]
        assert [row.status for row in await commit(store, *both)] == ["done", "conflict"]
        assert len(await claim(store, "deliver")) == 1
        (third,) = await waiting(store, 3)
        late = await carried(store, third, uid="uid-third")
        assert [row.status for row in await commit(store, late)] == ["done"]
        assert [row.status for row in await commit(store, late)] == ["conflict"]
        assert (await store.stats())["in_flight"] == 0

    on(make, test)


def test_what_becomes_of_the_message_becomes_of_them(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        works = await waiting(store, 1, 2)
        await commit(store, await carried(store, works[0]))
        (sending,) = await claim(store, "deliver")
        await commit(store, failed(sending, clock.now))
        assert await states(store, 1, 2) == ["retrying"] * 2
        (again,) = await claim(store, "deliver")
        await commit(store, dead(again))
        assert await states(store, 1, 2) == ["dead"] * 2
        carrier = again.delivery
        assert carrier is not None
        ids = [record.delivery.id for n in (1, 2) if (record := await store.delivery(f"uid-{n}"))]
        assert await store.replay(deliveries=ids, reason="by themselves", who="test") == 0
        assert await store.replay(deliveries=[carrier.id], reason="the way is open", who="test") == 1
        (last,) = await claim(store, "deliver")
        await commit(store, delivered(last))
        assert await states(store, 1, 2) == ["delivered"] * 2
        record = await store.delivery("uid-1")
        assert record is not None
        assert [attempt.outcome for attempt in record.attempts] == ["transient", "permanent", "delivered"]
        assert conserved(await store.ledger())

    on(make, test)


def test_one_that_is_written_anew_waits_no_longer(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        works = await waiting(store, 1, 2)
        await store.release(works)
        record = await store.delivery("uid-1")
        assert record is not None
        await store.replay(resend=[record.delivery.id], reason="corrected", who="test")
        (asked,) = [work for work in await claim(store, "process") if work.step.startswith("resend:")]
        anew = order(3, document=None, stored_document=1, replaces=record.delivery.id)
        await commit(store, Outcome(asked, messages=(anew,)))
        assert await states(store, 1, 2, 3) == ["replaced", "gathering", "planned"]
        assert len(await store.gathering(LANE, 10)) == 1

    on(make, test)


def test_an_interchange_leads_to_all_of_them_and_one_of_them_to_itself(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        works = await waiting(store, 1, 2)
        await commit(store, await carried(store, works[0]))
        (sending,) = await claim(store, "deliver")
        await commit(store, delivered(sending))
        whole = await store.thread([sending.message.seq])
        assert {row.number for row in whole.documents} == {"PO-1", "PO-2"}
        alone = await store.thread([work.subject for work in works][:1])
        assert {row.number for row in alone.documents} == {"PO-1"}
        assert sending.message.seq in {row.seq for row in alone.messages}
        (found,) = await store.facts([AwaitedNeed("acme_surgical", "", sending.message.control_id, control=True)])
        assert [row.ref for row in found] == ["PO/1/0001", "PO/1/0002"]

    on(make, test)
