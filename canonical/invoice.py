"""An invoice or credit memo, and whether its total is the sum of what it lists."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar, Final, Literal

from canonical.money import Adjustment, PriceBasis, Tax, Terms, adjusted, extended, taxed
from canonical.types import Amount, Code, Date, Document, Item, Number, Party, Problem, Quantity, Record, Text

# A cent for the rounding of each line, and never more than one unit of money in all.
_PER_LINE: Final = Decimal("0.01")
_MOST: Final = Decimal(1)


class InvoiceLine(Record):
    """number: the order's own line, when the supplier echoes it. purchase_order: where lines are of several orders."""

    number: Number | None = None
    purchase_order: Number | None = None
    item: Item | None = None
    quantity: Quantity | None = None
    price: Amount | None = None
    price_basis: PriceBasis | None = None
    shipped_on: Date | None = None
    lot: Code | None = None
    serial: Code | None = None
    taxes: tuple[Tax, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def amount(self) -> Decimal | None:
        """Quantity times price, without what is added or taken off; None when it cannot be known.

        A line without both is text alone.
        """
        if self.quantity is None and self.price is None:
            return Decimal(0)
        return extended(self.quantity, self.price, self.price_basis)


class Invoice(Document):
    """total: as sent. Credits come as positive amounts or negative ones, as their sender does it."""

    TYPE: ClassVar[str] = "invoice"
    REPEATED: ClassVar[str] = "refused"

    number: Number
    invoiced_on: Date
    kind: Literal["invoice", "credit_memo", "debit_memo", "consolidated", "prepaid", "final", "memorandum"] = "invoice"
    purpose: Literal["original", "cancellation", "replace", "duplicate", "copy"] | None = None
    purchase_order: Number | None = None
    release: Number | None = None
    ordered_on: Date | None = None
    shipped_on: Date | None = None
    original_invoice: Number | None = None
    vendor_order: Number | None = None
    bill_of_lading: Number | None = None
    currency: Code | None = None
    note: Text | None = None
    parties: tuple[Party, ...] = ()
    terms: tuple[Terms, ...] = ()
    lines: tuple[InvoiceLine, ...] = ()
    total: Amount
    discountable: Amount | None = None
    discounted_total: Amount | None = None
    discount: Amount | None = None
    taxes: tuple[Tax, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def reference(self) -> str:
        return self.number

    @property
    def replaces(self) -> bool:
        return self.purpose in {"cancellation", "replace"}

    def concerns(self) -> tuple[tuple[str, str], ...]:
        named = {self.purchase_order: "/purchase_order"}
        for position, line in enumerate(self.lines):
            named.setdefault(line.purchase_order, f"/lines/{position}/purchase_order")
        return tuple((pointer, number) for number, pointer in named.items() if number)

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        orders = [("purchase_order", number) for _, number in self.concerns()]
        other = (("invoice", self.original_invoice),) if self.original_invoice else ()
        return (("invoice", self.number), *orders, *other)

    def counted(self) -> Decimal | None:
        """Lines, charges less allowances, and taxes; None when the amount of a line cannot be known."""
        total = adjusted(self.adjustments) + taxed(self.taxes)
        for line in self.lines:
            if line.amount is None:
                return None
            total += line.amount + adjusted(line.adjustments) + taxed(line.taxes)
        return total

    def problems(self) -> tuple[Problem, ...]:
        return (*self._wrong_lines(), *self._wrong_total())

    def _wrong_lines(self) -> Iterator[Problem]:
        for position, line in enumerate(self.lines):
            if line.price is not None and line.price < 0:
                yield Problem(f"the price of line {position + 1} is below zero", at=f"/lines/{position}/price")

    def _wrong_total(self) -> Iterator[Problem]:
        counted = self.counted()
        if counted is None:
            position = next(number for number, line in enumerate(self.lines) if line.amount is None)
            text = f"the total cannot be checked: line {position + 1} comes in packages, and its price is for each"
            yield Problem(text, "match.totals", f"/lines/{position}/price_basis")
        elif abs(self.total - counted) > min(_PER_LINE * max(len(self.lines), 1), _MOST):
            text = f"the total is {self.total:f}, and lines, charges less allowances, and taxes make {counted:f}"
            yield Problem(text, "match.totals", "/total")

    def summary(self) -> str:
        kind = "" if self.kind == "invoice" else f" {self.kind.replace('_', ' ')}"
        orders = ", ".join(number for _, number in self.concerns()[:3])
        lines = f"{len(self.lines)} line{'s' if len(self.lines) != 1 else ''}"
        return f"{self.number}{kind}  {orders}  {lines}  {self.total:,.2f} {self.currency or ''}".rstrip()
