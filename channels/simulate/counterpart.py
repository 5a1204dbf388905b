"""A supplier that plays the other side of one conversation: it reads our 850s and answers as it is told.

Besides the good answer it knows the usual trouble. It shares no code with what it tries, keeps nothing, and never looks
at a clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from channels.simulate import interchange, shipping
from channels.simulate.interchange import Group, Identity, Interchange, Malformed, Segment, Separators
from channels.simulate.orderdesk import Count, Fault, Habits, Judged, Line, Order, acknowledgement, answer, judge

Change = Callable[[list[Segment]], list[Segment]]
_UNKNOWN_UNIT: Final = "ZZ"
_NO_ORDER: Final = "NEVER-ORDERED"


class Understood(NamedTuple):
    """What the supplier made of an 850. verdict: A, E or R. lines: (number, quantity, unit, price, vendor part)."""

    sender: str
    receiver: str
    usage: str
    order: str
    verdict: str
    lines: tuple[tuple[str, Decimal, str, str, str], ...]


@dataclass(slots=True)
class Counterpart:
    """ours: the supplier; theirs: the buyer. Every interchange it sends has the next control number."""

    ours: Identity
    theirs: Identity
    separators: Separators
    at: dt.datetime
    usage: str = "P"
    group_version: str = "004010"
    version: str = "00401"
    control: int = 0

    def understand(self, raw: bytes) -> Understood:
        """Raises ValueError when it cannot find its way in these bytes, or there is no order in them."""
        received, _, judged = self._read(raw)
        order = judged[0].order
        if order is None:
            raise ValueError("there is no purchase order in it that could be read")
        lines = tuple((line.number, line.quantity, line.unit, line.price, line.part) for line in order.lines)
        return Understood(received.sender, received.receiver, received.usage, order.number, judged[0].verdict, lines)

    def acknowledge(self, raw: bytes, *, reject: bool = False) -> bytes:
        """The 997; `reject`: the unit of the first line is called a code that is not in the list."""
        _, group, judged = self._read(raw)
        if reject:
            judged = [replace(one, verdict="R", reason="5", faults=(_unit_fault(one),)) for one in judged]
        return self._wrapped("FA", acknowledgement(group, judged))

    def answer(self, raw: bytes, how: str = "accepted") -> bytes:
        """The 855 for an 850. how: a word of `ANSWERS`."""
        order = self._order(raw)
        parts = frozenset(line.part for line in order.lines)
        habits = {"in_parts": Habits(backorder=parts), "price": Habits(reprice=parts)}.get(how, Habits())
        body = answer(order, "SO-000001", self.at.date(), habits, Count())
        return self._wrapped("PR", ANSWERS[how](body))

    def ship(self, raw: bytes, how: str = "whole") -> bytes:
        """The 856 for an 850. how: a word of `shipping.SHIPPED`."""
        return self._wrapped("SH", shipping.ship_notice(self._order(raw), self.at, how))

    def bill(self, raw: bytes, how: str = "whole") -> bytes:
        """The 810 for an 850. how: a word of `shipping.BILLED`."""
        return self._wrapped("IN", shipping.invoice(self._order(raw), self.at, how))

    def damaged(self, raw: bytes) -> bytes:
        """The good 855 with a count of segments that is wrong."""
        whole = self.answer(raw)
        mark = self.separators.element.encode()
        start = whole.index(self.separators.segment.encode() + self.separators.after.encode() + b"SE" + mark)
        head, tail = whole[:start], whole[start:].split(mark, 2)
        return head + mark.join([tail[0], b"999", tail[2]])

    def disguised(self, raw: bytes) -> bytes:
        """The good 855 by a sender that is not this partner."""
        stranger = replace(self, ours=Identity("ZZ:STRANGER", "STRANGER"))
        told = stranger.answer(raw)
        self.control = stranger.control
        return told

    def of_other_usage(self, raw: bytes) -> bytes:
        """The good 855 with the other usage indicator: test traffic for a live channel, or the reverse."""
        other = replace(self, usage="P" if self.usage != "P" else "T")
        told = other.answer(raw)
        self.control = other.control
        return told

    def _read(self, raw: bytes) -> tuple[Interchange, Group, list[Judged]]:
        try:
            received = interchange.read(raw)
        except Malformed as fault:
            raise ValueError(str(fault)) from None
        if not received.groups or not received.groups[0].sets:
            raise ValueError("there is no transaction set in it")
        group = received.groups[0]
        return received, group, [judge(one, Habits()) for one in group.sets]

    def _order(self, raw: bytes) -> Order:
        _, _, judged = self._read(raw)
        order = judged[0].order
        assert order is not None
        return order

    def _wrapped(self, code: str, body: list[Segment]) -> bytes:
        self.control += 1
        return interchange.write(
            self.separators, self.ours, self.theirs, self.at, self.control, code, [body], self.usage,
            self.version, self.group_version,
        )  # fmt: skip


def _unit_fault(judged: Judged) -> Fault:
    lines = judged.order.lines if judged.order else ()
    line = lines[0] if lines else Line("1", Decimal(0), "", "", (), 3)
    return Fault("PO1", line.position, 3, "355", "7", line.unit)


# --- answers ---------------------------------------------------------------------------------------------------------
def _as_it_is(body: list[Segment]) -> list[Segment]:
    return body


def _other_part(body: list[Segment]) -> list[Segment]:
    """The first line is substituted: ACK names the part that comes instead."""
    first = next(at for at, segment in enumerate(body) if segment[0] == "ACK")
    ack = ["ACK", "IS", *body[first][2:6], "", "VN", "SUBSTITUTE-1"]
    return [["BAK", "00", "AC", *one[3:]] if one[0] == "BAK" else ack if at == first else one
            for at, one in enumerate(body)]  # fmt: skip


def _unknown_unit(body: list[Segment]) -> list[Segment]:
    return [[*one[:3], _UNKNOWN_UNIT, *one[4:]] if one[0] in {"PO1", "ACK"} else one for one in body]


def _header_only(body: list[Segment]) -> list[Segment]:
    return [["BAK", "00", "AK", *one[3:]] if one[0] == "BAK" else one for one in body if one[0] in {"855", "BAK"}]


def _of_no_order(body: list[Segment]) -> list[Segment]:
    return [[*one[:3], _NO_ORDER, *one[4:]] if one[0] == "BAK" else one for one in body]


ANSWERS: Final[Mapping[str, Change]] = {
    "accepted": _as_it_is,
    "in_parts": _as_it_is,
    "price": _as_it_is,
    "part": _other_part,
    "unit": _unknown_unit,
    "header_only": _header_only,
    "no_order": _of_no_order,
}
"""How an 855 may differ from full acceptance, by word; what two of them do is the desk's own habit."""
