"""How much of the pipeline goes on: what time the senders leave it, and no more than memory bears.

Senders wait for their answers, and mostly nobody for the pipeline. Beside a crowd of them that leaves little time it
takes little; what they leave is its own, so that arrivals at a rate that both can bear do not pile up.
"""

from __future__ import annotations

import asyncio
import time

from engine.intake import Verdicts

_FEW = 6  # rounds, as long as messages arrive
_REST = 0.1  # seconds between two rounds beside a crowd of senders that keeps the loop busy ...
_BUSY = 0.3  # ... for so much of the time
_WHILE = 0.02  # seconds by which that is judged; while the disk syncs all may stand still for half as long
_TICK = 0.005  # seconds until it is seen that no more arrive
_ROUND = 64  # messages; what is decided waits for the others of its round, and a crash costs no more than that
_SMALL = 32  # messages of a round beside a crowd
_BYTES = 8 << 20  # of all rounds together, beyond which the next one waits


class Pace:
    """The rounds that go on. One at a time asks for `room`, then says what it has claimed."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._going = 0  # rounds
        self._claimed = 0  # bytes
        self._rested = 0.0  # when the last one will have been a while ago
        self._busy = True  # the loop, as it was seen ...
        self._looked = 0.0  # ... then
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> int:
        """Until another round may begin; one does now and then however many messages arrive. Returns its messages, at
        most."""
        await self._room.wait()
        while self._is_too_soon():
            await self._look(_WHILE if self._verdicts.crowded() else _TICK)
        return _SMALL if self._verdicts.crowded() else _ROUND

    def begin(self, size: int) -> None:
        """A round has claimed so many bytes."""
        self._hold(1, size)

    def end(self, size: int) -> None:
        self._hold(-1, -size)
        self._rested = time.perf_counter() + _REST

    def _is_too_soon(self) -> bool:
        if self._verdicts.waited():
            return False
        now = time.perf_counter()
        if self._verdicts.crowded() and (self._busy or now > self._looked + _REST):
            return self._going > 0 or now < self._rested
        return self._going >= _FEW and self._verdicts.accepting()

    async def _look(self, seconds: float) -> None:
        """See for a while how busy the loop is. One that comes back late is so, whatever it was that kept it."""
        began, worked = time.perf_counter(), time.thread_time()
        await asyncio.sleep(seconds)
        self._looked = time.perf_counter()
        took = self._looked - began
        self._busy = time.thread_time() - worked > _BUSY * took or took > 2 * seconds

    def _hold(self, rounds: int, size: int) -> None:
        self._going += rounds
        self._claimed += size
        if self._claimed < _BYTES:
            self._room.set()
        else:
            self._room.clear()
