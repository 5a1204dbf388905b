"""Claims received messages lane by lane, has each decided, in order, and commits what was decided.

Work is claimed in rounds, and a few rounds go on at once; the store keeps a lane closed until its commit is through.
The pipeline is plain code on the event loop, so a slice of it never runs longer than `_SLICE`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from engine import correlate, logs, portions
from engine.deciding import DEFECT, Beside, Deciding
from engine.errors import Unavailable
from engine.intake import Verdicts
from engine.pace import Pace
from engine.plugin import Format
from engine.site.model import Site
from engine.store.contract import Outcome, Settle, Store, Work
from engine.store.records import Awaited
from engine.supervise import forever

_SLICE = 0.001  # seconds of pipeline between two breaths of the event loop
_BREATH = 0.0001  # a turn of the loop that takes longer had others' work in it
_MOST_TURNS = 0.05  # seconds that senders may keep the pipeline waiting with such turns
_ROUNDS = 12  # going on at once: while one is committed, the next is being decided
_LANES = 8  # of a round; the others are for the next
_ROUND_BYTES = 1 << 20  # of a round's messages; a larger one goes alone
_PULL = 256


class Dispatch:
    """Runs until `stop`; one of them per store owner."""

    def __init__(
        self,
        store: Store,
        site: Callable[[], Site],
        formats: Callable[[str], Format],
        verdicts: Verdicts,
        beside: Beside | None = None,
    ) -> None:
        self._store = store
        self._verdicts = verdicts
        self._beside = beside
        self._tasks: list[asyncio.Task[None]] = []
        self._commits: set[asyncio.Task[bool]] = set()
        self._turn = asyncio.Lock()  # one round decides at a time, or each would take the others for senders
        self._deciding = Deciding(store, site, formats, self._turn, beside)
        self._claiming = asyncio.Lock()  # one round claims at a time, or all would together claim too much
        self._pace = Pace(verdicts)

    async def start(self) -> None:
        parts = [("dispatch", self._process)] * _ROUNDS + [("deadlines", self._deadlines)]
        self._tasks = [asyncio.create_task(forever(name, round)) for name, round in parts]

    async def stop(self) -> None:
        """Claim and decide nothing more; what was decided is committed, the rest waits in the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._commits, return_exceptions=True)

    async def _process(self) -> None:
        """One round, from its claim to its commit."""
        async with self._claiming:
            most = await self._pace.room()
            lanes = await self._store.pull("process", most, wait=1.0, lanes=_LANES, bytes=_ROUND_BYTES)
            works = [work for _, lane in lanes for work in lane]
            size = sum([len(work.message.body) for work in works])
            self._pace.begin(size)
        try:
            if works:
                await self._keep(await self._decided(works))
        finally:
            self._pace.end(size)

    async def _decided(self, works: Sequence[Work]) -> list[Outcome]:
        try:
            large = [work for work in works if self._deciding.is_large(work)]
            if not large:
                return await self._decided_small(works)
            small = [work for work in works if work not in large]
            outcomes = [await self._deciding.large(work) for work in large]
            return outcomes + (await self._decided_small(small) if small else [])
        except BaseException:
            await self._store.release(works)
            raise

    async def _decided_small(self, works: Sequence[Work]) -> list[Outcome]:
        decided = await self._decided_beside(works)
        whole = [outcome for outcome in decided if outcome is not None]
        if len(whole) == len(works):
            return whole
        async with self._turn:
            return await self._decided_here(works, decided)

    async def _decided_beside(self, works: Sequence[Work]) -> list[Outcome | None]:
        """What a person asked for needs the store, and is for us; so is a round for which we have time."""
        beside = self._beside
        if beside is None or any(work.step for work in works) or (beside.busy() and await self._is_free()):
            return [None] * len(works)
        return await self._deciding.beside(works)

    async def _is_free(self) -> bool:
        """Whether nobody but a round needs the event loop just now."""
        if self._turn.locked() or self._verdicts.accepting():
            return False
        before = time.perf_counter()
        await asyncio.sleep(0)
        return time.perf_counter() - before < _BREATH and not self._turn.locked()

    async def _decided_here(self, works: Sequence[Work], decided: Sequence[Outcome | None]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        began = time.perf_counter()
        for work, outcome in zip(works, decided, strict=True):
            outcomes.append(outcome or await self._deciding.decide(work))
            if time.perf_counter() - began > _SLICE:
                began = await self._give_way()
        return outcomes

    async def _keep(self, outcomes: list[Outcome]) -> None:
        """Commit; also when this round is cancelled meanwhile."""
        task = asyncio.create_task(self._commit(outcomes))
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)
        await asyncio.shield(task)

    async def _commit(self, outcomes: list[Outcome]) -> bool:
        try:
            committed = await self._store.commit(outcomes, hurry=self._verdicts.waited())
        except Unavailable as failure:
            logs.warning("stalled", part="commit", code=failure.code)
            await self._store.release([outcome.work for outcome in outcomes])
            return False
        except Exception as error:
            return await self._commit_apart(outcomes, error)
        waited = self._verdicts.waited()
        done = [result.status == "done" for result in committed]
        for outcome, kept in zip(outcomes, done, strict=True):
            if kept and outcome.status != "more" and (waited or outcome.exceptions):
                self._tell(outcome)
        return all(done)  # what is not: the facts changed meanwhile, and it is back in its lane, to be planned again

    async def _commit_apart(self, outcomes: list[Outcome], error: Exception) -> bool:
        """The store cannot keep one of these: each goes alone, and that one becomes an exception."""
        if len(outcomes) > 1:
            for position, outcome in enumerate(outcomes):
                if not await self._commit([outcome]):
                    await self._store.release([later.work for later in outcomes[position + 1 :]])
                    return False
            return True
        (outcome,) = outcomes
        logs.failure("defect", error, message=outcome.work.message.id)
        if any(found.code == DEFECT for found in outcome.exceptions):
            return True  # not even its exception can be kept: it stays claimed, and its lane waits for a restart
        return await self._commit([self._deciding.failed(outcome.work, error)])

    def _tell(self, outcome: Outcome) -> None:
        if outcome.exceptions:
            logs.info("exception", message=outcome.work.message.id, code=outcome.exceptions[0].code)
        self._verdicts.settle(outcome.work.subject, portions.refusal(outcome))

    async def _give_way(self) -> float:
        """Let the loop turn; while messages arrive, until it has nothing else to do: senders wait for their answers,
        nobody for the pipeline. Returns the time, as `time.perf_counter` tells it.
        """
        began = now = time.perf_counter()
        while True:
            before = now
            await asyncio.sleep(0)
            now = time.perf_counter()
            if now - before < _BREATH or now - began > _MOST_TURNS or not self._verdicts.accepting():
                return now

    async def _deadlines(self) -> None:
        """Acknowledgements whose time has come and that are still awaited become exceptions, once."""
        lanes = await self._store.pull("deadline", _PULL, wait=1.0)
        if lanes:
            await self._expire(lanes)

    async def _expire(self, lanes: Sequence[tuple[str, list[Work]]]) -> None:
        try:
            works = [work for _, lane in lanes for work in lane]
            late = {row.id: row for row in await self._store.awaited(ids=[work.subject for work in works])}
            await self._store.commit([_expired(work, late.get(work.subject)) for work in works])
        except Unavailable:
            await self._store.release([work for _, works in lanes for work in works])
            raise


def _expired(work: Work, row: Awaited | None) -> Outcome:
    """If it was settled between the look and the commit, the outcome conflicts, the work comes again and ends here."""
    if row is None or row.state != "awaited":
        return Outcome(work)
    logs.info("overdue", delivery=row.delivery, kind=row.kind, partner=row.partner)
    settle = Settle(row.id, "overdue", "awaited")
    return Outcome(work, settles=(settle,), exceptions=(correlate.overdue(row),))
