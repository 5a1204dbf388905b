"""997s that come back to us: what they say of what we sent, in words; and that no 997 is ever answered."""

from __future__ import annotations

import pytest

from channels.formats.x12 import FORMAT
from engine.plugin import Receipt
from tests.x12_kit import GOOD_855, answer_of, answers, envelope, filled, group, interchange, one_set, opened, written


def received(*body: str, number: str = "31") -> bytes:
    return interchange(group([one_set("997", body)], "FA", number))


def receipts(*body: str) -> list[Receipt]:
    result = opened(received(*body))
    assert (result.parts, result.answers, result.problems) == ((), (), ())
    return list(result.receipts)


def test_accepted() -> None:
    assert receipts("AK1*PO*88", "AK2*850*0001", "AK5*A", "AK9*A*1*1*1") == [
        Receipt("997", "PO/88/0001", True, "A", also="999")
    ]


def test_accepted_with_errors_is_positive_and_says_which() -> None:
    [receipt] = receipts(
        "AK1*PO*000088", "AK2*850*0001", "AK3*PO1*4**8", "AK4*3*355*7*QQ", "AK5*E*5", "AK9*E*1*1*1"
    )  # fmt: skip
    assert (receipt.ref, receipt.positive, receipt.code) == ("PO/88/0001", True, "E")
    assert receipt.details == ("segment 4 PO1, element 3 (unit): code value not in the list [7]",)


def test_rejected_with_everything_that_is_wrong() -> None:
    [receipt] = receipts(
        "AK1*PO*88",
        "AK2*850*0001",
        "AK3*REF*3**7",
        "AK3*CTP*9*PO1*8",
        "AK4*5>1*355*7*QQ",
        "AK4*3**6",
        "AK3*ZZZ*12**1",
        "AK5*R*4*5",
        "AK9*R*1*1*0",
    )
    assert (receipt.positive, receipt.code) == (False, "R")
    assert receipt.details == (
        "segment 3 REF: segment out of order [7]",
        "segment 9 CTP, element 5 component 1 (unit): code value not in the list [7]",
        "segment 9 CTP, element 3 (unit price): invalid character [6]",
        "segment 12 ZZZ: unknown segment [1]",
        "set: segment count in SE does not match [4]",
    )


def test_values_that_were_copied_back_are_not_told() -> None:
    [receipt] = receipts(
        "AK1*PO*88", "AK2*850*0001", "AK3*MSG*4**8", "AK4*1*933*5*PATIENT NAME", "AK5*R*5", "AK9*R*1*1*0"
    )  # fmt: skip
    assert "PATIENT" not in "".join(receipt.details)


def test_several_sets_are_told_apart() -> None:
    found = receipts("AK1*PO*88", "AK2*850*0001", "AK5*A", "AK2*850*0002", "AK5*R*5", "AK9*P*2*2*1")
    assert [(receipt.ref, receipt.positive) for receipt in found] == [("PO/88/0001", True), ("PO/88/0002", False)]


@pytest.mark.parametrize(("code", "positive"), [("A", True), ("E", True), ("R", False), ("P", False), ("X", False)])
def test_a_whole_group(code: str, positive: bool) -> None:
    [receipt] = receipts("AK1*PO*0088", f"AK9*{code}*1*1*0*5")
    assert (receipt.ref, receipt.positive, receipt.code) == ("PO/88", positive, code)
    assert receipt.details == ("group: number of sets in GE does not match [5]",)


def test_a_rejected_group_rejects_every_set_in_it() -> None:
    [receipt] = receipts("AK1*PO*88", "AK2*850*0001", "AK5*A", "AK9*R*1*1*0*5")
    assert (receipt.ref, receipt.positive, receipt.code) == ("PO/88/0001", False, "R")
    assert receipt.details == ("group: number of sets in GE does not match [5]",)


def test_a_997_is_never_answered() -> None:  # X25
    both = interchange(
        group([one_set("997", ["AK1*PO*88", "AK9*A*1*1*1"])], "FA", "31"), group([one_set("855", GOOD_855)])
    )
    result = opened(both)
    assert len(answers(result)) == 1
    assert answer_of(result)[0] == "AK1*PR*7"
    assert len(result.receipts) == 1


@pytest.mark.parametrize(
    "body",
    [
        ("AK1*PO*88", "AK2*850*0001", "AK5*A"),
        ("AK2*850*0001", "AK5*A", "AK9*A*1*1*1"),
        ("AK1*PO*88", "AK2*850*0001", "AK9*A*1*1*1"),
        ("AK1*PO*88", "AK9*Z*1*1*1"),
        ("AK1*PO*x", "AK9*A*1*1*1"),
        ("AK1*PO*88", "AK2*850*1", "AK5*A", "AK9*A*1*1*1"),
    ],
)
def test_a_997_that_is_broken_itself_settles_nothing(body: tuple[str, ...]) -> None:
    result = opened(received(*body))
    assert result.receipts == ()
    assert [problem.code for problem in result.problems] in (["x12.structure"], ["x12.element"])
    assert result.answers == ()


def test_faults_in_its_own_notes_take_nothing_from_its_verdict() -> None:
    result = opened(received("AK1*PO*88", "AK2*850*0001", "AK3*PO1*x**8", "AK5*R*5", "AK9*R*1*1*0"))
    assert [receipt.positive for receipt in result.receipts] == [False]
    assert result.warnings == ("x12.acknowledgement_faults",)


def test_a_997_in_a_broken_group_settles_nothing() -> None:
    raw = interchange(group([one_set("997", ["AK1*PO*88", "AK9*A*1*1*1"])], "FA", "31", ge="GE*1*32~"))
    assert opened(raw).receipts == ()
    assert [problem.place for problem in opened(raw).problems] == ["GS[1]"]


def test_what_we_write_we_read_back() -> None:
    """Our own 997 of a bad group, read as its receiver would."""
    bad = opened(interchange(group([one_set("855", [*GOOD_855, "ZZZ*1"]), one_set("855", GOOD_855, "0002")])))
    sent = filled(written(answers(bad)[0], "997").body).replace(
        b"NORTH          *ZZ*QUILL", b"QUILL          *ZZ*NORTH"
    )
    found = opened(sent).receipts
    assert [(receipt.ref, receipt.code) for receipt in found] == [("PR/7/0001", "R"), ("PR/7/0002", "A")]
    assert found[0].details == ("segment 8 ZZZ: unknown segment [1]",)


def test_several_groups_make_several_answers_in_one_group() -> None:
    result = opened(interchange(group([one_set("855", GOOD_855)]), group([one_set("855", GOOD_855)], number="8")))
    body = filled(FORMAT.envelop(answers(result), envelope("997")).body)
    assert body.count(b"ST*997*") == 2
    assert b"GE*2*7~IEA*1*000000007~" in body
