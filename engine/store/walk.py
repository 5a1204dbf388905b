"""The thread around some messages: a bounded, breadth-first walk in a few set-based queries per step."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from engine.message import TRANSACTION_KINDS, Key
from engine.store import reading
from engine.store.reading import ids, rows
from engine.store.records import Awaited, Edge, StoredDocument, Thread

WALKS = ("walk_edges_down", "walk_edges_up", "walk_documents", "walk_deliveries")


def thread(con: sqlite3.Connection, seqs: Sequence[int], limit: int) -> Thread:
    """Everything within reach of `seqs`, at most `limit` messages; all of it as of one moment."""
    with reading.moment(con):
        found, truncated = reach(con, seqs, limit)
        return _gather(con, found, truncated)


def reach(con: sqlite3.Connection, seqs: Sequence[int], limit: int) -> tuple[list[int], bool]:
    """The messages found, ascending, and whether there would have been more."""
    start = [message.seq for message in reading.messages(con, sorted(set(seqs)))]
    found, frontier, keys = set(start[:limit]), set(start[:limit]), set[Key]()
    truncated = len(start) > limit
    while frontier:
        near = _neighbours(con, frontier, keys, limit + len(found) + 1, all=not keys and frontier == found) - found
        room = limit - len(found)
        truncated = truncated or len(near) > room
        frontier = set(sorted(near)[:room])
        found |= frontier
    return sorted(found), truncated


def _neighbours(con: sqlite3.Connection, frontier: Iterable[int], asked: set[Key], most: int, *, all: bool) -> set[int]:
    """Messages one step away. asked: the keys already followed; grows.

    all: from what was asked for. An interchange that carries many orders, or acknowledges them, leads to all of them;
    one order that it was come to from has nothing to do with the others.
    """
    values = {"seqs": json.dumps(sorted(frontier)), "limit": most, "all": all}
    near: set[int] = set()
    for walk in WALKS:
        near.update(seq for (seq,) in rows(con, walk, values))
    fresh = {key for _, key in _keys(con, frontier) if key.kind in TRANSACTION_KINDS} - asked
    if fresh:
        asked |= fresh
        found = rows(con, "walk_keys", {"keys": json.dumps(sorted(fresh)), "limit": most})
        near.update(seq for (seq,) in found)
    return near


def _keys(con: sqlite3.Connection, seqs: Iterable[int]) -> list[tuple[int, Key]]:
    found = rows(con, "keys_of", {"seqs": json.dumps(sorted(seqs))})
    return [(seq, Key(kind, value, scope)) for seq, kind, value, scope in found]


def _gather(con: sqlite3.Connection, found: Sequence[int], truncated: bool) -> Thread:
    deliveries = reading.deliveries(con, "deliveries_by_message", found)
    theirs = [record.delivery.id for record in deliveries]
    problems = rows(con, "exceptions_of", {"messages": json.dumps(found), "deliveries": json.dumps(theirs)})
    return Thread(
        messages=tuple(reading.messages(con, found)),
        documents=tuple(StoredDocument(*row) for row in rows(con, "documents_by_message", ids(found))),
        edges=tuple(Edge(*row) for row in rows(con, "edges_among", {"seqs": json.dumps(found)})),
        deliveries=tuple(deliveries),
        acknowledgements=tuple(Awaited(*row) for row in rows(con, "acknowledgements_of", ids(theirs))),
        exceptions=tuple(reading.exception(row) for row in problems),
        keys=tuple(_keys(con, found)),
        truncated=truncated,
    )
