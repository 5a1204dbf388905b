"""TA1s: what the sender of an interchange is told of its envelope, what it is not, and how a partner's TA1 is read."""

from __future__ import annotations

import pytest

from channels.formats.x12 import FORMAT
from engine.errors import Refused
from engine.plugin import Profile, Receipt
from tests.x12_kit import (
    GOOD_855,
    PROFILE,
    again,
    answers,
    envelope,
    filled,
    group,
    interchange,
    one_set,
    opened,
    segments,
    with_855,
)

GOOD = with_855()
ABOUT = "TA1*000000012*261121*0914"


def told(raw: bytes, profile: Profile = PROFILE) -> list[str]:
    """The segments between ISA and IEA of what a refused interchange is answered."""
    (unit,) = FORMAT.split(raw, profile)
    assert unit.refusal is not None
    return said(unit.raw, unit.refusal)


def said(raw: bytes, refusal: Refused) -> list[str]:
    found = FORMAT.answer(raw, refusal)
    assert [answer.type for answer in found] in ([], ["TA1"])
    return [
        line for answer in found for line in segments(filled(FORMAT.envelop(answer.nodes, envelope("TA1")).body))[1:-2]
    ]


REFUSED = {
    "X7 no IEA": (GOOD.split(b"IEA")[0], f"{ABOUT}*R*023"),
    "X7 cut in ST": (GOOD[:150], f"{ABOUT}*R*023"),
    "X8 IEA02": (with_855(iea="IEA*1*000000013~"), f"{ABOUT}*R*001"),
    "X8 IEA01 counts two": (with_855(iea="IEA*2*000000012~"), f"{ABOUT}*R*021"),
    "X8 IEA01 is no number": (with_855(iea="IEA*x*000000012~"), f"{ABOUT}*R*021"),
    "X8 IEA01 below nothing": (with_855(iea="IEA*-1*000000012~"), f"{ABOUT}*R*021"),
    "X10 ISA05": (with_855(isa05="01"), f"{ABOUT}*R*005"),
    "X10 ISA06": (with_855(isa06="STRANGER".ljust(15)), f"{ABOUT}*R*006"),
    "X10 ISA07": (with_855(isa07="01"), f"{ABOUT}*R*007"),
    "X10 ISA08": (with_855(isa08="SOUTH".ljust(15)), f"{ABOUT}*R*008"),
    "X10 ISA09": (with_855(isa09="261301"), "TA1*000000012*261301*0914*R*014"),
    "X10 ISA09 cannot be repeated": (with_855(isa09="26-1-1"), "TA1*000000012*000000*0914*R*014"),
    "X10 ISA10": (with_855(isa10="2560"), "TA1*000000012*261121*2560*R*015"),
    "X10 ISA11": (with_855(isa11=" "), f"{ABOUT}*R*016"),
    "X10 ISA12": (with_855(isa12="4.0.1"), f"{ABOUT}*R*017"),
    "X10 ISA13": (with_855(control="00000001X"), "TA1*000000000*261121*0914*R*018"),
    "X10 ISA14": (with_855(isa14="2"), f"{ABOUT}*R*019"),
    "X10 ISA15": (with_855(isa15="Q"), f"{ABOUT}*R*020"),
    "X10 test traffic": (with_855(isa15="T"), f"{ABOUT}*R*020"),
    "X11 ISA01": (with_855(isa01="99"), f"{ABOUT}*R*010"),
    "X11 ISA03": (with_855(isa03="07"), f"{ABOUT}*R*012"),
    "X3 element and component": (again(GOOD, "**~"), f"{ABOUT}*R*026"),
    "X3 component and segment": (again(GOOD, "*~~"), f"{ABOUT}*R*027"),
    "X3 a letter ends segments": (again(GOOD, "*>Z"), f"{ABOUT}*R*004"),
    "X3 a blank ends segments": (again(GOOD, "*> "), f"{ABOUT}*R*004"),
    "X3 a digit between components": (again(GOOD, "*5~"), f"{ABOUT}*R*027"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_interchange_is_answered_with_its_note(name: str) -> None:
    raw, answer = REFUSED[name]
    assert told(raw) == [answer]


def test_x3_a_blank_between_elements() -> None:
    """ISA cannot be cut by it; what stands in it can still be told."""
    assert told(GOOD.replace(b"*", b" "))[0].endswith("*R*026")


def test_x9_a_conflict() -> None:
    assert said(GOOD, Refused("dup.conflict", "another")) == [f"{ABOUT}*R*025"]


def test_byte_order_mark_and_blanks_before_isa() -> None:
    assert told(b"\xef\xbb\xbf\n\n" + with_855(isa14="2")) == [f"{ABOUT}*R*019"]


FUNCTIONAL = group([one_set("997", ["AK1*PO*88", "AK9*A*1*1*1"])], "FA")
TA1 = "TA1*000000004*261121*0914*A*000~"
SILENT = {
    "X1 empty": b"",
    "X2 no ISA": b"UNA:+.? 'UNB+UNOA:1+X+Y'",
    "X7 cut before ISA13": GOOD[:80],
    "a TA1 in a bad envelope": interchange(iea=f"{TA1}IEA*0*000000099~"),
    "a TA1 cut off": interchange(iea=TA1),
    "a TA1 between separators that cannot serve": again(interchange(iea=f"{TA1}IEA*0*000000012~"), "**~"),
    "997s in a bad envelope": interchange(FUNCTIONAL, iea="IEA*7*000000012~"),
    "997s cut off": interchange(FUNCTIONAL, iea=""),
}


@pytest.mark.parametrize("name", SILENT)
def test_what_gets_no_ta1(name: str) -> None:
    assert told(SILENT[name]) == []


def test_isa14_asks_for_one_also_where_all_is_well() -> None:
    result = opened(with_855(isa14="1"))
    assert [answer.type for answer in result.answers] == ["TA1", "997"]
    assert answers(result, "TA1") == [["TA1", "000000012", "261121", "0914", "A", "000"]]
    assert answers(opened(GOOD), "TA1") == []


@pytest.mark.parametrize("content", [TA1, FUNCTIONAL, TA1 + FUNCTIONAL])
def test_an_acknowledgement_that_asks_gets_none(content: str) -> None:
    groups = content.count("GS*")
    result = opened(interchange(iea=f"{content}IEA*{groups}*000000012~", isa14="1"))
    assert result.answers == ()


def test_acknowledgements_beside_business_do_not_hide_that_it_asks() -> None:
    result = opened(interchange(FUNCTIONAL, group([one_set("855", GOOD_855)], number="8"), isa14="1"))
    assert [answer.type for answer in result.answers] == ["TA1", "997"]


def test_it_stands_alone_in_its_interchange_and_asks_for_nothing() -> None:
    written = FORMAT.envelop([["TA1", "000000004", "261121", "0914", "A", "000"]],
                             envelope("TA1", acknowledgement_requested="1"))  # fmt: skip
    raw = filled(written.body).decode()
    assert raw.split("*")[14] == "0"
    assert raw.endswith("*P*>~TA1*000000004*261121*0914*A*000~IEA*0*000000007~")
    assert (written.refs, [key.kind for key in written.keys]) == ({}, ["interchange"])


@pytest.mark.parametrize(
    ("said", "receipt"),
    [
        ("A*000", Receipt("TA1", "000000004", True, "A", (), True)),
        ("E*022", Receipt("TA1", "000000004", True, "E", ("interchange: control structure invalid [022]",), True)),
        ("R*006", Receipt("TA1", "000000004", False, "R", ("interchange: sender id invalid [006]",), True)),
        ("R*999", Receipt("TA1", "000000004", False, "R", ("interchange: fault [999]",), True)),
    ],
)
def test_a_partners_ta1(said: str, receipt: Receipt) -> None:
    result = opened(interchange(iea=f"TA1*000000004*261121*0914*{said}~IEA*0*000000012~"))
    assert result.receipts == (receipt,)
    assert (result.answers, result.problems) == ((), ())
