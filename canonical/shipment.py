"""A ship notice: what a supplier has sent, in which packages, for which orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import ClassVar, Literal

from canonical.identifiers import Malformed, parse_sscc
from canonical.order import LineStatus
from canonical.types import Amount, Code, Date, Document, Item, Number, Party, Problem, Quantity, Record, Text

MarkScheme = Literal["sscc", "carrier", "shipper_case", "shipper", "pallet", "upc_container", "udi"]


class Mark(Record):
    """What is written on a package."""

    scheme: MarkScheme
    value: Code


class Package(Record):
    """packages: how many of it, where its kind is told."""

    marks: tuple[Mark, ...] = ()
    packaging: Code | None = None
    packages: Amount | None = None
    weight: Quantity | None = None


class ShippedItem(Record):
    """One lot of one line: a line that went in several lots or packages is several of these.

    line: the order's own. to_date: shipped so far, this included, in the unit of `shipped`. serial: of the one item;
    serials: of several. packs: those that the item is spread over, where its sender tells them below it.
    """

    line: Number | None = None
    item: Item
    shipped: Quantity
    to_date: Amount | None = None
    ordered: Quantity | None = None
    status: LineStatus | None = None
    lot: Code | None = None
    serial: Code | None = None
    serials: tuple[Code, ...] = ()
    expires_on: Date | None = None
    made_on: Date | None = None
    marks: tuple[Mark, ...] = ()
    packs: tuple[Package, ...] = ()


class Pack(Package):
    """A carton or other package with what is in it."""

    items: tuple[ShippedItem, ...] = ()


class Pallet(Package):
    packs: tuple[Pack, ...] = ()
    items: tuple[ShippedItem, ...] = ()


class ShippedOrder(Record):
    """What went for one order: in packs on pallets, in packs, or as it is."""

    purchase_order: Number
    release: Number | None = None
    ordered_on: Date | None = None
    vendor_order: Number | None = None
    parties: tuple[Party, ...] = ()
    pallets: tuple[Pallet, ...] = ()
    packs: tuple[Pack, ...] = ()
    items: tuple[ShippedItem, ...] = ()

    def all_packs(self) -> Iterator[tuple[str, Pallet | Pack]]:
        """Every package with its pointer in the order."""
        for number, pallet in enumerate(self.pallets):
            yield f"/pallets/{number}", pallet
            for inner, pack in enumerate(pallet.packs):
                yield f"/pallets/{number}/packs/{inner}", pack
        for number, pack in enumerate(self.packs):
            yield f"/packs/{number}", pack

    def all_items(self) -> Iterator[tuple[str, ShippedItem]]:
        """Every item with its pointer in the order, however it is packed."""
        for pointer, pack in self.all_packs():
            yield from ((f"{pointer}/items/{number}", item) for number, item in enumerate(pack.items))
        yield from ((f"/items/{number}", item) for number, item in enumerate(self.items))


class Carrier(Record):
    """scac: the carrier's four letters. mode: how it travels, in the standard's own code."""

    scac: Code | None = None
    name: Text | None = None
    mode: Code | None = None


class ShipNotice(Document):
    TYPE: ClassVar[str] = "ship_notice"
    REPEATED: ClassVar[str] = "refused"

    number: Number
    purpose: Literal["original", "cancellation", "change", "replace", "duplicate"] = "original"
    noticed_on: Date
    noticed_at: dt.time
    shipped_on: Date | None = None
    expected_on: Date | None = None
    carrier: Carrier | None = None
    bill_of_lading: Number | None = None
    tracking: Number | None = None
    packaging: Code | None = None
    packages: Amount | None = None
    weight: Quantity | None = None
    parties: tuple[Party, ...] = ()
    orders: tuple[ShippedOrder, ...]

    @property
    def reference(self) -> str:
        return self.number

    @property
    def replaces(self) -> bool:
        return self.purpose in {"cancellation", "change", "replace"}

    def concerns(self) -> tuple[tuple[str, str], ...]:
        found = {order.purchase_order: f"/orders/{at}/purchase_order" for at, order in enumerate(self.orders)}
        return tuple((pointer, number) for number, pointer in found.items())

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        keys = [("shipment", self.number), *[("purchase_order", number) for _, number in self.concerns()]]
        for order in self.orders:
            keys += [("sscc", sscc) for _, sscc in _ssccs(order)]
            for _, item in order.all_items():
                keys += [("lot", item.lot)] if item.lot else []
                keys += [("serial", serial) for serial in (item.serial, *item.serials) if serial]
        return tuple(dict.fromkeys(keys))

    def problems(self) -> tuple[Problem, ...]:
        found: list[Problem] = []
        seen: set[str] = set()
        for position, order in enumerate(self.orders):
            here = f"/orders/{position}"
            for pointer, sscc in _ssccs(order):
                if sscc in seen:
                    found.append(Problem("two packages have the same SSCC", at=f"{here}{pointer}"))
                seen.add(sscc)
            items = [*order.all_items()]
            found += [
                Problem("a shipped quantity is below zero", at=f"{here}{pointer}/shipped/value")
                for pointer, item in items
                if item.shipped.value < 0
            ]
            if not items and self.purpose != "cancellation":
                found.append(Problem("an order of the notice has no item", at=f"{here}/purchase_order"))
        return tuple(found) if self.orders else (Problem("a ship notice needs at least one order"),)

    def summary(self) -> str:
        items = [item for order in self.orders for _, item in order.all_items()]
        last = {
            item.line or id(item): item for item in items
        }  # of a line in several lots, the last tells how it stands
        short = [item for item in last.values() if item.ordered is not None and _is_short(item, item.ordered)]
        told = f"  {len(short)} short" if short else ""
        count = f"{len(items)} item{'s' if len(items) != 1 else ''}"
        orders = ", ".join(number for _, number in self.concerns()[:3])
        return f"{self.number}  {orders}  {count}{told}"


def _ssccs(order: ShippedOrder) -> Iterator[tuple[str, str]]:
    """Pointer and 18 digits of each package's SSCC that is one."""
    for pointer, pack in order.all_packs():
        for number, mark in enumerate(pack.marks):
            if mark.scheme == "sscc":
                try:
                    yield f"{pointer}/marks/{number}/value", parse_sscc(mark.value).digits
                except Malformed:
                    yield f"{pointer}/marks/{number}/value", mark.value


def _is_short(item: ShippedItem, ordered: Quantity) -> bool:
    """Whether less has gone than was ordered, where both are told in one unit."""
    so_far = item.to_date if item.to_date is not None else item.shipped.value
    return ordered.unit == item.shipped.unit and so_far < ordered.value
