"""Acknowledgements find what they speak of, settle it once, and never settle what was settled otherwise."""

from __future__ import annotations

from engine.correlate import Settlement, overdue, settle_answer, settle_receipt
from engine.plugin import Receipt
from engine.store.contract import Settle
from engine.store.records import Awaited

ACCEPTED = Receipt("997", "PO/88/0001", positive=True, code="A")
REJECTED = Receipt("997", "PO/88/0001", positive=False, code="R", details=("PO1[1]/PO103: code value not in the list",))


def _row(state: str = "awaited", code: str = "") -> Awaited:
    return Awaited(id=7, delivery=3, message=20, partner="acme", kind="997", ref="PO/88/0001", state=state, code=code)


def test_a_997_settles_what_it_names() -> None:
    result = settle_receipt(ACCEPTED, [_row()], by=31, partner="acme")
    assert result.settles == [Settle(7, "positive", "awaited", "A")]
    assert result.edges == [(20, 31, "acknowledges")]
    assert not result.exceptions


def test_a_late_997_settles_what_was_overdue() -> None:
    result = settle_receipt(ACCEPTED, [_row("overdue")], by=31, partner="acme")
    assert result.settles == [Settle(7, "positive", "overdue", "A")]


def test_a_rejection_names_segment_and_element() -> None:
    (found,) = settle_receipt(REJECTED, [_row()], by=31, partner="acme").exceptions
    assert found.code == "ack.rejected"
    assert found.place == "PO1[1]/PO103"
    assert found.delivery == 3


def test_a_997_for_a_group_we_never_sent() -> None:
    result = settle_receipt(ACCEPTED, [], by=31, partner="acme")
    assert [found.code for found in result.exceptions] == ["ack.unknown"]
    assert not result.settles


def test_a_second_997_that_agrees_changes_nothing() -> None:
    result = settle_receipt(ACCEPTED, [_row("positive", "A")], by=32, partner="acme")
    assert not result.settles
    assert not result.exceptions


def test_a_second_997_that_contradicts_the_first() -> None:
    result = settle_receipt(REJECTED, [_row("positive", "A")], by=32, partner="acme")
    assert not result.settles
    assert [found.code for found in result.exceptions] == ["ack.conflict"]


def test_a_second_answer_is_an_update() -> None:
    assert settle_answer("855", "accepted", [_row()], by=40).settles
    assert not settle_answer("855", "accepted", [_row("positive")], by=41).settles


def test_overdue_says_who_owes_what() -> None:
    found = overdue(_row())
    assert found.code == "ack.overdue"
    assert "acme" in found.text


def test_a_rejected_order_is_work_for_a_person() -> None:
    result = settle_answer("855", "rejected", [_row()], by=40)
    assert [settle.state for settle in result.settles] == ["negative"]
    assert [found.code for found in result.exceptions] == ["order.rejected"]


def test_one_message_that_speaks_twice_settles_once() -> None:
    both = Settlement()
    both.add(settle_receipt(ACCEPTED, [_row()], by=31, partner="acme"))
    both.add(settle_receipt(ACCEPTED, [_row()], by=31, partner="acme"))
    assert both.settles == [Settle(7, "positive", "awaited", "A")]
    both.add(settle_receipt(REJECTED, [_row()], by=31, partner="acme"))
    assert len(both.settles) == 1
    assert "ack.conflict" in [found.code for found in both.exceptions]
