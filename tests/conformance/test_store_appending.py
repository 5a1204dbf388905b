"""What every store promises of the messages it takes in: kept as they came, and the same again is seen."""

from __future__ import annotations

import asyncio

from engine.store.contract import LARGE, NewException, Outcome, Store
from tests.conformance.stores_kit import Make, on
from tests.store_kit import (
    Clock,
    claim,
    commit,
    incoming,
    order,
)


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
        works = await claim(store, "process")
        assert [(work.message.size, work.message.body) for work in works] == [
            (len(body), body if len(body) <= LARGE else b"") for body in bodies
        ]

    on(make, test)


def test_a_window_of_a_body_is_what_stands_there(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        body = bytes(range(256)) * 9000
        (row,) = await store.append([incoming(1, raw=body)])
        places = [(0, 10), (0, len(body) + 5), (LARGE - 3, 6), (LARGE, 1), (LARGE + 1, LARGE + 7), (len(body), 4)]
        for start, length in places:
            assert await store.window(row.seq, start, length) == body[start : start + length]

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


def test_what_goes_no_further_is_work_where_it_must_be_answered(make: Make) -> None:
    """In the turn of its lane; whatever is answered, it stays what it is."""

    async def test(store: Store, _: Clock) -> None:
        refusal = NewException("x12.truncated", "cut off")
        first = incoming(1, answered=True)
        batch = [first, first, first._replace(raw=b"other"), incoming(2, answered=True, refusal=refusal)]
        kept = [row.seq for row in await store.append(batch)]
        works = await claim(store, "process")
        steps = ["", "answer:duplicate", "answer:conflict", "answer:refused"]
        assert [(work.subject, work.step) for work in works] == list(zip(kept, steps, strict=True))
        assert works[1].message.duplicate_of == kept[0]
        await commit(store, *(Outcome(work, messages=(order(work.subject, document=None),)) for work in works))
        states = [found.state for seq in kept if (found := await store.get(seq))]
        assert states == ["processed", "duplicate", "exception", "exception"]
        assert (await store.stats())["in_flight"] == 0

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
