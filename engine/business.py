"""What business rules say of a document that was read: what it breaks by itself, whether we know the orders it is for,
and whether it came before. Pure: what the store knows comes as an argument.

What breaks a rule is kept, told to a person at its place, and goes no further; a repeat goes no further either, by a
named rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from canonical import DOCUMENTS, ApplicationAdvice, Document
from engine.correlate import Edge
from engine.errors import Refused
from engine.site.model import Agreement
from engine.store.records import DocumentNeed, KnownDocument

REPEAT_RULE: Final = "repeat"
ORDER: Final = "purchase_order"

Known = Mapping[DocumentNeed, Sequence[KnownDocument]]


class Read(NamedTuple):
    """One document found in a message, and under which agreement. place: the part it came from. answers: what it
    answers of ours, type and number. control: the numbers of the group and set it came in, where its format has them.
    locate: the place in the message of one of its values, by its pointer.
    """

    document: Document
    agreement: Agreement
    place: str
    answers: tuple[str, str] | None
    control: tuple[str, str] = ("", "")
    locate: Callable[[str], str] = str


class Judged(NamedTuple):
    """refusals: why it may not go on. repeats: it says what an earlier one said. edges: to what it follows."""

    refusals: tuple[Refused, ...] = ()
    repeats: bool = False
    edges: tuple[Edge, ...] = ()


def lookups(found: Read) -> Iterator[DocumentNeed]:
    """What must be known of earlier documents to judge this one."""
    document, partner = found.document, found.agreement.partner
    for _, number in document.concerns():
        yield DocumentNeed(ORDER, number, partner)
    if found.answers is not None:
        yield DocumentNeed(*found.answers, partner)
    if document.REPEATED:
        yield DocumentNeed(document.TYPE, document.reference, partner)
    if isinstance(document, ApplicationAdvice):
        for verdict in document.verdicts:
            if verdict.document in DOCUMENTS:
                yield DocumentNeed(verdict.document, verdict.number, partner)


def judge(found: Read, known: Known, earlier: Sequence[Document], *, seq: int, kept: bool) -> Judged:
    """earlier: documents of the same message, or of this portion of it, that stand before it. seq: of its message.

    kept: an earlier run of the message has kept this very document. Else what was kept of the message stands before it.
    """
    before = _before(found, known, seq if kept else None)
    edges = [*_orders(found, known, seq)]
    if before is not None or any(_same_number(one, found.document) for one in earlier):
        said = [json.loads(before.body)] if before is not None else []
        said += [_plain(one) for one in earlier if _same_number(one, found.document)]
        repeats = any(_content(one) == _content(_plain(found.document)) for one in said[-1:])
        if before is not None and before.message != seq:
            edges.append((before.message, seq, "repeats" if repeats else "updates"))
        if repeats:
            return Judged((), True, tuple(edges))
        if found.document.REPEATED == "refused" and not found.document.replaces:
            return Judged((_repeated(found), *_broken(found)), False, tuple(edges))
    return Judged((*_broken(found), *_unknown(found, known)), False, tuple(edges))


def sent(rows: Sequence[KnownDocument]) -> KnownDocument | None:
    """The newest of them that the partner was sent."""
    return next((row for row in reversed(rows) if row.sent is not None), None)


def newest(found: Read, known: Known) -> tuple[str, str, int] | None:
    """What was known of its number when it was judged: once there is more, it must be judged anew."""
    document = found.document
    if not document.REPEATED:
        return None
    rows = known.get(DocumentNeed(document.TYPE, document.reference, found.agreement.partner), ())
    return document.TYPE, document.reference, max((row.id for row in rows), default=0)


# --- by itself -------------------------------------------------------------------------------------------------------
def _broken(found: Read) -> Iterator[Refused]:
    for problem in found.document.problems():
        place = found.locate(problem.at) if problem.at else found.place
        yield Refused(problem.code, problem.text, place=place)


# --- the orders it is for --------------------------------------------------------------------------------------------
def _unknown(found: Read, known: Known) -> Iterator[Refused]:
    """An order is known when its supplier is the partner who speaks of it, whether our message arrived or not."""
    partner = found.agreement.partner
    for pointer, number in found.document.concerns():
        rows = known.get(DocumentNeed(ORDER, number, partner), ())
        if not any(row.sent is not None or _supplier(row) == partner for row in rows):
            text = f"{found.agreement.type} {found.document.reference} is for an order that {partner} never got from us"
            hint = "ask the partner which order it means; replay it when the order is there"
            yield Refused("match.unknown_order", text, place=found.locate(pointer), hint=hint)


def _orders(found: Read, known: Known, seq: int) -> Iterator[Edge]:
    """From the message that carried an order to the one that follows from it."""
    for _, number in found.document.concerns():
        row = sent(known.get(DocumentNeed(ORDER, number, found.agreement.partner), ()))
        if row is not None and row.sent is not None:
            yield row.sent, seq, "follows"


def _supplier(row: KnownDocument) -> Any:
    return json.loads(row.body).get("supplier")


# --- whether it came before ------------------------------------------------------------------------------------------
def _before(found: Read, known: Known, but: int | None) -> KnownDocument | None:
    """The newest one of its number from the same partner. but: the message whose own do not count."""
    document = found.document
    if not document.REPEATED:
        return None
    rows = known.get(DocumentNeed(document.TYPE, document.reference, found.agreement.partner), ())
    partner = found.agreement.partner
    return next((row for row in reversed(rows) if row.sender == partner and row.message != but), None)


def _same_number(one: Document, other: Document) -> bool:
    return bool(other.REPEATED) and (one.TYPE, one.reference) == (other.TYPE, other.reference)


def _plain(document: Document) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document.to_json())
    return found


def _content(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What it says, without saying itself whether it is new."""
    return {name: value for name, value in plain.items() if name != "purpose"}


def _repeated(found: Read) -> Refused:
    kind = found.document.TYPE.replace("_", " ")
    text = (
        f"there is another {kind} {found.document.reference} of {found.agreement.partner}, and it says something else"
    )
    hint = "compare the two; a correction must say that it is one, or have a number of its own"
    return Refused("match.repeated", text, place=found.place, hint=hint)
