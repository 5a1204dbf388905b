"""A payment to a supplier, and which invoices it settles (X12 820)."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from canonical.types import Amount, Code, Date, Document, Number, Party, Problem, Record, Text

PaymentMethod = Literal["ach", "check", "wire", "non_payment"]


class Deduction(Record):
    """What was paid less, or more, of an invoice: below zero lessens."""

    amount: Amount
    reason: Code


class Remittance(Record):
    """paid = total - discount + deductions, as far as they are told."""

    kind: Literal["invoice", "credit_memo"] = "invoice"
    number: Number
    paid: Amount
    total: Amount | None = None
    discount: Amount | None = None
    invoiced_on: Date | None = None
    purchase_order: Number | None = None
    deductions: tuple[Deduction, ...] = ()


class Payment(Document):
    TYPE: ClassVar[str] = "payment"

    number: Number  # the trace number: of the check, of the transfer
    supplier: Code
    amount: Amount
    direction: Literal["credit", "debit"] = "credit"
    method: PaymentMethod
    handling: Literal["remittance_only", "payment_and_remittance", "payment_only"] = "remittance_only"
    paid_on: Date | None = None
    currency: Code | None = None
    note: Text | None = None
    parties: tuple[Party, ...] = ()
    remittances: tuple[Remittance, ...] = ()
    deductions: tuple[Deduction, ...] = ()

    @property
    def reference(self) -> str:
        return self.number

    def numbered_by(self, sender: str) -> str:
        return self.supplier

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        invoices = dict.fromkeys(one.number for one in self.remittances)
        orders = dict.fromkeys(one.purchase_order for one in self.remittances if one.purchase_order)
        named = [("invoice", number) for number in invoices] + [("purchase_order", number) for number in orders]
        return ((self.TYPE, self.number), *named)

    def problems(self) -> tuple[Problem, ...]:
        if not self.remittances:
            return ()
        told = sum((one.paid for one in self.remittances), Decimal(0))
        told += sum((one.amount for one in self.deductions), Decimal(0))
        if told == self.amount:
            return ()
        text = f"the payment is {self.amount:f}, and what it pays makes {told:f}"
        return (Problem(text, "match.totals", "/amount"),)

    def summary(self) -> str:
        count = f"{len(self.remittances)} invoice{'s' if len(self.remittances) != 1 else ''}"
        return f"{self.number}  {count}  {self.amount:,.2f} {self.currency or ''}".rstrip()
