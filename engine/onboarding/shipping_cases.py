"""What follows an order: ship notices, invoices and their trouble. Each is told as skipped where it is not agreed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from engine.onboarding.desk import Heard, Sent
from engine.onboarding.played import (
    Case,
    Played,
    agreed,
    codes,
    exception,
    no_exceptions,
    our_997,
)

_UNITS: Final = "a unit that the table does not know is held, never guessed"


# --- 856 -------------------------------------------------------------------------------------------------------------
def _shipped(how: str, rule: str, holds: Callable[[Any, Any], bool]) -> Case:
    def case(played: Played, sent: Sent) -> None:
        document = _taken(played, sent, "856", how)
        if document is not None:
            items = [item for order in document.orders for _, item in order.all_items()]
            told = ", ".join(f"{item.shipped.value:f} {item.shipped.unit}" for item in items)
            played.check(rule, holds(items, played.order.lines), "SN1", told)  # type: ignore[attr-defined]

    return case


def _all_went(items: Sequence[Any], lines: Sequence[Any]) -> bool:
    went = [(item.line, item.shipped.value, item.shipped.unit) for item in items]
    return went == [(line.number, line.quantity.value, line.quantity.unit) for line in lines]


def _half_went(items: Sequence[Any], lines: Sequence[Any]) -> bool:
    went = [(item.shipped.value * 2, item.ordered.value if item.ordered else None) for item in items]
    return went == [(line.quantity.value, line.quantity.value) for line in lines]


# --- 810 -------------------------------------------------------------------------------------------------------------
def _billed(how: str, rule: str, holds: Callable[[Any, Any], bool]) -> Case:
    def case(played: Played, sent: Sent) -> None:
        document = _taken(played, sent, "810", how)
        if document is not None:
            played.check(rule, holds(document, played.order), "TDS01", f"{document.total:f}")

    return case


def _is_the_sum(document: Any, order: Any) -> bool:
    lines = [(line.number, line.quantity.value, line.quantity.unit, line.price) for line in document.lines]
    wanted = [(line.number, line.quantity.value, line.quantity.unit, line.price) for line in order.lines]
    return lines == wanted and Decimal(document.total) == order.total


def _has_extras(document: Any, order: Any) -> bool:
    """Tax, freight and discount stand apart, and the total holds all three."""
    taxes = sum((tax.amount or 0 for tax in document.taxes), Decimal(0))
    kinds = {(one.kind, one.code) for one in document.adjustments}
    apart = {("charge", "freight"), ("allowance", "discount")} <= kinds and taxes > 0
    return apart and document.total == document.counted() != order.total


# --- what both ask ---------------------------------------------------------------------------------------------------
def _taken(played: Played, sent: Sent, type: str, how: str) -> Any:
    """The document as we read it; None when that failed, and has been told."""
    if not agreed(played, type):
        return None
    heard = _play(played, sent, type, how)
    no_exceptions(played, heard, type)
    if not played.check(f"the {type} is read", len(heard.documents) == 1, "ST[1]", codes(heard)):
        return None
    our_997(played, heard, "A")
    there = ", ".join(f"{partner} ({kind})" for partner, kind in heard.forwarded)
    played.check(f"the {type} goes on to whom it is for", bool(heard.forwarded), "config/routes.yaml", there)
    return heard.documents[0]


def _play(played: Played, sent: Sent, type: str, how: str) -> Heard:
    make = played.other.ship if type == "856" else played.other.bill
    return played.hear(type, make(sent.raw, how))


def _held(type: str, how: str, code: str, rule: str) -> Case:
    def case(played: Played, sent: Sent) -> None:
        if agreed(played, type):
            heard = _play(played, sent, type, how)
            told = exception(heard, code)
            place, text = (told.place, told.text) if told else ("", codes(heard))
            played.check(rule, told is not None and not heard.forwarded, place, text)

    return case


def _twice(type: str, rule: str) -> Case:
    """The same number again saying something else, in an interchange of its own."""

    def case(played: Played, sent: Sent) -> None:
        if agreed(played, type):
            _play(played, sent, type, "whole")
            heard = _play(played, sent, type, "short" if type == "856" else "extras")
            told = exception(heard, "match.repeated")
            place, text = (told.place, told.text) if told else ("", codes(heard))
            played.check(rule, told is not None and not heard.forwarded, place, text)

    return case


CASES: Final[Sequence[tuple[str, Case]]] = (
    ("shipment", _shipped("whole", "what was shipped is what was ordered, line by line", _all_went)),
    ("short shipment", _shipped("short", "a short shipment is told with what was ordered", _half_went)),
    ("shipment in a wrong unit", _held("856", "unit", "map.miss", _UNITS)),
    (
        "shipment of no order",
        _held("856", "no_order", "match.unknown_order", "a shipment for no order of ours is held"),
    ),
    ("shipment twice", _twice("856", "one number with two contents is held")),
    ("invoice", _billed("whole", "lines and total are those of the order", _is_the_sum)),
    ("tax, freight and discount", _billed("extras", "each stands apart, and the total holds all three", _has_extras)),
    ("wrong total", _held("810", "total", "match.totals", "a total that is not the sum is held")),
    ("invoice in a wrong unit", _held("810", "unit", "map.miss", _UNITS)),
    (
        "invoice for no order",
        _held("810", "no_order", "match.unknown_order", "an invoice for no order of ours is held"),
    ),
    ("invoice twice", _twice("810", "one number with two contents is held")),
)
