"""What our 997 says of a received group: every kind of fault, where it is, and what may be mapped all the same."""

from __future__ import annotations

import time

import pytest

from channels.formats.x12 import FORMAT, elements, grammar, match
from channels.formats.x12.standard.codes import ELEMENT_FAULTS, SEGMENT_FAULTS
from engine.errors import Refused
from engine.plugin import Profile
from tests.x12_kit import (
    BAK,
    GOOD_850,
    GOOD_855,
    LINE,
    PROFILE,
    answer_of,
    answers,
    filled,
    group,
    interchange,
    one_set,
    opened,
    with_855,
    written,
)

SECOND = one_set("855", GOOD_855, "0002")


def test_a_good_group_is_accepted() -> None:
    result = opened(with_855())
    assert [answer.type for answer in result.answers] == ["997"]
    assert answer_of(result) == ["AK1*PR*7", "AK2*855*0001", "AK5*A", "AK9*A*1*1*1"]
    [part] = result.parts
    assert (part.type, part.place, part.control_id, part.refusals) == ("855", "ST[1]", "0001", ())
    assert result.problems == ()


@pytest.mark.parametrize(
    ("body", "notes", "place"),
    [
        # first what is wrong with segments, then with what stands in them (X15, X16)
        ((BAK, "ZQX*1"), ["AK3*ZQX*3**1"], "ZQX"),
        ((BAK, "ZZZ*1**S"), ["AK3*ZZZ*3**1"], "ZZZ"),
        ((BAK, "HL*1**S"), ["AK3*HL*3**6"], "HL"),
        ((BAK, "AK1*PO*1"), ["AK3*AK1*3**6"], "AK1"),
        ((BAK, LINE, "REF*CT*1", "PID*F****late"), ["AK3*PID*5*PO1*7"], "PO1[1]/PID[1]"),
        ((BAK, LINE, "BAK*00*AC*PO-7001*20261121"), ["AK3*BAK*4*PO1*7"], "PO1[1]/BAK"),
        ((LINE,), ["AK3*BAK*2**3"], "BAK"),
        ((BAK, "CUR*BY*USD", "CUR*BY*USD"), ["AK3*CUR*4**5"], "CUR"),
        ((BAK, "N1*ST*L", "N3*a", "N3*b", "N3*c"), ["AK3*N3*6*N1*5"], "N1[1]/N3[3]"),
        ((BAK, *["SAC*C*D240"] * 26), ["AK3*SAC*28**4"], "SAC[26]"),
        ((BAK, " PO1*1"), ["AK3*PO1*3**1"], "PO1[1]"),
        ((BAK, "REF"), ["AK3*REF*3**8", "AK4*1*128*1", "AK4*2*127*2"], "REF[1]/REF01"),
        ((BAK, "REF*CT"), ["AK3*REF*3**8", "AK4*2*127*2"], "REF[1]/REF02"),
        ((BAK, "PO1*1*10"), [], ""),
        ((BAK, "PO1*1**BX"), ["AK3*PO1*3*PO1*8", "AK4*2*330*2"], "PO1[1]/PO102"),
        ((BAK, "PO1*1*10*BX*4.5**VC"), ["AK3*PO1*3*PO1*8", "AK4*7*234*2"], "PO1[1]/PO107"),
        ((BAK, "PO1*1***4.5*CT"), [], ""),
        ((BAK, "PO1*1****CT"), ["AK3*PO1*3*PO1*8", "AK4*4*212*2"], "PO1[1]/PO104"),
        ((BAK, "PO1*1***4.5"), [], ""),
        ((BAK, "N1*ST"), ["AK3*N1*3*N1*8", "AK4*2*93*2"], "N1[1]/N102"),
        ((BAK, LINE, "ACK*IA*10"), ["AK3*ACK*4*ACK*8", "AK4*3*355*2"], "PO1[1]/ACK[1]/ACK03"),
        ((BAK, "QTY*01*1"), ["AK3*QTY*3**7"], "QTY"),
        ((BAK, LINE, "QTY*01*1**text"), ["AK3*QTY*4*QTY*8", "AK4*4*61*10"], "PO1[1]/QTY[1]/QTY04"),
        ((BAK, LINE, "TD3*TL*********2200"), ["AK3*TD3*4*PO1*8", "AK4*10*24*10"], "PO1[1]/TD3[1]/TD310"),
        ((BAK, LINE, "TD3*TL*ABC"), ["AK3*TD3*4*PO1*8", "AK4*3*207*2"], "PO1[1]/TD3[1]/TD303"),
        ((BAK, "ITD*01**2"), ["AK3*ITD*3**8", "AK4*4*370*2"], "ITD[1]/ITD04"),
        ((BAK, "ITD*01**2****30******10"), [], ""),
        ((BAK + "*" * 8 + "X",), ["AK3*BAK*2**8", "AK4*12**3*X"], "BAK12"),
        ((BAK + "*" * 8,), [], ""),
        (("BAK*0*AC*PO-7001*20261121",), ["AK3*BAK*2**8", "AK4*1*353*4*0"], "BAK01"),
        (("BAK*00*AC*" + "P" * 23 + "*20261121",), ["AK3*BAK*2**8", "AK4*3*324*5*" + "P" * 23], "BAK03"),
        (("BAK*00*AC*P\x07*20261121",), ["AK3*BAK*2**8", "AK4*3*324*6"], "BAK03"),
        (("BAK*00*AC*P\xe9*20261121",), ["AK3*BAK*2**8", "AK4*3*324*6"], "BAK03"),
        (("BAK*00*AC*P>1*20261121",), ["AK3*BAK*2**8", "AK4*3*324*6"], "BAK03"),
        ((BAK, "PO1*1*ten*BX*4.5"), ["AK3*PO1*3*PO1*8", "AK4*2*330*6"], "PO1[1]/PO102"),
        ((BAK, "PO1*1*1.2.3*BX"), ["AK3*PO1*3*PO1*8", "AK4*2*330*6"], "PO1[1]/PO102"),
        ((BAK, "PO1*1*1E3*BX"), ["AK3*PO1*3*PO1*8", "AK4*2*330*6"], "PO1[1]/PO102"),
        ((BAK, "PO1*1*-0.5*BX", "CTT*1"), [], ""),
        ((BAK, "PO1*1*10*Q@*4.5"), ["AK3*PO1*3*PO1*8", "AK4*3*355*7*Q@"], "PO1[1]/PO103"),
        ((BAK, "PO1*1*10*BQQ*4.5"), ["AK3*PO1*3*PO1*8", "AK4*3*355*5*BQQ"], "PO1[1]/PO103"),
        (("BAK*00*AC*PO-7001*20260231",), ["AK3*BAK*2**8", "AK4*4*373*8*20260231"], "BAK04"),
        (("BAK*00*AC*PO-7001*261121",), ["AK3*BAK*2**8", "AK4*4*373*8*261121"], "BAK04"),
        ((BAK, "DTM*002*20261125*2560"), ["AK3*DTM*3**8", "AK4*3*337*9*2560"], "DTM[1]/DTM03"),
        ((BAK, LINE, "MEA***5*"), [], ""),
        ((BAK, LINE, "CTP***4.5*10*BX"), [], ""),
        ((BAK, LINE, "CTP***4.5*10*BXX"), ["AK3*CTP*4*PO1*8", "AK4*5>1*355*5*BXX"], "PO1[1]/CTP[1]/CTP05-1"),
        ((BAK, LINE, "CTP***4.5*10*>2"), ["AK3*CTP*4*PO1*8", "AK4*5>1*355*1"], "PO1[1]/CTP[1]/CTP05-1"),
        ((BAK, "REF*ZZ*1**CT>1>DP"), ["AK3*REF*3**8", "AK4*4>4*127*2"], "REF[1]/REF04-4"),
        ((BAK, LINE, "CTT*x"), ["AK3*CTT*4*CTT*8", "AK4*1*354*6"], "CTT[1]/CTT01"),
    ],
)
def test_faults_with_their_positions_and_codes(body: tuple[str, ...], notes: list[str], place: str) -> None:
    result = opened(with_855(*body))
    [part] = result.parts
    said = [segment for segment in answer_of(result) if segment.startswith(("AK3", "AK4"))]
    if not notes:
        assert (said, part.refusals) == ([], ())
        return
    assert said == notes
    assert answer_of(result)[-2:] == ["AK5*R*5", "AK9*R*1*1*0"]
    [refusal] = part.refusals
    assert refusal.place == f"ST[1]/{place}"
    assert refusal.code == ("x12.element" if any(note.startswith("AK4") for note in notes) else "x12.structure")
    assert refusal.status == "5"
    assert "PO-7001" not in str(refusal)


