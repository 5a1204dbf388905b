"""Read-only access to a store: beside a running daemon, or with it down.

A few connections, each in its own thread; or one in the caller's own, for verbs that live shorter than it takes to load
an event loop and start a thread.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from engine.errors import Unavailable
from engine.message import Message
from engine.store import reading, walk
from engine.store.records import (
    Awaited,
    AwaitedNeed,
    DeliveryRecord,
    DocumentNeed,
    ExceptionRecord,
    KnownDocument,
    Missed,
    Page,
    Search,
    StoredDocument,
    Thread,
    Waiting,
)
from engine.store.sql import check_schema, connect_reader, newest_schema, schema_version

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

P = ParamSpec("P")
R = TypeVar("R")


class Reader:
    """All reading methods of the store contract. threads: 0 reads in the caller's thread, and nothing ever waits."""

    def __init__(self, path: Path | str, *, threads: int = 2) -> None:
        self._file = path
        self._threads = _pool(threads) if threads else None
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []

    async def open(self) -> None:
        """Raises Unavailable (`store.missing`, `store.schema`)."""
        _require(self._file)
        await self.read(check)

    async def close(self) -> None:
        if self._threads is not None:
            import asyncio

            await asyncio.to_thread(self._threads.shutdown)
        while self._connections:
            self._connections.pop().close()

    async def read(self, ask: Callable[Concatenate[sqlite3.Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a reading function in a reader's thread. Raises Unavailable (`store.read`)."""
        if self._threads is None:
            return self._ask(ask, *args, **kwargs)
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: self._ask(ask, *args, **kwargs))

    def _ask(self, ask: Callable[Concatenate[sqlite3.Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return ask(self._connection(), *args, **kwargs)
        except sqlite3.DatabaseError as error:
            name = getattr(error, "sqlite_errorname", "") or type(error).__name__
            raise Unavailable("store.read", f"the store could not be read ({name})") from error

    def _connection(self) -> sqlite3.Connection:
        con = getattr(self._own, "con", None)
        if con is None:
            con = self._own.con = connect_reader(self._file)
            self._connections.append(con)
        return con

    # --- the contract's reading methods ---
    async def facts(self, needs: Sequence[AwaitedNeed]) -> list[tuple[Awaited, ...]]:
        return await self.read(reading.facts, needs) if needs else []

    async def known(self, needs: Sequence[DocumentNeed]) -> list[tuple[KnownDocument, ...]]:
        return await self.read(reading.known, needs) if needs else []

    async def get(self, seq: int) -> Message | None:
        return await self.read(reading.get, seq)

    async def body(self, seq: int) -> bytes:
        return await self.read(reading.body, seq)

    async def window(self, seq: int, start: int, length: int) -> bytes:
        return await self.read(reading.window, seq, start, length)

    async def find(self, search: Search) -> Page:
        return await self.read(reading.find, search)

    async def seqs(self, word: str, limit: int = 50) -> list[tuple[int, str]]:
        return await self.read(reading.seqs, word, limit)

    async def thread(self, seqs: Sequence[int], limit: int = 500) -> Thread:
        return await self.read(walk.thread, seqs, limit)

    async def documents(self, ids: Sequence[int]) -> list[StoredDocument]:
        return await self.read(reading.documents, ids)

    async def gathering(self, lane: str, limit: int) -> list[Waiting]:
        return await self.read(reading.gathering, lane, limit)

    async def delivery(self, ref: int | str) -> DeliveryRecord | None:
        return await self.read(reading.delivery_record, ref)

    async def exceptions(
        self, *, state: str = "open", ids: Sequence[int] = (), limit: int = 100, before: int = 0
    ) -> list[ExceptionRecord]:
        return await self.read(reading.exceptions, state, ids, limit, before)

    async def awaited(
        self, *, overdue_at: int = 0, partner: str = "", limit: int = 100, ids: Sequence[int] = ()
    ) -> list[Awaited]:
        return await self.read(reading.awaited, overdue_at, partner, limit, ids)

    async def acknowledgements(self, deliveries: Sequence[int]) -> list[Awaited]:
        return await self.read(reading.acknowledgements, deliveries)

    async def missed(self, *, partner: str = "") -> list[Missed]:
        return await self.read(reading.missed, partner)

    async def site(self, version: str) -> bytes | None:
        return await self.read(reading.site, version)

    async def stats(self) -> dict[str, Any]:
        return await self.read(reading.stats)

    async def ledger(self) -> dict[str, int]:
        return await self.read(reading.ledger)


def _require(file: Path | str) -> None:
    if not os.path.exists(file):
        raise Unavailable("store.missing", "there is no store yet", hint="start the daemon once")


def check(con: sqlite3.Connection) -> None:
    """Raise Unavailable unless this version can read the store."""
    check_schema(con)
    number, name = schema_version(con)
    if number == 0:
        raise Unavailable("store.missing", "there is no store yet", hint="start the daemon once")
    if number < newest_schema():
        raise Unavailable("store.schema", f"the store has the older schema {name}", hint="start the daemon once")


def _pool(threads: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(threads, thread_name_prefix="hilum-store-reader")


async def open_reader(path: Path | str, *, threads: int = 2) -> Reader:
    """Open a store for reading only. threads: see Reader. Raises Unavailable (`store.missing`, `store.schema`)."""
    reader = Reader(path, threads=threads)
    try:
        await reader.open()
    except BaseException:
        await reader.close()
        raise
    return reader
