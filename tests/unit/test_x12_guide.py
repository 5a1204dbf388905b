"""A partner's guide: rules that narrow the standard, what breaks them, in which codes, and by which line."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from channels.formats.x12 import FORMAT, match
from engine.errors import Refused
from engine.plugin import Narrowing, PathError, Profile
from tests.x12_kit import BAK, LINE, ORDER, PROFILE, answer_of, envelope, filled, group, interchange, one_set, opened

LINES = ["PO1*1*10*BX*4.5**VC*Q-100", "PID*F****Gloves", "PO1*2*1*EA*9**VC*Q-200"]


def guide(*rules: Narrowing, set: str = "850", release: str = "004010") -> Any:
    made = FORMAT.guide({"set": set, "release": release})
    for number, rule in enumerate(rules, 4):
        made.add(rule._replace(source=f"guides/acme.yaml:{number}:3"))
    return made


def judged(*rules: Narrowing, body: list[str], release: str = "004010") -> Any:
    profile = Profile(ours=PROFILE.ours, theirs=PROFILE.theirs, guides={"850": guide(*rules)})
    return opened(interchange(group([one_set("850", [ORDER, *body])], "PO", release=release)), profile)


def notes(result: Any) -> list[str]:
    """AK3 without the loop, and AK4."""
    told = [segment for segment in answer_of(result) if segment.startswith(("AK3", "AK4"))]
    return [re.sub(r"^(AK3\*\w+\*\d+\*)\w+", r"\1", segment) for segment in told]


@pytest.mark.parametrize(
    ("rule", "body", "told", "place"),
    [
        (Narrowing("CUR", use="required"), LINES, ["AK3*CUR*3**3"], "CUR"),
        (Narrowing("CUR", use="required"), ["CUR*BY*USD", *LINES], [], ""),
        (Narrowing("REF[CT]", use="required"), ["REF*DP*1", *LINES], ["AK3*REF*4**3"], "REF[CT]"),
        (Narrowing("N1[ST]", use="required"), ["N1*BT*A", "N3*Street", *LINES], ["AK3*N1*5**3"], "N1[ST]"),
        (Narrowing("N1[ST]/N3", use="required"), ["N1*BT*A", "N1*ST*B", "N4*Lakeside", *LINES], ["AK3*N3*5**3"],
         "N1[2]/N3"),
        (Narrowing("PO1/PID", use="required"), LINES, ["AK3*PID*6**3"], "PO1[2]/PID"),
        (Narrowing("CUR", use="never"), ["CUR*BY*USD", *LINES], ["AK3*CUR*3**2"], "CUR"),
        (Narrowing("PO1/PID", use="never"), LINES, ["AK3*PID*4**2"], "PO1[1]/PID[1]"),
        (Narrowing("PO1", most=1), LINES, ["AK3*PO1*5**4"], "PO1[2]"),
        (Narrowing("PO1", most=2), LINES, [], ""),
        (Narrowing("REF", most=1), ["REF*CT*1", "REF*DP*1", *LINES], ["AK3*REF*4**5"], "REF[2]"),
        (Narrowing("REF[DP]", most=1), ["REF*CT*1", "REF*DP*1", *LINES], [], ""),
        (Narrowing("BEG06", use="required"), LINES, ["AK3*BEG*2**8", "AK4*6*367*1"], "BEG06"),
        (Narrowing("BEG05", use="required"), LINES, [], ""),
        (Narrowing("PO1/PO105", use="never"), ["PO1*1*1*EA*1*CT"], ["AK3*PO1*3**8", "AK4*5*639*10*CT"], "PO1[1]/PO105"),
        (Narrowing("PO105", use="never"), ["PO1*1*1*EA*1*CT"], ["AK3*PO1*3**8", "AK4*5*639*10*CT"], "PO1[1]/PO105"),
        (Narrowing("PO1/PO103", codes=("EA", "CA")), LINES, ["AK3*PO1*3**8", "AK4*3*355*7*BX"], "PO1[1]/PO103"),
        (Narrowing("N1[ST]03", codes=("92",)), ["N1*BT*A*1*081234567", "N1*ST*B*91*77", *LINES],
         ["AK3*N1*4**8", "AK4*3*66*7*91"], "N1[2]/N103"),
        (Narrowing("BEG03", longest=4), LINES, ["AK3*BEG*2**8", "AK4*3*324*5*PO-7001"], "BEG03"),
        (Narrowing("BEG03", least=9, longest=10), LINES, ["AK3*BEG*2**8", "AK4*3*324*4*PO-7001"], "BEG03"),
        (Narrowing("PO1/PO104", longest=2), LINES, [], ""),
        (Narrowing("PO1/CTP05-1", codes=("EA",)), ["PO1*1*1*EA", "CTP***1*1*BX"], ["AK3*CTP*4**8", "AK4*5>1*355*7*BX"],
         "PO1[1]/CTP[1]/CTP05-1"),
        (Narrowing("PO1/CTP05", use="never"), ["PO1*1*1*EA", "CTP***1*1*BX"], ["AK3*CTP*4**8", "AK4*5**10*BX"],
         "PO1[1]/CTP[1]/CTP05"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule(rule: Narrowing, body: list[str], told: list[str], place: str) -> None:
    result = judged(rule, body=body)
    assert notes(result) == told
    [part] = result.parts
    if not told:
        assert part.refusals == ()
        return
    [refusal] = part.refusals
    assert refusal.place == f"ST[1]/{place}"
    assert "by guides/acme.yaml:4:3" in refusal.text


def test_what_breaks_the_standard_too_is_told_once() -> None:
    rules = [Narrowing("PO1/PO103", codes=("EA",)), Narrowing("PO1/PO105", use="required"), Narrowing("PO1", most=1)]
    result = judged(*rules, body=["PO1*1*10*Q@*4.5", "PO1*2*1*EA*1*CT"])
    assert notes(result) == ["AK3*PO1*3**8", "AK4*3*355*7*Q@", "AK4*5*639*1", "AK3*PO1*4**4"]
    [refusal] = result.parts[0].refusals
    assert refusal.text.count("guides/acme.yaml") == 2


def test_a_guide_that_all_lines_break_is_judged_quickly() -> None:
    body = [segment for number in range(1, 8_001) for segment in (f"PO1*{number}*1*EA*1", "PID*F****Gloves")]
    rules = [Narrowing("PO1", most=1), Narrowing("PO1/PO103", codes=("CA",)), Narrowing("PO1/PID", use="never"),
             Narrowing("PO1/REF", use="required")]  # fmt: skip
    start = time.process_time()
    result = judged(*rules, body=body)
    assert len(notes(result)) <= 2 * match.MOST_FAULTS
    assert time.process_time() - start < 2


def test_a_guide_is_for_one_release() -> None:
    result = judged(body=LINES, release="005010")
    assert "AK5*R*1" in answer_of(result)


def test_a_999_has_codes_of_its_own_for_guides() -> None:
    rules = [Narrowing("CUR", use="never"), Narrowing("PO1/PO103", codes=("EA",)), Narrowing("PO105", use="never")]
    made = guide(*rules, release="005010")
    profile = Profile(ours=PROFILE.ours, theirs=PROFILE.theirs, guides={"850": made}, answers={"999": ""})
    for body, told in (
        (["CUR*BY*USD", LINE], ["IK3*CUR*3**I4", "IK3*PO1*4*PO1*8", "IK4*3*355*I6*BX", "IK5*R*I5"]),
        (["PO1*1*1*EA*1*CT"], ["IK3*PO1*3*PO1*8", "IK4*5*639*I10*CT", "IK5*R*I5"]),
        (["CUR*BY*USD", "PO1*1*1*EA*1*CT*VC"], ["IK3*CUR*3**I4", "IK3*PO1*4*PO1*8", "IK4*5*639*I10*CT", "IK4*7*234*2",
                                               "IK5*R*5"]),
    ):  # fmt: skip
        raw = interchange(group([one_set("850", [ORDER, *body])], "PO", release="005010"))
        [said] = opened(raw, profile).answers
        whole = filled(FORMAT.envelop(said.nodes, envelope("999")).body).decode().split("~")
        assert [segment for segment in whole if segment.startswith("IK")] == told


def test_levels_are_named_by_code() -> None:
    rules = guide(Narrowing("HL[I]/LIN", use="required"), Narrowing("HL[P]/MAN[GM]", use="required"), set="856")
    profile = Profile(ours=PROFILE.ours, theirs=PROFILE.theirs, guides={"856": rules})
    body = ["BSN*00*SHIP-1*20261121*0914", "HL*1**S", "HL*2*1*P", "MAN*CP*1", "HL*3*2*I"]
    result = opened(interchange(group([one_set("856", body)], "SH")), profile)
    assert notes(result) == ["AK3*MAN*6**3", "AK3*LIN*7**3"]


def test_what_we_write_is_refused_before_it_goes() -> None:
    made = FORMAT.structure({"set": "850"})
    root = made.blank()
    for path, value in {"BEG01": "00", "BEG02": "SA", "BEG03": "PO-9", "BEG05": "20261121"}.items():
        made.scope.field(path).put(root, value)
    line = made.scope.loop("PO1")
    for path, value in {"PO101": "1", "PO102": "1", "PO103": "BX"}.items():
        line.scope.field(path).put(line.nodes(root)[0] if line.nodes(root) else line.new(root), value)
    agreed = envelope("850")
    assert FORMAT.envelop([root], agreed._replace(guide=guide(Narrowing("PO1", most=1)))).body
    with pytest.raises(Refused, match=r"by guides/acme\.yaml:4:3") as told:
        FORMAT.envelop([root], agreed._replace(guide=guide(Narrowing("PO1/PO103", codes=("EA",)))))
    assert told.value.place == "PO1[1]/PO103"
    with pytest.raises(Refused, match="guide is for 850 of 005010, and what is written is 850 of 004010"):
        FORMAT.envelop([root], agreed._replace(guide=guide(release="005010")))


@pytest.mark.parametrize(
    ("rule", "told", "near"),
    [
        (Narrowing("CURR", use="required"), "is no segment or element", ()),
        (Narrowing("CUS", use="required"), "has no segment CUS", ("CUR",)),
        (Narrowing("PID/MEA", use="required"), "opens no loop", ()),
        (Narrowing("PO3", use="required"), "stands inside the loop PO1", ("PO1/PO3",)),
        (Narrowing("BEG13", use="required"), "BEG has 12 elements", ("BEG12",)),
        (Narrowing("REF[01CT]", use="required"), "", ()),
        (Narrowing("BEG", use="never"), "the standard demands this segment", ()),
        (Narrowing("BEG01", use="never"), "the standard demands this element", ()),
        (Narrowing("PER", most=4), "allows 3 and no more", ()),
        (Narrowing("PO1/PO1", use="never"), "opens this loop", ()),
        (Narrowing("BEG01", most=1), "`most` is for segments", ()),
        (Narrowing("BEG", codes=("SA",)), "for elements", ("BEG01",)),
        (Narrowing("BEG03", longest=23), "a length of 1 to 22", ()),
        (Narrowing("BEG03", least=4, longest=3), "a length of 1 to 22", ()),
        (Narrowing("PO1/PO103", codes=("Q@",)), "has no code 'Q@'", ()),
        (Narrowing("BEG01", codes=("ABC",)), "has no code 'ABC'", ()),
        (Narrowing("PO1/CTP05", codes=("EA",)), "name its component", ("PO1/CTP05-1",)),
        (Narrowing("PO1/CTP05-99", codes=("EA",)), "does not have", ()),
    ],
)
def test_rules_that_cannot_be(rule: Narrowing, told: str, near: tuple[str, ...]) -> None:
    made = guide()
    if not told:
        made.add(rule)  # a condition may be any text
        return
    with pytest.raises(PathError) as raised:
        made.add(rule)
    assert told in raised.value.text
    assert raised.value.nearest[: len(near)] == near


def test_without_its_rules_a_guide_refuses_nothing() -> None:
    assert judged(body=LINES).parts[0].refusals == ()
    assert judged(body=[*LINES, BAK]).parts[0].refusals != ()  # the standard still judges
    assert LINE
