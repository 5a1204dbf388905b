"""A requisition: what a ward, theatre or inventory system asks supply chain for."""

from __future__ import annotations

from typing import ClassVar, Literal

from canonical.types import Amount, Code, Date, Document, Instant, Item, Number, Problem, Quantity, Record, Text, faults

_PRIORITIES = {"stat": 0, "urgent": 3, "routine": 5}


class RequisitionLine(Record):
    number: Number
    order: Number | None = None  # the placer's order number of this line, where lines have their own
    item: Item
    quantity: Quantity
    department: Code | None = None
    account: Code | None = None
    deliver_to: Code | None = None
    needed_on: Date | None = None
    price: Amount | None = None  # anticipated, per unit
    vendor: Code | None = None
    manufacturer: Code | None = None
    substitutes_allowed: bool | None = None
    note: Text | None = None


class Requisition(Document):
    TYPE: ClassVar[str] = "requisition"

    number: Number
    action: Literal["new", "cancel", "change"] = "new"
    priority_code: Literal["stat", "urgent", "routine"] | None = None
    facility: Code | None = None
    requested_at: Instant | None = None
    needed_at: Instant | None = None
    requester: Text | None = None
    case: Number | None = None
    note: Text | None = None
    lines: tuple[RequisitionLine, ...]

    @property
    def reference(self) -> str:
        return self.number

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        number = self.number
        orders = dict.fromkeys([line.order for line in self.lines])
        return ((self.TYPE, number), *[("order", order) for order in orders if order and order != number])

    def problems(self) -> tuple[Problem, ...]:
        return faults(self.lines) if self.lines else (Problem("a requisition needs at least one line"),)

    def summary(self) -> str:
        stat = " STAT" if self.priority_code == "stat" else ""
        action = "" if self.action == "new" else f" {self.action.upper()}"
        count = len(self.lines)
        return f"{self.number}{stat}{action}  {count} line{'s' if count != 1 else ''}"

    def priority(self) -> int:
        return _PRIORITIES[self.priority_code or "routine"]
