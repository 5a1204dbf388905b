"""What every store promises of awaited answers: their deadlines, and that each is settled once."""

from __future__ import annotations

from engine.store.contract import NewException, Outcome, Settle, Store
from engine.store.records import AwaitedNeed
from tests.conformance.stores_kit import Make, on
from tests.store_kit import (
    HOUR,
    Clock,
    accept_orders,
    claim,
    commit,
    dead,
    delivered,
    incoming,
    order,
    settled,
)


def test_facts_find_what_a_reference_speaks_of(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await accept_orders(store, *range(1, 12))
        refs = ["PO/1", "PO/1/0001", "PO/11", "PO/1/0002", "PO"]
        found = await store.facts([AwaitedNeed("acme_surgical", "997", ref, below=True) for ref in refs])
        assert [[a.ref for a in rows] for rows in found[:4]] == [["PO/1/0001"], ["PO/1/0001"], ["PO/11/0001"], []]
        assert len(found[4]) == 11
        assert await store.facts([AwaitedNeed("bravo_medical", "997", "PO/1")]) == [()]
        assert await store.facts([]) == []

    on(make, test)


def test_facts_find_all_that_is_awaited_for_a_message(make: Make) -> None:
    """What a TA1 asks for: by control id; the last message that bore it, when numbers came round."""

    async def test(store: Store, _: Clock) -> None:
        works = await accept_orders(store, 1, 2)
        control = works[0].message.control_id
        partners = ("acme_surgical", "bravo_medical")
        ours, theirs = await store.facts([AwaitedNeed(name, "", control, control=True) for name in partners])
        assert [(a.kind, a.ref, a.message) for a in ours] == [
            ("997", "PO/1/0001", works[0].message.seq),
            ("855", "PO-1", works[0].message.seq),
        ]
        assert theirs == ()
        again = order(3, control_id=(control.encode(),), expect=(), document=None)
        await store.append([incoming(3)])
        (work,) = await claim(store, "process")
        await commit(store, Outcome(work, messages=(again,)))
        (bare,) = (await store.facts([AwaitedNeed("acme_surgical", "", control, control=True)]))[0]
        assert (bare.id, bare.kind, bare.message > works[1].message.seq) == (0, "", True)

    on(make, test)


def test_a_deadline_counts_from_the_delivery_and_falls_due_once(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        clock.pass_by(100 * HOUR)
        assert await store.pull("deadline", 10) == []
        assert await store.awaited() == []
        await commit(store, delivered(work))
        assert [(a.kind, a.due_at - clock.now) for a in await store.awaited()] == [
            ("997", 4 * HOUR),
            ("855", 24 * HOUR),
        ]
        clock.pass_by(4 * HOUR - 1)
        assert await store.pull("deadline", 10) == []
        clock.pass_by(1)
        (late,) = await claim(store, "deadline")
        assert (late.kind, late.message.seq, late.message.body) == ("deadline", work.message.seq, b"")
        assert await store.pull("deadline", 10) == []
        overdue = Settle(late.subject, "overdue", "awaited")
        await commit(store, Outcome(late, settles=(overdue,), exceptions=(NewException("ack.overdue", "no 997"),)))
        assert await store.pull("deadline", 10) == []
        assert [a.state for a in await store.awaited(overdue_at=clock.now + 1)] == ["overdue"]
        assert [(a.kind, a.state) for a in await store.awaited()] == [("997", "overdue"), ("855", "awaited")]
        assert await store.awaited(partner="bravo_medical") == []
        assert [a.kind for a in await store.awaited(partner="acme_surgical", limit=1)] == ["997"]
        assert [a.kind for a in await store.acknowledgements([work.subject])] == ["997", "855"]

    on(make, test)


def test_a_released_deadline_comes_again(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await commit(store, delivered(work))
        clock.pass_by(24 * HOUR)
        both = await claim(store, "deadline", 10)
        assert len(both) == 2
        await commit(store, Outcome(both[0]))
        await store.release(both[1:])
        assert [w.id for w in await claim(store, "deadline", 10)] == [both[1].id]

    on(make, test)


def test_nothing_of_a_lane_goes_before_a_head_that_conflicts(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await commit(store, delivered(work))
        await store.append([incoming(n, lane="one") for n in (10, 11)] + [incoming(12, lane="other")])
        first, second, other = await claim(store, "process")
        stale = settled(first, 1, "positive", was="overdue")
        rows = await commit(store, stale, Outcome(second)._replace(messages=(order(8),)), Outcome(other))
        assert [row.status for row in rows] == ["conflict", "conflict", "done"]
        assert await store.delivery("uid-8") is None
        assert [w.subject for w in await claim(store, "process")] == [first.subject, second.subject]

    on(make, test)


def test_settling_compares_the_state_it_was_read_in(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await commit(store, delivered(work))
        await store.append([incoming(n) for n in (10, 11)])
        first, second = await claim(store, "process")
        rows = await commit(
            store, settled(first, 1, "positive"), settled(second, 1, "negative")._replace(messages=(order(9),))
        )
        assert [row.status for row in rows] == ["done", "conflict"]
        assert await store.delivery("uid-9") is None
        (fact,) = (await store.facts([AwaitedNeed("acme_surgical", "997", "PO/1", below=True)]))[0]
        assert (fact.state, fact.code, fact.by, fact.settled_at) == ("positive", "A", first.message.seq, clock.now)
        assert [w.subject for w in await claim(store, "process")] == [second.subject]

    on(make, test)


def test_an_answer_may_come_before_the_delivery_is_settled(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await store.append([incoming(10)])
        (answer,) = await claim(store, "process")
        await commit(store, settled(answer, 1, "positive"))
        await commit(store, delivered(work))
        clock.pass_by(23 * HOUR)
        assert await store.pull("deadline", 10) == []
        assert [a.kind for a in await store.awaited()] == ["855"]

    on(make, test)


def test_a_deadline_may_be_an_instant_of_its_own(make: Make) -> None:
    """Business time is no plain length of time: whoever hands over says when which answer is due."""

    async def test(store: Store, clock: Clock) -> None:
        first, second = await accept_orders(store, 1, 2)
        await commit(store, delivered(first)._replace(dues=(("855", clock.now + 72 * HOUR),)), delivered(second))
        told = {(a.delivery, a.kind): a.due_at - clock.now for a in await store.awaited()}
        assert told == {
            (first.subject, "997"): 4 * HOUR,
            (first.subject, "855"): 72 * HOUR,
            (second.subject, "997"): 4 * HOUR,
            (second.subject, "855"): 24 * HOUR,
        }
        clock.pass_by(71 * HOUR)
        assert len(await claim(store, "deadline", 10)) == 3
        clock.pass_by(HOUR)
        (late,) = await claim(store, "deadline", 10)
        assert late.message.seq == first.message.seq

    on(make, test)


def test_a_negative_answer_ends_what_else_was_awaited(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await commit(store, delivered(work))
        await store.append([incoming(10)])
        (answer,) = await claim(store, "process")
        await commit(store, settled(answer, 1, "negative", code="R"))
        states = {a.kind: a.state for a in (await store.thread([1])).acknowledgements}
        assert states == {"997": "negative", "855": "not_expected"}
        assert (await store.stats())["awaited"] == 0

    on(make, test)


def test_a_late_answer_resolves_the_exception_of_its_own_deadline(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await commit(store, delivered(work))
        clock.pass_by(24 * HOUR)
        for late in await claim(store, "deadline", 10):
            overdue = Settle(late.subject, "overdue", "awaited")
            await commit(store, Outcome(late, settles=(overdue,), exceptions=(NewException("ack.overdue", "late"),)))
        assert len(await store.exceptions()) == 2
        await store.append([incoming(10)])
        (answer,) = await claim(store, "process")
        await commit(store, settled(answer, 1, "positive", was="overdue"))
        assert [found.id for found in await store.exceptions()] == [2]
        stats = await store.stats()
        assert (stats["exceptions_open"], stats["overdue"]) == (1, 1)

    on(make, test)


def test_a_dead_delivery_expects_nothing_until_it_is_tried_again(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        await commit(store, dead(work))
        assert {a.state for a in (await store.thread([1])).acknowledgements} == {"not_expected"}
        assert (await store.ledger())["exception"] == 1
        assert await store.replay(deliveries=[work.subject], reason="fixed", who="ann") == 1
        assert await store.exceptions() == []
        assert (await store.ledger())["in_flight"] == 1
        (again,) = await claim(store, "deliver")
        assert (again.message.control_id, again.message.body) == (work.message.control_id, work.message.body)
        await commit(store, delivered(again))
        assert len(await store.awaited()) == 2
        assert (await store.ledger())["delivered"] == 1

    on(make, test)
