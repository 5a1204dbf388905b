"""Acknowledgements to the deliveries they speak of. Pure: stored facts in, settlements and exceptions out."""

from __future__ import annotations

from collections.abc import Sequence

from engine.plugin import Receipt
from engine.store.contract import NewException, Settle
from engine.store.records import Awaited

_OPEN = frozenset({"awaited", "overdue"})


Edge = tuple[int, int, str]


class Settlement:
    """What one acknowledgement changes. edges: (sent message, acknowledging message, `acknowledges`)."""

    __slots__ = ("edges", "exceptions", "settles")

    def __init__(self, edges: Sequence[Edge] = ()) -> None:
        self.settles: list[Settle] = []
        self.exceptions: list[NewException] = []
        self.edges = [*edges]

    def add(self, other: Settlement) -> None:
        """One message may speak of the same thing twice: it is settled once, and a contradiction is told."""
        known = {settle.id: settle for settle in self.settles}
        for settle in other.settles:
            before = known.get(settle.id)
            if before is None:
                self.settles.append(settle)
            elif before.state != settle.state:
                text = f"one message says both {before.code} and {settle.code} of the same thing; the first one stands"
                self.exceptions.append(NewException("ack.conflict", text))
        self.exceptions += other.exceptions
        self.edges += other.edges


def settle_receipt(receipt: Receipt, found: Sequence[Awaited], *, by: int, partner: str) -> Settlement:
    """A functional acknowledgement (997) against what we await. `by`: seq of the message that carries it."""
    context = {"partner": partner, "acknowledgement": receipt.kind, "of": receipt.ref, "status": receipt.code}
    result = Settlement(edges=[(row.message, by, "acknowledges") for row in found])
    if not found:
        text = f"a {receipt.kind} from {partner} speaks of {receipt.ref}, which we never sent"
        result.exceptions.append(NewException("ack.unknown", text, receipt.ref, context))
    state = "positive" if receipt.positive else "negative"
    for row in found:
        if row.state in _OPEN:
            result.settles.append(Settle(row.id, state, row.state, receipt.code))
            if not receipt.positive:
                result.exceptions.append(_rejected(receipt, row, context))
        elif row.state in {"positive", "negative"} and row.state != state:
            text = f"a {receipt.kind} says {receipt.code} of {row.ref}, an earlier one said {row.code}"
            result.exceptions.append(NewException("ack.conflict", text, row.ref, context, delivery=row.delivery))
    return result


def settle_answer(kind: str, code: str, found: Sequence[Awaited], *, by: int) -> Settlement:
    """A business answer (an 855 for our 850). Its arrival settles; a later one for the same order is an update.

    A whole order rejected is work for a person: nobody else will order elsewhere.
    """
    result = Settlement(edges=[(row.message, by, "acknowledges") for row in found])
    state = "negative" if code == "rejected" else "positive"
    result.settles = [Settle(row.id, state, row.state, code) for row in found if row.state in _OPEN]
    if code == "rejected":
        row = found[-1]
        context = {"partner": row.partner, "acknowledgement": kind, "of": row.ref, "status": code}
        text = f"{row.partner} rejects the whole order with its {kind}"
        result.exceptions.append(NewException("order.rejected", text, "", context, delivery=row.delivery))
    return result


def overdue(row: Awaited) -> NewException:
    context = {"partner": row.partner, "acknowledgement": row.kind, "of": row.ref}
    text = f"no {row.kind} from {row.partner} for {row.ref} within the time agreed"
    return NewException("ack.overdue", text, row.ref, context, delivery=row.delivery)


def _rejected(receipt: Receipt, row: Awaited, context: dict[str, str]) -> NewException:
    told = "; ".join(receipt.details[:5]) or "no detail given"
    text = f"{context['partner']} rejected {row.ref} with a {receipt.kind} {receipt.code}: {told}"
    place = receipt.details[0].split(":", 1)[0] if receipt.details else row.ref
    return NewException("ack.rejected", text, place, context, delivery=row.delivery)
