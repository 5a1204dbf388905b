"""Storing received messages: recognise what came before, keep every one of them, make work of what is new."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from engine.message import Message
from engine.store.contract import Appended, Incoming, NewException
from engine.store.sql import matching
from engine.store.transaction import Transaction, digest


def look_up(tx: Transaction, batch: Iterable[Incoming]) -> None:
    """Ask once, for all of a transaction, which duplicate keys are known."""
    rows = []
    for incoming in batch:
        # What we refuse once must be refused again, never answered as a duplicate of something accepted.
        if incoming.dedup and incoming.refusal is None:
            dedup = tx.dedups[id(incoming)] = dedup_digest(incoming.partner, incoming.dedup)
            rows.append((incoming.control_id, dedup))
    if rows:
        tx.firsts.update((dedup, (seq, sha)) for dedup, seq, sha in matching(tx.con, "known_dedups", rows))


def dedup_digest(partner: str, dedup: str) -> bytes:
    return hashlib.blake2b(f"{partner}\0{dedup}".encode(), digest_size=16).digest()


def append(tx: Transaction, batch: Sequence[Incoming]) -> list[Appended]:
    return [_append_one(tx, incoming, tx.dedups.get(id(incoming))) for incoming in batch]


def _append_one(tx: Transaction, incoming: Incoming, dedup: bytes | None) -> Appended:
    first = tx.first(dedup) if dedup is not None else None
    if first is None:
        seq, sha = keep_new(tx, incoming, dedup)
        if dedup is not None:
            tx.firsts[dedup] = seq, sha
        return Appended(seq, "new")
    of, of_sha = first
    sha = digest(incoming.raw)
    if sha == of_sha:
        seq = _keep(tx, incoming, sha, None, "duplicate", of).seq
    else:
        seq = _keep(tx, incoming, sha, None, "exception").seq
        tx.add_exception(_conflict(incoming, of), message=seq)
    tx.add("add_edges", (of, seq, "duplicate"))
    return Appended(seq, "duplicate" if sha == of_sha else "conflict", of)


def keep_new(tx: Transaction, incoming: Incoming, dedup: bytes | None = None) -> tuple[int, bytes]:
    """Keep a message that nobody sent before, as work or, when it was refused, as an exception: (seq, SHA-256)."""
    sha = digest(incoming.raw)
    if incoming.refusal is not None:
        message = _keep(tx, incoming, sha, dedup, "exception")
        tx.add_exception(incoming.refusal, message=message.seq)
        return message.seq, sha
    message = _message(tx, incoming, sha, "received")
    tx.arrive(message, dedup=dedup, lane=incoming.lane, priority=incoming.priority)
    tx.add_keys(message.seq, incoming.keys)
    tx.tallies["received"] += 1
    return message.seq, sha


def _keep(
    tx: Transaction, incoming: Incoming, sha: bytes, dedup: bytes | None, state: str, duplicate_of: int | None = None
) -> Message:
    """A message whose fate is known at once."""
    message = _message(tx, incoming, sha, state, duplicate_of)
    tx.add_message(message, dedup=dedup, lane=incoming.lane, priority=incoming.priority)
    tx.add_keys(message.seq, incoming.keys)
    tx.tallies["received"] += 1
    tx.tallies[state] += 1
    return message


def _message(tx: Transaction, i: Incoming, sha: bytes, state: str, duplicate_of: int | None = None) -> Message:
    return Message(tx.next_id("messages"), "in", i.channel, i.partner, i.format, i.type, i.control_id, i.sender,
                   tx.now, len(i.raw), sha, i.raw, state, duplicate_of, i.site, i.warnings)  # fmt: skip


def _conflict(incoming: Incoming, of: int) -> NewException:
    return NewException(
        "dup.conflict",
        f"a message with the same control number but other content came before, as M{of}",
        incoming.control_place,
        context={
            "partner": incoming.partner,
            "channel": incoming.channel,
            "type": incoming.type,
            "control_id": incoming.control_id,
            "first": f"M{of}",
        },
    )
