"""What every store promises (engine.store.contract), as one suite over all implementations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Unavailable
from engine.message import Key
from engine.store.contract import NewException, Outcome, Settle, Store
from engine.store.records import AwaitedNeed, Search
from engine.store.sqlite import SqliteStore
from tests.store_kit import (
    HOUR,
    Clock,
    accept_orders,
    claim,
    commit,
    conserved,
    dead,
    delivered,
    failed,
    fill,
    incoming,
    lanes,
    order,
    processed,
    settled,
)

Make = Callable[..., Store]
IMPLEMENTATIONS: dict[str, Callable[[Path], Make]] = {
    "sqlite": lambda folder: lambda **options: SqliteStore(folder / "store.db", **options),
    # little memory: work is paged in, bodies are read back from disk
    "sqlite-small": lambda folder: lambda **options: SqliteStore(folder / "store.db", most=8, memory=0, **options),
}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return IMPLEMENTATIONS[request.param](tmp_path)


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    await store.open()
    try:
        yield store
        assert conserved(await store.ledger())
    finally:
        await store.close()


def on(make: Make, test: Callable[..., Awaitable[None]], **options: Any) -> None:
    """Run a test on a fresh store, under a clock it may move."""

    async def run() -> None:
        clock = Clock()
        async with opened(make(clock=clock, **options)) as store:
            await test(store, clock)

    asyncio.run(run())


# --- storing -------------------------------------------------------------------------------------------------------
def test_a_message_is_kept_as_it_came(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        (row,) = await store.append([incoming(1, warnings=("hl7.lf_segments",))])
        message = await store.get(row.seq)
        assert message is not None
        assert row.status == "new"
        assert (message.direction, message.channel, message.partner, message.type) == (
            "in",
            "ehr_mllp",
            "ehr",
            "OMS^O05",
        )
        assert (message.control_id, message.sender, message.at) == ("CTL000001", "WARD|7", clock.now)
        assert (message.state, message.warnings, message.site) == ("received", ("hl7.lf_segments",), "site-one")
        assert message.body == b""
        assert await store.body(row.seq) == incoming(1).raw
        assert await store.get(99) is None

    on(make, test)


def test_what_only_reading_has_shown_joins_the_warnings(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        rows = await store.append([incoming(n, warnings=("hl7.lf_segments",)) for n in range(2)])
        works = await claim(store, "process")
        await store.commit([Outcome(works[0], warnings=("hl7.bad_escape",)), Outcome(works[1])])
        found = [message.warnings for row in rows if (message := await store.get(row.seq))]
        assert found == [("hl7.lf_segments", "hl7.bad_escape"), ("hl7.lf_segments",)]

    on(make, test)


def test_large_and_empty_bodies_come_back_whole(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        bodies = [b"", b"x" * (1 << 20), bytes(range(256)) * 9000, b"y" * ((1 << 20) + 1)]
        rows = await store.append([incoming(n, raw=raw) for n, raw in enumerate(bodies)])
        assert [await store.body(row.seq) for row in rows] == bodies
        assert [work.message.body for work in await claim(store, "process")] == bodies

    on(make, test)


def test_the_same_again_is_a_duplicate_and_other_bytes_are_a_conflict(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        first, other = await store.append([incoming(1), incoming(2)])
        again, changed, foreign = await store.append(
            [
                incoming(1),
                incoming(2, raw=b"something else", control_place="MSH-10"),
                incoming(1, partner="erp"),
            ]
        )
        assert (again.status, again.of) == ("duplicate", first.seq)
        assert (changed.status, changed.of) == ("conflict", other.seq)
        assert foreign.status == "new"
        assert await store.body(changed.seq) == b"something else"
        (found,) = await store.exceptions()
        assert (found.code, found.message, found.place) == ("dup.conflict", changed.seq, "MSH-10")
        assert len(await claim(store, "process")) == 3
        duplicate = await store.get(again.seq)
        assert duplicate is not None
        assert (duplicate.state, duplicate.duplicate_of) == ("duplicate", first.seq)

    on(make, test)


def test_duplicates_inside_one_batch_are_seen(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        rows = await store.append([incoming(1), incoming(1), incoming(1, raw=b"other")])
        assert [row.status for row in rows] == ["new", "duplicate", "conflict"]

    on(make, test)


def test_messages_without_a_duplicate_key_are_never_duplicates(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        rows = await store.append([incoming(1, dedup=""), incoming(1, dedup="")])
        assert [row.status for row in rows] == ["new", "new"]

    on(make, test)


def test_what_was_refused_is_kept_and_refused_again(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        refusal = NewException("hl7.header", "no MSH", "MSH", {"partner": "ehr"})
        rows = await store.append([incoming(1, refusal=refusal), incoming(1, refusal=refusal), incoming(1)])
        assert [row.status for row in rows] == ["new", "new", "new"]
        assert [found.code for found in await store.exceptions()] == ["hl7.header", "hl7.header"]
        assert [work.subject for work in await claim(store, "process")] == [rows[2].seq]
        assert (await store.ledger())["exception"] == 2

    on(make, test)


def test_many_callers_share_commits_and_each_gets_its_own_answer(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        rows = await asyncio.gather(*[store.append([incoming(n)]) for n in range(200)])
        for number, (row,) in enumerate(rows):
            assert await store.body(row.seq) == incoming(number).raw
        assert len({row.seq for (row,) in rows}) == 200

    on(make, test)


def test_one_callers_mistake_does_not_fail_its_neighbours(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        tasks = [
            store.append([incoming(1)]),
            store.append([incoming(2, control_id="\ud800")]),
            store.append([incoming(3)]),
        ]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[1], UnicodeEncodeError)
        assert [work.message.control_id for work in await claim(store, "process")] == ["CTL000001", "CTL000003"]
        await store.health()

    on(make, test)


# --- lanes -----------------------------------------------------------------------------------------------------------
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


def test_a_retrying_head_blocks_its_own_lane_only(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        await store.append([incoming(1)])
        (work,) = await claim(store, "process")
        orders = [order(1, lane="a"), order(2, lane="a", document=None), order(3, lane="b", document=None)]
        await commit(store, replace(processed(work, 1), messages=tuple(orders)))
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
        await commit(store, replace(processed(work, 1), messages=pair))
        head, tail = await claim(store, "deliver")
        await store.release([tail])
        await commit(store, dead(head))
        assert [work.subject for work in await claim(store, "deliver")] == [tail.subject]

    on(make, test)


# --- outcomes --------------------------------------------------------------------------------------------------------
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
        await commit(store, replace(processed(work, 1), messages=(broken,), exceptions=(trouble,)))
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


# --- acknowledgements ------------------------------------------------------------------------------------------------
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
        assert [a.kind for a in await store.awaited()] == ["855"]

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
        rows = await commit(store, stale, replace(Outcome(second), messages=(order(8),)), Outcome(other))
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
            store, settled(first, 1, "positive"), replace(settled(second, 1, "negative"), messages=(order(9),))
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


# --- people ----------------------------------------------------------------------------------------------------------
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
        assert stats["deliveries"] == {"planned": 0, "retrying": 0, "delivered": 2, "dead": 0, "held": 0, "replaced": 2}
        assert (stats["processed"], stats["in_flight"], stats["awaited"]) == (2, 0, 4)

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
        await commit(store, replace(processed(work, 1), messages=(order(1, state="held"),)))
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


# --- finding ---------------------------------------------------------------------------------------------------------
def test_find_pages_newest_first_and_combines_filters(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        for number in range(5):
            await store.append([incoming(number, partner="ehr" if number % 2 else "erp")])
            clock.pass_by(10)
        page = await store.find(Search(limit=2))
        assert [m.seq for m in page.messages] == [5, 4]
        rest = await store.find(Search(limit=9, cursor=page.cursor))
        assert ([m.seq for m in rest.messages], rest.cursor) == ([3, 2, 1], "")
        assert [m.seq for m in (await store.find(Search(partner="ehr"))).messages] == [4, 2]
        late = Search(since=clock.now - 20, until=clock.now - 10, direction="in", state="received", channel="ehr_mllp")
        assert [m.seq for m in (await store.find(late)).messages] == [4]
        assert [m.seq for m in (await store.find(Search(key="CTL000003"))).messages] == [4]
        assert (await store.find(Search(key="CTL000003", kind="invoice"))).messages == ()

    on(make, test)


def test_words_find_messages_by_key_control_id_uid_and_name(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        assert await store.seqs("M1") == [(1, "message")]
        assert await store.seqs("REQ-1") == [(1, "requisition")]
        assert await store.seqs("CTL000001") == [(1, "control")]
        assert await store.seqs("uid-1") == [(work.message.seq, "delivery")]
        assert await store.seqs("M99") == []
        assert await store.seqs("") == []

    on(make, test)


def test_a_thread_joins_by_transaction_keys_and_not_by_others(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        shared = (Key("purchase_order", "PO-7"), Key("lot", "L1"))
        other = (Key("lot", "L1"), Key("purchase_order", "PO-7", "elsewhere"))
        await store.append([incoming(1, keys=shared), incoming(2, keys=shared[:1]), incoming(3, keys=other)])
        assert [m.seq for m in (await store.thread([1])).messages] == [1, 2]
        assert [m.seq for m in (await store.thread([3])).messages] == [3]
        assert (await store.thread([99])).messages == ()

    on(make, test)


def test_a_thread_is_bounded(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(n, keys=(Key("shipment", "SHP-1"),)) for n in range(50)])
        thread = await store.thread([25], limit=10)
        assert (len(thread.messages), thread.truncated) == (10, True)
        assert 25 in {m.seq for m in thread.messages}
        whole = await store.thread([25], limit=50)
        assert (len(whole.messages), whole.truncated) == (50, False)

    on(make, test)


# --- the law ---------------------------------------------------------------------------------------------------------
def test_the_ledger_puts_each_message_in_one_place(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        refusal = NewException("hl7.header", "no MSH")
        await store.append([*[incoming(n) for n in range(6)], incoming(0), incoming(9, refusal=refusal)])
        works = await claim(store, "process")
        await commit(
            store, processed(works[0], 1), processed(works[1], 2), processed(works[2], 3), processed(works[3]),
            Outcome(works[4], state="filtered", rule="no_catalogues"),
        )  # fmt: skip
        first, second, _ = await claim(store, "deliver")
        await commit(store, delivered(first), dead(second))
        assert await store.ledger() == {
            "duplicate": 1, "exception": 2, "in_flight": 2, "filtered": 1, "delivered": 2, "received": 8,
        }  # fmt: skip
        stats = await store.stats()
        counted = ("received", "duplicate", "processed", "filtered", "exception", "in_flight")
        assert [stats[name] for name in counted] == [8, 1, 4, 1, 1, 1]

    on(make, test)


def test_a_filled_store_adds_up(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await fill(store, 1200, batch=100)
        stats = await store.stats()
        assert (stats["received"], stats["deliveries"]["delivered"], stats["awaited"]) == (600, 600, 1200)
        assert (await store.ledger())["delivered"] == 600
        assert [m.control_id for m in (await store.find(Search(direction="out", limit=1))).messages] == ["000000600"]

    on(make, test)


# --- life ------------------------------------------------------------------------------------------------------------
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