@pytest.mark.parametrize(
    ("made", "codes"),
    [
        (one_set("855", GOOD_855, count=99), "4"),
        (one_set("855", GOOD_855, count=-8), "4"),
        (one_set("855", GOOD_855, end="0009"), "3"),
        (one_set("855", GOOD_855, "1"), "7"),
        (one_set("855", GOOD_855, "1234567890"), "7"),
        (one_set("855", GOOD_855, ""), "7"),
        (one_set("846", ["BIA*00*SI*1*20261121"]), "1"),
        (one_set("850", GOOD_850), "6"),
        (one_set("85", GOOD_855), ""),
        (one_set("855", GOOD_855).rsplit("SE*", 1)[0], "2"),
    ],
)
def test_sets_that_are_wrong_as_a_whole(made: str, codes: str) -> None:  # X13
    result = opened(interchange(group([made, SECOND])))
    bad, good = result.parts
    assert good.refusals == ()
    assert [refusal.code for refusal in bad.refusals] == ["x12.set"]
    answer = answer_of(result)
    if codes:
        assert f"AK5*R*{codes}" in answer
    assert answer[-1] == "AK9*P*2*2*1"  # X14: the good one goes on


def test_a_control_number_used_twice_in_a_group() -> None:  # X13
    result = opened(interchange(group([one_set("855", GOOD_855), one_set("855", GOOD_855)])))
    assert [part.refusals[0].status for part in result.parts] == ["23", "23"]
    assert answer_of(result).count("AK5*R*23") == 2


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (group([SECOND], "QQ"), "1"),
        (group([SECOND], "IB"), "1"),
        (group([SECOND], release="003040"), "2"),
        (group([SECOND], ge=""), "3"),
        (group([SECOND], ge="GE*1*8~"), "4"),
        (group([SECOND], ge="GE*2*7~"), "5"),
        (group([SECOND], ge="GE*x*7~"), "5"),
        (group([SECOND], ge="GE*1~"), "4"),
    ],
)
def test_groups_that_are_wrong_as_a_whole(made: str, code: str) -> None:  # X12
    result = opened(interchange(made))
    assert answer_of(result)[-1].split("*")[0:2] == ["AK9", "R"]
    assert answer_of(result)[-1].split("*")[4:6] == ["0", code]
    [part] = result.parts
    assert [refusal.place for refusal in part.refusals] == ["GS[1]"]


