"""The words all documents share: items, quantities, parties, money.

A field that was not sent is unset; a field its sender asked to delete is set to None. Both survive a round trip
through `to_json` and `from_json`, because only set fields are written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Number = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Amount = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=30)]
Date = dt.date
Instant = AwareDatetime

ItemScheme = Literal["buyer_part", "vendor_part", "manufacturer_part", "gtin", "ndc", "udi", "upn"]
PartyRole = Literal["buyer", "ship_to", "ship_from", "bill_to", "supplier", "requester", "remit_to", "payer", "payee"]
PartyScheme = Literal["gln", "duns", "hin", "dea", "npi", "assigned_by_buyer", "assigned_by_seller"]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(Record):
    value: Amount
    unit: Code


class Problem(NamedTuple):
    """A business rule that a document breaks. code: for `hilum explain`. at: pointer of the value at fault."""

    text: str
    code: str = "map.document"
    at: str = ""


def faults(lines: Iterable[Any]) -> tuple[Problem, ...]:
    """What the lines of any order or requisition must not have."""
    found: list[Problem] = []
    seen: set[str] = set()
    for position, line in enumerate(lines):
        here = f"/lines/{position}"
        if line.number in seen:
            text = f"two lines have the same number, the second being line {position + 1}"
            found.append(Problem(text, at=f"{here}/number"))
        seen.add(line.number)
        if line.quantity.value <= 0:
            text = f"the quantity of line {position + 1} is not above zero"
            found.append(Problem(text, at=f"{here}/quantity/value"))
        if line.price is not None and line.price < 0:
            found.append(Problem(f"the price of line {position + 1} is below zero", at=f"{here}/price"))
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
    """Root of the business objects. `TYPE` is its name in YAML, store and trace.

    REPEATED: what a second one of its number from the same sender is when it says something else: an `update`,
    `refused`, or empty where numbers are not looked up. CONSUMED: it is meant for Hilum itself, and need go nowhere.
    """

    TYPE: ClassVar[str]
    REPEATED: ClassVar[str] = ""
    CONSUMED: ClassVar[bool] = False

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

    def numbered_by(self, sender: str) -> str:
        """Whose numbers of shipments and invoices it names: its sender's, most often."""
        return sender

    def concerns(self) -> tuple[tuple[str, str], ...]:
        """(pointer, number) of each purchase order of ours without which it makes no sense."""
        return ()

    @property
    def replaces(self) -> bool:
        """Whether it says itself that it takes the place of an earlier one of its number."""
        return False

    def problems(self) -> tuple[Problem, ...]:
        """Business rules the document breaks; empty when it is sound."""
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
