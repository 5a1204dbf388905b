"""What things cost: price bases, allowances and charges, taxes, terms, and the sums that invoices are checked by.

Everything is Decimal; nothing here rounds but `extended`, whose result is money. Signs stay as they were sent: an
allowance lessens the sum by its amount, a charge and a tax add to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal

from canonical.types import Amount, Code, Date, Quantity, Record, Text

# How many units a price is for. `each` is another unit than a box is, so that its divisor is not known here; the last
# ones say what kind of price it is, and divide nothing.
PriceBasis = Literal[
    "unit", "each", "ten", "dozen", "hundred", "thousand", "ten_thousand", "hundred_thousand",
    "contract", "catalog", "net", "fixed", "quoted", "promotion", "estimated", "no_charge",
]  # fmt: skip
_DIVISORS: Final[Mapping[str, int]] = {
    "ten": 10, "dozen": 12, "hundred": 100, "thousand": 1_000, "ten_thousand": 10_000, "hundred_thousand": 100_000,
}  # fmt: skip
_SINGLE: Final = frozenset({"EA", "each"})
_CENT: Final = Decimal("0.01")


class Tax(Record):
    """kind: sales, state, value_added ... as the mapping's table says. basis: the amount that is taxed."""

    kind: Code
    amount: Amount | None = None
    percent: Amount | None = None
    jurisdiction_scheme: Code | None = None
    jurisdiction: Code | None = None
    exempt: Code | None = None
    basis: Amount | None = None
    number: Code | None = None


class Adjustment(Record):
    """An allowance or a charge (X12 SAC). method: who bears it; what is billed back is not part of this invoice."""

    kind: Literal["allowance", "charge", "none"]
    code: Code | None = None
    amount: Amount | None = None
    percent: Amount | None = None
    percent_of: Code | None = None
    rate: Amount | None = None
    quantity: Quantity | None = None
    method: Literal["bill_back", "off_invoice", "paid_by_vendor", "paid_by_customer"] | None = None
    reference: Code | None = None
    description: Text | None = None
    taxes: tuple[Tax, ...] = ()

    @property
    def counted(self) -> Decimal:
        """What it adds to the sum of its invoice, taxes included."""
        if self.kind == "none" or self.method in {"bill_back", "paid_by_vendor"}:
            return Decimal(0)
        amount = self.amount or Decimal(0)
        return (amount if self.kind == "charge" else -amount) + taxed(self.taxes)


class Terms(Record):
    """When it must be paid, and what is saved by paying sooner. Days count from the basis."""

    kind: Literal["basic", "end_of_month", "fixed_date", "discount_not_applicable", "discount", "agreed"] | None = None
    basis: Literal["ship", "delivery", "invoice", "invoice_receipt", "goods_receipt"] | None = None
    discount_percent: Amount | None = None
    discount_due_on: Date | None = None
    discount_days: Amount | None = None
    net_due_on: Date | None = None
    net_days: Amount | None = None
    discount_amount: Amount | None = None
    description: Text | None = None


def extended(quantity: Quantity | None, price: Decimal | None, basis: str | None) -> Decimal | None:
    """Quantity times price in cents; None when it cannot be known: something is missing, or the price is for each of
    what comes in packages."""
    if quantity is None or price is None or (basis == "each" and quantity.unit not in _SINGLE):
        return None
    return (quantity.value * price / _DIVISORS.get(basis or "", 1)).quantize(_CENT, ROUND_HALF_UP)


def taxed(taxes: Iterable[Tax]) -> Decimal:
    return sum((tax.amount or Decimal(0) for tax in taxes), Decimal(0))


def adjusted(adjustments: Iterable[Adjustment]) -> Decimal:
    return sum((one.counted for one in adjustments), Decimal(0))
