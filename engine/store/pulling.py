"""Reading work: pages of a long backlog, the messages of claimed work, and deadlines that fall due."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import NamedTuple

from engine.message import Delivery, Message
from engine.store import reading
from engine.store.contract import LARGE, MANY, Work
from engine.store.lanes import Item
from engine.store.reading import ids, rows
from engine.store.sql import CHUNKS

NEVER = 1 << 62


class Loaded(NamedTuple):
    """What a claimed piece needs. corrupt: its bytes are not those that were stored, so it has none."""

    message: Message
    delivery: Delivery | None = None
    corrupt: bool = False


def work_page(con: sqlite3.Connection, kind: str, after: int, limit: int) -> list[Item]:
    """The next pieces in the order of their ids. What only waits to be processed stands among the arrivals."""
    asked = {"after": after, "limit": limit}
    with reading.moment(con):
        found = rows(con, "work_page", {"kind": kind, **asked})
        if kind == "process":
            found += rows(con, "arrived_page", asked)
    return [Item(*row) for row in sorted(found)[:limit]]


def load_items(con: sqlite3.Connection, kind: str, items: Sequence[Item], most: int) -> dict[int, Loaded]:
    """Messages with their bodies, and deliveries, by work id: the first, and others up to so many bytes in all."""
    subjects = [item.subject for item in items]
    if kind == "process":
        loaded = load_messages(con, subjects, most, LARGE)
        return {item.id: loaded[item.subject] for item in items if item.subject in loaded}
    deliveries = {row[0]: reading.delivery(row) for row in rows(con, "deliveries_by_id", ids(subjects))}
    loaded = load_messages(con, [deliveries[subject].message for subject in subjects], most)
    found = {}
    for item in items:
        delivery = deliveries[item.subject]
        if delivery.message in loaded:
            message, _, corrupt = loaded[delivery.message]
            found[item.id] = Loaded(message, delivery, corrupt)
    return found


def load_messages(con: sqlite3.Connection, seqs: Sequence[int], most: int, large: int = MANY) -> dict[int, Loaded]:
    """large: bytes beyond which a message comes without its body."""
    found = {m.seq: m for m in reading.messages(con, seqs)}
    sizes = accumulate(found[seq].size for seq in seqs)
    fit = [seq for position, (seq, size) in enumerate(zip(seqs, sizes, strict=True)) if not position or size <= most]
    whole = {seq for seq in fit if found[seq].size <= large}  # two pieces of work may be about the same message
    bodies = load_bodies(con, whole)
    return {seq: _checked(found[seq], bodies.get(seq)) if seq in whole else Loaded(found[seq]) for seq in fit}


def load_bodies(con: sqlite3.Connection, seqs: Collection[int]) -> dict[int, bytes]:
    """Bodies as they are on disk, in one query; where a page of them is damaged, those that can still be read."""
    chunks: defaultdict[int, list[bytes]] = defaultdict(list)
    try:
        for id, chunk in rows(con, "bodies", ids(seqs)):
            chunks[id // CHUNKS].append(chunk)
    except sqlite3.DatabaseError:
        return {} if len(seqs) == 1 else {seq: raw for one in seqs for seq, raw in load_bodies(con, [one]).items()}
    return {seq: parts[0] if len(parts) == 1 else b"".join(parts) for seq, parts in chunks.items()}


def _checked(message: Message, body: bytes | None) -> Loaded:
    if body is None or hashlib.sha256(body).digest() != message.sha256:
        return Loaded(message, corrupt=True)
    return Loaded(message._replace(body=body))


def due_deadlines(con: sqlite3.Connection, now: int, limit: int, claimed: Collection[int]) -> tuple[list[Work], int]:
    """Up to `limit` deadlines due and not claimed, and when to look again."""
    found = rows(con, "due_acknowledgements", {"now": now, "limit": limit + len(claimed) + 1})
    due = [row for row in found if row[0] not in claimed]
    deliveries = {row[0]: reading.delivery(row) for row in rows(con, "deliveries_by_id", ids(row[1] for row in due))}
    messages = {m.seq: m for m in reading.messages(con, [delivery.message for delivery in deliveries.values()])}
    works = []
    for id, delivery, check_at in due[:limit]:
        sent = deliveries[delivery]
        works.append(Work(id, "deadline", f"deadline {id}", 5, check_at, id, messages[sent.message], sent))
    if len(due) > limit:
        return works, now
    later = rows(con, "next_check_after", {"now": now})[0][0]
    return works, NEVER if later is None else later
