"""The one task that commits. All jobs that arrive while a commit is in flight form the next one (group commit).

The rows of a transaction are written by the event loop, between its callbacks, and only the COMMIT, which waits for the
disk, in a thread: sqlite3 gives up the GIL at each step, and a thread beside a busy loop would get it back a switch
interval later each time, which costs several milliseconds a transaction.

Which of them goes when is `engine.store.turns`'.

A failed transaction fails every job in it. After that nothing is taken until the file has been reopened and a write has
succeeded. A failed sync must never be trusted twice: the system may have dropped what it could not write, and report
success the next time. SQLite does not count a commit whose sync failed, so the next write replaces it in the log. If it
is counted all the same, the log is given up first, and for that nobody else may be reading from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from engine.errors import Unavailable
from engine.store import append, arrivals, outcome
from engine.store.disk import Disk
from engine.store.sql import connect_writer, queries, write
from engine.store.transaction import Effects, Memory, Transaction
from engine.store.trouble import empty_log, is_mistake, unavailable
from engine.store.turns import Job, Turns

PROBE_EVERY = 0.25  # seconds between attempts to become healthy again
TABLES = ("messages", "documents", "deliveries", "acknowledgements", "exceptions", "work", "sites")


_NUMBER = ("store", "commit")  # counts the transactions

Answer = tuple[Job, Any, BaseException | None]


@dataclass(slots=True)
class Settled:
    """What became of one transaction."""

    answers: list[Answer]
    effects: Effects | None = None


class Writer:
    """tell: called with what became of each transaction. unfiled: see Arrivals."""

    def __init__(
        self, path: Path, *, clock: Callable[[], int], tell: Callable[[Settled], None], unfiled: int = 50_000
    ) -> None:
        self._path = path
        self._clock = clock
        self._tell = tell
        self._turns = Turns()
        self._woken = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._disk = Disk()
        self._con = connect_writer(path)
        self._unfiled = unfiled
        self._memory = load_memory(self._con, unfiled)
        self._doubt: tuple[int, Effects] | None = None
        self._landed: Effects | None = None  # of a commit in doubt that turned out to be durable
        self._untrusted = False  # the log counts a commit whose sync failed
        self._tried = 0.0
        self.error: Unavailable | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="hilum-store-writer")

    def put(self, job: Job) -> None:
        self._turns.put(job)
        self._woken.set()

    async def stop(self) -> None:
        """Write what is queued, then end."""
        self._stopping = True
        self._woken.set()
        if self._task is not None:
            await self._task
        self._disk.stop()

    @property
    def connection(self) -> sqlite3.Connection:
        return self._con

    # --- the loop ---
    async def _run(self) -> None:
        while not self._stopping or self._turns:
            if self.error is not None and not await self._heal():
                self._refuse(self.error, self._turns.clear())
                await self._wait(PROBE_EVERY)
                continue
            jobs = self._turns.take(hurry=self._stopping)
            if not jobs:
                await self._wait(self._turns.left())
                continue
            try:
                await self._settle(jobs)
            except Exception as error:  # whatever it is, nobody may wait forever
                self.error = Unavailable("store.write", f"the store's writer failed ({type(error).__name__})")
                self._tell(Settled([(job, None, self.error) for job in jobs]))

    async def _wait(self, most: float | None) -> None:
        """For a job, but not longer than so many seconds."""
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._woken.wait()

    async def _settle(self, jobs: Sequence[Job]) -> None:
        try:
            settled = await self._commit(jobs)
        except sqlite3.DatabaseError as error:
            if is_mistake(error):
                await self._settle_apart(jobs, error)
                return
            self.error = unavailable(error)
            self._tried = time.monotonic()
            self._tell(Settled([(job, None, self.error) for job in jobs]))
        except Exception as error:  # a job's own mistake must not fail its neighbours
            await self._settle_apart(jobs, error)
        else:
            self._tell(settled)

    async def _settle_apart(self, jobs: Sequence[Job], error: Exception) -> None:
        """One job of a transaction cannot be kept: run each in a transaction of its own."""
        self._roll_back()
        if len(jobs) == 1:
            self._tell(Settled([(jobs[0], None, error)]))
            return
        for job in jobs:
            if self.error is None:
                await self._settle([job])
            else:
                self._tell(Settled([(job, None, self.error)]))

    async def _commit(self, jobs: Sequence[Job]) -> Settled:
        answers, tx = self._write(jobs)
        await self._disk.run(self._con.execute, "COMMIT")
        self._doubt = None
        tx.keep()
        return Settled(answers, tx.effects)

    def _write(self, jobs: Sequence[Job]) -> tuple[list[Answer], Transaction]:
        """All of a transaction but its COMMIT."""
        tx = Transaction(self._con, self._memory, self._clock())
        self._con.execute("BEGIN IMMEDIATE")
        appends, others = [job for job in jobs if job.batch], [job for job in jobs if not job.batch]
        answers = _append(tx, appends) if appends else []
        if others:
            outcome.look_up(tx, list(chain.from_iterable([job.outcomes for job in others])))
            answers += [(job, job.run(tx), None) for job in others]
        number = tx.count(*_NUMBER) + 1
        tx.finish(number)
        self._doubt = number, tx.effects
        return answers, tx

    def _roll_back(self) -> None:
        if self._con.in_transaction:
            self._con.execute("ROLLBACK")

    # --- becoming healthy again ---
    async def _heal(self) -> bool:
        if not await self._disk.run(self._recover):
            return False
        landed, self._landed = self._landed, None
        ailed, self.error = self.error, None  # only here: whoever finds the store healthy must know what has landed
        self._tell(Settled([], landed))
        if landed is not None:  # what was asked before that may have been done by it
            self._refuse(ailed, self._turns.clear_others())
        return True

    def _refuse(self, error: Unavailable | None, jobs: list[Job]) -> None:
        if jobs:
            self._tell(Settled([(job, None, error) for job in jobs]))

    def _recover(self) -> bool:
        """Reopen, see whether the commit in doubt stands, make sure of it if so, and try a write.

        Runs in the disk's thread, and so says by its result alone that the store is healthy.
        """
        if time.monotonic() - self._tried < PROBE_EVERY:
            return False
        self._tried = time.monotonic()
        try:
            self._reopen()
            self._reload()
            if self._untrusted:
                empty_log(self._con)
                self._untrusted = False
            self._probe()
        except Exception as error:  # whatever it is, the writer must live to try again
            self.error = unavailable(error)
            return False
        return True

    def _reopen(self) -> None:
        """The old connection closes last: while there is any, the log's index lives, and with it the knowledge which
        commits count. An index made anew would count whatever can be read in the log."""
        with contextlib.suppress(sqlite3.Error):
            self._roll_back()
        fresh = connect_writer(self._path)
        self._con.close()
        self._con = fresh

    def _reload(self) -> None:
        fresh = load_memory(self._con, self._unfiled)
        self._memory.counters = fresh.counters
        self._memory.sites = fresh.sites
        self._memory.arrivals = fresh.arrivals
        for table, last in fresh.ids.items():
            self._memory.ids[table] = max(last, self._memory.ids[table])
        if self._doubt is not None:
            number, effects = self._doubt
            self._doubt = None
            if fresh.counters.get(_NUMBER, 0) == number:
                self._untrusted = True
                self._landed = self._landed or effects

    def _probe(self) -> None:
        """A commit like any other, which may fail like any other."""
        number = self._memory.counters.get(_NUMBER, 0) + 1
        self._doubt = number, Effects()
        write(self._con, "set_counters", [(*_NUMBER, number)])
        self._doubt = None
        self._memory.counters[_NUMBER] = number


def _append(tx: Transaction, jobs: Sequence[Job]) -> list[Answer]:
    """All that came in, as one batch; each job gets its own share of the answers."""
    kept = append.append(tx, [incoming for job in jobs for incoming in job.batch])
    if len(kept) == len(jobs):
        return [(job, [row], None) for job, row in zip(jobs, kept, strict=True)]
    rows = iter(kept)
    return [(job, list(islice(rows, len(job.batch))), None) for job in jobs]


def load_memory(con: sqlite3.Connection, unfiled: int) -> Memory:
    ids = dict(zip(TABLES, con.execute(queries()["last_ids"]).fetchone(), strict=True))
    counters = {(kind, name): value for kind, name, value in con.execute(queries()["counters"])}
    sites = dict(con.execute(queries()["site_numbers"]).fetchall())
    return Memory({table: last or 0 for table, last in ids.items()}, counters, sites, arrivals.load(con, unfiled))
