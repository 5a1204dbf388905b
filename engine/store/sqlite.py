"""The store on SQLite: one writer with group commit, a few readers beside it, and work cached in memory."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from engine.errors import Unavailable
from engine.store import acting, outcome
from engine.store.claims import Claims
from engine.store.contract import MANY, Appended, Committed, Incoming, Outcome, TakenOver, Work
from engine.store.reader import Reader, open_reader
from engine.store.sql import connect_writer, migrate
from engine.store.transaction import Transaction
from engine.store.trouble import unavailable
from engine.store.turns import Job
from engine.store.writer import Settled, Writer

__all__ = ["SqliteStore", "open_reader"]


def system_clock() -> int:
    """Microseconds since the Unix epoch."""
    return time.time_ns() // 1_000


class SqliteStore(Reader):
    """The Store contract. clock: microseconds since the epoch. most, memory: see Backlog. unfiled: see Arrivals."""

    def __init__(
        self,
        path: Path | str,
        *,
        clock: Callable[[], int] = system_clock,
        readers: int = 2,
        most: int = 20_000,
        memory: int = 12 << 20,
        unfiled: int = 50_000,
    ) -> None:
        super().__init__(path, threads=readers)
        self.path = Path(path)
        self._clock = clock
        self._most, self._memory, self._unfiled = most, memory, unfiled
        self._lock: IO[bytes] | None = None
        self._writer: Writer | None = None
        self._claims: Claims | None = None

    # --- life ---
    async def open(self) -> None:
        """Claim the file, migrate it, find the work left over. Raises Unavailable (`store.locked`, `store.schema`)."""
        try:
            writer, last = await asyncio.to_thread(self._open)
        except sqlite3.Error as error:
            self._unlock()
            raise unavailable(error) from error
        except BaseException:
            self._unlock()
            raise
        self._claims = Claims(
            read=self.read, clock=self._clock, able=self._able, refuse=self.commit,
            last=last, most=self._most, memory=self._memory,
        )  # fmt: skip
        self._writer = writer
        writer.start()

    async def close(self) -> None:
        """Write what is queued, note the orderly end, and give up the claim."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.stop()
        await super().close()
        if writer is not None and self._claims is not None:
            await asyncio.to_thread(acting.close_in_order, writer.connection, self._claims.sending())
            self._claims.shut()
        self._unlock()

    def _open(self) -> tuple[Writer, int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._claim_file()
        con = connect_writer(self.path)
        try:
            migrate(con, self._clock())
            last = acting.start(con, self._clock())
        finally:
            con.close()
        _sync_folder(self.path.parent)
        writer = Writer(self.path, clock=self._clock, tell=self._settled, unfiled=self._unfiled)
        return writer, last

    def _claim_file(self) -> None:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDONLY, 0o600))  # bodies hold patient data: ours alone
        self._lock = open(f"{self.path}.lock", "ab")  # noqa: SIM115 - held while the store is open
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            hint = "stop the other daemon, or use its control socket"
            raise Unavailable("store.locked", "another process holds the store", hint=hint) from error

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def health(self) -> None:
        writer, _ = self._opened()
        if writer.error is not None:
            raise writer.error

    def _able(self) -> bool:
        return self._writer is not None and self._writer.error is None

    def _opened(self) -> tuple[Writer, Claims]:
        if self._writer is None or self._claims is None:
            raise Unavailable("store.closed", "the store is not open")
        return self._writer, self._claims

    # --- writing ---
    async def append(self, batch: Sequence[Incoming]) -> list[Appended]:
        if not batch:
            return []
        size = len(batch[0].raw) if len(batch) == 1 else sum([len(incoming.raw) for incoming in batch])
        writer, _ = self._opened()
        done: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        writer.put(Job(done, batch, len(batch), size))
        return await done

    async def commit(self, outcomes: Sequence[Outcome], *, hurry: bool = False) -> list[Committed]:
        """Outcomes whose work is not claimed conflict: someone has committed or released it."""
        _, claims = self._opened()
        ours = claims.begin([o.work for o in outcomes])
        held = [o for o, mine in zip(outcomes, ours, strict=True) if mine]
        replaced = [new.replaces for o in held for new in o.messages if new.replaces is not None]
        withheld, sending = claims.withhold(replaced)

        def run(tx: Transaction) -> list[Committed]:
            return outcome.commit(tx, held, sending)

        def ended() -> None:
            claims.end([o.work for o in held])
            claims.give_back(replaced, withheld)

        kept = await self._put(
            run=run, ended=ended, outcomes=held, rows=4 * len(held), bytes=sum(map(_size, held)), hurry=hurry
        )
        answers = iter(kept)
        committed = [next(answers) if mine else Committed("conflict") for mine in ours]
        claims.release([o.work for o, c in zip(outcomes, committed, strict=True) if c.status == "conflict"])
        return committed

    async def resolve(self, ids: Sequence[int], *, reason: str, who: str) -> None:
        await self._put(run=lambda tx: acting.resolve(tx, ids, reason, who), alone=True)

    async def replay(
        self,
        *,
        messages: Sequence[int] = (),
        deliveries: Sequence[int] = (),
        resend: Sequence[int] = (),
        reason: str,
        who: str,
    ) -> int:
        wanted = acting.Replay(messages, deliveries, resend, reason, who)
        queued: int = await self._put(run=lambda tx: acting.replay(tx, wanted), alone=True)
        return queued

    async def take_over(self, orders: Sequence[TakenOver], *, reason: str, who: str) -> int:
        kept: int = await self._put(run=lambda tx: acting.take_over(tx, orders, reason, who), alone=True)
        return kept

    async def seed(self, counters: Mapping[str, int], *, reason: str, who: str) -> dict[str, int]:
        given: dict[str, int] = await self._put(run=lambda tx: acting.seed(tx, counters, reason, who), alone=True)
        return given

    async def keep_site(self, version: str, snapshot: bytes) -> None:
        await self._put(run=lambda tx: acting.keep_site(tx, version, snapshot), alone=True)

    async def audit(self, who: str, action: str, subject: str, reason: str) -> None:
        await self._put(run=lambda tx: acting.audit(tx, who, action, subject, reason))

    def _put(self, **job: Any) -> asyncio.Future[Any]:
        """Hand a job to the writer. It runs also when the caller is cancelled while waiting until it is durable."""
        writer, _ = self._opened()
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        writer.put(Job(done, **job))
        return done

    def _settled(self, settled: Settled) -> None:
        assert self._claims is not None
        if settled.effects is not None:
            self._claims.apply(settled.effects)
        for job, result, error in settled.answers:
            job.settle(result, error)
        if settled.effects is None or not settled.answers:  # the store ails, or is well again
            self._claims.wake()

    # --- work ---
    async def pull(
        self, kind: str, limit: int, wait: float = 0.0, lanes: int = MANY, bytes: int = MANY
    ) -> list[tuple[str, list[Work]]]:
        if self._claims is None:
            return []
        return await self._claims.pull(kind, limit, wait, lanes, bytes)

    async def release(self, works: Sequence[Work]) -> None:
        if self._claims is not None:
            self._claims.release(works)


def _size(o: Outcome) -> int:
    """Bytes of the bodies an outcome brings, about."""
    size = len(o.reply.raw) if o.reply else 0
    for new in o.messages:
        for part in new.body:
            size += len(part) if isinstance(part, bytes) else part.width
    for document in o.documents:
        size += len(document.body)
    return size


def _sync_folder(folder: Path) -> None:
    """A new file is only safe when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
