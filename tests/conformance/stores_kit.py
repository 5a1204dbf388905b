"""The stores that keep the contract of engine.store.contract, and how a test stands on one of them.

The suite is in the files test_store_*; each test in them is asked of every store here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.store.contract import Store
from engine.store.sqlite import SqliteStore
from tests.store_kit import Clock, conserved

Make = Callable[..., Store]
IMPLEMENTATIONS: dict[str, Callable[[Path], Make]] = {
    "sqlite": lambda folder: lambda **options: SqliteStore(folder / "store.db", **options),
    # little memory: work is paged in, bodies are read back from disk, most messages get rows of their own at once
    "sqlite-small": lambda folder: (
        lambda **options: SqliteStore(folder / "store.db", most=8, memory=0, unfiled=3, **options)
    ),
}


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    await store.open()
    try:
        yield store
        assert conserved(await store.ledger())
    finally:
        await store.close()


def on(make: Make, test: Callable[..., Awaitable[None]], **options: Any) -> None:
    """Run a test on a fresh store, under a clock it may move."""

    async def run() -> None:
        clock = Clock()
        async with opened(make(clock=clock, **options)) as store:
            await test(store, clock)

    asyncio.run(run())
