"""What the simulated ERP decides: is a requisition sound, who supplies an item, at what price, in which orders. Pure.

Items NH-1, NH-2 and NH-3 are bought from a supplier each; NH-9 is filled from stock and appears in no order.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

SUPPLIERS: Mapping[str, str] = {"NH-1": "ACME", "NH-2": "BRAVO", "NH-3": "CORVUS"}
STOCK = "NH-9"
_PACK: Mapping[str, int] = {"EA": 1, "PR": 2, "PK": 5, "BX": 10, "DZ": 12, "CA": 40}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a body is refused (HTTP 422). pointer: RFC 6901, where in the body."""

    code: str
    message: str
    pointer: str

    def body(self) -> Json:
        return {"code": self.code, "message": self.message, "pointer": self.pointer}


def item_number(line: Any) -> str:
    """The enterprise's own number of a line's item; empty when it names none."""
    item = line.get("item") if isinstance(line, dict) else None
    known = item.get("ids") if isinstance(item, dict) else item
    named = [entry for entry in known or () if isinstance(entry, dict)] if isinstance(known, list) else []
    return next((str(entry.get("value", "")) for entry in named if entry.get("scheme") == "buyer_part"), "")


def requisition_problem(body: Any, refused: frozenset[str] = frozenset()) -> Problem | None:
    """The first fault of a requisition, or None. refused: items this ERP has taken out of its item master."""
    if not isinstance(body, dict):
        return Problem("malformed", "A requisition is a JSON object.", "")
    if not isinstance(body.get("number"), str) or not body["number"]:
        return Problem("malformed", "A requisition needs its number as text.", "/number")
    lines = body.get("lines")
    if not isinstance(lines, list) or not lines:
        return Problem("malformed", "A requisition needs at least one line.", "/lines")
    found = (_line_problem(line, f"/lines/{position}", refused) for position, line in enumerate(lines))
    return next((problem for problem in found if problem), None)


def _line_problem(line: Any, pointer: str, refused: frozenset[str]) -> Problem | None:
    if not isinstance(line, dict):
        return Problem("malformed", "A line is a JSON object.", pointer)
    if not isinstance(line.get("number"), str):
        return Problem("malformed", "A line needs its number as text.", f"{pointer}/number")
    item = item_number(line)
    if item[:4] not in {*SUPPLIERS, STOCK} or len(item) != 8 or not item[3:].isdigit() or item in refused:
        return Problem("unknown_item", "The item master has no such item.", f"{pointer}/item")
    quantity = line.get("quantity")
    if not isinstance(quantity, dict) or not isinstance(quantity.get("unit"), str) or not quantity["unit"]:
        return Problem("malformed", "A quantity has a value and a unit.", f"{pointer}/quantity")
    if not _positive(quantity.get("value")):
        return Problem("malformed", "A quantity is a positive decimal, as text.", f"{pointer}/quantity/value")
    return None


def _positive(value: Any) -> bool:
    try:
        return isinstance(value, str) and Decimal(value).is_finite() and Decimal(value) > 0
    except InvalidOperation:
        return False


def named_orders_problem(
    body: Any, orders_of: Callable[[Json], list[tuple[str, Any]]], orders: Mapping[str, Json]
) -> Problem | None:
    """orders_of: the orders that what a supplier says is about, each with its pointer."""
    if not isinstance(body, dict):
        return Problem("malformed", "What a supplier says is a JSON object.", "")
    for pointer, number in orders_of(body):
        if not isinstance(number, str):
            return Problem("malformed", "It names its purchase order.", pointer)
        if number not in orders:
            return Problem("unknown_order", "There is no such purchase order.", pointer)
    return None


def shipped_orders(body: Json) -> list[tuple[str, Any]]:
    """A ship notice names every order that something went for."""
    told = body.get("orders")
    named = enumerate(told if isinstance(told, list) and told else [{}])
    return [
        (f"/orders/{position}/purchase_order", one.get("purchase_order") if isinstance(one, dict) else None)
        for position, one in named
    ]


def billed_orders(body: Json) -> list[tuple[str, Any]]:
    """An invoice may be for no order at all."""
    return [("/purchase_order", body["purchase_order"])] if "purchase_order" in body else []


def price(item: str, unit: str) -> str:
    """The contract price of one such unit: always the same for an item, more for a bigger package."""
    each = Decimal(zlib.crc32(item.encode()) % 2400 + 25) / 100
    return f"{each * _PACK.get(unit, 1):.2f}"


def orders(requisitions: Iterable[Json], numbers: Iterator[str], *, combined: bool) -> list[Json]:
    """The purchase orders for these requisitions: one per supplier, lines in order of arrival.

    combined: lines of several requisitions may stand in one order, so each names its own.
    """
    lines: dict[str, list[Json]] = {}
    urgencies: dict[str, set[str]] = {}
    for requisition in requisitions:
        for line in requisition["lines"]:
            supplier = SUPPLIERS.get(item_number(line)[:4])
            if supplier is None:
                continue
            bought = lines.setdefault(supplier, [])
            bought.append(_order_line(len(bought) + 1, requisition, line, combined))
            urgencies.setdefault(supplier, set()).add(str(requisition.get("priority", "")))
    return [_order(next(numbers), supplier, bought, urgencies[supplier]) for supplier, bought in sorted(lines.items())]


def _order(number: str, supplier: str, lines: list[Json], urgencies: set[str]) -> Json:
    """An order is as urgent as the most urgent requisition in it."""
    urgent = next(({"urgency": word} for word in ("stat", "urgent") if word in urgencies), {})
    return {"number": number, "supplier": supplier, "currency": "USD", **urgent, "lines": lines}


def _order_line(number: int, requisition: Json, line: Json, combined: bool) -> Json:
    item, quantity = item_number(line), line["quantity"]
    return {
        "number": str(number),
        **({"requisition": requisition["number"]} if combined else {}),
        "requisition_line": line["number"],
        "item": [{"scheme": "buyer_part", "value": item}],
        "quantity": {"value": quantity["value"], "unit": quantity["unit"]},
        "price": price(item, quantity["unit"]),
    }
