"""The law of portions: however narrow the window, they hold what opening the whole finds, damage included."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.formats.x12 import FORMAT, groups, portions
from engine.errors import Refused
from engine.plugin import Profile
from tests.x12_kit import GOOD_850, GOOD_855, again, group, in_portions, interchange, one_set, plain

OPEN = Profile(usage="")
TOLERATES = frozenset({"TA105 021", "AK905 5", "AK502 4", "AK304 1", "AK403 2", "AK403 7"})
AGREED = st.sampled_from(
    [
        OPEN,
        Profile(usage="", tolerates=TOLERATES, answers={"997": "005010", "999": ""}),
        Profile(usage="", whole=frozenset({"850", "855"})),
    ]
)
MARKS = st.sampled_from(["*>~", "|^~", "\x1d\x1f\x1e", "*:\n", "^`\r"])
BAD_850 = (*GOOD_850[:-1], "N1*XX", "PO1*2*ten*BX", "CTT*2")
RECEIPT = one_set("997", ["AK1*PO*88", "AK2*850*0001", "AK5*A", "AK9*A*1*1*1"])
SETS = st.one_of(
    st.tuples(st.just("850"), st.sampled_from([GOOD_850, BAD_850]), st.sampled_from(["0001", "0002", "0003"])),
    st.tuples(st.sampled_from(["855", "899"]), st.just(GOOD_855), st.sampled_from(["0001", "0004"])),
)
GROUPS = st.one_of(
    st.builds(
        lambda sets, kind, number, ge: group([one_set(*one) for one in sets], kind, number, ge=ge),
        st.lists(SETS, max_size=5),
        st.sampled_from(["PO", "PR", "ZZ"]),
        st.sampled_from(["7", "8", "x"]),
        st.sampled_from([None, None, "GE*9*7~", ""]),
    ),
    st.just(group([RECEIPT], "FA")),
    st.just("TA1*000000004*261121*0914*A*000~"),
)


def same(raw: bytes, window: int, profile: Profile = OPEN) -> None:
    for unit in FORMAT.split(raw, profile):
        if unit.refusal is None:
            known = unit.facts.warnings
            found = plain(*in_portions(unit.raw, profile, window), known=known)
            assert found == plain(FORMAT.open(unit.raw, profile), known=known)


@settings(max_examples=200)
@given(st.lists(GROUPS, max_size=3), MARKS, st.sampled_from(["0", "1"]), st.integers(1, 900), AGREED)
def test_portions_hold_what_the_whole_holds(
    found: list[str], marks: str, asked: str, window: int, agreed: Profile
) -> None:
    count = sum(one.startswith("GS") for one in found) + bool(agreed.tolerates)
    raw = interchange(*found, iea=f"IEA*{count}*000000012~", isa14=asked)
    same(again(raw, marks), window, agreed)


@settings(max_examples=300)
@given(st.lists(GROUPS, min_size=1, max_size=3), st.integers(1, 900), st.data())
def test_also_when_something_is_cut_out_or_put_in(found: list[str], window: int, data: st.DataObject) -> None:
    inside = "".join(found)
    at = data.draw(st.integers(0, len(inside)))
    to = data.draw(st.integers(at, min(len(inside), at + 40)))
    put = data.draw(
        st.sampled_from(["", "~", "\n", "~\r\n", "SE", "~ST*850", "~GS*PO*A*B", "~GE*1*7~", "~\n  REF*CT*1~"])
    )
    inside = inside[:at] + put + inside[to:]
    count = ("~" + inside.replace("\n", "")).count("~GS*")
    same(interchange(inside, iea=f"~IEA*{count}*000000012~\r\n "), window)


def accept_the_first_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set control number that comes again is noticed only the second time."""
    whole = portions.judge_set

    def judged(one: Any, group: Any, twice: Any, *rest: Any) -> Any:
        seen.append(groups.element(one.start, 2))
        return whole(one, group, [control for control in twice if seen.count(control) > 1], *rest)

    seen: list[str] = []
    monkeypatch.setattr(portions, "judge_set", judged)


def take_sets_before_their_group_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = portions.judge_envelopes

    def judged(envelopes: Any, profile: Profile) -> Any:
        good = [(start, ["GE", str(sets), groups.element(start, 6)], sets) for start, _, sets in envelopes]
        return whole(good, profile)

    monkeypatch.setattr(portions, "judge_envelopes", judged)


@pytest.mark.parametrize("plant", [accept_the_first_twin, take_sets_before_their_group_is_judged])
def test_the_law_sees(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    twins = group(
        [one_set("850", GOOD_850), one_set("850", GOOD_850), one_set("850", GOOD_850, "0002")], "PO", ge="GE*9*7~"
    )
    same(interchange(twins), 300)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        same(interchange(twins), 300)


def test_a_site_that_has_changed_since_refuses_the_first_portion() -> None:
    other = Profile(theirs={"isa": "ZZ:OTHER"})
    with pytest.raises(Refused) as caught:
        in_portions(interchange(group([one_set("850", GOOD_850)], "PO")), other)
    assert (caught.value.code, caught.value.place) == ("x12.identity", "ISA06")
