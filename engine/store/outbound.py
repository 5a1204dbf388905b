"""Rows of what goes out: messages with their numbers filled in, deliveries, what is awaited, and what goes together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from engine.message import Delivery, Message, Slot, Template
from engine.store.contract import Carried, Expectation, NewMessage
from engine.store.lanes import Item
from engine.store.reading import STATES
from engine.store.sql import queries
from engine.store.transaction import Transaction

_TALLIES = {state: f"deliveries_{state}" for state in STATES}


def _filled(tx: Transaction, template: Template, numbers: dict[str, int]) -> bytes:
    """numbers: those given to this message by counter; all slots of one counter in it get one control number."""
    if len(template) == 1 and isinstance(template[0], bytes):
        return template[0]
    return b"".join([part if isinstance(part, bytes) else _number(tx, part, numbers) for part in template])


def _text(tx: Transaction, template: Template, numbers: dict[str, int]) -> str:
    return str(_filled(tx, template, numbers), "utf-8", "replace") if template else ""


def _number(tx: Transaction, slot: Slot, numbers: dict[str, int]) -> bytes:
    number = numbers.get(slot.counter)
    if number is None:
        number = numbers[slot.counter] = tx.control_number(slot.counter)
    return str(number).zfill(slot.width).encode()


def keep_outbound(
    tx: Transaction, source: int, site: str, new: NewMessage, documents: Sequence[int]
) -> tuple[int, int]:
    """Rows of one new message with its delivery: (message seq, delivery id). source: the message that causes it."""
    numbers: dict[str, int] = {}
    body, seq = _filled(tx, new.body, numbers), tx.next_id("messages")
    message = Message(seq, "out", new.channel, new.destination, new.format, new.type,
                      _text(tx, new.control_id, numbers), "", tx.now, len(body), sha256(body).digest(), body,
                      "processed", None, site)  # fmt: skip
    tx.add_message(message, dedup=None, lane="", priority=new.priority)
    for kind, value, scope in new.keys:
        tx.rows["add_keys"].append((_text(tx, value, numbers), kind, scope, seq))
    if not new.carries:
        tx.rows["add_edges"].append((source, seq, "causes"))
    if new.replaces in tx.replaced:
        _replace(tx, new.replaces, seq)
    delivery = Delivery(tx.next_id("deliveries"), new.uid, seq, new.destination, new.connection, new.type, new.lane,
                        new.state, 0, tx.now, False, dict(new.options))  # fmt: skip
    _keep_delivery(tx, new, delivery, new.stored_document if new.document is None else documents[new.document])
    if new.expect and new.state != "dead":
        _expect(tx, new.expect, delivery.id, seq, new.destination, numbers)
    if new.carries:
        end_gathering(tx, [_carry(tx, carried, new, seq, numbers) for carried in new.carries])
    if new.state == "gathering":
        lane, step = f"gather/{new.uid}", f"gather:{new.lane}"
        tx.add_work("process", Item(tx.next_id("work"), lane, new.priority, tx.now, seq, step))
    if new.state == "planned":
        tx.add_work(
            "deliver", Item(tx.next_id("work"), new.lane, new.priority, tx.now, delivery.id, "", message, delivery)
        )
    return seq, delivery.id


def _replace(tx: Transaction, id: int, seq: int) -> None:
    """Take back what a new message is sent instead of, unless it has arrived or is under way."""
    message, state = tx.replaced[id]
    tx.add("add_edges", (message, seq, "replay"))
    if state in {"delivered", "sending", "replaced"}:
        return
    tx.replaced[id] = message, "replaced"
    tx.add("set_delivery_states", (id, "replaced", 0, 0))
    tx.tallies[_TALLIES[state]] -= 1
    tx.tallies["deliveries_replaced"] += 1
    tx.expect_nothing(id)
    for (work,) in tx.con.execute(queries()["delivery_work"], (id,)).fetchall():
        tx.finish_work("deliver", work)
    if state == "gathering":
        end_gathering(tx, [message])


def _keep_delivery(tx: Transaction, new: NewMessage, d: Delivery, document: int | None) -> None:
    options = json.dumps(d.options, ensure_ascii=False) if d.options else ""
    tx.rows["add_deliveries"].append((d.id, d.uid, d.message, document, new.replaces, d.destination, d.connection,
                                      d.type, d.lane, new.priority, d.state, 0, d.created_at, 0, options))  # fmt: skip
    tx.tallies[_TALLIES[d.state]] += 1


def _carry(tx: Transaction, carried: Carried, new: NewMessage, seq: int, numbers: dict[str, int]) -> int:
    """A delivery that waited goes in the message `seq`. Returns its own."""
    message = tx.gathered[carried.delivery]
    assert message is not None
    tx.gathered[carried.delivery] = None
    tx.rows["add_edges"].append((message, seq, "carried"))
    move(tx, carried.delivery, "gathering", new.state)
    _expect(tx, carried.expect, carried.delivery, message, new.destination, numbers)
    return message


def end_gathering(tx: Transaction, messages: Sequence[int]) -> None:
    """Nobody needs to look after these again; who is about to, in this transaction or later, finds the work gone."""
    for (work,) in tx.con.execute(queries()["gather_work"], (json.dumps(messages),)).fetchall():
        tx.finish_work("process", work)
    tx.flush()


def move(tx: Transaction, delivery: int, before: str, state: str, tried: int = 0, doubtful: int = 0) -> None:
    tx.rows["set_delivery_states"].append((delivery, state, tried, doubtful))
    tx.tallies[_TALLIES[before]] -= 1
    tx.tallies[_TALLIES[state]] += 1


def _expect(
    tx: Transaction,
    expect: Sequence[Expectation],
    delivery: int,
    message: int,
    destination: str,
    numbers: dict[str, int],
) -> None:
    for expected in expect:
        row = (tx.next_id("acknowledgements"), delivery, message, destination, expected.kind,
               _text(tx, expected.ref, numbers), "awaited", "", expected.within, 0, None, 0, None, tx.now)  # fmt: skip
        tx.add("add_acknowledgements", row)
        tx.tallies["awaited"] += 1
