"""Who is written when: senders first, and what else there is soon enough, in company where there is any."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from engine.store import turns
from engine.store.sqlite import SqliteStore
from engine.store.temporary import temporary_store
from engine.store.turns import Job
from engine.store.writer import Writer
from tests.store_kit import claim, commit, incoming, processed


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(appends, outcomes) of each transaction from now on."""
    whole, seen = Writer._write, list[tuple[int, int]]()

    def write(self: Writer, jobs: Sequence[Job]) -> Any:
        seen.append((sum(len(job.batch) for job in jobs), sum(len(job.outcomes) for job in jobs)))
        return whole(self, jobs)

    monkeypatch.setattr(Writer, "_write", write)
    return seen


@pytest.mark.parametrize(
    ("appends", "patience", "slow", "expected"),
    [
        (turns.CROWD, 60.0, 60.0, [(turns.CROWD, 0), (0, 1)]),  # senders first
        (turns.CROWD, 0.0, 60.0, [(turns.CROWD, 1)]),  # it has waited long enough
        (turns.CROWD, 60.0, 0.0, [(turns.CROWD, 1)]),  # beside what the disk takes it costs them nothing
        (turns.CROWD - 1, 60.0, 60.0, [(turns.CROWD - 1, 1)]),  # no crowd
    ],
)
def test_an_outcome_lets_a_crowd_of_senders_go_first(
    appends: int, patience: float, slow: float, expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SLOW", slow)

    async def run() -> None:
        async with temporary_store() as store:
            await store.append([incoming(1)])
            (work,) = await claim(store, "process")
            monkeypatch.setattr(turns, "LONGEST_WAIT", patience)
            seen = watched(monkeypatch)
            new = [store.append([incoming(10 + n)]) for n in range(appends)]
            await asyncio.gather(commit(store, processed(work, 1)), *new)
            assert seen == expected

    asyncio.run(run())


def test_an_outcome_is_kept_however_many_senders_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_WAIT", 0.02)
    numbers = itertools.count(10)

    async def sender(store: SqliteStore) -> None:
        while True:
            await store.append([incoming(next(numbers))])

    async def run() -> None:
        async with temporary_store() as store:
            await store.append([incoming(1)])
            (work,) = await claim(store, "process")
            senders = [asyncio.create_task(sender(store)) for _ in range(4 * turns.CROWD)]
            async with asyncio.timeout(60):
                (row,) = await commit(store, processed(work, 1))
                await store.resolve([1], reason="alone in its transaction", who="test")
            for task in senders:
                task.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            assert row.status == "done"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("before", "gathering", "hurry", "expected"),
    [
        (turns.THICK, 0.1, False, [(1, 0), (0, 1)]),  # it waits for company, and no sender for it
        (turns.THICK, 0.0, False, [(1, 1)]),
        (turns.THICK, 60.0, True, [(1, 1)]),  # somebody waits for it
        (turns.THICK - 1, 60.0, False, [(1, 1)]),  # where they come singly none waits
    ],
)
def test_where_outcomes_come_thick_they_wait_a_moment_for_each_other(
    before: int, gathering: float, hurry: bool, expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "GATHERING", gathering)

    async def run() -> None:
        async with temporary_store() as store, asyncio.timeout(30):
            await store.append([incoming(n, lane=f"lane {n}") for n in range(before + 1)])
            *many, last = await claim(store, "process")
            await store.commit([processed(work, n) for n, work in enumerate(many)])
            seen = watched(monkeypatch)
            kept = asyncio.create_task(store.commit([processed(last, before)], hurry=hurry))
            await asyncio.gather(store.append([incoming(1_000)]), kept)
            assert seen == expected

    asyncio.run(run())


def test_nobody_waits_for_company_when_the_store_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "GATHERING", 60.0)

    async def run() -> None:
        async with temporary_store() as store:
            await store.append([incoming(n, lane=f"lane {n}") for n in range(turns.THICK + 1)])
            *many, last = await claim(store, "process")
            await store.commit([processed(work, n) for n, work in enumerate(many)])
            kept = asyncio.create_task(store.commit([processed(last, turns.THICK)]))
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await store.close()
            ((row,),) = await asyncio.gather(kept)
            assert row.status == "done"

    asyncio.run(run())
