"""Bad X12 in a supplier's folder, against one daemon: what the worklist says and where, that every byte of the file is
kept, what the supplier is answered, and that good interchanges beside and after it go on to the ERP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.functional.bad_kit import Watch, kept
from tests.functional.x12_desk import Desk, open_desk

pytestmark = pytest.mark.xdist_group("bad_x12")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("bad_x12")) as found:
        yield found


# --- files -----------------------------------------------------------------------------------------------------------
class Case(NamedTuple):
    """refused: (code, place, TA1 note) of each exception, in order. moved: where the file ends."""

    file: Callable[[Desk], bytes]
    refused: tuple[tuple[str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def moved(self) -> str:
        return ".error" if self.refused else ".done"


NOT_ISA, TRAILING = ("x12.not_isa", "ISA", "022"), ("x12.trailing_data", "ISA", "022")
CUT = ("x12.truncated", "IEA", "023")


def _cut(desk: Desk, at: int) -> bytes:
    return desk.answer(reaches=False)[:at]


CASES = {
    "X1 empty": Case(lambda desk: b"", (("x12.empty", "", ""),)),
    "X1 blank": Case(lambda desk: b"\r\n  \r\n", (("x12.empty", "", ""),)),
    "X2 EDIFACT": Case(lambda desk: b"UNA:+.? 'UNB+UNOA:1+X+Y'", (NOT_ISA,)),
    "X2 XML": Case(lambda desk: b"<?xml version='1.0'?><order/>", (NOT_ISA,)),
    "X2 lower-case": Case(lambda desk: b"isa" + _cut(desk, 10_000)[3:], (NOT_ISA,)),
    "X2 a mail's head first": Case(lambda desk: b"From: acme\r\n\r\n" + desk.answer(), (NOT_ISA,)),
    "X2 byte order mark and blanks": Case(
        lambda desk: b"\xef\xbb\xbf\r\n\r\n" + desk.answer(), warnings=("x12.bom", "x12.leading_blank")),
    "X4 control characters": Case(lambda desk: desk.answer(marks="\x1d\x1f\x1c")),
    "X4 0x1E ends segments": Case(lambda desk: desk.answer(marks="|^\x1e")),
    "X4 CR ends segments": Case(lambda desk: desk.answer(marks="*>\r")),
    "X4 LF ends segments": Case(lambda desk: desk.answer(marks="*>\n")),
    "X5 two interchanges, two sets of marks": Case(lambda desk: desk.answer() + desk.answer(marks="|^\n")),
    "X5 two with blank lines between": Case(lambda desk: desk.answer() + b"\r\n\r\n" + desk.answer(marks="!:\x1c")),
    "X6 text after the last": Case(lambda desk: desk.answer() + b"\r\n-- sent by EDI desk\r\n", (TRAILING,)),
    "X6 text between two": Case(lambda desk: desk.answer() + b"END OF FILE\n" + desk.answer(), (TRAILING,)),
    "X7 ends inside a segment": Case(lambda desk: _cut(desk, 250), (CUT,)),
    "X7 ends before IEA": Case(lambda desk: desk.answer(reaches=False).split(b"IEA")[0], (CUT,)),
    "X7 ends inside ISA": Case(lambda desk: _cut(desk, 60), (("x12.truncated", "ISA", "023"),)),
    "X7 the next one is whole": Case(
        lambda desk: desk.answer(reaches=False).split(b"GE*")[0] + desk.answer(), (CUT,)),
    "X20 a caret is data in 4010": Case(lambda desk: desk.answer(repeat="^", note="UP^DOWN")),
    "X20 U is no separator": Case(lambda desk: desk.answer(repeat="U", note="CURIOUS")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_taken_apart_and_nothing_of_it_is_lost(desk: Desk, name: str) -> None:
    case, watch, before = CASES[name], Watch(desk.stage), len(desk.messages())
    raw = case.file(desk)
    assert desk.take(f"case-{list(CASES).index(name)}.edi", raw) == case.moved
    found = watch.expect(len(case.refused))
    assert tuple((row["code"], row["place"], row["context"].get("status", "")) for row in found) == case.refused
    new = desk.messages()[before:]
    assert b"".join(kept(desk.stage, row["id"]) for row in new) == raw
    refused = {row["message"] for row in found}
    assert {row["id"] for row in new if row["state"] == "exception"} == refused
    for row in new:
        if row["id"] not in refused:
            assert set(case.warnings) <= set(row["warnings"])
    desk.goes_on()


def test_x20_a_caret_separates_from_4020_on_and_the_997_says_where_it_may_not(desk: Desk) -> None:
    """The element may not repeat: the supplier is told the segment and the element, the worklist the same."""
    watch, before = Watch(desk.stage), len(desk.answers())
    desk.take("repeated.edi", desk.answer(reaches=False, repeat="^", version="00501", note="UP^DOWN"))
    number = desk.control
    found = watch.one("x12.element", "ST[1]/REF[1]/REF02")
    assert found["context"]["control_id"] == f"{number:09}"
    desk.stage.until(lambda: len(desk.answers()) > before, "our 997")
    (told,) = [text for text in desk.answers() if f"~AK1*PR*{number}~" in text]
    assert "~AK3*REF*3**8~AK4*2*127*" in told
    assert "~AK5*R*5~AK9*R*1*1*0~" in told
    desk.goes_on()


def test_the_same_file_again_is_a_duplicate_and_another_under_its_number_a_conflict(desk: Desk) -> None:
    watch = Watch(desk.stage)
    raw = desk.answer()
    before = len(desk.messages())
    assert desk.take("first.edi", raw) == ".done"
    assert desk.take("again.edi", raw) == ".done"
    changed = raw.replace(b"ACK*IA*1", b"ACK*IA*2")
    assert desk.take("other.edi", changed) == ".error"
    found = watch.one("dup.conflict", "ISA13")
    assert kept(desk.stage, found["message"]) == changed
    first, again, _ = desk.messages()[before:]
    assert (again["state"], again["duplicate_of"]) == ("duplicate", first["id"])
    desk.goes_on()


# --- X25: acknowledgements -------------------------------------------------------------------------------------------
UNKNOWN = {
    "a group we never sent": ("424242", "PO", "850", "PO/424242/0001"),
    "a 997 of ours": ("1", "FA", "997", "FA/1/0001"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_x25_a_997_about_what_was_never_to_be_acknowledged(desk: Desk, name: str) -> None:
    group, kind, id, ref = UNKNOWN[name]
    watch = Watch(desk.stage)
    raw = desk.receipt(group, "A", kind=kind, id=id)
    desk.take(f"unknown-{kind}.edi", raw)
    found = watch.one("ack.unknown", ref)
    assert found["context"]["of"] == ref
    assert kept(desk.stage, found["message"]) == raw
    _never_answered(desk)


def test_x25_a_second_997_that_contradicts_the_first(desk: Desk) -> None:
    """The first stands; a person is told. The same again says nothing new."""
    watch = Watch(desk.stage)
    desk.take("yes.edi", desk.receipt(desk.group, "A"))
    desk.stage.until(lambda: _state(desk) == "positive", "the 850 acknowledged")
    desk.take("yes-again.edi", desk.receipt(desk.group, "A"))
    raw = desk.receipt(desk.group, "R")
    desk.take("no.edi", raw)
    found = watch.one("ack.conflict", f"PO/{desk.group}/0001")
    assert found["context"]["status"] == "R"
    assert kept(desk.stage, found["message"]) == raw
    assert _state(desk) == "positive"
    _never_answered(desk)


def _state(desk: Desk) -> str:
    """Of the 850's 997."""
    (row,) = [
        row
        for row in desk.stage.trace(desk.order)["acknowledgements"]
        if row["kind"] == "997" and row["of"].startswith("PO/")
    ]
    return str(row["state"])


