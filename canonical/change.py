"""A change of a purchase order that a supplier already has (X12 860)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from canonical.money import PriceBasis
from canonical.order import Currency, LineChange, change_number
from canonical.types import Amount, Code, Date, Document, Item, Number, Party, Problem, Quantity, Record, Text

# What is told of a line is how it is from now on; these alone say by how much it differs.
_BY_HOW_MUCH = frozenset({"quantity_decrease", "quantity_increase"})


class ChangedLine(Record):
    """quantity: what the line is for from now on, but for a decrease or increase: by how much.

    left: what is still to come of it.
    """

    number: Number
    change: LineChange
    item: Item
    quantity: Quantity | None = None
    left: Amount | None = None
    price: Amount | None = None
    price_basis: PriceBasis | None = None
    needed_on: Date | None = None
    note: Text | None = None

    @property
    def by_how_much(self) -> bool:
        return self.change in _BY_HOW_MUCH


class OrderChange(Document):
    """change: counts the changes of one order, so that each is answered by itself."""

    TYPE: ClassVar[str] = "order_change"

    @classmethod
    def keys_of(cls, fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        order = fields.get("purchase_order")
        return (("purchase_order", order),) if isinstance(order, str) else ()

    purchase_order: Number
    change: Number
    purpose: Literal["change", "cancellation", "replace"] = "change"
    kind: Literal["stand_alone", "new", "release", "blanket", "dropship", "rush", "emergency", "consignment"] = (
        "stand_alone"
    )
    supplier: Code
    currency: Currency | None = None
    release: Number | None = None
    ordered_on: Date | None = None
    changed_on: Date | None = None
    contract: Number | None = None
    requested_on: Date | None = None
    note: Text | None = None
    parties: tuple[Party, ...] = ()
    lines: tuple[ChangedLine, ...] = ()
    total: Amount | None = None

    @property
    def reference(self) -> str:
        return change_number(self.purchase_order, self.change)

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        return ((self.TYPE, self.reference), ("purchase_order", self.purchase_order))

    def problems(self) -> tuple[Problem, ...]:
        found = [
            Problem(f"line {position + 1} changes its quantity and does not say it", at=f"/lines/{position}/change")
            for position, line in enumerate(self.lines)
            if line.quantity is None and (line.by_how_much or line.change == "add")
        ]
        found += [
            Problem(f"the quantity of line {position + 1} is below zero", at=f"/lines/{position}/quantity/value")
            for position, line in enumerate(self.lines)
            if line.quantity is not None and line.quantity.value < 0
        ]
        if not self.lines and self.purpose != "cancellation":
            found.append(Problem("a change needs at least one line, or cancels the order"))
        return tuple(found)

    def summary(self) -> str:
        if self.purpose == "cancellation":
            return f"{self.reference} cancelled"
        return f"{self.reference}  " + "; ".join(_spoken(line) for line in self.lines[:4])


def _spoken(line: ChangedLine) -> str:
    amount = f" {line.quantity.value:f} {line.quantity.unit}" if line.quantity else ""
    return f"line {line.number}: {line.change.replace('_', ' ')}{amount}"
