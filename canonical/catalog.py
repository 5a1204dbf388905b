"""A price catalogue: what a supplier sells, under which numbers, in which packages, at which contract prices."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from canonical.money import PriceBasis
from canonical.types import Amount, Code, Date, Document, Identifier, Item, Number, Party, Problem, Record, Text


class CatalogPrice(Record):
    """kind: contract, list, catalog ..., or the sender's own code. quantity, unit: of how much it is the price."""

    kind: Code
    price: Amount
    basis: PriceBasis | None = None
    quantity: Amount | None = None
    unit: Code | None = None
    effective_on: Date | None = None
    expires_on: Date | None = None
    contract: Number | None = None


class PackageLevel(Record):
    """One level of the packaging. What its quantity counts, smaller packages or single units, differs by supplier."""

    id: Identifier
    unit: Code
    quantity: Amount


class CatalogItem(Record):
    number: Number | None = None
    change: Literal["add", "change", "delete", "none"] | None = None
    item: Item
    manufacturer: Text | None = None
    pack: Amount | None = None
    pack_size: Amount | None = None
    pack_unit: Code | None = None
    effective_on: Date | None = None
    expires_on: Date | None = None
    contract: Number | None = None
    prices: tuple[CatalogPrice, ...] = ()
    packages: tuple[PackageLevel, ...] = ()


class PriceCatalog(Document):
    TYPE: ClassVar[str] = "price_catalog"

    number: Number
    version: Number | None = None
    revision: Number | None = None
    kind: Code = "catalog"
    purpose: Literal["original", "change", "replace", "cancellation"] | None = None
    description: Text | None = None
    currency: Code | None = None
    contract: Number | None = None
    effective_on: Date | None = None
    expires_on: Date | None = None
    parties: tuple[Party, ...] = ()
    items: tuple[CatalogItem, ...]

    @property
    def reference(self) -> str:
        return self.number

    def problems(self) -> tuple[Problem, ...]:
        found: list[Problem] = []
        for position, item in enumerate(self.items):
            here = f"/items/{position}"
            found += [
                Problem(f"a price of item {position + 1} is below zero", at=f"{here}/prices/{number}/price")
                for number, price in enumerate(item.prices)
                if price.price < 0
            ]
            found += [
                Problem(f"a package of item {position + 1} holds nothing", at=f"{here}/packages/{number}/quantity")
                for number, package in enumerate(item.packages)
                if package.quantity <= Decimal(0)
            ]
            if item.effective_on and item.expires_on and item.expires_on < item.effective_on:
                text = f"item {position + 1} expires before it is in effect"
                found.append(Problem(text, at=f"{here}/expires_on"))
        return tuple(found) if self.items else (Problem("a catalogue needs at least one item"),)

    def summary(self) -> str:
        count = f"{len(self.items)} item{'s' if len(self.items) != 1 else ''}"
        contract = f"  contract {self.contract}" if self.contract else ""
        return f"{self.number}  {count}{contract}"
