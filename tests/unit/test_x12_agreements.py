"""What a partner's agreements change of our judgement and its answer: faults that only warn, groups that stand whole or
not at all, the release of a 997, and 999s."""

from __future__ import annotations

from typing import Any

import pytest

from channels.formats.x12 import FORMAT
from engine.plugin import Opened, Profile, Receipt
from tests.x12_kit import (
    ACK,
    BAK,
    GOOD_855,
    LINE,
    PROFILE,
    answer_of,
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

SECOND = one_set("855", GOOD_855, "0002")


def agreed(**terms: Any) -> Profile:
    return Profile("quill", ours=PROFILE.ours, theirs=PROFILE.theirs, **terms)


def tolerating(*faults: str) -> Profile:
    return agreed(tolerates=frozenset(faults))


# --- tolerate --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "faults", "place"),
    [
        ((BAK, "ZQX*1", LINE, ACK), ["AK304 1"], "ZQX"),
        ((BAK, "CUR*BY*USD", "CUR*BY*USD", LINE, ACK), ["AK304 5"], "CUR"),
        ((BAK, "PO1*1*10*Q@*4.5"), ["AK403 7"], "PO1[1]/PO103"),
        ((BAK, "REF*CT", "PO1*1*10*BQQ"), ["AK403 2", "AK403 5"], "REF[1]/REF02"),
    ],
)
def test_a_fault_that_only_warns_is_told_and_goes_on(body: tuple[str, ...], faults: list[str], place: str) -> None:
    result = opened(with_855(*body), tolerating(*faults))
    assert result.parts[0].refusals == ()
    assert result.warnings[0] == f"x12.tolerated ST[1]/{place}"
    assert answer_of(result)[-2:] == ["AK5*E*5", "AK9*E*1*1*1"]
    strict = opened(with_855(*body), tolerating(*faults[1:]))
    assert answer_of(strict)[-2:] == ["AK5*R*5", "AK9*R*1*1*0"]
    assert strict.parts[0].refusals


@pytest.mark.parametrize(
    ("made", "fault", "code"),
    [
        (one_set("855", GOOD_855, count=99), "AK502 4", "4"),
        (one_set("855", GOOD_855, end="0009"), "AK502 3", "3"),
    ],
)
def test_a_trailer_that_only_warns(made: str, fault: str, code: str) -> None:
    raw = interchange(group([made, SECOND]))
    result = opened(raw, tolerating(fault))
    assert [part.refusals for part in result.parts] == [(), ()]
    assert result.warnings == ("x12.tolerated ST[1]",)
    assert answer_of(result)[2:] == [f"AK5*E*{code}", "AK2*855*0002", "AK5*A", "AK9*E*2*2*2"]


def test_what_is_told_but_not_tolerated_beside_it_refuses() -> None:
    result = opened(with_855(BAK, "REF*CT", "PO1*1*10*Q@"), tolerating("AK403 7"))
    assert answer_of(result)[-2:] == ["AK5*R*5", "AK9*R*1*1*0"]
    assert "AK4*2*127*2" in answer_of(result)


def test_more_faults_than_can_be_told_are_not_tolerated() -> None:
    assert opened(with_855(BAK, *["ZZZ*1"] * 3000), tolerating("AK304 1")).parts[0].refusals


@pytest.mark.parametrize(("ge", "code"), [("GE*1*8~", "4"), ("GE*2*7~", "5")])
def test_a_groups_trailer_that_only_warns(ge: str, code: str) -> None:
    result = opened(interchange(group([SECOND], ge=ge)), tolerating(f"AK905 {code}"))
    assert (result.parts[0].refusals, result.warnings) == ((), ("x12.tolerated GS[1]",))
    assert answer_of(result)[1:3] == ["AK2*855*0002", "AK5*A"]
    assert answer_of(result)[-1][:6] == "AK9*E*"
    assert answer_of(result)[-1].endswith(f"*1*1*{code}")


@pytest.mark.parametrize(
    ("raw", "note", "place"),
    [
        (with_855(iea="IEA*2*000000012~", isa14="1"), "021", "IEA01"),
        (with_855(iea="IEA*1*000000013~", isa14="1"), "001", "IEA02"),
        (with_855(isa09="269999", isa14="1"), "014", "ISA09"),
        (with_855(isa01="77", isa14="1"), "010", "ISA01"),
    ],
)
def test_an_envelopes_fault_that_only_warns(raw: bytes, note: str, place: str) -> None:
    [unit] = FORMAT.split(raw, PROFILE)
    assert unit.refusal is not None
    assert unit.refusal.status == note
    result = opened(raw, tolerating(f"TA105 {note}"))
    assert result.parts[0].refusals == ()
    assert result.warnings == (f"x12.tolerated {place}",)
    [told] = answers(result, "TA1")
    assert told[4:] == ["E", note]


# --- group: whole ----------------------------------------------------------------------------------------------------
def test_a_group_that_stands_whole_or_not_at_all() -> None:
    raw = interchange(group([one_set("855", [*GOOD_855, "ZZZ*1"]), SECOND]))
    assert [bool(part.refusals) for part in opened(raw).parts] == [True, False]
    result = opened(raw, agreed(whole=frozenset({"855"})))
    assert [part.refusals[0].code for part in result.parts] == ["x12.structure", "x12.group"]
    assert answer_of(result) == ["AK1*PR*7", "AK2*855*0001", "AK3*ZZZ*8*CTT*1", "AK5*R*5", "AK9*R*2*2*0"]
    sound = opened(interchange(group([one_set("855", GOOD_855), SECOND])), agreed(whole=frozenset({"855"})))
    assert answer_of(sound)[-1] == "AK9*A*2*2*2"