def _never_answered(desk: Desk) -> None:
    """After the next good 855 has its 997, no 997 of ours speaks of a group of 997s."""
    desk.goes_on()
    number = desk.control
    desk.stage.until(lambda: any(f"~AK1*PR*{number}~" in text for text in desk.answers()), "our 997")
    assert not [text for text in desk.answers() if "~AK1*FA*" in text]


# --- X12 to X17, X19, X21, X24: what is judged inside ----------------------------------------------------------------
class Judged(NamedTuple):
    """change: what stands in a good 855 (a pattern, if it has a backslash), and what instead. told: our 997, to AK9."""

    change: tuple[bytes, bytes]
    told: str
    refused: tuple[str, str]
    reaches: bool = False


SET, GROUP, ELEMENT, OUTLINE = "x12.set", "x12.structure", "x12.element", "x12.structure"
REJECTED = "AK2*855*0001~{}AK5*R*{}~AK9*R*1*1*0"
JUDGED = {
    "X12 no GE": Judged((rb"GE\*1\*\d+~", b""), "AK9*R*1*1*0*3", (GROUP, "GS[1]")),
    "X12 GE01": Judged((b"GE*1*", b"GE*7*"), "AK9*R*7*1*0*5", (GROUP, "GS[1]")),
    "X12 GS08": Judged((b"*X*004010~", b"*X*002001~"), "AK9*R*1*1*0*2", (SET, "GS[1]")),
    "X13 no SE": Judged((b"~SE*6*0001", b""), REJECTED.format("", "2"), (SET, "ST[1]")),
    "X13 SE02": Judged((b"SE*6*0001", b"SE*6*0002"), REJECTED.format("", "3"), (SET, "ST[1]")),
    "X13 SE01": Judged((b"SE*6*", b"SE*9*"), REJECTED.format("", "4"), (SET, "ST[1]")),
    "X13 ST01 of another group": Judged((b"ST*855*", b"ST*850*"), "AK2*850*0001~AK5*R*6~AK9*R*1*1*0", (SET, "ST[1]")),
    "X13 ST01 unknown": Judged((b"ST*855*", b"ST*899*"), "AK2*899*0001~AK5*R*1~AK9*R*1*1*0", (SET, "ST[1]")),
    "X13 no ST02": Judged((b"ST*855*0001", b"ST*855"), "AK2*855*0000~AK5*R*3*7~AK9*R*1*1*0", (SET, "ST[1]")),
    "X15 unknown segment": Judged(
        (b"CTT*1", b"ZQX*1"), REJECTED.format("AK3*ZQX*5*ACK*1~", "5"), (OUTLINE, "ST[1]/PO1[1]/ACK[1]/ZQX")),
    "X15 out of order": Judged(
        (b"CTT*1", b"CUR*BY*USD"), REJECTED.format("AK3*CUR*5*ACK*7~", "5"), (OUTLINE, "ST[1]/PO1[1]/ACK[1]/CUR")),
    "X15 mandatory missing": Judged(
        (rb"BAK\*[^~]*", b"REF*CT*1"), REJECTED.format("AK3*BAK*2**3~", "5"), (OUTLINE, "ST[1]/BAK")),
    "X16 mandatory element": Judged(
        (b"BAK*00*AC", b"BAK*00*"), REJECTED.format("AK3*BAK*2**8~AK4*2*587*1~", "5"), (ELEMENT, "ST[1]/BAK02")),
    "X16 conditional element": Judged(
        (b"PO1*1*1*BX", b"PO1*1**BX"), REJECTED.format("AK3*PO1*3*PO1*8~AK4*2*330*2~", "5"),
        (ELEMENT, "ST[1]/PO1[1]/PO102")),
    "X16 bad date": Judged(
        (b"*20261123****V", b"*20261323****V"), REJECTED.format("AK3*BAK*2**8~AK4*4*373*8*20261323~", "5"),
        (ELEMENT, "ST[1]/BAK04")),
    "X16 bad code": Judged(
        (b"*1*BX~CTT", b"*1*Q!~CTT"), REJECTED.format("AK3*ACK*4*ACK*8~AK4*3*355*7*Q!~", "5"),
        (ELEMENT, "ST[1]/PO1[1]/ACK[1]/ACK03")),
    "X17 leading blank": Judged(
        (b"~CTT*1", b"~ CTT*1"), REJECTED.format("AK3*CTT*5*ACK*1~", "5"), (OUTLINE, "ST[1]/PO1[1]/ACK[1]/CTT")),
    "X18 not agreed": Judged(
        (b"V-", b"\xe9-"), REJECTED.format("AK3*BAK*2**8~AK4*8*127*6~", "5"), (ELEMENT, "ST[1]/BAK08")),
    "X19 binary": Judged(
        (b"CTT*1", b"BIN*99999999999999999*X"), REJECTED.format("AK3*BIN*5*ACK*8~AK4*1*784*5*99999999999999999~", "5"),
        (ELEMENT, "ST[1]/PO1[1]/ACK[1]/BIN/BIN01")),
    "X21 totals": Judged(
        (b"CTT*1", b"CTT*9"), "AK2*855*0001~AK5*A~AK9*A*1*1*1", ("x12.totals", "ST[1]/CTT[1]/CTT01"), reaches=True),
    "X24 a megabyte": Judged(
        (b"V-", b"V" * 1_000_000), REJECTED.format(f"AK3*BAK*2**8~AK4*8*127*5*{'V' * 99}~", "5"),
        (ELEMENT, "ST[1]/BAK08")),
}  # fmt: skip


