"""Received messages whose shared row in `arrivals` a failing disk has altered. Their bytes stand elsewhere.

Each becomes a message of which nothing but its bytes is known, and an exception. The rest of the store goes on.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from engine.store import arrivals
from engine.store.reading import rows
from engine.store.sql import CHUNKS, queries, write
from engine.store.transaction import digest

_TEXT = "what was known of this message besides its bytes has been altered on disk; nothing has become of it"
_COUNTED = {"in_flight": -1, "exception": 1, "exceptions_open": 1}


def set_aside(con: sqlite3.Connection, now: int) -> None:
    """Within the caller's transaction, before anyone reads an arrival. now: us."""
    damaged = {block for block, sound, _ in _blocks(con) if not sound}
    if damaged:
        whole = {seq for _, sound, facts in _blocks(con) if sound for seq, *_ in json.loads(facts)}
        _keep(con, _orphans(con, min(damaged), whole), now)
        con.execute(queries()["drop_arrivals"], (json.dumps(list(damaged)),))


def _blocks(con: sqlite3.Connection) -> Iterator[tuple[int, bool, bytes]]:
    """(id, whether it is as it was written, facts) of each row in `arrivals`; there may be more than memory is for."""
    for first, last, work, crc, facts in con.execute(queries()["arrival_rows"]):
        yield first, arrivals.checksum(first, last, work, facts) == crc, facts


def _orphans(con: sqlite3.Connection, first: int, whole: set[int]) -> dict[int, bytes]:
    """The bytes of all messages from `first` on that have neither a row of their own nor a share in a whole one."""
    found: dict[int, bytes] = {}
    for id, chunk in rows(con, "bodies_without_message", (first * CHUNKS,)):
        seq = id // CHUNKS
        if seq not in whole:
            found[seq] = found.get(seq, b"") + chunk
    return found


def _keep(con: sqlite3.Connection, bodies: dict[int, bytes], now: int) -> None:
    """As messages and exceptions, counted as such."""
    messages = [
        (seq, "in", "", "", "", "", "", None, "", now, len(body), digest(body), "exception", "", None, None, "", "", 5)
        for seq, body in bodies.items()
    ]
    (last,) = con.execute("SELECT coalesce(max(id), 0) FROM exceptions").fetchone()
    exceptions = [
        (last + n, "store.corrupt", _TEXT, "", "{}", "open", seq, None, None, now, None, "", "")
        for n, seq in enumerate(bodies, 1)
    ]
    counts = {name: value for kind, name, value in rows(con, "counters") if kind == "tally"}
    write(con, "add_messages", messages)
    write(con, "add_exceptions", exceptions)
    counted = [("tally", name, counts.get(name, 0) + by * len(bodies)) for name, by in _COUNTED.items()]
    write(con, "set_counters", counted)
