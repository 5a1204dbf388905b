"""What every store promises of what people do: replay, send anew, release and resolve."""

from __future__ import annotations

import pytest

from engine.errors import Refused
from engine.message import Key
from engine.store.contract import NewDocument, NewException, Outcome, Store, TakenOver
from engine.store.records import DocumentNeed
from tests.conformance.stores_kit import Make, on
from tests.store_kit import (
    HOUR,
    ISA,
    Clock,
    accept_orders,
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


def test_replay_queues_a_message_again_and_resolves_its_exceptions(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1)])
        (work,) = await claim(store, "process")
        missing = NewException("map.miss", "unknown item", "RQD[1]-5", {"partner": "ehr"})
        await commit(store, Outcome(work, state="exception", exceptions=(missing,)))
        assert (await store.ledger())["exception"] == 1
        assert await store.replay(messages=[1, 99], reason="row added", who="ann") == 1
        assert await store.replay(messages=[1], reason="row added", who="ann") == 0
        assert await store.exceptions() == []
        (old,) = await store.exceptions(state="resolved")
        assert (old.reason, old.context) == ("row added", {"partner": "ehr"})
        (again,) = await claim(store, "process")
        assert (again.step, again.message.body) == ("replay", incoming(1).raw)
        await commit(store, processed(again, 1))
        stats = await store.stats()
        assert (stats["processed"], stats["exception"], stats["in_flight"]) == (1, 0, 0)

    on(make, test)