def test_a_group_version_of_the_same_release_is_read() -> None:
    assert opened(interchange(group([SECOND], release="004010VICS"))).parts[0].refusals == ()


def test_the_same_group_number_twice() -> None:
    result = opened(interchange(group([SECOND]), group([SECOND])))
    assert [answer_of(result, number)[-1] for number in (0, 1)] == ["AK9*A*1*1*1", "AK9*R*1*1*0*19"]
    assert [bool(part.refusals) for part in result.parts] == [False, True]


def test_a_group_whose_number_is_no_number_cannot_be_answered() -> None:
    result = opened(interchange(group([SECOND], number="A7")))
    assert result.answers == ()
    assert [refusal.status for refusal in result.parts[0].refusals] == ["6"]


@pytest.mark.parametrize("content", ["", "REF*CT*1~", "ST*855*0001~SE*2*0001~"])
def test_an_interchange_without_groups(content: str) -> None:  # X12
    [unit] = FORMAT.split(interchange(iea=f"{content}IEA*0*000000012~"), PROFILE)
    assert unit.refusal is not None
    assert (unit.refusal.code, unit.refusal.place, unit.refusal.status) == ("x12.structure", "ISA", "024")


def test_a_group_that_opens_before_the_last_is_closed() -> None:  # X12
    result = opened(interchange(group([SECOND], ge=""), group([one_set("855", GOOD_855)], number="8")))
    assert answer_of(result)[-1] == "AK9*R*1*1*0*3"
    assert answer_of(result, 1)[-1] == "AK9*A*1*1*1"


