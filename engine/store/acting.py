"""What people and the daemon do to the store: replay, resolve, audit, keep a site, begin and end in order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from engine.errors import Refused
from engine.message import Message
from engine.store import damage, reading
from engine.store.contract import TakenOver
from engine.store.lanes import Item
from engine.store.reading import Row
from engine.store.records import DocumentNeed
from engine.store.sql import queries, write
from engine.store.transaction import LARGEST_CONTROL_NUMBER, Transaction


def audit(tx: Transaction, who: str, action: str, subject: str, reason: str) -> None:
    tx.add("add_audit", (tx.now, who, action, subject, reason))


def resolve(tx: Transaction, ids: Sequence[int], reason: str, who: str) -> None:
    for id in ids:
        tx.add("resolve_exceptions", (id, tx.now, reason, who))
    audit(tx, who, "resolve", " ".join(f"EXC-{id}" for id in ids), reason)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a person wants done again; see Store.replay."""

    messages: Sequence[int]
    deliveries: Sequence[int]
    resend: Sequence[int]
    reason: str
    who: str


def replay(tx: Transaction, wanted: Replay) -> int:
    """Queue the work; returns how many pieces. What is already queued, or never was work, is left out."""
    states: dict[int, str] = {}  # of the messages, as they were
    messages = _asked(tx, "replayable_messages", wanted.messages)
    for seq, lane, priority, state in messages:
        states[seq] = state
        _process_again(tx, wanted, Item(tx.next_id("work"), lane, priority, tx.now, seq, "replay"))
    deliveries = _asked(tx, "replayable_deliveries", wanted.deliveries)
    for id, lane, priority, state in deliveries:
        _deliver_again(tx, wanted, Item(tx.next_id("work"), lane, priority, tx.now, id), state)
    resend = _asked(tx, "resendable_deliveries", wanted.resend)
    for id, seq, lane, priority, _ in resend:
        _process_again(tx, wanted, Item(tx.next_id("work"), lane, priority, tx.now, seq, f"resend:{id}"))
    for state in states.values():
        if state != "received":
            tx.tallies[state] -= 1
    _expect_again(tx, [row[0] for row in deliveries])
    _resolve_of(tx, "resolve_message_exceptions", [row[0] for row in messages], wanted)
    _resolve_of(tx, "resolve_delivery_exceptions", [row[0] for row in [*deliveries, *resend]], wanted)
    return len(messages) + len(deliveries) + len(resend)


def _asked(tx: Transaction, name: str, ids: Sequence[int]) -> list[Row]:
    return tx.con.execute(queries()[name], (json.dumps(list(ids)),)).fetchall()


def _process_again(tx: Transaction, wanted: Replay, item: Item) -> None:
    if item.step == "replay":  # sending one of its documents again says nothing new about the message
        tx.add("set_message_states", (item.subject, "received", "", None, None))
    tx.add_work("process", item)
    audit(tx, wanted.who, item.step.replace(":", " delivery "), f"M{item.subject}", wanted.reason)


def _deliver_again(tx: Transaction, wanted: Replay, item: Item, state: str) -> None:
    tx.add("set_delivery_states", (item.subject, "planned", 0, state == "delivered"))
    tx.tallies[f"deliveries_{state}"] -= 1
    tx.tallies["deliveries_planned"] += 1
    tx.add_work("deliver", item)
    audit(tx, wanted.who, "replay", f"delivery {item.subject}", wanted.reason)


def _expect_again(tx: Transaction, deliveries: Sequence[int]) -> None:
    """What a dead delivery no longer expected, and what never came, is expected again."""
    for state in ("not_expected", "overdue"):
        values = {"deliveries": json.dumps(list(deliveries)), "state": state}
        changed = tx.con.execute(queries()["expect_acknowledgements_again"], values).rowcount
        tx.tallies["awaited"] += changed
        if state == "overdue":
            tx.tallies["overdue"] -= changed


