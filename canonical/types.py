"""The words all documents share: items, quantities, parties, money.

A field that was not sent is unset; a field its sender asked to delete is set to None. Both survive a round trip
through `to_json` and `from_json`, because only set fields are written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Number = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Amount = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=30)]
Date = dt.date
Instant = AwareDatetime

ItemScheme = Literal["buyer_part", "vendor_part", "manufacturer_part", "gtin", "ndc", "udi", "upn"]
PartyRole = Literal["buyer", "ship_to", "bill_to", "supplier", "requester", "remit_to"]
PartyScheme = Literal["gln", "duns", "hin", "dea", "assigned_by_buyer", "assigned_by_seller"]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(Record):
    value: Amount
    unit: Code


def faults(lines: Iterable[Any]) -> tuple[str, ...]:
    """What the lines of any order or requisition must not have."""
    found: list[str] = []
    seen: set[str] = set()
    for line in lines:
        if line.number in seen:
            found.append(f"two lines have the same number, the second being line {len(seen) + 1}")
        seen.add(line.number)
        if line.quantity.value <= 0:
            found.append(f"the quantity of line {len(seen)} is not above zero")
        if line.price is not None and line.price < 0:
            found.append(f"the price of line {len(seen)} is below zero")
    return tuple(found)


class Identifier(Record):
    scheme: ItemScheme
    value: Code


class Item(Record):
    ids: tuple[Identifier, ...] = ()
    description: Text | None = None

    def id(self, scheme: str) -> str | None:
        return next((known.value for known in self.ids if known.scheme == scheme), None)


class PartyId(Record):
    scheme: PartyScheme
    value: Code


class Address(Record):
    lines: tuple[Text, ...] = ()
    city: Text | None = None
    region: Code | None = None
    postal_code: Code | None = None
    country: Code | None = None


class Party(Record):
    role: PartyRole
    id: PartyId | None = None
    name: Text | None = None
    address: Address | None = None


class Document(Record):
    """Root of the business objects. `TYPE` is its name in YAML, store and trace."""

    TYPE: ClassVar[str]

    @property
    def reference(self) -> str:
        """The number people call it by."""
        raise TypeError(f"{type(self).__name__} has no reference of its own")

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        """(kind, value) pairs it can be found by; transaction kinds join it to its thread."""
        return ((self.TYPE, self.reference),)

    @classmethod
    def keys_of(cls, fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """(kind, value) of what could be read of a document that could not be read whole."""
        number = fields.get("number")
        return ((cls.TYPE, number),) if isinstance(number, str) else ()

    def answers(self) -> tuple[str, str] | None:
        """(document type, number) of the document this one answers, if it answers one."""
        return None

    def problems(self) -> tuple[str, ...]:
        """Business rules the document breaks, as plain sentences; empty when it is sound."""
        return ()

    def summary(self) -> str:
        """One short line for the trace: no names of people."""
        return self.reference

    def priority(self) -> int:
        """Lower goes first: 0 stat, 3 urgent, 5 routine."""
        return 5

    # Straight to pydantic's core: what its own methods add is questions that a document always answers the same way.
    def to_json(self) -> str:
        return self.__pydantic_serializer__.to_json(self, exclude_unset=True).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        found: Self = cls.__pydantic_validator__.validate_json(text)
        return found

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        found: Self = cls.__pydantic_validator__.validate_python(fields)
        return found
