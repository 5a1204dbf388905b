"""The conservation law can fail: a store that has lost a message, or no longer says what became of it, is found out."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.sqlite import SqliteStore
from tests.functional.scene import conserved, ledger
from tests.store_kit import fill, incoming

FIRST, LAST = (
    f"WHERE seq = (SELECT {end}(seq) FROM messages WHERE direction = 'in')" for end in ("min", "max")
)  # of those that were delivered
LOST = {
    "what was delivered": f"DELETE FROM messages {LAST}",
    "what nobody has looked at yet": "DELETE FROM arrivals",
    "what is in a state that there is not": f"UPDATE messages SET state = 'mislaid' {FIRST}",
    "what has failed and is on no list": f"UPDATE messages SET state = 'exception' {FIRST}",
}


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_message_is_missed(tmp_path: Path, lost: str) -> None:
    path = tmp_path / "lost.db"
    asyncio.run(_filled(path))
    conserved(ledger(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as con:
        con.execute(LOST[lost])
    with pytest.raises(AssertionError, match="does not add up"):
        conserved(ledger(path))


async def _filled(path: Path) -> None:
    """A history, and messages that nobody has looked at yet."""
    store = SqliteStore(path)
    await store.open()
    await fill(store, 8, batch=2)
    await store.append([incoming(n) for n in (20, 21)])
    await store.close()
