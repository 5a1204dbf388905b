"""The conversation with a supplier, played whole: order, acknowledgement, answer, and the usual trouble.

Each case plays one story between our desk and the other side, and says of each rule whether it held, with the segment
at fault. Rules of documents that are not agreed are told as skipped, never left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from canonical import Document
from engine.onboarding.desk import Desk, Heard, Sent
from engine.onboarding.verdict import FAILED, OK, SKIPPED, Step, Verdict
from engine.site.model import Agreement

_NOT_READ: Final = Heard("refused")


class Counterpart(Protocol):
    """The other side: bytes in, bytes out. `understand` raises ValueError for what it cannot read."""

    def understand(self, raw: bytes) -> Any: ...
    def acknowledge(self, raw: bytes, *, reject: bool = False) -> bytes: ...
    def answer(self, raw: bytes, how: str = "accepted") -> bytes: ...
    def damaged(self, raw: bytes) -> bytes: ...
    def disguised(self, raw: bytes) -> bytes: ...
    def of_other_usage(self, raw: bytes) -> bytes: ...


class Played:
    """One run: the desk, the other side, and all that was said and found."""

    def __init__(self, desk: Callable[[], Desk], other: Counterpart, order: Document) -> None:
        self._make_desk, self.other, self.order = desk, other, order
        self.verdicts: list[Verdict] = []
        self.steps: list[Step] = []
        self.case = ""
        self.desk = desk()

    def begin(self, case: str) -> None:
        """A case has a desk of its own: what another case left awaited is none of its business."""
        self.case, self.desk = case, self._make_desk()

    def check(self, rule: str, held: bool, place: str = "", text: str = "") -> bool:
        self.verdicts.append(Verdict(self.case, rule, OK if held else FAILED, place, text))
        return held

    def skip(self, rule: str, text: str) -> None:
        self.verdicts.append(Verdict(self.case, rule, SKIPPED, "", text))

    def send(self, agreement: Agreement) -> Sent:
        sent = self.desk.send(self.order, agreement)
        self.steps.append(Step(self.case, "ours", agreement.type, sent.raw))
        return sent

    def hear(self, what: str, raw: bytes) -> Heard:
        self.steps.append(Step(self.case, "theirs", what, raw))
        heard = self.desk.hear(raw)
        answer = heard[0] if heard else _NOT_READ
        self.steps += [Step(self.case, "ours", f"our answer to the {what}", body) for body in answer.answers]
        return answer


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
    _settles(played, heard, "997", "positive")
    _no_exceptions(played, heard, "997")


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
    _settles(played, heard, "997", "negative")
    told = _exception(heard, "ack.rejected")
    named = told is not None and "PO1" in told.text and "element 3" in told.text
    played.check("a rejecting 997 becomes an exception that names the element", named, told.place if told else "",
                 told.text if told else "no exception")  # fmt: skip


# --- the answer ------------------------------------------------------------------------------------------------------
def _answered(how: str, rule: str) -> Callable[[Played, Sent], None]:
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
    if not _agreed(played, "855"):
        return None
    heard = played.hear("855", played.other.answer(sent.raw, how))
    _no_exceptions(played, heard, "855")
    if not played.check("the 855 is read", len(heard.documents) == 1, "ST[1]", _codes(heard)):
        return None
    _settles(played, heard, "855", "positive")
    _our_997(played, heard, "A")
    there = ", ".join(f"{partner} ({type})" for partner, type in heard.forwarded)
    played.check("the 855 goes on to whom it is for", bool(heard.forwarded), "config/routes.yaml", there)
    return heard.documents[0]


def _updated(played: Played, sent: Sent) -> None:
    if _answer(played, sent, "in_parts") is None:
        return
    heard = played.hear("855", played.other.answer(sent.raw))
    fine = heard.status == "accepted" and len(heard.documents) == 1
    played.check("a second 855 for the order is an update", fine, "BAK", _codes(heard))


# --- trouble ---------------------------------------------------------------------------------------------------------
def _held(how: str, code: str, rule: str) -> Callable[[Played, Sent], None]:
    def case(played: Played, sent: Sent) -> None:
        if _agreed(played, "855"):
            heard = played.hear("855", played.other.answer(sent.raw, how))
            told = _exception(heard, code)
            played.check(rule, told is not None and not heard.forwarded, told.place if told else "",
                         told.text if told else _codes(heard))  # fmt: skip

    return case


def _refused(make: str, rule: str) -> Callable[[Played, Sent], None]:
    def case(played: Played, sent: Sent) -> None:
        if not _agreed(played, "855"):
            return
        raw: bytes = getattr(played.other, make)(sent.raw)
        heard = played.hear("855", raw)
        told = heard.exceptions[0] if heard.exceptions else None
        kept_out = told is not None and not heard.documents and not heard.forwarded
        played.check(rule, kept_out, told.place if told else "", told.text if told else "it was taken")
        if make == "damaged":
            _our_997(played, heard, "R")

    return case


def _doubled(played: Played, sent: Sent) -> None:
    if not _agreed(played, "855"):
        return
    raw = played.other.answer(sent.raw)
    played.hear("855", raw)
    again = played.hear("855", bytes(bytearray(raw)))
    played.check("the same bytes again have no second effect", again.status == "duplicate", "ISA13", again.status)
    changed = played.hear("855", raw.replace(b"SO-000001", b"SO-000002"))
    played.check("the same number with other bytes is held", changed.status == "conflict", "ISA13", changed.status)


CASES: Final[Sequence[tuple[str, Callable[[Played, Sent], None]]]] = (
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
)


# --- what several rules ask ------------------------------------------------------------------------------------------
def _agreed(played: Played, type: str) -> bool:
    if played.desk.partner.incoming(type) is None:
        played.skip(f"the {type} is read", f"there is no agreement about an {type}")
        return False
    return True


def _settles(played: Played, heard: Heard, kind: str, state: str) -> None:
    expecting = {one for agreement in played.desk.partner.agreements for one, _ in agreement.expect}
    if kind not in expecting:
        played.skip(f"the {kind} settles what was awaited", f"no agreement expects a {kind}")
        return
    settled = [told for told in heard.settled if told[0] == kind]
    fine = bool(settled) and all(told[2] == state for told in settled)
    played.check(f"the {kind} settles what was awaited", fine, "", ", ".join(" ".join(told) for told in settled))


def _our_997(played: Played, heard: Heard, verdict: str) -> None:
    if played.desk.partner.outgoing_type("997") is None:
        played.skip("our 997 answers it", "there is no agreement that sends a 997")
        return
    told = b"".join(heard.answers)
    element = played.desk.partner.envelope.get("element", "*").encode()
    said = b"AK9" + element + verdict.encode() in told
    played.check(f"our 997 answers it with {verdict}", said, "AK9", f"{len(heard.answers)} sent")


def _no_exceptions(played: Played, heard: Heard, what: str) -> None:
    first = heard.exceptions[0] if heard.exceptions else None
    text = f"{first.text} [{first.code}]" if first else ""
    played.check(f"the {what} raises no exception", first is None, first.place if first else "", text)


def _exception(heard: Heard, code: str) -> Any:
    return next((one for one in heard.exceptions if one.code == code), None)


def _codes(heard: Heard) -> str:
    return ", ".join([heard.status, *(one.code for one in heard.exceptions)])