def test_nested_groups() -> None:  # X12
    inner = group([SECOND], number="8")
    raw = interchange(group([one_set("855", GOOD_855)], ge=inner), iea="IEA*2*000000012~")
    result = opened(raw)
    assert [answer_of(result, number)[-1] for number in (0, 1)] == ["AK9*R*1*1*0*3", "AK9*A*1*1*1"]
    assert [bool(part.refusals) for part in result.parts] == [True, False]


# --- releases, 999 ---------------------------------------------------------------------------------------------------
NEW = interchange(group([one_set("855", [BAK, "PO1*1**BX", ACK])], release="005010X999"), isa12="00501")


def sent(result: Opened, number: int = 0, **options: str) -> list[str]:
    """From GS to GE."""
    answer = result.answers[number]
    return segments(filled(FORMAT.envelop(answer.nodes, envelope(answer.type, **options)).body))[1:-2]


def test_a_997_is_of_the_groups_release() -> None:
    told = sent(opened(NEW))
    assert told[0].endswith("*X*005010")
    assert told[2:4] == ["AK1*PR*7*005010X999", "AK2*855*0001"]
    assert sent(opened(NEW), group_version="005010UCS")[0].endswith("*X*005010UCS")
    assert sent(opened(NEW), group_version="004010VICS")[0].endswith("*X*005010")
    assert sent(opened(with_855()))[0].endswith("*X*004010")


def test_a_997_is_of_the_release_that_is_agreed() -> None:
    told = sent(opened(NEW, agreed(answers={"997": "004010"})))
    assert told[0].endswith("*X*004010")
    assert told[2] == "AK1*PR*7"
    repeated = interchange(
        group([one_set("855", [BAK, "REF*CT*A^B", LINE])], release="005010"), isa12="00501", isa11="^"
    )
    assert "AK4*2*127*12" in sent(opened(repeated))
    assert "AK4*2*127*3" in sent(opened(repeated, agreed(answers={"997": "004010"})))


def test_a_group_of_an_unknown_release_gets_a_997_all_the_same() -> None:
    told = sent(opened(interchange(group([SECOND], release="003040"))))
    assert (told[0].endswith("*X*004010"), told[2:-2]) == (
        True,
        ["AK1*PR*7", "AK9*R*1*1*0*2"],
    )


def test_both_releases_in_one_interchange_are_answered_apart() -> None:
    raw = interchange(group([SECOND]), group([SECOND], number="8", release="005010"))
    result = opened(raw)
    assert [sent(result, number)[0].rpartition("*")[2] for number in (0, 1)] == ["004010", "005010"]
    assert [answer.type for answer in opened(raw, agreed(answers={"997": "", "999": ""})).answers] == ["997", "999"]


def test_a_999() -> None:
    told = sent(opened(NEW, agreed(answers={"997": "", "999": ""})))
    assert told[0].split("*")[1] == "FA"
    assert told[1:-1] == [
        "ST*999*0001",
        "AK1*PR*7*005010X999",
        "AK2*855*0001",
        "IK3*PO1*3*PO1*8",
        "CTX*BAK03>PO-7001",
        "IK4*2*380*2",
        "CTX*SITUATIONAL TRIGGER*PO1*3*PO1*3",
        "IK5*R*5",
        "AK9*R*1*1*0",
        "SE*10*0001",
    ]
    clean = interchange(group([SECOND], release="005010"))
    assert sent(opened(clean, agreed(answers={"999": ""})))[2:-2] == [
        "AK1*PR*7*005010", "AK2*855*0002", "IK5*A", "AK9*A*1*1*1"
    ]  # fmt: skip


def test_a_999_of_theirs() -> None:
    body = ["AK1*PO*88*005010", "AK2*850*0001", "IK3*PO1*4*PO1*8", "CTX*BEG03>PO-1", "IK4*3*355*I6*QQ",
            "CTX*SITUATIONAL TRIGGER*PO1*4*PO1*2", "IK5*R*5*I5", "AK9*R*1*1*0"]  # fmt: skip
    result = opened(interchange(group([one_set("999", body)], "FA", release="005010X231A1"), isa12="00501"))
    assert result.problems == ()
    assert result.answers == ()
    assert result.receipts == (
        Receipt("999", "PO/88/0001", False, "R", (
            "segment 4 PO1, element 3 (unit): code value that the guide does not use [I6]",
            "set: one or more segments in error against the guide [I5]",
        ), also="997"),
    )  # fmt: skip


def test_what_we_write_we_read_back() -> None:
    told = agreed(answers={"999": ""})
    [answer] = opened(NEW, told).answers
    raw = filled(FORMAT.envelop(answer.nodes, envelope("999", version="00501")).body)
    found = opened(raw.replace(b"NORTH          *ZZ*QUILL", b"QUILL          *ZZ*NORTH"))
    assert found.problems == ()
    assert [(receipt.ref, receipt.code) for receipt in found.receipts] == [("PR/7/0001", "R")]
