"""Purchase orders and what suppliers answer to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal

from canonical.money import PriceBasis, extended
from canonical.types import Amount, Code, Date, Document, Item, Number, Party, Problem, Quantity, Record, Text, faults

Currency = Code
LineStatus = Literal[
    "accepted", "backordered", "changed", "price_changed", "quantity_changed", "date_changed", "substituted",
    "partial", "shipped", "forwarded", "pending", "cancelled", "rejected", "on_hold",
]  # fmt: skip
# What becomes of a line (X12 element 670).
LineChange = Literal[
    "add", "delete", "change", "quantity_decrease", "quantity_increase", "price", "price_and_quantity", "replace",
    "dates", "reschedule", "several", "none",
]  # fmt: skip


class OrderLine(Record):
    number: Number
    requisition: Number | None = None
    requisition_line: Number | None = None
    item: Item
    quantity: Quantity
    price: Amount | None = None
    price_basis: PriceBasis | None = None
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
        amounts = (extended(line.quantity, line.price, line.price_basis) for line in self.lines)
        return sum((amount for amount in amounts if amount is not None), Decimal(0))

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        requisitions = dict.fromkeys([self.requisition, *[line.requisition for line in self.lines]])
        return ((self.TYPE, self.number), *[("requisition", number) for number in requisitions if number])

    def problems(self) -> tuple[Problem, ...]:
        return faults(self.lines) if self.lines else (Problem("a purchase order needs at least one line"),)

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
    """quantity, price: what was ordered, as the supplier says. change, left: what an 865 says became of it."""

    number: Number | None = None
    change: LineChange | None = None
    item: Item | None = None
    quantity: Quantity | None = None
    left: Amount | None = None
    price: Amount | None = None
    price_basis: PriceBasis | None = None
    answers: tuple[LineAnswer, ...] = ()

    @property
    def answered(self) -> Decimal | None:
        """The sum of what was answered; None when an answer names no quantity, or another unit."""
        ordered = self.quantity
        told = [answer.quantity for answer in self.answers]
        if ordered is None or any(one is None or one.unit != ordered.unit for one in told):
            return None
        return sum((one.value for one in told if one is not None), Decimal(0))


class OrderAcknowledgement(Document):
    """What a supplier answers to an order (855), or to a change of it (865).

    change: the sequence of the change that is answered; `subject` says that it is one also where that is missing.
    """

    TYPE: ClassVar[str] = "order_acknowledgement"
    REPEATED: ClassVar[str] = "update"

    @classmethod
    def keys_of(cls, fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        order = fields.get("purchase_order")
        return (("purchase_order", order),) if isinstance(order, str) else ()

    purchase_order: Number
    subject: Literal["order", "change"] = "order"
    change: Number | None = None
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
        if self.subject == "order":
            return ("purchase_order", self.purchase_order)
        return ("order_change", change_number(self.purchase_order, self.change))

    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for number, line in enumerate(self.lines) for problem in _unanswered(number, line))

    def summary(self) -> str:
        told = [
            f"line {line.number or position}: {_spoken(answer)}"
            for position, line in enumerate(self.lines, 1)
            for answer in line.answers
            if answer.status != "accepted"
        ]
        number = change_number(self.purchase_order, self.change)
        return f"{number} {self.status}" + (f"  {'; '.join(told[:4])}" if told else "")


def change_number(order: str, sequence: str | None) -> str:
    """What a change of an order is called: the order, and which change of it; without that, every change of it."""
    return f"{order}/{sequence}" if sequence else order


def _unanswered(position: int, line: AcknowledgedLine) -> Iterator[Problem]:
    """All that was ordered must be answered, and no more (X12 855: the ACKs of a line sum to its PO1)."""
    answered = line.answered
    if answered is None or line.quantity is None or not line.answers:
        return
    ordered = line.quantity.value
    rest = any(answer.status == "partial" for answer in line.answers)  # BP: what ships now, the rest comes later
    if answered > ordered or (answered < ordered and not rest):
        text = f"what is answered of line {line.number or position + 1} is {answered:f}, and {ordered:f} were ordered"
        yield Problem(text, "ack.quantity", f"/lines/{position}/answers/0/quantity/value")


def _spoken(answer: LineAnswer) -> str:
    amount = f"{answer.quantity.value:f} {answer.quantity.unit} " if answer.quantity else ""
    return f"{amount}{answer.status.replace('_', ' ')}"
