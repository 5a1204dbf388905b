"""Storing received messages: recognise what came before, keep every one of them, make work of what is new."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b, sha256

from engine.message import Message, record
from engine.store.contract import Appended, Incoming, NewException
from engine.store.lanes import Item
from engine.store.sql import matching, queries
from engine.store.transaction import Transaction


def append(tx: Transaction, batch: Sequence[Incoming]) -> list[Appended]:
    """Everything that one transaction takes in, in order."""
    dedups = [_dedup(incoming) for incoming in batch]
    firsts = _known(tx, batch, dedups)
    kept = []
    for incoming, dedup in zip(batch, dedups, strict=True):
        sha = sha256(incoming.raw).digest()
        if dedup is None:
            kept.append(record(Appended, (keep_new(tx, incoming, sha), "new", None)))
        elif dedup in firsts:
            kept.append(_keep_again(tx, incoming, sha, *firsts[dedup]))
        else:
            seq = keep_new(tx, incoming, sha, dedup)
            firsts[dedup] = seq, sha
            kept.append(record(Appended, (seq, "new", None)))
    tx.tallies["received"] += len(kept)
    return kept


def _dedup(incoming: Incoming) -> bytes | None:
    """What we refuse once must be refused again, never answered as a duplicate of something accepted."""
    if not incoming.dedup or incoming.refusal is not None:
        return None
    return blake2b(f"{incoming.partner}\0{incoming.dedup}".encode(), digest_size=16).digest()


def _known(
    tx: Transaction, batch: Sequence[Incoming], dedups: Sequence[bytes | None]
) -> dict[bytes, tuple[int, bytes]]:
    """(seq, SHA-256) of the first of its kind, by dedup digest, of those that came before this transaction."""
    rows = [(incoming.control_id, dedup) for incoming, dedup in zip(batch, dedups, strict=True) if dedup]
    firsts = {dedup: (seq, sha) for dedup, seq, sha in matching(tx.con, "known_dedups", rows)}
    waiting = {seq: dedup for _, dedup in rows if (seq := tx.arrivals.first(dedup)) is not None}
    if waiting:
        blocks = [tx.arrivals.block(seq) for seq in waiting]
        values = {"blocks": json.dumps(blocks), "seqs": json.dumps(list(waiting))}
        for seq, sha in tx.con.execute(queries()["arrived_digests"], values):
            firsts[waiting[seq]] = seq, bytes.fromhex(sha)
    return firsts


def keep_new(tx: Transaction, incoming: Incoming, sha: bytes, dedup: bytes | None = None) -> int:
    """Keep a message that nobody sent before, as work or, when it was refused, as an exception; returns its seq."""
    if incoming.refusal is not None:
        message = _keep(tx, incoming, sha, dedup, "exception")
        tx.add_exception(incoming.refusal, message=message.seq)
        _let_answer(tx, incoming, message.seq, "refused")
        return message.seq
    message = _message(tx, incoming, sha, "received")
    tx.arrive(message, dedup, incoming.lane, incoming.priority)
    if incoming.keys:
        tx.add_keys(message.seq, incoming.keys)
    return message.seq


def _keep_again(tx: Transaction, incoming: Incoming, sha: bytes, of: int, of_sha: bytes) -> Appended:
    """A duplicate, or a conflict: another message has come before under the same duplicate key."""
    status = "duplicate" if sha == of_sha else "conflict"
    if status == "duplicate":
        seq = _keep(tx, incoming, sha, None, "duplicate", of).seq
    else:
        seq = _keep(tx, incoming, sha, None, "exception").seq
        tx.add_exception(_conflict(incoming, of), message=seq)
    _let_answer(tx, incoming, seq, status)
    tx.add("add_edges", (of, seq, "duplicate"))
    return Appended(seq, status, of)


def _let_answer(tx: Transaction, incoming: Incoming, seq: int, status: str) -> None:
    """What goes no further may yet be owed an answer, in the turn of its lane."""
    if incoming.answered:
        step = f"answer:{status}"
        tx.add_work("process", Item(tx.next_id("work"), incoming.lane, incoming.priority, tx.now, seq, step))


def _keep(
    tx: Transaction, incoming: Incoming, sha: bytes, dedup: bytes | None, state: str, duplicate_of: int | None = None
) -> Message:
    """A message whose fate is known at once."""
    message = _message(tx, incoming, sha, state, duplicate_of)
    tx.add_message(message, dedup=dedup, lane=incoming.lane, priority=incoming.priority)
    tx.add_keys(message.seq, incoming.keys)
    tx.tallies[state] += 1
    return message


def _message(tx: Transaction, incoming: Incoming, sha: bytes, state: str, duplicate_of: int | None = None) -> Message:
    raw, channel, partner, format, type, control_id, sender, _, _, warnings, site, *_ = incoming
    return record(Message, (tx.next_id("messages"), "in", channel, partner, format, type, control_id, sender, tx.now,
                             len(raw), sha, raw, state, duplicate_of, site, warnings))  # fmt: skip


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
