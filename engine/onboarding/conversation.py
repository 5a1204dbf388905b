"""The conversation with a supplier, played whole: order, acknowledgement, answer, and the usual trouble.

Each case plays one story between our desk and the other side, and says of each rule whether it held, with the segment
at fault. Rules of documents that are not agreed are told as skipped, never left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from canonical import Document
from engine.onboarding import shipping_cases
from engine.onboarding.desk import Desk, Sent
from engine.onboarding.played import (
    Case,
    Counterpart,
    Played,
    agreed,
    codes,
    exception,
    no_exceptions,
    our_997,
    settles,
)
from engine.site.model import Agreement


def play(desk: Callable[[], Desk], other: Counterpart, order: Document) -> Played:
    """Every case in turn. desk: makes a new one, with nothing sent yet."""
    played = Played(desk, other, order)
    ordering = played.desk.partner.outgoing(order.TYPE)
    played.begin("order")
    if ordering is None:
        played.check("an order can be sent", False, "documents", "there is no agreement that sends a purchase order")
        return played
    sent = played.send(ordering)
    if not _written(played, sent, ordering):
        return played
    for name, case in CASES:
        if name != "order":
            played.begin(name)
            sent = played.send(ordering)
        case(played, sent)
    return played


def _written(played: Played, sent: Sent, ordering: Agreement) -> bool:
    for problem in sent.problems:
        text = f"{problem.text} [{problem.code}]" + (f"; {problem.hint}" if problem.hint else "")
        played.check(f"the {ordering.type} can be written", False, problem.place, text)
    return not sent.problems and played.check(f"the {ordering.type} can be written", True)


# --- the order and its acknowledgement -------------------------------------------------------------------------------
def _ordered(played: Played, sent: Sent) -> None:
    try:
        read = played.other.understand(sent.raw)
    except ValueError as fault:
        played.check("the supplier can read our order", False, "ISA", str(fault))
        return
    played.check("the supplier can read our order", read.verdict == "A", "ST[1]", f"its 997 says {read.verdict}")
    ours, theirs = (played.desk.partner.identity.ours, played.desk.partner.identity.theirs)
    expected = (ours.get("isa", "").rstrip(), theirs.get("isa", "").rstrip(), played.desk.partner.identity.usage)
    told = (read.sender, read.receiver, read.usage)
    played.check(
        "it is between the identities agreed", told == expected, "ISA", f"{told[0]} to {told[1]}, usage {told[2]}"
    )
    _same_lines(played, read)
    heard = played.hear("997", played.other.acknowledge(sent.raw))
    settles(played, heard, "997", "positive")
    no_exceptions(played, heard, "997")


def _same_lines(played: Played, read: Any) -> None:
    """What was ordered is what the supplier reads: quantities to the last digit, units by the partner's own table."""
    lines = getattr(played.order, "lines", ())
    units = played.desk.partner.crosswalks.get("unit")
    for position, (line, told) in enumerate(zip(lines, read.lines, strict=False), 1):
        number, quantity, unit, _, part = told
        place = f"PO1[{position}]"
        played.check(f"line {line.number}: the quantity is ours", quantity == line.quantity.value, f"{place}/PO102")
        if units is not None:
            back = units.inward.get(unit)
            played.check(f"line {line.number}: the unit means ours", back == line.quantity.unit, f"{place}/PO103", unit)
        played.check(f"line {line.number}: it names the supplier's part", bool(part), f"{place}/PO107", part)
        played.check(f"line {line.number}: its number is ours", number == line.number, f"{place}/PO101", number)
    played.check("every line is there", len(lines) == len(read.lines), "PO1", f"{len(read.lines)} of {len(lines)}")


def _rejected(played: Played, sent: Sent) -> None:
    heard = played.hear("997", played.other.acknowledge(sent.raw, reject=True))
    settles(played, heard, "997", "negative")
    told = exception(heard, "ack.rejected")
    named = told is not None and "PO1" in told.text and "element 3" in told.text
    played.check("a rejecting 997 becomes an exception that names the element", named, told.place if told else "",
                 told.text if told else "no exception")  # fmt: skip