def test_a_delivery_is_sent_anew_in_place_of_the_old_one(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        first, second = await accept_orders(store, 1, 2)
        await commit(store, dead(first), failed(second, clock.now + HOUR))
        both = [first.subject, second.subject]
        assert await store.replay(resend=both, reason="unit fixed", who="ann") == 2
        assert await store.replay(resend=both, reason="unit fixed", who="ann") == 0
        assert await store.exceptions() == []
        works = await claim(store, "process")
        assert [work.step for work in works] == [f"resend:{id}" for id in both]
        anew = [
            Outcome(work, state="processed", messages=(order(n, document=None, stored_document=1, replaces=id),))
            for work, n, id in zip(works, (8, 9), both, strict=True)
        ]
        await commit(store, *anew)
        states = [
            row.delivery.state for uid in ("uid-1", "uid-2", "uid-8", "uid-9") if (row := await store.delivery(uid))
        ]
        assert states == ["replaced", "replaced", "planned", "planned"]
        clock.pass_by(HOUR)
        sent = await claim(store, "deliver")
        assert {work.delivery.uid for work in sent if work.delivery} == {"uid-8", "uid-9"}
        await commit(store, *[delivered(work) for work in sent])
        ledger = await store.ledger()
        assert (ledger["delivered"], ledger["received"]) == (2, 2)
        stats = await store.stats()
        assert {state: count for state, count in stats["deliveries"].items() if count} == {
            "delivered": 2,
            "replaced": 2,
        }
        assert (stats["processed"], stats["in_flight"], stats["awaited"]) == (2, 0, 4)

    on(make, test)


def test_two_deliveries_of_one_message_are_sent_anew_together(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        await store.append([incoming(1)])
        (work,) = await claim(store, "process")
        two = (order(1), order(2, document=0))
        await commit(store, processed(work, 1, messages=two))
        await commit(store, *[dead(sent) for sent in await claim(store, "deliver")])
        ids = [row.delivery.id for uid in ("uid-1", "uid-2") if (row := await store.delivery(uid))]
        assert await store.replay(resend=ids, reason="unit fixed", who="ann") == 2
        works = await claim(store, "process")
        assert [work.step for work in works] == [f"resend:{id}" for id in ids]
        assert [work.message.body for work in works] == [incoming(1).raw] * 2
        assert await store.exceptions() == []

    on(make, test)


def test_a_delivery_under_way_is_not_replaced(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        (sending,) = await accept_orders(store, 1)
        await store.replay(resend=[sending.subject], reason="hurry", who="ann")
        (work,) = await claim(store, "process")
        await commit(
            store, Outcome(work, state="processed", messages=(order(2, document=None, replaces=sending.subject),))
        )
        assert [row.status for row in await commit(store, delivered(sending))] == ["done"]
        record = await store.delivery("uid-1")
        assert record is not None
        assert record.delivery.state == "delivered"

    on(make, test)


def test_a_held_delivery_waits_for_a_person(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1)])
        (work,) = await claim(store, "process")
        await commit(store, processed(work, 1)._replace(messages=(order(1, state="held"),)))
        assert await claim(store, "deliver") == []
        assert (await store.ledger())["in_flight"] == 1
        assert await store.replay(deliveries=[1], reason="go", who="ann") == 1
        assert len(await claim(store, "deliver")) == 1

    on(make, test)


def test_resolving_an_exception_lets_its_message_rest(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await commit(store, dead(work))
        (found,) = await store.exceptions()
        await store.resolve([found.id, 99], reason="phoned", who="ann")
        (old,) = await store.exceptions(state="", ids=[found.id])
        assert (old.state, old.reason, old.resolved_at) == ("resolved", "phoned", clock.now)
        assert (await store.stats())["exceptions_open"] == 0
        assert (await store.ledger())["delivered"] == 1
        await store.audit("ann", "hold", "acme_surgical", "holiday")

    on(make, test)


def test_an_outcome_resolves_exceptions(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(1), incoming(2)])
        one, two = await claim(store, "process")
        await commit(store, Outcome(one, state="exception", exceptions=(NewException("ack.unknown", "whose?"),)))
        await commit(store, Outcome(two, state="processed", resolves=(1,), edges=((1, 2, "acknowledges"),)))
        assert await store.exceptions() == []
        assert [(e.source, e.target, e.kind) for e in (await store.thread([2])).edges] == [(1, 2, "acknowledges")]

    on(make, test)


def test_control_numbers_go_on_from_where_a_person_says_and_never_back(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        told = await store.seed({ISA.counter: 5000, "gs:new": 77}, reason="from another engine", who="ann")
        assert told == {ISA.counter: 5000, "gs:new": 77}
        first, second = await accept_orders(store, 1, 2)
        assert [first.message.control_id, second.message.control_id] == ["000005000", "000005001"]
        for number in (1, 5001, 0, 1_000_000_000):
            with pytest.raises(Refused) as refused:
                await store.seed({"gs:other": 9, ISA.counter: number}, reason="again", who="ann")
            assert refused.value.code == "control.number"
        await store.seed({"gs:other": 9}, reason="nothing of the refused was kept", who="ann")
        await store.seed({ISA.counter: 5002}, reason="the very next", who="ann")
        (third,) = await accept_orders(store, 3)
        assert third.message.control_id == "000005002"

    on(make, test)


def test_what_another_engine_sent_is_known_as_sent_once(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        number = "4501"
        told = NewDocument("purchase_order", number, "1 line", "{}")
        one = TakenOver(told, "acme", "acme", "x12", "850", "uid-old", (Key("purchase_order", number),))
        need = DocumentNeed("purchase_order", number, "acme")
        assert await store.take_over([one], reason="taken over", who="ann") == 1
        assert await store.take_over([one._replace(uid="uid-again")], reason="once more", who="ann") == 0
        ((known,),) = await store.known([need])
        assert (known.body, known.delivery is not None) == ("{}", True)
        delivery = await store.delivery("uid-old")
        assert delivery is not None
        assert (delivery.delivery.state, delivery.attempts) == ("delivered", ())
        assert await store.pull("deliver", 10) == []  # nothing is sent
        found = await store.seqs(number)
        assert [await store.body(seq) for seq, _ in found] == [b""]
        assert conserved(await store.ledger())
        assert (await store.stats())["deliveries"]["delivered"] == 1

    on(make, test)
