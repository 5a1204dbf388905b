"""The story of a thread: its tree, its verdict, and what is said of one order among several. Rows in, words out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from engine import trace
from engine.cli.trace import tree
from engine.message import Delivery, Message
from engine.store.records import (
    AttemptRecord,
    Awaited,
    DeliveryRecord,
    Edge,
    ExceptionRecord,
    StoredDocument,
    Thread,
)
from engine.story import Step, Story, story

T0 = 1_795_255_200_000_000  # 2026-11-21T10:00:00Z


def message(seq: int, type: str, direction: str = "in", *, state: str = "processed", partner: str = "acme") -> Message:
    return Message(
        seq, direction, partner, partner, "x12", type, "", "", T0 + seq * 1_000_000, 10, b"\0" * 32, state=state
    )


def delivery(
    seq: int, *attempts: tuple[str, str, str], state: str = "delivered", document: int | None = None, to: str = "acme"
) -> DeliveryRecord:
    """attempts: outcome, code and text of each."""
    sent = Delivery(seq, f"UID{seq}", seq, to, to, "850", f"{to}/{seq}", state, len(attempts), T0)
    tried = [
        AttemptRecord(seq, number, T0 + number * 1_000_000, 5, *told) for number, told in enumerate(attempts, start=1)
    ]
    return DeliveryRecord(sent, document, tuple(tried), None)


def problem(id: int, code: str, message: int, delivery: int | None = None, **other: Any) -> ExceptionRecord:
    told: dict[str, Any] = {"text": "a sentence", "place": "", "context": {}, "state": "open"} | other
    return ExceptionRecord(
        id, code, told["text"], told["place"], told["context"], told["state"], message, delivery, T0 + 9_000_000
    )


def told(thread: Thread, key: str, *found: int) -> Story:
    return story(trace.tell(thread, key, [(seq, "purchase_order") for seq in found], T0))


def find(steps: Iterable[Step], id: str) -> Step:
    """The step of a message or exception, wherever it hangs."""
    return next(step for step in _all(steps) if step.id == id)


def _all(steps: Iterable[Step]) -> list[Step]:
    return [one for step in steps for one in (step, *_all(step.children))]


def missing(told: Story) -> str:
    (step,) = [step for step in _all(told.steps) if step.missing]
    return f"{step.what} {step.who} {step.note}"


# --- a delivery that has not ended -----------------------------------------------------------------------------------
def test_of_a_delivery_in_flight_only_what_is_known_is_said() -> None:
    alone = told(Thread((message(1, "850", "out"),), deliveries=(delivery(1, state="planned"),)), "M1", 1)
    assert missing(alone) == (
        "delivery to acme no attempt has ended since 10:00:00: it is being sent, or waits for its turn"
    )
    assert alone.steps[0].note == "⧖ under way"


def test_of_a_delivery_that_is_tried_again_the_last_failure_is_told() -> None:
    tried = delivery(1, ("transient", "http.retry", "the receiver answered 503"),
                     ("ambiguous", "http.no_answer", "no whole answer came"), state="retrying")  # fmt: skip
    assert missing(told(Thread((message(1, "850", "out"),), deliveries=(tried,)), "M1", 1)) == (
        "delivery to acme attempt 2 of 10:00:02 failed (http.no_answer: no whole answer came); it goes again by itself"
    )


@pytest.mark.parametrize(
    ("state", "outcome", "words"),
    [("held", "transient", "held, until a person lets it go"), ("planned", "delivered", "by a person's wish")],
)
def test_a_delivery_that_a_person_stopped_or_sent_again_says_so(state: str, outcome: str, words: str) -> None:
    sent = delivery(1, (outcome, "201", ""), state=state)
    assert words in missing(told(Thread((message(1, "850", "out"),), deliveries=(sent,)), "M1", 1))


# --- what the receiver said ------------------------------------------------------------------------------------------
REFUSAL = {"cause": "http.rejected", "status": "422", "code": "unknown_item", "message": "No such item."}


def refused(state: str = "dead", context: Mapping[str, str] = REFUSAL) -> Thread:
    return Thread(
        (message(1, "850", "out"),),
        deliveries=(delivery(1, ("permanent", "http.rejected", "the receiver answered 422"), state=state),),
        exceptions=(problem(7, "delivery.rejected", 1, 1, context=context, place="/lines/0/item"),),
    )


def test_the_receivers_own_reason_is_in_the_tree_and_in_the_data() -> None:
    assert find(told(refused(), "M1", 1).steps, "EXC-7").note == (
        "delivery.rejected: a sentence (acme says unknown_item: No such item.) at /lines/0/item"
    )
    (row,) = trace.tell(refused(), "M1", [(1, "message")], T0)["deliveries"]
    assert row["refusal"] == {"status": "422", "code": "unknown_item", "message": "No such item."}


@pytest.mark.parametrize("context", [{}, {"cause": "map.miss", "partner": "acme"}, {"cause": "x", "status": "422"}])
def test_a_receiver_that_gave_no_reason_is_not_quoted(context: dict[str, str]) -> None:
    assert "says" not in find(told(refused(context=context), "M1", 1).steps, "EXC-7").note


def test_a_delivery_that_arrived_after_all_holds_no_refusal() -> None:
    (row,) = trace.tell(refused("delivered"), "M1", [(1, "message")], T0)["deliveries"]
    assert row["refusal"] is None


# --- a second word about the same ------------------------------------------------------------------------------------
def acknowledged(*later: tuple[int, str], exceptions: tuple[ExceptionRecord, ...] = ()) -> Story:
    """An 850 whose 997 (M2) said A, and what came later."""
    edges = [Edge(1, seq, "acknowledges") for seq in (2, *(seq for seq, _ in later))]
    ack = Awaited(1, 1, 1, "acme", "997", "PO/1/0001", "positive", "A", T0, T0 + 2_000_000, 2, T0)
    messages = (message(1, "850", "out"), message(2, "997"), *(message(seq, type) for seq, type in later))
    thread = Thread(
        messages, (), tuple(edges), (delivery(1, ("delivered", "written", "")),), (ack,), exceptions=exceptions
    )
    return told(thread, "PO-1", 1)


def test_a_997_that_repeats_or_contradicts_says_so() -> None:
    against = problem(
        3, "ack.conflict", 4, 1, context={"acknowledgement": "997", "status": "R", "of": "PO/1/0001"}
    )  # fmt: skip
    steps = acknowledged((3, "997"), (4, "997"), exceptions=(against,)).steps
    assert find(steps, "M2").note == "A  +2.0 s"
    assert find(steps, "M3").note == "accepted again"
    assert find(steps, "M4").note == "R, against the first (EXC-3)"


def test_an_855_beside_is_no_repeat_of_the_997() -> None:
    assert find(acknowledged((3, "855")).steps, "M3").note == ""


# --- one order of several --------------------------------------------------------------------------------------------
def two_orders(*exceptions: ExceptionRecord, waits: tuple[Awaited, ...] = ()) -> Thread:
    """M1 a requisition, sent as M2; its answer M3 holds orders PO-1 and PO-2, sent as M4 and M5; M6 answers M4."""
    messages = (
        message(1, "OMS^O05"), message(2, "requisition", "out"), message(3, "purchase_orders"),
        message(4, "850", "out"), message(5, "850", "out"), message(6, "855"),
    )  # fmt: skip
    documents = (
        StoredDocument(1, 1, "requisition", "REQ-1", "REQ-1", "{}"),
        StoredDocument(2, 3, "purchase_order", "PO-1", "PO-1", "{}", "/purchase_orders/1"),
        StoredDocument(3, 3, "purchase_order", "PO-2", "PO-2", "{}", "/purchase_orders/10"),
    )
    done = ("delivered", "written", "")
    sent = (delivery(2, done, document=1), delivery(4, done, document=2), delivery(5, done, document=3))
    edges = (
        Edge(1, 2, "causes"), Edge(2, 3, "reply"), Edge(3, 4, "causes"), Edge(3, 5, "causes"),
        Edge(4, 6, "acknowledges"),
    )  # fmt: skip
    return Thread(messages, documents, edges, sent, waits, exceptions)


LATE = problem(9, "ack.overdue", 5, 5)


@pytest.mark.parametrize(
    ("key", "found", "verdict", "whole"),
    [
        ("PO-1", [3, 4, 6], "complete", "STOPPED: EXC-9 ack.overdue"),
        ("PO-2", [3, 5], "STOPPED: EXC-9 ack.overdue", ""),
        ("REQ-1", [1, 2], "STOPPED: EXC-9 ack.overdue", ""),
        ("M3", [3], "STOPPED: EXC-9 ack.overdue", ""),
        ("M4", [4], "complete", "STOPPED: EXC-9 ack.overdue"),
    ],
)
def test_the_verdict_is_the_keys_own_and_the_threads_stands_beside_it(
    key: str, found: list[int], verdict: str, whole: str
) -> None:
    one = told(two_orders(LATE), key, *found)
    assert (one.verdict, one.whole) == (verdict, whole)


def test_what_is_awaited_for_another_order_is_not_awaited_for_this_one() -> None:
    waits = (Awaited(1, 5, 5, "bravo", "997", "PO/2/0001", "awaited", due_at=T0 + 1),)
    one = told(two_orders(waits=waits), "PO-1", 3, 4, 6)
    assert (one.verdict, one.whole) == ("complete", "awaiting 997 from bravo")
    assert told(two_orders(waits=waits), "PO-2", 3, 5).verdict == "awaiting 997 from bravo"


@pytest.mark.parametrize(
    ("place", "stops"),
    [("/purchase_orders/1/supplier", "PO-1"), ("/purchase_orders/10", "PO-2"), ("", "PO-1 PO-2"), ("/other", "")],
)
def test_a_fault_in_a_message_of_several_orders_stops_the_order_at_its_place(place: str, stops: str) -> None:
    thread = two_orders(problem(9, "map.miss", 3, place=place))
    stopped = [key for key in ("PO-1", "PO-2") if told(thread, key, 3).verdict.startswith("STOPPED")]
    assert stopped == stops.split()


def test_a_message_beside_the_thread_that_conflicts_stops_nothing() -> None:
    assert told(two_orders(problem(9, "dup.conflict", 4)), "PO-1", 4).verdict == "complete"


def test_no_partners_words_command_the_terminal() -> None:
    said = REFUSAL | {"message": "\x1b[2Jgone\nand \u202eon"}
    drawn = list(tree(told(refused(context=said), "M1", 1).steps))
    assert "unknown_item:  [2Jgone and  on" in drawn[1]
    assert all(line.isprintable() for line in drawn)


def test_a_bad_identifier_is_told_with_its_place() -> None:
    row = message(1, "855")._replace(warnings=("x12.wrapped", "identifier.check_digit ST[1]/PO1[2]/PO109"))
    assert find(told(Thread(messages=(row,)), "M1", 1).steps, "M1").note == (
        "identifier.check_digit at ST[1]/PO1[2]/PO109"
    )
