"""A second opinion on whole sets: pyx12, with maps from our own tables, accepts what we accept and refuses the rest.

Asked of every set among the mappings' examples, of the samples, and of small messages, each broken in many ways. Where
it differs, the table DIFFERENCES says why; a difference that has no reason there is a mistake of ours or of the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("pyx12", reason="pyx12 is not installed")

from channels.formats.x12 import FORMAT, grammar, maps
from channels.formats.x12.envelope import find_interchange
from channels.formats.x12.groups import SetVerdict, arrange, element, judge_groups
from channels.formats.x12.opening import tokenize
from channels.formats.x12.separators import Elements, Separators, cut
from channels.formats.x12.split import skip_lead
from channels.formats.x12.words import fault_words
from engine.plugin import Profile
from engine.site.reference import reference_root
from tests import pyx12_kit
from tests.pyx12_kit import interchange, opinion

EXAMPLES = sorted(path for path in (reference_root() / "mappings/examples").glob("x12_*/*.*") if path.suffix != ".json")
SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / "x12"
FILES = sorted(SAMPLES.iterdir()) if SAMPLES.is_dir() else []
OPEN = Profile(usage="")
PLAIN, REPEATING = Separators("*", ">", "~"), Separators("*", ">", "~", "^")

# Whether we accept, what one of the two says of the first fault, and why the other does not.
DIFFERENCES = (
    (True, r"HL[12] .*(HL count|valid parent)",
     "it wants HL01 to count 1, 2, 3 as HIPAA does; X12 wants unique numbers, and a tree that is none is the exception "
     "x12.hl_tree, not a fault of syntax"),
    (True, r"IndexError", "it takes the repetitions of a composite for components, and fails on the fifth"),
    (False, r"IndexError", "the same, in a set that is wrong besides"),
    (False, r"[AI]K5: mandatory segment missing \[3\]", "it forgets what a loop lacks when the loop comes again"),
)  # fmt: skip

# Small messages that use what the mappings use: release, functional group, segments.
BASES = {
    "850": ("004010", "PO", [
        "BEG*00*SA*PO-1**20261121", "CUR*BY*USD", "REF*CT*C-1", "FOB*PP", "DTM*002*20261125", "N9*L1*1", "MSG*by hand",
        "N1*ST*Lake*92*LAKE", "N3*1 Street", "N4*Lake*TN*38000", "PO1*1*10*BX*4.5**VC*Q-1*IN*7", "CTP***4.5*1*BX",
        "PID*F****Gloves", "SAC*C*D240***500", "PO1*2*1*EA*9**VC*Q-2", "CTT*2"]),
    "855": ("004010", "PR", [
        "BAK*00*AC*PO-1*20261121", "PO1*1*10*BX*4.5**VC*Q-1", "ACK*IA*6*BX*068*20261125", "ACK*IB*4*BX", "CTT*1"]),
    "856": ("004010", "SH", [
        "BSN*00*S-1*20261121*0914", "HL*1**S", "TD1*CTN25*2****G*10*LB", "TD5**2*UPSN", "REF*CN*1Z", "DTM*011*20261121",
        "N1*ST*Lake*UL*0614141000005", "HL*2*1*O", "PRF*PO-1***20261120", "HL*3*2*P", "MAN*GM*00006141411234567890",
        "HL*4*3*I", "LIN*1*VC*Q-1*LT*L1", "SN1*1*10*BX", "PID*F****Gloves", "CTT*4"]),
    "810": ("005010", "IN", [
        "BIG*20261121*INV-1*20261120*PO-1***DI", "REF*VN*1", "N1*RI*Acme*1*123456789", "ITD*01*3*2**10**30",
        "IT1*1*10*BX*4.5**VC*Q-1", "PID*F****Gloves", "SAC*C*D240***500", "TDS*5000", "TXI*ST*4.5", "SAC*C*D240***500",
        "CTT*1"]),
    "860": ("005010", "PC", [
        "BCH*04*SA*PO-1***20261121", "REF*CT*1", "N1*ST*Lake*92*LAKE", "POC*1*CA*10*5*BX*4.5**VC*Q-1",
        "PID*F****Gloves", "CTT*1"]),
    "865": ("004010", "CA", [
        "BCA*00*AC*PO-1***20261121", "POC*1*CA*10*5*BX*4.5**VC*Q-1", "ACK*IA*10*BX", "CTT*1"]),
    "832": ("004010", "SC", [
        "BCT*PC*1", "N1*SE*Acme", "LIN*1*VC*Q-1", "PID*F****Gloves", "PO4*10*1*EA", "CTP**CON*4.5*1*BX",
        "DTM*007*20261121", "PKL*UK*10614141000002*BX*1", "CTP**LPR*5", "CTT*1"]),
    "824": ("005010", "AG", [
        "BGN*11*1*20261121*0914", "N1*FR*North", "OTI*TR*IV*INV-1**BUYER*20261121**12*0001*810", "REF*PO*1",
        "TED*ZZZ*price"]),
    "820": ("004010", "RA", [
        "BPR*I*100*C*CHK", "TRN*1*7", "N1*PR*North", "ENT*1", "RMR*IV*INV-1**100*100", "DTM*003*20261121",
        "ADX*-5*01"]),
    "997": ("004010", "FA", [
        "AK1*PO*1", "AK2*850*0001", "AK3*REF*4**8", "AK4*2*127*5*77", "AK5*R*5", "AK9*R*1*1*0"]),
    "999": ("005010", "FA", [
        "AK1*PO*1*005010", "AK2*850*0001", "IK3*REF*4**8", "CTX*X", "IK4*2*127*5*77", "IK5*R*5", "AK9*R*1*1*0"]),
}  # fmt: skip
ONE_IN = 3  # of the ways to break a message; all of them agree, and take ten seconds


# --- asking ----------------------------------------------------------------------------------------------------------
def sets_of(raw: bytes) -> Iterator[tuple[str, str, list[Elements], Separators]]:
    """Release, functional group and segments of every whole set that we speak, with its separators."""
    for unit in FORMAT.split(raw, OPEN):
        if unit.refusal is not None:
            continue
        found = find_interchange(unit.raw, skip_lead(unit.raw)[0])
        assert found.header is not None
        for group in arrange(tokenize(unit.raw, found, OPEN).segments[1:-1]).groups:
            kind, release = element(group.start, 1), grammar.release(element(group.start, 8))
            for one in group.sets:
                if release and one.trailer and release.groups.get(element(one.start, 1)) == kind:
                    yield release.name, kind, [one.start, *one.body, one.trailer], found.header.separators


def ours(text: str) -> SetVerdict:
    raw = text.encode("latin-1", "replace")
    found = find_interchange(raw, 0)
    assert found.header is not None
    marks = found.header.separators
    [verdict] = judge_groups(arrange(cut(raw.decode("latin-1"), marks).segments[1:-1]).groups, marks)
    assert verdict.codes == ()
    return verdict.sets[0]


def difference(release: str, kind: str, segments: Sequence[Elements], marks: Separators) -> str:
    """What the two do not agree on; empty when they do, or when it is in the table."""
    text = interchange(release, kind, segments, marks)
    verdict = ours(text)
    accepted = not verdict.codes
    try:
        theirs, told = opinion(text, release)
    except IndexError:
        theirs, told = None, ["IndexError"]
    if theirs == accepted:
        return ""
    words = [words for fault in verdict.faults for words in fault_words(fault)] if theirs else told
    first = words[0] if words else ""
    known = any(accepted == one and re.search(pattern, first) for one, pattern, _ in DIFFERENCES)
    return "" if known else f"{segments}: we say {accepted}, pyx12 says {theirs}: {first}"


# --- the tests -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", EXAMPLES, ids=[f"{path.parent.name}/{path.name}" for path in EXAMPLES])
def test_examples_of_mappings(path: Path) -> None:
    found = [*sets_of(path.read_bytes())]
    assert found
    for one in found:
        assert ours(interchange(*one)).codes == ()
        assert difference(*one) == ""


@pytest.mark.skipif(not FILES, reason="no sample interchanges beside this checkout (../shared/samples/x12)")
def test_samples() -> None:
    found = [one for path in FILES for one in sets_of(path.read_bytes())]
    assert len(found) > 40
    assert [told for one in found if (told := difference(*one))] == []


@pytest.mark.parametrize("id", BASES)
def test_messages_broken_in_many_ways(id: str) -> None:
    release, kind, body = BASES[id]
    segments = [segment.split("*") for segment in body]
    assert ours(interchange(release, kind, whole(id, segments), PLAIN)).codes == ()
    told = [difference(release, kind, whole(id, one), REPEATING if release == "005010" else PLAIN)
            for one in broken(segments, kind)]  # fmt: skip
    assert [one for one in told if one] == []


def whole(id: str, body: Sequence[Elements]) -> list[Elements]:
    return [["ST", id, "0001"], *body, ["SE", str(len(body) + 2), "0001"]]


def broken(segments: list[Elements], seed: str) -> Iterator[list[Elements]]:
    """The message itself; without, with twice, and with neighbours changed for each segment; each element spoilt."""
    yield segments
    ways = [*_moved(segments), *_spoilt(segments)]
    yield from ways[sum(map(ord, seed)) % ONE_IN :: ONE_IN]


def _moved(segments: list[Elements]) -> Iterator[list[Elements]]:
    for at, segment in enumerate(segments):
        before, after = segments[:at], segments[at + 1 :]
        yield before + after
        yield [*before, segment, segment, *after]
        yield [*before, segment, ["ZZZ", "1"], *after]
        yield [*before, *after[:1], segment, *after[1:]]


def _spoilt(segments: list[Elements]) -> Iterator[list[Elements]]:
    for at, segment in enumerate(segments):
        for position in range(1, len(segment) + 1):
            for value in ("", "X", "7" * 90, "QQQ"):
                changed = [*segment, *[""] * (position + 1 - len(segment))]
                changed[position] = value
                while not changed[-1]:
                    changed.pop()
                if changed != segment:
                    yield [*segments[:at], changed, *segments[at + 1 :]]


def test_a_table_that_is_wrong_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were BEG05 not mandatory for pyx12, the message without it would tell us apart."""
    spoken = grammar.release("004010")
    assert spoken is not None
    right = maps.map_files(spoken)["850.004010.xml"]
    wrong = right.replace('data_ele="373" usage="R" seq="05"', 'data_ele="373" usage="S" seq="05"')
    assert wrong != right
    pyx12_kit.folder.cache_clear()
    monkeypatch.setattr(pyx12_kit, "map_files", lambda one: {**maps.map_files(one), "850.004010.xml": wrong})
    release, kind, body = BASES["850"]
    segments = [["BEG", "00", "SA", "PO-1"], *[segment.split("*") for segment in body[1:]]]
    try:
        assert "pyx12 says True" in difference(release, kind, whole("850", segments), PLAIN)
    finally:
        pyx12_kit.folder.cache_clear()


def test_every_set_has_its_map() -> None:
    for name in grammar.RELEASES:
        spoken = grammar.release(name)
        assert spoken is not None
        files = maps.map_files(spoken, ["004010VICS"] if name == "004010" else [])
        assert {f"{id}.{name}.xml" for id in spoken.groups} < set(files)
        assert ('vriic="004010VICS"' in files["maps.xml"]) == (name == "004010")
