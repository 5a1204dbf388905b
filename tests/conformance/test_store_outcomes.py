"""What every store promises of outcomes: each is kept whole, once, with all it led to."""

from __future__ import annotations

import asyncio

from engine.message import Key
from engine.store.contract import NewException, Outcome, Store, Work
from tests.conformance.stores_kit import Make, on
from tests.store_kit import (
    Clock,
    accept_orders,
    claim,
    commit,
    conserved,
    delivered,
    failed,
    incoming,
    order,
    processed,
)


def test_control_numbers_are_allocated_once_per_message_and_without_a_gap(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        works = await accept_orders(store, 1, 2, 3)
        assert [work.message.control_id for work in works] == ["000000001", "000000002", "000000003"]
        assert works[1].message.body == b"ISA*000000002~GS*PO*2~BEG*PO-2~IEA*1*000000002~"
        assert await store.body(works[1].message.seq) == works[1].message.body
        assert [seq for seq, _ in await store.seqs("000000002")] == [works[1].message.seq]

    on(make, test)


def test_an_outcome_keeps_all_it_led_to(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 7)
        thread = await store.thread([1])
        assert [(m.seq, m.direction, m.state, m.site) for m in thread.messages] == [
            (1, "in", "processed", "site-two"), (2, "out", "processed", "site-two"),
        ]  # fmt: skip
        assert [(d.message, d.type, d.number, d.summary, d.body, d.place) for d in thread.documents] == [
            (1, "purchase_order", "PO-7", "order 7", '{"number": 1}', "ORDER[7]")
        ]
        assert [(e.source, e.target, e.kind) for e in thread.edges] == [(1, 2, "causes")]
        (record,) = thread.deliveries
        assert (record.delivery.uid, record.delivery.state, record.document) == ("uid-7", "planned", 1)
        assert record.delivery.options == {"file": "850"}
        assert {(a.kind, a.ref, a.state, a.due_at) for a in thread.acknowledgements} == {
            ("997", "PO/1/0001", "awaited", 0), ("855", "PO-7", "awaited", 0),
        }  # fmt: skip
        assert (1, Key("requisition", "REQ-1")) in thread.keys
        assert (2, Key("purchase_order", "PO-7")) in thread.keys
        assert await store.delivery("uid-7") == record == await store.delivery(work.subject)
        assert await store.documents([1, 99]) == list(thread.documents)

    on(make, test)


def test_work_done_is_not_done_twice(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1)])
        (work,) = await claim(store, "process")
        both = await asyncio.gather(commit(store, processed(work, 1)), commit(store, processed(work, 2)))
        assert sorted(row.status for (row,) in both) == ["conflict", "done"]
        assert [row.status for row in await commit(store, processed(work, 3))] == ["conflict"]
        assert len(await claim(store, "deliver")) == 1

    on(make, test)


def test_a_message_that_could_not_be_rendered_is_a_dead_delivery(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1)])
        (work,) = await claim(store, "process")
        broken = order(1, body=(), state="dead", control_id=(), keys=(), expect=())
        trouble = NewException("delivery.render", "no unit", "PO1[1]/PO103", new_delivery=0)
        await commit(store, processed(work, 1)._replace(messages=(broken,), exceptions=(trouble,)))
        assert await claim(store, "deliver") == []
        record = await store.delivery("uid-1")
        (found,) = await store.exceptions()
        assert record is not None
        assert (record.delivery.state, found.delivery, found.message) == ("dead", record.delivery.id, 1)
        assert await store.replay(deliveries=[record.delivery.id], reason="again", who="ann") == 0
        assert (await store.ledger())["exception"] == 1

    on(make, test)


def test_a_reply_is_a_message_with_work_of_its_own(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        reply = incoming(50, partner="erp", channel="erp", lane="erp/x", dedup="")
        (row,) = await commit(store, delivered(work, reply=reply))
        assert row.reply is not None
        assert [w.message.seq for w in await claim(store, "process")] == [row.reply]
        edges = (await store.thread([row.reply])).edges
        assert (work.message.seq, row.reply, "reply") in {(e.source, e.target, e.kind) for e in edges}
        assert (await store.ledger())["received"] == 2

    on(make, test)


def test_an_ambiguous_attempt_marks_a_possible_duplicate(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await commit(store, failed(work, clock.now, "ambiguous"))
        (again,) = await claim(store, "deliver")
        assert again.delivery is not None
        assert again.delivery.possible_duplicate
        record = await store.delivery("uid-1")
        assert record is not None
        assert [(a.number, a.outcome, a.code) for a in record.attempts] == [(1, "ambiguous", "http.503")]

    on(make, test)


def test_an_exception_that_is_found_when_all_is_over_is_kept_beside_it(make: Make) -> None:
    """Nothing was claimed, and nothing waits."""

    async def test(store: Store, _: Clock) -> None:
        await accept_orders(store, 7)
        message = await store.get(1)
        assert message is not None
        trouble = NewException("x12.second_opinion", "they differ", "ST[1]", {"partner": "acme_surgical"})
        work = Work(0, "aside", "", 5, 0, message.seq, message)
        (kept,) = await store.commit([Outcome(work, exceptions=(trouble,))])
        assert kept.status == "done"
        (found,) = await store.exceptions()
        assert (found.message, found.code, found.place) == (1, "x12.second_opinion", "ST[1]")
        assert conserved(await store.ledger())
        assert await claim(store, "process") == []

    on(make, test)
