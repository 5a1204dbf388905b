"""A real store in a folder of its own that goes away: for tests, dry runs and benches."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.store.sqlite import SqliteStore


@asynccontextmanager
async def temporary_store(**options: Any) -> AsyncIterator[SqliteStore]:
    """`async with temporary_store() as store:` options are those of SqliteStore."""
    with tempfile.TemporaryDirectory(prefix="hilum-store-") as folder:
        store = SqliteStore(Path(folder) / "store.db", **options)
        await store.open()
        try:
            yield store
        finally:
            await store.close()