def test_a_set_without_an_agreement_is_told_not_supported() -> None:
    profile = Profile(ours=PROFILE.ours, theirs=PROFILE.theirs, accepts=frozenset({"997"}))
    result = opened(with_855(), profile)
    assert "AK5*R*1" in answer_of(result)
    assert [refusal.status for refusal in result.parts[0].refusals] == ["1"]


def test_an_agreed_charset_lets_its_characters_in() -> None:  # X18
    raw = with_855("BAK*00*AC*PO-7001*20261121", "N1*ST*Chirurgi\xe9")
    assert opened(raw).parts[0].refusals
    profile = Profile(ours=PROFILE.ours, theirs=PROFILE.theirs, charset="latin-1")
    [part] = opened(raw, profile).parts
    assert part.refusals == ()
    utf8 = raw.decode("latin-1").encode()
    profile = Profile(ours=PROFILE.ours, theirs=PROFILE.theirs, charset="utf-8")
    assert opened(utf8, profile).parts[0].refusals == ()
    assert opened(raw, profile).parts[0].refusals


def test_an_unknown_charset_is_told() -> None:
    with pytest.raises(Refused) as told:
        opened(with_855(), Profile(charset="klingon"))
    assert told.value.code == "x12.value"


@pytest.mark.parametrize(("totals", "place"), [("CTT*3", "CTT01"), ("CTT*3*12.5", "CTT01"), ("CTT*2*12", "CTT02")])
def test_a_wrong_total_is_syntactically_fine_and_told(totals: str, place: str) -> None:  # X21
    result = opened(with_855(BAK, LINE, "PO1*2*2.5*BX*4.5", totals))
    assert answer_of(result)[-1] == "AK9*A*1*1*1"
    assert [(problem.code, problem.place) for problem in result.problems] == [("x12.totals", f"ST[1]/CTT[1]/{place}")]
    assert result.parts[0].refusals == ()


@pytest.mark.parametrize("totals", ["CTT*2", "CTT*2*12.5", "CTT*2*12.50", "CTT*2*35"])  # 10 and 2.5: 12.5, or 10 + 25
def test_a_hash_total_is_a_sum_or_a_sum_of_digits(totals: str) -> None:
    assert opened(with_855(BAK, LINE, "PO1*2*2.5*BX*4.5", totals)).problems == ()


def test_the_hash_total_of_other_sets() -> None:
    invoice = ("BIG*20261121*INV-1", "IT1*1*3*BX*2", "IT1*2*4*BX*2", "TDS*1400", "CTT*2*8")
    found = opened(interchange(group([one_set("810", invoice)], "IN"))).problems
    assert [(problem.code, problem.place) for problem in found] == [("x12.totals", "ST[1]/CTT[1]/CTT02")]
    assert opened(interchange(group([one_set("810", [*invoice[:-1], "CTT*2*7"])], "IN"))).problems == ()