def _resolve_of(tx: Transaction, name: str, ids: Sequence[int], wanted: Replay) -> None:
    values = {"now": tx.now, "reason": wanted.reason, "who": wanted.who, "ids": json.dumps(list(ids))}
    tx.tallies["exceptions_open"] -= tx.con.execute(queries()[name], values).rowcount


def seed(tx: Transaction, counters: Mapping[str, int], reason: str, who: str) -> dict[str, int]:
    """Have counters of control numbers go on from a number; see Store.seed."""
    for name, first in counters.items():
        if not 1 <= first <= LARGEST_CONTROL_NUMBER:
            raise Refused("control.number", f"a control number has at most nine digits, and {first} has not")
        last = tx.count("control", name)
        if first <= last:
            text = f"{name} has given {last} already, and no number is given twice"
            raise Refused("control.number", text, hint=f"give {last + 1} or a later one")
        tx.counters["control", name] = first - 1
        audit(tx, who, "seed", name, f"{reason}: next is {first}")
    return dict(counters)


def take_over(tx: Transaction, orders: Sequence[TakenOver], reason: str, who: str) -> int:
    """See Store.take_over. Each becomes a message without bytes, delivered, that carries its document."""
    needs = [DocumentNeed(one.document.type, one.document.number, one.partner) for one in orders]
    known = reading.known(tx.con, needs)
    fresh = [one for one, rows in zip(orders, known, strict=True) if all(row.sent is None for row in rows)]
    for one in fresh:
        seq, document, delivery = tx.next_id("messages"), tx.next_id("documents"), tx.next_id("deliveries")
        message = Message(seq, "out", one.connection, one.partner, one.format, one.type, "", "", tx.now, 0,
                          sha256(b"").digest(), state="processed")  # fmt: skip
        tx.add_message(message, dedup=None, lane="", priority=5)
        tx.add_keys(seq, [(key.kind, key.value, key.scope) for key in one.keys])
        told, lane = one.document, f"{one.partner}/{one.document.type}:{one.document.number}"
        tx.add("add_documents", (document, seq, told.type, told.number, told.summary, told.body, told.place))
        tx.add("add_deliveries", (delivery, one.uid, seq, document, None, one.partner, one.connection, one.type, lane,
                                  5, "delivered", 0, tx.now, 0, ""))  # fmt: skip
        tx.tallies["deliveries_delivered"] += 1
    audit(tx, who, "take over", " ".join(one.document.number for one in fresh), reason)
    return len(fresh)


def keep_site(tx: Transaction, version: str, snapshot: bytes) -> None:
    tx.site_number(version)
    tx.flush()
    tx.con.execute(queries()["keep_site"], (snapshot, version))


# --- begin and end ---
def start(con: sqlite3.Connection, now: int) -> int:
    """Note that the store is in use; returns the last id of the work left over. now: us.

    When the last run did not end in order, any delivery still open may have been sent: it is a possible duplicate.
    """
    con.execute("BEGIN IMMEDIATE")
    clean = con.execute("SELECT value FROM counters WHERE kind = 'store' AND name = 'clean'").fetchone()
    if clean is not None and not clean[0]:
        con.execute(queries()["mark_possible_duplicates"])
    write(con, "set_counters", [("store", "clean", 0)])
    damage.set_aside(con, now)
    last: int | None = con.execute(queries()["last_ids"]).fetchone()[5]
    con.execute("COMMIT")
    return last or 0


def close_in_order(con: sqlite3.Connection, interrupted: Sequence[int]) -> None:
    """interrupted: deliveries claimed and not settled; they may have been sent."""
    try:
        con.execute("BEGIN IMMEDIATE")
        con.execute(queries()["mark_interrupted"], (json.dumps(list(interrupted)),))
        write(con, "set_counters", [("store", "clean", 1)])
        con.execute("COMMIT")
    except sqlite3.Error:
        pass  # it then counts as not ended in order, which is always safe
    finally:
        con.close()