@pytest.mark.parametrize("name", JUDGED)
def test_what_is_wrong_inside_is_told_exactly(desk: Desk, name: str) -> None:
    case, watch = JUDGED[name], Watch(desk.stage)
    raw = desk.answer(reaches=case.reaches)
    wrong, replacement = case.change
    pattern = wrong if b"\\" in wrong else re.escape(wrong)
    changed, count = re.subn(pattern, lambda _: replacement, raw)
    assert count == 1
    desk.take(f"judged-{desk.control}.edi", changed)
    number = desk.control
    _, told = desk.answer_to(number)
    assert f"~AK1*PR*{number}~{case.told}~SE*" in told.decode()
    watch.one(*case.refused)
    desk.goes_on()


def test_x14_the_good_sets_of_a_group_go_on(desk: Desk) -> None:
    """Three answers to one order, each with a number of its own; the second is wrong."""
    watch = Watch(desk.stage)
    raws = [desk.answer(), desk.answer(reaches=False).replace(b"CTT*1", b"ZQX*1"), desk.answer()]
    sets = [
        raw[raw.index(b"ST*855") : raw.index(b"GE*1")].replace(b"*0001", b"*%04d" % n) for n, raw in enumerate(raws)
    ]
    last = raws[-1]
    start, end = last.index(b"ST*855"), last.index(b"GE*1")
    desk.take("three.edi", last[:start] + b"".join(sets) + last[end:].replace(b"GE*1", b"GE*3"))
    _, told = desk.answer_to(desk.control)
    assert "~AK2*855*0000~AK5*A~AK2*855*0001~AK3*ZQX*5*ACK*1~AK5*R*5~AK2*855*0002~AK5*A~AK9*P*3*3*2~" in told.decode()
    watch.one("x12.structure", "ST[2]/PO1[1]/ACK[1]/ZQX")
    desk.goes_on()
