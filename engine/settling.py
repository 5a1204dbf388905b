"""Commits what became of deliveries' attempts in groups, behind the backs of those who send."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine import logs
from engine.errors import Unavailable
from engine.store.contract import Attempt, NewException, Outcome, Store

_UNSETTLED = 2_000  # attempts whose commit may be outstanding before workers wait
_AGAIN = 0.5  # seconds until a commit is tried again when the store could not take it
_DRAIN = 5.0  # seconds that stopping waits for a store that cannot take the last attempts
DEFECT = "internal.defect"


class Settler:
    """A known answer is never dropped for a busy store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[Outcome] = []
        self._filled = asyncio.Event()
        self._unsettled = 0
        self._room = asyncio.Event()

    def put(self, outcome: Outcome) -> None:
        self._waiting.append(outcome)
        self._unsettled += 1
        self._filled.set()

    @property
    def full(self) -> bool:
        """So many attempts are unsettled that no more should be made: wait for `room`."""
        return self._unsettled >= _UNSETTLED

    async def room(self) -> None:
        while self.full:
            self._room.clear()
            await self._room.wait()

    async def run(self) -> None:
        """One round: commit what has gathered."""
        await self._filled.wait()
        self._filled.clear()
        batch, self._waiting = self._waiting, []
        try:
            await self._commit(batch)
        except asyncio.CancelledError:
            self._waiting[:0] = batch  # a stop in the middle of it: `drain` tries once more
            raise

    async def drain(self) -> None:
        """Commit what is left. What an ailing store cannot take in time goes again, flagged, after the next start."""
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            async with asyncio.timeout(_DRAIN):
                await self._commit(batch)
        except TimeoutError:
            logs.warning("unsettled", waiting=len(batch))

    async def _commit(self, batch: Sequence[Outcome]) -> None:
        while True:
            try:
                await self._store.commit(batch)
                break
            except Unavailable as failure:
                logs.warning("stalled", part="settle", code=failure.code, waiting=len(batch))
                await asyncio.sleep(_AGAIN)
            except Exception as error:
                await self._commit_apart(batch, error)
                return
        self._settled(len(batch))

    async def _commit_apart(self, batch: Sequence[Outcome], error: Exception) -> None:
        """The store cannot keep one of these: each goes alone, and that one ends as a dead delivery."""
        if len(batch) > 1:
            for outcome in batch:
                await self._commit([outcome])
            return
        (outcome,) = batch
        logs.failure("defect", error, message=outcome.work.message.id)
        if not any(found.code == DEFECT for found in outcome.exceptions):
            await self._commit([_unkept(outcome, error)])
        else:
            self._settled(1)

    def _settled(self, count: int) -> None:
        self._unsettled -= count
        if not self.full:
            self._room.set()


def _unkept(outcome: Outcome, error: Exception) -> Outcome:
    """What is left of an attempt whose outcome cannot be stored: a person must see whether the receiver has it."""
    work, text = outcome.work, f"Hilum itself failed to keep what became of an attempt ({type(error).__name__})"
    assert work.delivery is not None
    assert outcome.attempt is not None
    context = {"partner": work.delivery.destination, "connection": work.delivery.connection, "type": work.delivery.type}
    return Outcome(
        work,
        status="dead",
        attempt=Attempt(outcome.attempt.started, outcome.attempt.ms, "ambiguous", DEFECT, text),
        exceptions=(NewException(DEFECT, text, "", context, delivery=work.delivery.id),),
        site=outcome.site,
    )