# --- the answer ------------------------------------------------------------------------------------------------------
def _answered(how: str, rule: str) -> Case:
    def case(played: Played, sent: Sent) -> None:
        document = _answer(played, sent, how)
        if document is None:
            return
        statuses = [one.status for line in document.lines for one in line.answers]
        if how == "header_only":
            played.check(rule, document.status == "accepted" and not document.lines, "BAK", document.status)
        elif how == "in_parts":
            sums = all(
                sum(one.quantity.value for one in line.answers) == line.quantity.value for line in document.lines
            )
            played.check(rule, sums and "backordered" in statuses, "ACK", ", ".join(statuses))
        elif how == "price":
            dearer = [line.price for line in document.lines if line.price is not None]
            played.check(
                rule, "price_changed" in statuses and bool(dearer), "PO1[1]/PO104", ", ".join(map(str, dearer))
            )
        elif how == "part":
            told = [ids.value for line in document.lines for one in line.answers if one.item for ids in one.item.ids]
            played.check(rule, "substituted" in statuses and bool(told), "ACK[1]/ACK08", ", ".join(told))
        else:
            played.check(rule, statuses == ["accepted"] * len(document.lines), "ACK", ", ".join(statuses))

    return case


def _answer(played: Played, sent: Sent, how: str) -> Any:
    """The 855 as we read it; None when that failed, and has been told."""
    if not agreed(played, "855"):
        return None
    heard = played.hear("855", played.other.answer(sent.raw, how))
    no_exceptions(played, heard, "855")
    if not played.check("the 855 is read", len(heard.documents) == 1, "ST[1]", codes(heard)):
        return None
    settles(played, heard, "855", "positive")
    our_997(played, heard, "A")
    there = ", ".join(f"{partner} ({type})" for partner, type in heard.forwarded)
    played.check("the 855 goes on to whom it is for", bool(heard.forwarded), "config/routes.yaml", there)
    return heard.documents[0]


def _updated(played: Played, sent: Sent) -> None:
    if _answer(played, sent, "in_parts") is None:
        return
    heard = played.hear("855", played.other.answer(sent.raw))
    fine = heard.status == "accepted" and len(heard.documents) == 1
    played.check("a second 855 for the order is an update", fine, "BAK", codes(heard))


# --- trouble ---------------------------------------------------------------------------------------------------------
def _held(how: str, code: str, rule: str) -> Case:
    def case(played: Played, sent: Sent) -> None:
        if agreed(played, "855"):
            heard = played.hear("855", played.other.answer(sent.raw, how))
            told = exception(heard, code)
            played.check(rule, told is not None and not heard.forwarded, told.place if told else "",
                         told.text if told else codes(heard))  # fmt: skip

    return case


def _refused(make: str, rule: str) -> Case:
    def case(played: Played, sent: Sent) -> None:
        if not agreed(played, "855"):
            return
        raw: bytes = getattr(played.other, make)(sent.raw)
        heard = played.hear("855", raw)
        told = heard.exceptions[0] if heard.exceptions else None
        kept_out = told is not None and not heard.documents and not heard.forwarded
        played.check(rule, kept_out, told.place if told else "", told.text if told else "it was taken")
        if make == "damaged":
            our_997(played, heard, "R")

    return case


def _doubled(played: Played, sent: Sent) -> None:
    if not agreed(played, "855"):
        return
    raw = played.other.answer(sent.raw)
    played.hear("855", raw)
    again = played.hear("855", bytes(bytearray(raw)))
    played.check("the same bytes again have no second effect", again.status == "duplicate", "ISA13", again.status)
    changed = played.hear("855", raw.replace(b"SO-000001", b"SO-000002"))
    played.check("the same number with other bytes is held", changed.status == "conflict", "ISA13", changed.status)


CASES: Final[Sequence[tuple[str, Case]]] = (
    ("order", _ordered),
    ("accepted", _answered("accepted", "every line is accepted")),
    ("rejected 997", _rejected),
    ("header only", _answered("header_only", "an 855 without lines accepts the order")),
    ("backorder", _answered("in_parts", "several acknowledgements of a line add up to what was ordered")),
    ("update", _updated),
    ("price change", _answered("price", "a changed price is told with the price")),
    ("part change", _answered("part", "a substitute is told with its number")),
    ("wrong unit", _held("unit", "map.miss", "a unit that the table does not know is held, never guessed")),
    ("unknown order", _held("no_order", "ack.unknown", "an 855 for an order we never sent is held")),
    ("duplicate", _doubled),
    ("damaged", _refused("damaged", "a wrong count is refused")),
    ("other sender", _refused("disguised", "a sender that is not this partner is held")),
    ("other usage", _refused("of_other_usage", "test and live traffic do not mix")),
    *shipping_cases.CASES,
)
