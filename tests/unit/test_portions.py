"""A large interchange over a real store and the reference site: in portions, each answer in it counts once, whatever
interrupts it; and neither its claim nor the worker sees all of it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import channels
from engine import business, portions, wiring
from engine.dispatch import Dispatch
from engine.errors import Unavailable
from engine.intake import Reception, Verdicts
from engine.site.model import Site
from engine.store.contract import Committed, Outcome, Work
from engine.store.sqlite import SqliteStore
from engine.store.temporary import temporary_store
from tests.store_kit import accept_orders, conserved, delivered
from tests.x12_kit import group, interchange, one_set

ROOT = Path(__file__).resolve().parents[2]
FORMATS = channels.registry().format
COUNT = 900
READ, SURVEYED = 12 << 10, 48 << 10
WRONG = 500  # this answer names no line's quantity
THEIRS = {"isa05": "01", "isa06": "081234567".ljust(15), "isa07": "ZZ", "isa08": "NORTHHEALTH".ljust(15)}


@pytest.fixture(scope="module")
def site() -> Site:
    return wiring.load({"HILUM_SITE": str(ROOT)})


def answers() -> bytes:
    """An 855 to each of many orders, of which one is out of order."""
    sets = []
    for number in range(1, COUNT + 1):
        lines = [f"PO1*{line}*10*BX*4.5**IN*NH-10003" for line in range(1, 4)]
        wrong = ["BAK*00*AD*"] if number == WRONG else []
        body = [f"BAK*00*AD*PO-{number}*20261121", *wrong, *lines, "CTT*3"]
        sets.append(one_set("855", body, f"{number:04d}"))
    return interchange(group(sets, "PR"), **THEIRS)


class Counted:
    """Beside dispatch; decides nothing, and sees how many bytes it is asked about."""

    def __init__(self) -> None:
        self.most = 0

    def busy(self) -> bool:
        return False

    async def outcomes(self, works: Sequence[Work]) -> list[Outcome | None]:
        self.most = max(self.most, *[len(work.message.body) for work in works])
        return [None] * len(works)


async def emptied(store: SqliteStore, site: Site, verdicts: Verdicts) -> Counted:
    counted = Counted()
    dispatch = Dispatch(store, lambda: site, FORMATS, verdicts, counted)
    await dispatch.start()
    while (await store.stats())["in_flight"]:  # noqa: ASYNC110 - the store is asked, as a person would
        await asyncio.sleep(0.01)
    await dispatch.stop()
    return counted


async def check(store: SqliteStore, seq: int) -> None:
    awaited = await store.thread([seq], limit=5 * COUNT)
    settled = [row for row in awaited.acknowledgements if row.kind == "855" and row.state == "positive"]
    found = [row for row in awaited.documents if row.message == seq]
    assert len(settled) == len({row.ref for row in settled}) == COUNT - 1
    assert [row.place for row in found] == [f"ST[{n}]" for n in range(1, COUNT + 1) if n != WRONG]
    (message,) = [one for one in awaited.messages if one.seq == seq]
    assert message.state == "exception"
    (problem,) = [one for one in awaited.exceptions if one.message == seq]
    assert (problem.code, problem.place) == ("x12.structure", f"ST[{WRONG}]/BAK")
    (answer,) = [one for one in awaited.deliveries if one.delivery.type == "997"]
    body = await store.body(answer.delivery.message)
    assert body.count(b"AK5*A~") == COUNT - 1
    assert f"AK9*P*{COUNT}*{COUNT}*{COUNT - 1}~".encode() in body
    assert conserved(await store.ledger())


def play(site: Site) -> Counted:
    async def playing() -> Counted:
        async with temporary_store() as store, asyncio.timeout(120):
            await store.commit([delivered(work) for work in await accept_orders_all(store)])
            verdicts = Verdicts()
            reception = Reception(site.listeners["acme_surgical"], lambda: site, FORMATS("x12"), store, verdicts)
            (verdict,) = await reception.accept(answers())
            assert verdict.refusal is None
            told = asyncio.create_task(reception.processed(verdict))
            counted = await emptied(store, site, verdicts)
            refusal = await told
            assert refusal is not None
            assert refusal.place == f"ST[{WRONG}]/BAK"
            await check(store, verdict.seq)
            return counted

    return asyncio.run(playing())


async def accept_orders_all(store: SqliteStore) -> list[Work]:
    works = list[Work]()
    for start in range(1, COUNT + 1, 100):
        works += await accept_orders(store, *range(start, start + 100))
    return works


def test_each_answer_counts_once_and_no_window_is_wider_than_it_must(site: Site) -> None:
    assert len(answers()) > 100_000
    assert play(site).most == SURVEYED


def test_what_an_earlier_portion_said_is_not_taken_again(site: Site) -> None:
    assert repeated(site) == 300


def test_the_check_of_repeats_sees(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept of the message itself does not count."""
    whole = business.judge
    monkeypatch.setattr(business, "judge", lambda *args, kept, **named: whole(*args, kept=True, **named))
    assert repeated(site) == 301