def test_the_copy_of_a_bad_value_never_carries_a_separator() -> None:
    """What the supplier's own envelope cannot carry is left out; so is every character that is bad by itself."""
    for value in ("ten", "a|b", "x^y", "1:2", "{", "'"):
        notes = [one for one in answer_of(opened(with_855(BAK, f"PO1*1*{value}*BX"))) if one.startswith("AK4")]
        assert notes == ["AK4*2*330*6"]
    [node] = answers(opened(with_855(BAK, "PO1*1*1*Q|")))
    assert b"AK4*3*355*7*Q|~" in filled(written(node, "997").body)
    assert b"AK4|3|355|7~" in filled(written(node, "997", element="|").body)


def test_many_faults_make_a_bounded_answer_and_one_refusal() -> None:
    result = opened(with_855(BAK, *["ZZZ*1"] * 3000))
    assert len(answer_of(result)) < 250
    [refusal] = result.parts[0].refusals
    assert len(refusal.text) < 600


def test_an_element_of_a_megabyte_is_too_long() -> None:  # X24
    result = opened(with_855(BAK, "REF*CT*" + "9" * 1_000_000))
    assert "AK4*2*127*5*" + "9" * 99 in answer_of(result)


def test_a_hundred_thousand_bad_segments_take_no_longer_than_good_ones() -> None:  # X24
    start = time.process_time()
    result = opened(with_855(BAK, LINE, *["ZZZ*1"] * 50_000, *["REF*CT"] * 50_000))
    assert len(answer_of(result)) == 204
    assert time.process_time() - start < 10


def test_too_many_segments() -> None:  # X24
    profile = Profile(ours=PROFILE.ours, theirs=PROFILE.theirs, limits={"segments": 100})
    with pytest.raises(Refused, match="more than 100 segments"):
        opened(with_855(BAK, *["REF*CT*1"] * 200), profile)


def test_loops_in_loops_are_told_by_number() -> None:
    body = (BAK, LINE, LINE, "N1*ST*A", "N1*BT*B", "N3*x", "N4*Lakeside*TOOLONG")
    [refusal] = opened(with_855(*body)).parts[0].refusals
    assert refusal.place == "ST[1]/PO1[2]/N1[2]/N402"


def test_a_set_without_content() -> None:
    result = opened(interchange(group([one_set("855", [])])))
    assert "AK3*BAK*2**3" in answer_of(result)


def test_every_code_has_its_words() -> None:
    used = {value for name, value in vars(match).items() if name.isupper() and isinstance(value, str)}
    assert used <= set(SEGMENT_FAULTS)
    used = {value for name, value in vars(elements).items() if name.isupper() and isinstance(value, str)}
    assert used - {elements.BAD_CHARACTER} <= set(ELEMENT_FAULTS)


@pytest.mark.parametrize("name", grammar.RELEASES)
def test_the_tables_are_sound(name: str) -> None:
    """Every segment of a set is defined, every rule names elements the segment has, every closed list is of codes."""
    release = grammar.release(name)
    assert release is not None
    for id in release.groups:
        definition = release.transaction_set(id)
        assert definition is not None
        assert definition.known <= set(release.segments)
        _each_id_stands_once(definition.root)
    for segment in release.segments.values():
        for rule in segment.rules:
            assert max(rule.positions) <= len(segment.slots), segment.id
            assert len(set(rule.positions)) == len(rule.positions)
    for composite in release.composites.values():
        for rule in composite.rules:
            assert max(rule.positions) <= len(composite.components), composite.number
    for element in release.elements.values():
        assert element.least <= element.most
        assert all(element.pattern.fullmatch(code) for code in element.codes)


def _each_id_stands_once(loop: grammar.Loop) -> None:
    """In one loop an id has one place: a segment is matched to it, and a path finds it, by its id."""
    assert len(loop.index) == len(loop.places), loop.name
    for place in loop.places:
        if place.opens:
            _each_id_stands_once(place.loop)


def test_the_judgement_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were elements not checked, an unknown unit would be accepted."""
    monkeypatch.setattr(match, "check", lambda segment, definition, reserved: [])
    assert opened(with_855(BAK, "PO1*1*10*Q@*4.5")).parts[0].refusals == ()
