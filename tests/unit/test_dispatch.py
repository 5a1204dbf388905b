"""Intake and dispatch over a real store and the reference site: each message gets its own answer, documents and
delivery, in its lane's order; and what a failing store interrupts is taken up again by itself.

The same check is run over planted defects, to see that it can fail.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import channels
from channels.simulate.requisitions import Plan, Requisition, messages
from channels.simulate.words import load as load_words
from engine import pipeline, wiring
from engine.deciding import Deciding
from engine.dispatch import Dispatch
from engine.errors import Refused, Unavailable
from engine.intake import Reception, Verdicts
from engine.message import Key
from engine.plugin import Verdict
from engine.site.model import Site
from engine.store.contract import Committed, Expectation, Outcome, Work
from engine.store.sqlite import SqliteStore
from engine.store.temporary import temporary_store
from engine.store.writer import Settled
from tests.store_kit import claim, delivered, incoming, order, processed

ROOT = Path(__file__).resolve().parents[2]
COUNT = 40
UNLISTED = 7  # this message asks for an item that no crosswalk knows
FORMATS = channels.registry().format


@pytest.fixture(scope="module")
def site() -> Site:
    return wiring.load({"HILUM_SITE": str(ROOT)})


@dataclasses.dataclass
class Bench:
    store: SqliteStore
    reception: Reception
    dispatch: Dispatch


@asynccontextmanager
async def bench(site: Site) -> AsyncIterator[Bench]:
    async with temporary_store() as store:
        verdicts = Verdicts()
        reception = Reception(site.listeners["ehr_mllp"], lambda: site, FORMATS("hl7v2"), store, verdicts)
        dispatch = Dispatch(store, lambda: site, FORMATS, verdicts)
        await dispatch.start()
        try:
            yield Bench(store, reception, dispatch)
        finally:
            await dispatch.stop()


def requisitions() -> list[Requisition]:
    return list(messages(Plan(load_words(ROOT), seed=7, unlisted_at=UNLISTED), COUNT))


async def play(found: Bench) -> None:
    """Hospitals send at the same time, each in its order; then `Bench` holds what it should."""
    sent = requisitions()
    async with asyncio.timeout(120):
        answers = await asyncio.gather(*(_sent(found, one) for one in sent))
    await _check(found.store, sent, answers)


async def _sent(found: Bench, one: Requisition) -> tuple[Verdict, Refused | None]:
    (verdict,) = await found.reception.accept(one.raw)
    return verdict, await found.reception.processed(verdict)


async def _check(
    store: SqliteStore, sent: Sequence[Requisition], answers: Sequence[tuple[Verdict, Refused | None]]
) -> None:
    order_of: dict[int, list[tuple[int, int]]] = {}  # by hospital: (message, its document), both in order of commit
    for position, (one, (verdict, refusal)) in enumerate(zip(sent, answers, strict=True), 1):
        assert verdict.facts.control_id == one.control_id
        assert await store.body(verdict.seq) == one.raw
        assert (refusal is not None) == (position == UNLISTED), f"message {position} was told {refusal}"
        thread = await store.thread([verdict.seq], limit=1)
        found = [row.number for row in thread.documents if row.message == verdict.seq]
        order_of.setdefault(one.hospital, []).extend((verdict.seq, row.id) for row in thread.documents)
        assert found == ([] if position == UNLISTED else [one.number]), f"message {position} became {found}"
    for hospital, rows in order_of.items():
        assert [id for _, id in sorted(rows)] == sorted(id for _, id in rows), f"hospital {hospital} is out of order"
    works = await claim(store, "deliver")
    bodies = [work.message.body for work in works]
    for position, one in enumerate(sent, 1):
        holding = [body for body in bodies if f'"{one.number}"'.encode() in body]
        assert len(holding) == (0 if position == UNLISTED else 1), f"{one.number} is in {len(holding)} deliveries"
    ledger = await store.ledger()
    assert (ledger["received"], ledger["exception"], ledger["in_flight"]) == (COUNT, 1, COUNT - 1)
    assert await claim(store, "process") == []


def run(site: Site) -> None:
    async def playing() -> None:
        async with bench(site) as found:
            await play(found)

    asyncio.run(playing())


def test_each_message_gets_its_own_answer_document_and_delivery(site: Site) -> None:
    run(site)


# --- planted defects ------------------------------------------------------------------------------------------------
def lose_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, seen = pipeline.plan, []

    def plan(work: Work, *args: Any, **kwargs: Any) -> Outcome:
        outcome = whole(work, *args, **kwargs)
        seen.append(work)
        return outcome._replace(documents=(), messages=()) if len(seen) == 3 else outcome

    monkeypatch.setattr(pipeline, "plan", plan)


def send_a_document_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, seen = pipeline.plan, []

    def plan(work: Work, *args: Any, **kwargs: Any) -> Outcome:
        outcome = whole(work, *args, **kwargs)
        seen.append(work)
        again = tuple(new._replace(uid=new.uid + "-again") for new in outcome.messages)
        return outcome._replace(messages=outcome.messages + again) if len(seen) == 3 else outcome

    monkeypatch.setattr(pipeline, "plan", plan)


def swap_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided about one message is kept for the next one."""
    monkeypatch.setattr("engine.pace._ROUND", 256)  # so that there is a next one in each commit
    whole = SqliteStore.commit

    async def commit(self: SqliteStore, outcomes: Sequence[Outcome], **how: Any) -> list[Committed]:
        works = [outcome.work for outcome in outcomes]
        turned = [o._replace(work=work) for o, work in zip(outcomes, works[1:] + works[:1], strict=True)]
        return await whole(self, turned)

    monkeypatch.setattr(SqliteStore, "commit", commit)


