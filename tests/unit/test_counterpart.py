"""The supplier that plays the other side of a certification: what it sends is sound, but for trouble it is asked for.

Judged by our own grammar, which it shares nothing with.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from channels.formats.x12 import FORMAT
from channels.simulate import interchange
from channels.simulate.counterpart import ANSWERS, Counterpart
from channels.simulate.interchange import Identity, Separators
from channels.simulate.shipping import BILLED, DISCOUNT, FREIGHT, SHIPPED, TAX
from engine.plugin import Opened, Profile

BUYER, SELLER = Identity.parse("ZZ:BUYER/BUYER"), Identity.parse("01:SELLER/SELLER")
AT = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
PROFILE = Profile(ours={"isa": BUYER.isa}, theirs={"isa": SELLER.isa})
ORDER = [
    ["850"], ["BEG", "00", "SA", "4501", "", "20261121"],
    ["PO1", "1", "10", "BX", "12.5", "", "IN", "NH-1", "VN", "S-1"],
    ["PO1", "2", "3", "EA", "0.335", "", "VN", "S-2"], ["CTT", "2"],
]  # fmt: skip
MARKS = [Separators(), Separators("|", "^", "~", "\r\n"), Separators("\x1d", "\x1f", "\n")]


def played(marks: Separators) -> tuple[Counterpart, bytes]:
    other = Counterpart(SELLER, BUYER, marks, AT)
    return other, interchange.write(marks, BUYER, SELLER, AT, 7, "PO", [ORDER])


def opened(raw: bytes) -> Opened:
    (unit,) = FORMAT.split(raw, PROFILE)
    assert unit.refusal is None, unit.refusal
    return FORMAT.open(unit.raw, PROFILE)


@pytest.mark.parametrize("marks", MARKS)
def test_it_reads_the_order_as_it_was_written(marks: Separators) -> None:
    other, order = played(marks)
    read = other.understand(order)
    assert (read.sender, read.receiver, read.usage, read.order, read.verdict) == (
        BUYER.isa,
        SELLER.isa,
        "P",
        "4501",
        "A",
    )
    assert read.lines == (("1", Decimal(10), "BX", "12.5", "S-1"), ("2", Decimal(3), "EA", "0.335", "S-2"))
    with pytest.raises(ValueError, match="no ISA"):
        other.understand(b"nothing")
    with pytest.raises(ValueError, match="no purchase order"):
        other.understand(interchange.write(marks, BUYER, SELLER, AT, 8, "PR", [[["855"], ["BAK", "00"]]]))


@pytest.mark.parametrize("marks", MARKS)
def test_what_it_sends_is_sound(marks: Separators) -> None:
    other, order = played(marks)
    sent = [other.acknowledge(order), *(other.answer(order, how) for how in ANSWERS if how != "unit")]
    sent += [other.ship(order, how) for how in SHIPPED if how != "unit"]
    sent += [other.bill(order, how) for how in BILLED if how != "unit"]
    for raw in sent:
        found = opened(raw)
        assert [refusal for part in found.parts for refusal in part.refusals] == []
        assert found.problems == ()
    numbers = [FORMAT.split(raw, PROFILE)[0].facts.control_id for raw in sent]
    assert len(set(numbers)) == len(numbers)


def test_a_rejection_names_the_unit_of_the_first_line() -> None:
    other, order = played(MARKS[0])
    (receipt,) = opened(other.acknowledge(order, reject=True)).receipts
    assert (receipt.positive, receipt.ref) == (False, "PO/7/0001")
    assert "segment 3 PO1, element 3" in receipt.details[0]


@pytest.mark.parametrize("marks", MARKS)
def test_its_trouble_is_the_trouble_that_is_asked_for(marks: Separators) -> None:
    other, order = played(marks)
    (part,) = opened(other.damaged(order)).parts
    assert [refusal.status for refusal in part.refusals] == ["4"]
    (unit,) = FORMAT.split(other.disguised(order), PROFILE)
    assert unit.refusal is not None
    assert unit.refusal.place in {"ISA05", "ISA06"}
    (unit,) = FORMAT.split(other.of_other_usage(order), PROFILE)
    assert unit.refusal is not None
    assert unit.refusal.status == "020"


def test_the_totals_are_to_the_cent() -> None:
    other, order = played(MARKS[0])
    lines = Decimal("125.00") + Decimal("1.01")  # 1.005 is rounded as invoices are

    def total(how: str) -> Decimal:
        text = other.bill(order, how).decode()
        return Decimal(text.split("TDS*")[1].split("~")[0]) / 100

    assert total("whole") == lines
    assert total("extras") == lines + TAX + FREIGHT - DISCOUNT
    assert total("total") == lines + 3
