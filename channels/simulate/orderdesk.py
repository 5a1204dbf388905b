"""How a simulated supplier judges an 850 and what it answers: the 997's and the 855's segments. Pure.

Syntax acceptance (997) and business acceptance (855) are two things: an unknown unit code is refused by the first, an
unknown item by the second.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from channels.simulate.interchange import Group, Segment, Set


@dataclass(frozen=True, slots=True)
class Habits:
    """What this supplier knows and does. Empty `units` or `items`: it knows all of them.

    tolerant: an unknown unit is accepted with errors (997 E) instead of rejected (R). backorder, reprice, postpone:
    vendor parts that get this answer. backorder_every: so does each nth line, counted over all orders.
    """

    units: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()
    tolerant: bool = False
    backorder: frozenset[str] = frozenset()
    backorder_every: int = 0
    reprice: frozenset[str] = frozenset()
    postpone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Line:
    """One PO1. position: the segment's place in its set, ST being 1. pairs: qualifier and id, as sent."""

    number: str
    quantity: Decimal
    unit: str
    price: str
    pairs: tuple[str, ...]
    position: int

    @property
    def part(self) -> str:
        """The vendor's own part number; empty when none was sent."""
        named = dict(zip(self.pairs[::2], self.pairs[1::2], strict=False))
        return named.get("VN") or named.get("VC") or named.get("VP") or ""


@dataclass(frozen=True, slots=True)
class Order:
    number: str
    purpose: str  # BEG01: 00 original
    ordered_on: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """An AK3/AK4: segment, its position in the set, element position, data element, AK403 code, the bad value.

    Element 0: the segment itself is at fault, and the code is AK304.
    """

    segment: str
    position: int
    element: int
    data_element: str
    code: str
    value: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One set with the 997's verdict on it: A, E or R. reason: AK502, empty when accepted."""

    set: Set
    order: Order | None
    verdict: str
    faults: tuple[Fault, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class Count:
    """Lines seen so far, for `backorder_every`."""

    lines: int = field(default=0)


def judge(transaction: Set, habits: Habits) -> Judged:
    if transaction.fault:
        return Judged(transaction, None, "R", (), transaction.fault)
    if transaction.code != "850":
        return Judged(transaction, None, "R", (), "1")
    beg = next((segment for segment in transaction.segments if segment[0] == "BEG"), None)
    if beg is None or len(beg) < 6 or not beg[3]:
        return Judged(transaction, None, "R", (Fault("BEG", 2, 0, "", "3", ""),), "5")
    lines, faults = _lines(transaction, habits)
    order = Order(beg[3], beg[1], beg[5], tuple(lines))
    hard = [fault for fault in faults if fault.element != 3 or not habits.tolerant]
    verdict = "R" if hard else "E" if faults else "A"
    return Judged(transaction, order, verdict, tuple(faults), "5" if faults else "")


def _lines(transaction: Set, habits: Habits) -> tuple[list[Line], list[Fault]]:
    lines: list[Line] = []
    faults: list[Fault] = []
    for position, segment in enumerate(transaction.segments, 1):
        if segment[0] != "PO1":
            continue
        number, quantity, unit, price = (*segment[1:5], "", "", "", "")[:4]
        amount = _decimal(quantity)
        if amount is None:
            faults.append(Fault("PO1", position, 2, "330", "1" if not quantity else "6", quantity))
        if habits.units and unit not in habits.units:
            faults.append(Fault("PO1", position, 3, "355", "7" if unit else "1", unit))
        lines.append(Line(number, amount or Decimal(0), unit, price, tuple(segment[6:]), position))
    return lines, faults


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def acknowledgement(group: Group, judged: Sequence[Judged]) -> list[Segment]:
    """The 997 for one group: AK1, each set's AK2 to AK5, AK9."""
    segments: list[Segment] = [["997"], ["AK1", group.code, group.control]]
    for one in judged:
        segments.append(["AK2", one.set.code, one.set.control])
        for fault in one.faults:
            segments.append(["AK3", fault.segment, str(fault.position), "", "8" if fault.element else fault.code])
            if fault.element:
                segments.append(["AK4", str(fault.element), fault.data_element, fault.code, fault.value])
        segments.append(["AK5", one.verdict, one.reason])
    accepted = sum(one.verdict != "R" for one in judged)
    whole = (
        "A"
        if all(one.verdict == "A" for one in judged)
        else "E"
        if accepted == len(judged)
        else "P"
        if accepted
        else "R"
    )
    segments.append(["AK9", whole, group.declared, str(len(judged)), str(accepted)])
    return segments


def answer(order: Order, vendor_order: str, today: dt.date, habits: Habits, count: Count) -> list[Segment]:
    """The 855: what becomes of each line. Accepted, backordered and rejected quantities add up to what was ordered."""
    body: list[Segment] = []
    codes: set[str] = set()
    for line in order.lines:
        count.lines += 1
        told, acks = _line_answer(line, today, habits, count.lines)
        quantity, price = f"{told.quantity:f}", told.price
        body.append(["PO1", told.number, quantity, told.unit, price, "", *told.pairs])
        body += acks
        codes |= {ack[1] for ack in acks}
    kind = "AD" if codes <= {"IA"} else "RD" if codes <= {"IR"} else "AC"
    head = ["BAK", "00", kind, order.number, order.ordered_on, "", "", "", vendor_order, f"{today:%Y%m%d}"]
    return [["855"], head, *body, ["CTT", str(len(order.lines))]]


def _line_answer(line: Line, today: dt.date, habits: Habits, nth: int) -> tuple[Line, list[Segment]]:
    ship, later = (f"{today + dt.timedelta(days=days):%Y%m%d}" for days in (1, 14))
    if habits.items and line.part not in habits.items:
        return line, [_ack("IR", line.quantity, line)]
    if line.part in habits.backorder or (habits.backorder_every and nth % habits.backorder_every == 0):
        now = line.quantity // 2
        rest = _ack("IB", line.quantity - now, line, "017", later)
        return line, [_ack("IA", now, line, "068", ship), rest] if now else [rest]
    if line.part in habits.reprice:
        dearer = f"{(Decimal(line.price or '1') * Decimal('1.05')).quantize(Decimal('0.01'), ROUND_HALF_UP):f}"
        return replace(line, price=dearer), [_ack("IP", line.quantity, line, "068", ship)]
    if line.part in habits.postpone:
        return line, [_ack("DR", line.quantity, line, "068", later)]
    return line, [_ack("IA", line.quantity, line, "068", ship)]


def _ack(code: str, quantity: Decimal, line: Line, date_kind: str = "", date: str = "") -> Segment:
    return ["ACK", code, f"{quantity:f}", line.unit, date_kind, date]
