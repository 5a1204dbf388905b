"""What a simulated supplier ships and bills for an order: the segments of an 856 and of an 810, with the usual trouble.

Pure. A set is its segments without ST and SE, its code in front, as `interchange.write` takes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from channels.simulate.interchange import Segment
from channels.simulate.orderdesk import Line, Order

SHIPMENT: Final = "SHP-000001"
INVOICE: Final = "INV-000001"
SHIPPED: Final = ("whole", "short", "unit", "no_order")
BILLED: Final = ("whole", "extras", "total", "unit", "no_order")
_NO_ORDER: Final = "NEVER-ORDERED"
_UNKNOWN_UNIT: Final = "ZZ"
# Of the invoice with extras.
TAX: Final = Decimal("7.25")
FREIGHT: Final = Decimal("12.50")
DISCOUNT: Final = Decimal("5.00")


def ship_notice(order: Order, at: dt.datetime, how: str = "whole") -> list[Segment]:
    """An 856 by shipment, order, item. how: a word of SHIPPED; `short` sends half of every line."""
    number = _NO_ORDER if how == "no_order" else order.number
    body: list[Segment] = [
        ["856"], ["BSN", "00", SHIPMENT, f"{at:%Y%m%d}", f"{at:%H%M}"],
        ["HL", "1", "", "S"], ["DTM", "011", f"{at:%Y%m%d}"],
        ["HL", "2", "1", "O"], ["PRF", number],
    ]  # fmt: skip
    for level, line in enumerate(order.lines, 3):
        shipped = line.quantity / 2 if how == "short" else line.quantity
        unit = _UNKNOWN_UNIT if how == "unit" else line.unit
        body += [
            ["HL", str(level), "2", "I"], ["LIN", line.number, *line.pairs],
            ["SN1", "", _plain(shipped), unit, "", _plain(line.quantity), unit],
        ]  # fmt: skip
    return [*body, ["CTT", str(2 + len(order.lines))]]


def invoice(order: Order, at: dt.datetime, how: str = "whole") -> list[Segment]:
    """An 810 for the whole order. how: a word of BILLED; `extras` adds tax and freight and takes a discount off."""
    number = _NO_ORDER if how == "no_order" else order.number
    total = sum((line.quantity * _price(line) for line in order.lines), Decimal(0))
    body: list[Segment] = [["810"], ["BIG", f"{at:%Y%m%d}", INVOICE, order.ordered_on, number]]
    for line in order.lines:
        unit = _UNKNOWN_UNIT if how == "unit" else line.unit
        body.append(["IT1", line.number, _plain(line.quantity), unit, _plain(_price(line)), "", *line.pairs])
    extras = [*_extras()] if how == "extras" else []
    total += TAX + FREIGHT - DISCOUNT if extras else Decimal(0)
    total += Decimal(3) if how == "total" else Decimal(0)
    return [*body, ["TDS", _cents(total)], *extras, ["CTT", str(len(order.lines))]]


def _extras() -> Iterator[Segment]:
    yield ["TXI", "ST", _plain(TAX)]
    yield ["SAC", "C", "D240", "", "", _cents(FREIGHT)]
    yield ["SAC", "A", "C310", "", "", _cents(DISCOUNT)]


def _price(line: Line) -> Decimal:
    return Decimal(line.price or "1")


def _plain(value: Decimal) -> str:
    """Without an exponent and without zeros that mean nothing."""
    return f"{value.normalize():f}"


def _cents(amount: Decimal) -> str:
    """N2: two implied decimals."""
    return str(int((amount * 100).quantize(Decimal(1), ROUND_HALF_UP)))
