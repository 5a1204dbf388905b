"""Purchase orders and what suppliers answer to them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal

from canonical.types import Amount, Code, Date, Document, Item, Number, Party, Quantity, Record, Text, faults

Currency = Code
LineStatus = Literal[
    "accepted", "backordered", "changed", "price_changed", "quantity_changed", "date_changed", "substituted",
    "partial", "shipped", "forwarded", "pending", "cancelled", "rejected", "on_hold",
]  # fmt: skip


class OrderLine(Record):
    number: Number
    requisition: Number | None = None
    requisition_line: Number | None = None
    item: Item
    quantity: Quantity
    price: Amount | None = None
    needed_on: Date | None = None
    note: Text | None = None


class PurchaseOrder(Document):
    TYPE: ClassVar[str] = "purchase_order"

    number: Number
    requisition: Number | None = None
    supplier: Code
    currency: Currency | None = None
    purpose: Literal["original", "cancellation", "change", "replace", "duplicate"] = "original"
    kind: Literal["stand_alone", "new", "release", "blanket", "dropship", "rush", "emergency", "consignment"] = (
        "stand_alone"
    )
    urgency: Literal["stat", "urgent", "routine"] | None = None
    ordered_on: Date | None = None
    release: Number | None = None
    contract: Number | None = None
    requested_on: Date | None = None
    department: Code | None = None
    note: Text | None = None
    parties: tuple[Party, ...] = ()
    lines: tuple[OrderLine, ...]

    @property
    def reference(self) -> str:
        return self.number

    @property
    def total(self) -> Decimal:
        return sum((line.quantity.value * (line.price or 0) for line in self.lines), Decimal(0))

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        requisitions = dict.fromkeys([self.requisition, *[line.requisition for line in self.lines]])
        return ((self.TYPE, self.number), *[("requisition", number) for number in requisitions if number])

    def problems(self) -> tuple[str, ...]:
        return faults(self.lines) if self.lines else ("a purchase order needs at least one line",)

    def summary(self) -> str:
        lines = f"{len(self.lines)} line{'s' if len(self.lines) != 1 else ''}"
        return f"{self.number}  {lines}  {self.total:,.2f} {self.currency or ''}".rstrip()

    def priority(self) -> int:
        return {"stat": 0, "urgent": 3}.get(self.urgency or "routine", 5)


class LineAnswer(Record):
    """What the supplier says of a quantity of one line (X12 ACK): several may share a line."""

    status: LineStatus
    reason: Code | None = None  # the supplier's own code when it says more than the status
    quantity: Quantity | None = None
    date_kind: Literal["ship", "delivery", "estimate"] | None = None
    date: Date | None = None
    item: Item | None = None  # the substitute


class AcknowledgedLine(Record):
    number: Number | None = None
    item: Item | None = None
    quantity: Quantity | None = None
    price: Amount | None = None
    answers: tuple[LineAnswer, ...] = ()


class OrderAcknowledgement(Document):
    TYPE: ClassVar[str] = "order_acknowledgement"

    @classmethod
    def keys_of(cls, fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        order = fields.get("purchase_order")
        return (("purchase_order", order),) if isinstance(order, str) else ()

    purchase_order: Number
    purpose: Literal["original", "cancellation", "change", "replace", "confirmation", "duplicate"] = "original"
    status: Literal["accepted", "changed", "rejected", "on_hold", "read_lines"]
    acknowledged_on: Date | None = None
    ordered_on: Date | None = None
    supplier: Code | None = None
    vendor_order: Number | None = None
    currency: Currency | None = None
    note: Text | None = None
    parties: tuple[Party, ...] = ()
    lines: tuple[AcknowledgedLine, ...] = ()

    @property
    def reference(self) -> str:
        return self.purchase_order

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        order = (("vendor_order", self.vendor_order),) if self.vendor_order else ()
        return (("purchase_order", self.purchase_order), *order)

    def answers(self) -> tuple[str, str] | None:
        return ("purchase_order", self.purchase_order)

    def summary(self) -> str:
        told = [
            f"line {line.number or position}: {_spoken(answer)}"
            for position, line in enumerate(self.lines, 1)
            for answer in line.answers
            if answer.status != "accepted"
        ]
        return f"{self.purchase_order} {self.status}" + (f"  {'; '.join(told[:4])}" if told else "")


def _spoken(answer: LineAnswer) -> str:
    amount = f"{answer.quantity.value:f} {answer.quantity.unit} " if answer.quantity else ""
    return f"{amount}{answer.status.replace('_', ' ')}"
