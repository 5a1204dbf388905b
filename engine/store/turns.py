"""What waits to be written, and whose turn it is.

A crowd of appends goes first: senders wait for their answers, and nobody for an outcome. What else is to be kept goes
with the crowd now and then or when the disk is slow, and with fewer appends always.

Where outcomes come thick, the next wait a moment for each other: a page that many of them change is written once. Where
they come singly, or somebody waits for them, they go at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.store.contract import Incoming, Outcome
from engine.store.transaction import Transaction

MOST_ROWS = 256  # messages of one transaction, about; the loop stands still while they are written
MOST_OTHERS = 512  # the same, when no sender waits; an outcome counts as four
MOST_BYTES = 8 << 20
CROWD = 8  # appends that are answered without waiting for what else is to be kept ...
LONGEST_WAIT = 0.1  # ... for so many seconds at most, and while transactions take less than ...
SLOW = 0.015  # ... so many: on a slow disk what else is written hardly counts
THICK = 16  # outcomes of one transaction, behind which the next gather ...
GATHERING = 0.02  # ... for so many seconds


@dataclass(slots=True)
class Job:
    """What one caller wants kept, received messages or else what `run` gathers; `done` gets what that returned.

    ended: called when it is durable or has failed, before the caller goes on. alone: has a transaction of its own.
    hurry: waits for no company.
    """

    done: asyncio.Future[Any]
    batch: Sequence[Incoming] = ()
    rows: int = 1
    bytes: int = 0
    run: Callable[[Transaction], Any] = bool
    outcomes: Sequence[Outcome] = ()
    ended: Callable[[], None] | None = None
    alone: bool = False
    hurry: bool = False

    def settle(self, result: Any, error: BaseException | None) -> None:
        """The caller may have been cancelled meanwhile."""
        if self.ended is not None:
            self.ended()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(result)
        else:
            self.done.set_exception(error)


class Turns:
    """Times are `time.monotonic`'s."""

    def __init__(self) -> None:
        self._appends: deque[Job] = deque()
        self._others: deque[Job] = deque()
        self._overdue = 0.0  # when the first of the others has waited long enough beside a crowd
        self._gathered = 0.0  # until when they wait for each other
        self._taken = 0.0  # when the last jobs were taken

    def __bool__(self) -> bool:
        return bool(self._appends or self._others)

    def put(self, job: Job) -> None:
        if job.batch:
            self._appends.append(job)
            return
        if not self._others:
            self._overdue = time.monotonic() + LONGEST_WAIT
        self._others.append(job)

    def take(self, *, hurry: bool) -> list[Job]:
        """The jobs whose turn it is, up to what one transaction should hold. hurry: let nobody wait for company."""
        now = time.monotonic()
        slow, self._taken = now - self._taken > SLOW, now
        if not self._others or not self._may_others(now, slow, hurry):
            return _take(self._appends, MOST_ROWS)
        self._overdue = now + LONGEST_WAIT
        if self._others[0].alone:
            return [self._others.popleft()]
        jobs = _take(self._appends, MOST_ROWS // 2)
        others = _take(self._others, MOST_ROWS // 2 if jobs else MOST_OTHERS)
        thick = sum([len(job.outcomes) for job in others]) >= THICK
        self._gathered = now + GATHERING if thick else 0.0
        return jobs + others

    def left(self) -> float | None:
        """Seconds until it is somebody's turn who waits; None when nobody does."""
        return max(0.0, self._gathered - time.monotonic()) if self._others else None

    def clear(self) -> list[Job]:
        """All that waits, which waits no more."""
        return [*_all(self._appends), *self.clear_others()]

    def clear_others(self) -> list[Job]:
        return _all(self._others)

    def _may_others(self, now: float, slow: bool, hurry: bool) -> bool:
        crowd = sum([job.rows for job in self._appends]) >= CROWD
        if crowd and now < self._overdue and not slow:
            return False
        return hurry or now >= self._gathered or any(job.hurry or job.alone for job in self._others)


def _take(waiting: deque[Job], most: int) -> list[Job]:
    """From the left, up to so many rows, and none that must be alone."""
    jobs, rows, size = list[Job](), 0, 0
    while waiting and not waiting[0].alone and rows < most and size < MOST_BYTES:
        jobs.append(waiting.popleft())
        rows += jobs[-1].rows
        size += jobs[-1].bytes
    return jobs


def _all(waiting: deque[Job]) -> list[Job]:
    jobs = list(waiting)
    waiting.clear()
    return jobs