def repeated(site: Site) -> int:
    """Documents kept when the last of many answers says what the first one said."""

    async def playing() -> int:
        async with temporary_store() as store, asyncio.timeout(120):
            await store.commit([delivered(work) for work in await accept_orders(store, *range(1, 301))])
            sets = [answer(number, number) for number in range(1, 301)] + [answer(1, 301)]
            verdicts = Verdicts()
            reception = Reception(site.listeners["acme_surgical"], lambda: site, FORMATS("x12"), store, verdicts)
            (verdict,) = await reception.accept(interchange(group(sets, "PR"), **THEIRS))
            await emptied(store, site, verdicts)
            thread = await store.thread([verdict.seq], limit=5 * COUNT)
            return len([row for row in thread.documents if row.message == verdict.seq])

    return asyncio.run(playing())


def answer(order: int, number: int) -> str:
    lines = [f"PO1*{line}*10*BX*4.5**IN*NH-10003" for line in range(1, 9)]
    return one_set("855", [f"BAK*00*AD*PO-{order}*20261121", *lines, "CTT*8"], f"{number:04d}")


# --- what interrupts it ---------------------------------------------------------------------------------------------
def _failing(monkeypatch: pytest.MonkeyPatch, *, durable: bool) -> None:
    """Each second portion meets a store that is away."""
    whole, calls = SqliteStore.commit, list[int]()

    async def commit(self: SqliteStore, outcomes: Sequence[Outcome], **how: Any) -> list[Committed]:
        if outcomes[0].work.message.format != "x12":
            return await whole(self, outcomes, **how)
        calls.append(len(outcomes))
        fails = len(calls) % 2 == 0
        kept = await whole(self, outcomes, **how) if durable or not fails else []
        if fails:
            raise Unavailable("store.write", "the disk is away")
        return kept

    monkeypatch.setattr(SqliteStore, "commit", commit)


def fail_each_second_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, durable=False)


def fail_behind_each_second_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is durable, and nobody is told."""
    _failing(monkeypatch, durable=True)


@pytest.mark.parametrize("plant", [fail_each_second_commit, fail_behind_each_second_commit])
def test_what_interrupts_it_is_made_good(plant: Any, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.supervise.AGAIN", 0.01)
    plant(monkeypatch)
    play(site)


# --- planted defects ------------------------------------------------------------------------------------------------
def begin_a_portion_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, the next portion begins where the last one did."""
    whole, seen = portions.outcome, list[int]()

    def outcome(planned: Outcome, portion: Any, at: Any) -> Outcome:
        seen.append(at.offset)
        return whole(planned, portion._replace(at=at.offset) if len(seen) == 6 else portion, at)

    monkeypatch.setattr(portions, "outcome", outcome)


def forget_what_was_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = portions.progress
    monkeypatch.setattr(portions, "progress", lambda step: whole(step)._replace(first=None))


def skip_a_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    """One portion is kept without what follows from it."""
    whole, seen = portions.outcome, list[int]()

    def outcome(planned: Outcome, portion: Any, at: Any) -> Outcome:
        seen.append(at.offset)
        kept = whole(planned, portion, at)
        return kept._replace(documents=(), settles=()) if len(seen) == 6 else kept

    monkeypatch.setattr(portions, "outcome", outcome)


@pytest.mark.parametrize("plant", [begin_a_portion_twice, forget_what_was_wrong, skip_a_portion])
def test_the_check_sees(plant: Any, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        play(site)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many portions of a file that is not too long for a test."""
    monkeypatch.setattr("engine.portions.LARGE", SURVEYED)
    monkeypatch.setattr("channels.formats.x12.portions.READ", READ)
    monkeypatch.setattr("channels.formats.x12.portions.SURVEYED", SURVEYED)
