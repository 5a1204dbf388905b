"""Acknowledgements to the deliveries they speak of. Pure: stored facts in, settlements and exceptions out."""

from __future__ import annotations

from collections.abc import Sequence

from engine.plugin import Receipt
from engine.site.model import FUNCTIONAL
from engine.store.contract import NewException, Settle
from engine.store.records import Awaited

OPEN = frozenset({"awaited", "overdue"})


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
    _settle_rows(receipt, found, context, result)
    return result


def _settle_rows(receipt: Receipt, rows: Sequence[Awaited], context: dict[str, str], result: Settlement) -> None:
    state = "positive" if receipt.positive else "negative"
    for row in rows:
        if row.state in OPEN:
            result.settles.append(Settle(row.id, state, row.state, receipt.code))
            if not receipt.positive:
                result.exceptions.append(_rejected(receipt, row, context))
        elif row.state in {"positive", "negative"} and row.state != state:
            result.exceptions.append(_conflict(receipt, row, context))


def settle_interchange(receipt: Receipt, found: Sequence[Awaited], *, by: int, partner: str) -> Settlement:
    """What is said of a whole interchange (TA1). `found`: all that is awaited for what it carried; see AwaitedNeed."""
    context = {"partner": partner, "acknowledgement": receipt.kind, "of": receipt.ref, "status": receipt.code}
    sent = dict.fromkeys(row.message for row in found)
    result = Settlement(edges=[(message, by, "acknowledges") for message in sent])
    if not found:
        text = f"a {receipt.kind} from {partner} speaks of interchange {receipt.ref}, which we never sent"
        result.exceptions.append(NewException("ack.unknown", text, receipt.ref, context))
    for delivery in dict.fromkeys(row.delivery for row in found):
        rows = [row for row in found if row.delivery == delivery]
        asked = [row for row in rows if row.kind == receipt.kind]
        if asked:
            _settle_rows(receipt, asked, context, result)
        elif not receipt.positive:
            _refuse_carried(receipt, rows, context, result)
    return result


def _refuse_carried(receipt: Receipt, rows: Sequence[Awaited], context: dict[str, str], result: Settlement) -> None:
    """Nothing in it was read, and no TA1 is awaited: its functional acknowledgement fails; without one, all of it is
    expected no longer. rows: of one delivery."""
    concerned = [row for row in rows if row.kind in FUNCTIONAL] or rows
    about = concerned[0]
    if about.state == "positive":
        result.exceptions.append(_conflict(receipt, about, context))
    elif about.state != "negative":
        result.exceptions.append(_rejected(receipt, about, context))
    for row in concerned:
        if row.state in OPEN:
            state = "negative" if row.kind in FUNCTIONAL else "not_expected"
            result.settles.append(Settle(row.id, state, row.state, receipt.code))


def settle_answer(kind: str, code: str, found: Sequence[Awaited], *, by: int) -> Settlement:
    """A business answer (an 855 for our 850). Its arrival settles; a later one for the same order is an update.

    A whole order rejected is work for a person: nobody else will order elsewhere.
    """
    result = Settlement(edges=[(row.message, by, "acknowledges") for row in found])
    state = "negative" if code == "rejected" else "positive"
    result.settles = [Settle(row.id, state, row.state, code) for row in found if row.state in OPEN]
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
    ref = row.ref or receipt.ref
    text = f"{context['partner']} rejected {ref} with a {receipt.kind} {receipt.code}: {told}"
    place = receipt.details[0].split(":", 1)[0] if receipt.details else ref
    return NewException("ack.rejected", text, place, context, delivery=row.delivery)


def _conflict(receipt: Receipt, row: Awaited, context: dict[str, str]) -> NewException:
    text = f"a {receipt.kind} says {receipt.code} of {row.ref}, an earlier {row.kind} said {row.code}"
    return NewException("ack.conflict", text, row.ref, context, delivery=row.delivery)
