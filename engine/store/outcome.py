"""Keeping what one piece of work led to. Each outcome stands whole, or conflicts and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256

from engine.message import Delivery
from engine.store import append
from engine.store.contract import GATHERED, Committed, NewDocument, NewException, Outcome, Settle
from engine.store.lanes import Item
from engine.store.outbound import end_gathering, keep_outbound, move
from engine.store.sql import queries
from engine.store.transaction import Transaction

_DONE = Committed("done")
_ENDS = {"done": "delivered", "retry": "retrying", "dead": "dead"}  # what becomes of a delivery


def look_up(tx: Transaction, outcomes: Iterable[Outcome]) -> None:
    """Ask once, for all of a transaction, for the states that outcomes compare and the messages they replace."""
    spoken = [settle.id for outcome in outcomes for settle in outcome.settles]
    if spoken:
        for id, state, delivery in tx.con.execute(queries()["acknowledgement_states"], (json.dumps(spoken),)):
            tx.settled[id], tx.owners[id] = state, delivery
    replaced = [new.replaces for outcome in outcomes for new in outcome.messages if new.replaces is not None]
    if replaced:
        for id, message, state in tx.con.execute(queries()["replaced_deliveries"], (json.dumps(replaced),)):
            tx.replaced[id] = message, state
    gathered = [id for outcome in outcomes if outcome.messages for id in _gathered(outcome)]
    if gathered:
        for id, message, state in tx.con.execute(queries()["replaced_deliveries"], (json.dumps(gathered),)):
            tx.gathered[id] = message if state == "gathering" else None
    known = [name[:2] for outcome in outcomes for name in outcome.known]
    if known:
        tx.newest.update(dict.fromkeys(known, 0))
        for type, number, id in tx.con.execute(queries()["newest_documents"], {"needs": json.dumps(known)}):
            tx.newest[type, number] = id
    again = [outcome.work.subject for outcome in outcomes if outcome.work.kind == "process" and outcome.work.step]
    if again:
        tx.states.update(tx.con.execute(queries()["message_states"], (json.dumps(again),)).fetchall())


def _gathered(outcome: Outcome) -> list[int]:
    """The deliveries that go in its messages with others."""
    return [one.delivery for new in outcome.messages if new.carries for one in new.carries]


def commit(tx: Transaction, outcomes: Sequence[Outcome], sending: Collection[int] = ()) -> list[Committed]:
    """sending: deliveries that are under way just now and so cannot be replaced."""
    for id in sending:
        if id in tx.replaced:
            tx.replaced[id] = tx.replaced[id][0], "sending"
    kept: list[Committed] = []
    stopped: set[str] = set()  # lanes of messages whose head conflicts: nothing behind it may go before it
    for outcome in outcomes:
        work = outcome.work
        blocked = work.kind == "process" and work.lane in stopped
        kept.append(Committed("conflict") if blocked else _keep(tx, outcome))
        if kept[-1].status == "conflict" and work.kind == "process":
            stopped.add(work.lane)
    return kept


def _keep(tx: Transaction, outcome: Outcome) -> Committed:
    if outcome.known and any(tx.newest[type, number] != id for type, number, id in outcome.known):
        return Committed("conflict")
    if tx.gathered and any(tx.gathered.get(id) is None for id in _gathered(outcome)):
        return Committed("conflict")
    if outcome.settles:
        if any(tx.settled.get(settle.id) != settle.was for settle in outcome.settles):
            return Committed("conflict")
        for settle in outcome.settles:
            _settle(tx, outcome, settle)
    work = outcome.work
    seq = work.message.seq
    documents = _keep_documents(tx, seq, outcome.documents) if outcome.documents else []
    made = [keep_outbound(tx, seq, outcome.site, new, documents) for new in outcome.messages]
    if outcome.keys:
        tx.add_keys(seq, outcome.keys)
    if outcome.edges:
        tx.rows["add_edges"].extend(outcome.edges)
    reply = _keep_reply(tx, outcome) if outcome.reply is not None else None
    for problem in outcome.exceptions:
        _keep_exception(tx, outcome, problem, [delivery for _, delivery in made])
    for id in outcome.resolves:
        tx.add("resolve_exceptions", (id, tx.now, f"settled by M{seq}", "hilum"))
    _KINDS[work.kind](tx, outcome)
    if not made and reply is None:
        return _DONE
    return Committed("done", tuple([message for message, _ in made]), reply)


# --- parts ---
def _settle(tx: Transaction, outcome: Outcome, settle: Settle) -> None:
    settled = settle.state != "overdue"
    by = outcome.work.message.seq if outcome.work.kind == "process" and settled else None
    tx.add("settle_acknowledgements", (settle.id, settle.state, settle.code, tx.now if settled else 0, by))
    tx.settled[settle.id] = settle.state
    if settle.was == "overdue":
        tx.end_deadline(settle.id)
    if settle.state == "negative":
        tx.expect_nothing(tx.owners[settle.id])
    tx.tallies[settle.was] -= 1
    tx.tallies[settle.state] += 1


def _keep_documents(tx: Transaction, seq: int, documents: Sequence[NewDocument]) -> list[int]:
    ids = []
    for type, number, summary, body, place in documents:
        id = tx.next_id("documents")
        tx.rows["add_documents"].append((id, seq, type, number, summary, body, place))
        if (type, number) in tx.newest:
            tx.newest[type, number] = id
        ids.append(id)
    return ids


def _keep_reply(tx: Transaction, outcome: Outcome) -> int | None:
    assert outcome.reply is not None
    seq = append.keep_new(tx, outcome.reply, sha256(outcome.reply.raw).digest())
    tx.tallies["received"] += 1
    tx.add("add_edges", (outcome.work.message.seq, seq, "reply"))
    return seq


def _keep_exception(tx: Transaction, outcome: Outcome, problem: NewException, made: Sequence[int]) -> None:
    work = outcome.work
    if problem.new_delivery is not None:
        delivery: int | None = made[problem.new_delivery]
    elif problem.delivery is not None:
        delivery = problem.delivery
    else:
        delivery = work.delivery.id if work.delivery is not None else None
    awaited = work.subject if work.kind == "deadline" else None
    tx.add_exception(problem, message=work.message.seq, delivery=delivery, acknowledgement=awaited)


# --- what becomes of the work itself ---
def _process(tx: Transaction, outcome: Outcome) -> None:
    work = outcome.work
    if tx.is_arrival(work.subject):
        _file(tx, outcome)
        return
    if outcome.status == "more":
        tx.go_on(work.id, outcome.step)
        return
    if outcome.status == "retry":
        tx.postpone_work("process", work.id, outcome.at)
        return
    if work.step.startswith(("resend:", "answer:")):  # says nothing new about the message
        tx.finish_work("process", work.id)
        return
    if work.step.startswith("gather:"):
        end_gathering(tx, [work.subject])
        return
    state = _state(outcome)
    warnings = json.dumps([*work.message.warnings, *outcome.warnings]) if outcome.warnings else None
    row = (work.message.seq, state, outcome.rule, tx.site_number(outcome.site), warnings)
    tx.add("set_message_states", row)
    before = tx.states.get(work.subject, "received") if work.step else "received"
    tx.states[work.subject] = state
    if before != "received":
        tx.tallies[before] -= 1
    tx.tallies[state] += 1
    tx.finish_work("process", work.id)


def _state(outcome: Outcome) -> str:
    return outcome.state or ("exception" if outcome.status == "dead" else "processed")


def _file(tx: Transaction, outcome: Outcome) -> None:
    """The first thing that becomes of a message."""
    work = outcome.work
    if outcome.status in {"retry", "more"}:
        at = outcome.at if outcome.status == "retry" else tx.now
        tx.file(work, "received")
        tx.postpone_arrival(Item(work.id, work.lane, work.priority, at, work.subject, outcome.step))
        return
    state = _state(outcome)
    tx.file(work, state, rule=outcome.rule, site=outcome.site, warnings=outcome.warnings)
    tx.tallies[state] += 1
    tx.end_arrival(work.id)


def _deliver(tx: Transaction, outcome: Outcome) -> None:
    work, delivery, attempt = outcome.work, outcome.work.delivery, outcome.attempt
    if delivery is None:
        raise ValueError("deliver work without its delivery")
    state, tried, doubtful = _ENDS[outcome.status], 0, 0
    if attempt is not None:
        tried, doubtful = 1, int(attempt.outcome == "ambiguous")
        tx.rows["add_attempts"].append((delivery.id, delivery.attempts + 1, *attempt))
    move(tx, delivery.id, delivery.state, state, tried, doubtful)
    if delivery.lane.startswith(GATHERED):
        _end_carried(tx, outcome, delivery, state, tried, doubtful)
    if state == "retrying":
        tx.postpone_work("deliver", work.id, outcome.at)
        return
    tx.finish_work("deliver", work.id)
    if state == "delivered":
        tx.await_acknowledgements(delivery.id, outcome.dues)
    else:
        tx.expect_nothing(delivery.id)


def _end_carried(tx: Transaction, outcome: Outcome, carrier: Delivery, state: str, tried: int, doubtful: int) -> None:
    """What has become of a message has become of all that goes in it."""
    for id, before in tx.con.execute(queries()["carried_deliveries"], (carrier.message,)).fetchall():
        if outcome.attempt is not None:
            tx.rows["add_attempts"].append((id, carrier.attempts + 1, *outcome.attempt))
        move(tx, id, before, state, tried, doubtful)
        if state == "delivered":
            tx.await_acknowledgements(id, outcome.dues)


def _deadline(tx: Transaction, outcome: Outcome) -> None:
    work = outcome.work
    again = outcome.at if outcome.status == "retry" else None
    tx.add("check_acknowledgements", (work.id, again))
    tx.effects.done["deadline"].append(work.id)
    if again is not None:
        tx.effects.check_at(again)


def _aside(tx: Transaction, outcome: Outcome) -> None:
    """Nothing was claimed, so nothing is done with."""


_KINDS = {"process": _process, "deliver": _deliver, "deadline": _deadline, "aside": _aside}
