"""What a receiver's application says of a document whose syntax was sound: accepted, or refused, and why (X12 824)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from canonical.types import Code, Date, Document, Number, Record, Text

AdviceKind = Literal["purchase_order", "order_change", "invoice", "ship_notice", "payment", "other"]
_WORDS = {"accepted": "accepted", "accepted_with_errors": "accepted with errors", "refused": "refused"}


class AdviceError(Record):
    """code: the standard's own (X12 647). place: where in what was sent, as far as it is told."""

    code: Code
    text: Text | None = None
    segment: Code | None = None
    position: Number | None = None
    element: Number | None = None
    notes: tuple[Text, ...] = ()


class Verdict(Record):
    """What is said of one document. kind: what its number is a number of; of: what the document is, where that is told.
    group, control: the numbers of the envelope it was in."""

    status: Literal["accepted", "accepted_with_errors", "refused"]
    kind: AdviceKind
    number: Number
    of: AdviceKind | None = None
    purchase_order: Number | None = None
    group: Number | None = None
    control: Number | None = None
    errors: tuple[AdviceError, ...] = ()

    @property
    def document(self) -> str:
        """The type of the document it speaks of."""
        return self.of or self.kind

    def spoken(self) -> str:
        why = "; ".join(filter(None, (error.text or f"code {error.code}" for error in self.errors[:3])))
        return f"{self.document.replace('_', ' ')} {self.number} {_WORDS[self.status]}" + (f": {why}" if why else "")


class ApplicationAdvice(Document):
    TYPE: ClassVar[str] = "application_advice"
    CONSUMED: ClassVar[bool] = True

    @classmethod
    def keys_of(cls, fields: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        return ()

    number: Number
    purpose: Literal["original", "response"] = "response"
    advised_on: Date
    verdicts: tuple[Verdict, ...]

    @property
    def reference(self) -> str:
        return self.number

    def business_keys(self) -> tuple[tuple[str, str], ...]:
        keys = [(_KINDS[one.document], one.number) for one in self.verdicts if one.document in _KINDS]
        orders = [("purchase_order", one.purchase_order) for one in self.verdicts if one.purchase_order]
        return ((self.TYPE, self.number), *keys, *orders)

    def summary(self) -> str:
        return f"{self.number}  " + "; ".join(one.spoken() for one in self.verdicts[:3])


_KINDS = {"purchase_order": "purchase_order", "order_change": "order_change", "invoice": "invoice",
          "ship_notice": "shipment", "payment": "payment"}  # fmt: skip