def swap_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who share a group commit get each other's answers."""
    whole = SqliteStore._settled

    def settled(self: SqliteStore, found: Settled) -> None:
        answers = found.answers
        if answers and all(job.batch for job, _, _ in answers):
            results = [result for _, result, _ in answers]
            turned = zip(answers, results[1:] + results[:1], strict=True)
            answers = [(job, result, error) for (job, _, error), result in turned]
        whole(self, Settled(answers, found.effects))

    monkeypatch.setattr(SqliteStore, "_settled", settled)


@pytest.mark.parametrize("plant", [lose_a_document, send_a_document_twice, swap_outcomes, swap_answers])
def test_the_check_sees(plant: Any, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run(site)


def test_a_long_batch_is_committed_while_it_is_decided(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a daemon that is killed before it has decided all that it claimed would never get on."""
    whole, sizes = SqliteStore.commit, []

    async def commit(self: SqliteStore, outcomes: Sequence[Outcome], **how: Any) -> list[Committed]:
        sizes.append(len(outcomes))
        return await whole(self, outcomes)

    monkeypatch.setattr(SqliteStore, "commit", commit)
    monkeypatch.setattr("engine.pace._ROUND", 2)
    run(site)
    assert sum(sizes) >= COUNT
    assert max(sizes) <= 2


async def emptied(store: SqliteStore, dispatch: Dispatch) -> None:
    """Let it run until nothing waits to be processed."""
    await dispatch.start()
    while (await store.stats())["in_flight"]:  # noqa: ASYNC110 - the store is asked, as a person would
        await asyncio.sleep(0.02)
    await dispatch.stop()


class Watched:
    """Beside dispatch; decides nothing, and sees how many bytes are claimed at once and asked about at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.claimed, self.most, self.asked = 0, 0, list[int]()
        pull, commit = SqliteStore.pull, SqliteStore.commit

        async def pulled(store: SqliteStore, *args: Any, **kwargs: Any) -> Any:
            lanes = await pull(store, *args, **kwargs)
            self.claimed += sum(len(work.message.body) for _, lane in lanes for work in lane)
            self.most = max(self.most, self.claimed)
            return lanes

        async def committed(store: SqliteStore, outcomes: Sequence[Outcome], **how: Any) -> Any:
            found = await commit(store, outcomes)
            self.claimed -= sum(len(outcome.work.message.body) for outcome in outcomes)
            return found

        monkeypatch.setattr(SqliteStore, "pull", pulled)
        monkeypatch.setattr(SqliteStore, "commit", committed)

    def busy(self) -> bool:
        return False

    async def outcomes(self, works: Sequence[Work]) -> list[Outcome | None]:
        self.asked.append(sum(len(work.message.body) for work in works))
        await asyncio.sleep(0.01)
        return [None] * len(works)


def test_large_messages_are_not_all_claimed_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a dozen senders of large messages would fill the memory."""
    large, senders = 900_000, 24

    async def playing() -> None:
        async with temporary_store() as store, asyncio.timeout(120):
            for number in range(2 * senders):
                raw = b"MSH|^~\\&|X|Y|||20261121||OMS^O05|%d|P|2.5.1\rNTE|1||%b\r" % (number, b"x" * large)
                small = b"MSH|^~\\&|X|Y|||20261121||OMS^O05|S%d|P|2.5.1\r" % number
                lane = f"ehr_mllp/{number % senders}"
                await store.append([incoming(number, raw=one, lane=lane, dedup="") for one in (raw, small)])
            watched = Watched(monkeypatch)
            dispatch = Dispatch(store, lambda: site, FORMATS, Verdicts(), watched)
            await emptied(store, dispatch)
        assert watched.claimed == 0
        assert large < watched.most < (8 << 20) + 2 * large
        assert large < max(watched.asked) < large + (1 << 20)  # a large one goes alone

    asyncio.run(playing())


class Busy:
    """A worker that has enough to do."""

    def __init__(self) -> None:
        self.asked = 0

    def busy(self) -> bool:
        return True

    async def outcomes(self, works: Sequence[Work]) -> list[Outcome | None]:
        self.asked += len(works)
        return [None] * len(works)


@pytest.mark.parametrize("arriving", [False, True])
def test_a_round_is_decided_here_while_the_worker_is_busy_and_no_sender_waits(
    arriving: bool, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.dispatch._BREATH", 1.0)  # a loop that others keep busy is not what is tried here

    async def playing() -> None:
        async with temporary_store() as store, asyncio.timeout(120):
            await store.append([incoming(number, lane=f"ehr_mllp/{number % 5}") for number in range(60)])
            busy, verdicts = Busy(), Verdicts()
            monkeypatch.setattr(verdicts, "accepting", lambda: arriving)
            dispatch = Dispatch(store, lambda: site, FORMATS, verdicts, busy)
            await emptied(store, dispatch)
        assert (busy.asked == 60) == arriving

    asyncio.run(playing())


class Held:
    """A worker that takes its time, and counts how many rounds wait for it at once."""

    def __init__(self) -> None:
        self.waiting, self.most = 0, 0

    def busy(self) -> bool:
        return False

    async def outcomes(self, works: Sequence[Work]) -> list[Outcome | None]:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await asyncio.sleep(0.05)
        self.waiting -= 1
        return [None] * len(works)


@pytest.mark.parametrize(
    ("arriving", "crowded", "busy", "processed", "most"),
    [
        (True, False, True, False, 6),
        (True, True, False, False, 6),  # a crowd that leaves the loop enough time
        (True, True, True, False, 1),
        (False, True, True, False, 1),  # the loop had no time to look for more of them
        (True, True, True, True, 12),
        (False, False, True, False, 12),
    ],
)
def test_few_rounds_go_on_while_messages_arrive_unless_their_senders_wait_for_that(
    arriving: bool, crowded: bool, busy: bool, processed: bool, most: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.pace._BUSY", -1 if busy else 2)
    monkeypatch.setattr("engine.pace._WHILE", 0.001)

    async def playing() -> None:
        async with temporary_store() as store, asyncio.timeout(120):
            await store.append([incoming(number, lane=f"ehr_mllp/{number}") for number in range(100)])
            held, verdicts = Held(), Verdicts()
            monkeypatch.setattr(verdicts, "accepting", lambda: arriving)
            monkeypatch.setattr(verdicts, "crowded", lambda: crowded)
            monkeypatch.setattr(verdicts, "waited", lambda: processed)
            dispatch = Dispatch(store, lambda: site, FORMATS, verdicts, held)
            await emptied(store, dispatch)
        assert held.most == most

    asyncio.run(playing())


# --- a store that fails meanwhile -----------------------------------------------------------------------------------
def fail_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception, *, at: int = 2) -> None:
    """The nth call of a coroutine method raises, before or instead of doing anything."""
    whole, calls = getattr(owner, name), []

    async def method(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        if len(calls) == at:
            raise error
        return await whole(*args, **kwargs)

    monkeypatch.setattr(owner, name, method)


@pytest.mark.parametrize("size", [1, 256])  # each message is committed alone; all are committed together
@pytest.mark.parametrize(("owner", "name", "at"), [(Deciding, "_plan", 5), (SqliteStore, "commit", 1)])
def test_what_an_unavailable_store_interrupts_is_done_again(
    owner: type, name: str, at: int, size: int, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.pace._ROUND", size)
    monkeypatch.setattr("engine.supervise.AGAIN", 0.01)
    fail_once(monkeypatch, owner, name, Unavailable("store.read", "the store could not be read"), at=at)
    run(site)


def test_what_a_failing_look_for_late_answers_interrupts_is_done_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.supervise.AGAIN", 0.01)
    fail_once(monkeypatch, SqliteStore, "awaited", Unavailable("store.read", "the store could not be read"), at=1)

    async def playing() -> None:
        async with temporary_store() as store, asyncio.timeout(120):
            await _order_whose_answer_is_late(store)
            dispatch = Dispatch(store, lambda: site, FORMATS, Verdicts())
            await dispatch.start()
            while not (found := await store.exceptions()):  # noqa: ASYNC110 - the store is asked, as a person would
                await asyncio.sleep(0.005)
            await dispatch.stop()
        assert [row.code for row in found] == ["ack.overdue"]

    asyncio.run(playing())


async def _order_whose_answer_is_late(store: SqliteStore) -> None:
    await store.append([incoming(1)])
    (work,) = await claim(store, "process")
    late = order(1, document=None, expect=(Expectation("997", (b"PO/1/0001",), 1),))
    await store.commit([processed(work, messages=(late,))])
    (sending,) = await claim(store, "deliver")
    await store.commit([delivered(sending)])


def test_one_outcome_the_store_cannot_keep_spoils_no_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that no encoding can carry stands for whatever a store may choke on."""
    whole, poison = pipeline.plan, requisitions()[UNLISTED - 1].control_id

    def plan(work: Work, *args: Any, **kwargs: Any) -> Outcome:
        outcome = whole(work, *args, **kwargs)
        poisoned = work.message.control_id == poison
        return outcome._replace(keys=(Key("lot", "\ud800"),)) if poisoned else outcome

    monkeypatch.setattr(pipeline, "plan", plan)
    run(site)
