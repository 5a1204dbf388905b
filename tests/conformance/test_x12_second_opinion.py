"""A second opinion on whole sets: pyx12, with maps from our own tables, accepts what we accept and refuses the rest.

Asked of every set among the mappings' examples, of the samples, and of small messages, each broken in many ways. Where
it differs, `opinion.KNOWN` says why; a difference that has no reason there is a mistake of ours or of the tables.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("pyx12", reason="pyx12 is not installed")

from channels import second_opinion
from channels.formats.x12 import FORMAT, grammar, maps, opinion
from channels.formats.x12.opinion import copies, disagreement, first_fault, interchange, judged
from channels.formats.x12.separators import Elements, Separators
from channels.second_opinion import Reader
from engine.plugin import Profile
from engine.site.reference import reference_root

EXAMPLES = sorted(path for path in (reference_root() / "mappings/examples").glob("x12_*/*.*") if path.suffix != ".json")
SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / "x12"
FILES = sorted(SAMPLES.iterdir()) if SAMPLES.is_dir() else []
OPEN = Profile(usage="")
PLAIN, REPEATING = Separators("*", ">", "~"), Separators("*", ">", "~", "^")

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
@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("maps"))


def copies_of(raw: bytes) -> list[opinion.Copy]:
    """Of every whole set in a file that we speak."""
    return [copy for unit in FORMAT.split(raw, OPEN) if unit.refusal is None for copy in copies(unit.raw)]


def difference(reader: Reader, copy: opinion.Copy) -> str:
    try:
        accepted, told = reader.opinion(copy.text, copy.release)
    except IndexError:
        return disagreement(copy, None, ["IndexError"])
    return disagreement(copy, accepted, told)


def copy_of(id: str, body: Sequence[Elements]) -> opinion.Copy:
    release, kind, _ = BASES[id]
    whole = [["ST", id, "0001"], *body, ["SE", str(len(body) + 2), "0001"]]
    text = interchange(release, kind, whole, PLAIN if release == grammar.BASE else REPEATING)
    return opinion.Copy("ST[1]", release, text, first_fault(judged(text)))


# --- the tests -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", EXAMPLES, ids=[f"{path.parent.name}/{path.name}" for path in EXAMPLES])
def test_examples_of_mappings(path: Path, reader: Reader) -> None:
    found = copies_of(path.read_bytes())
    assert found
    assert [(copy.ours, difference(reader, copy)) for copy in found] == [("", "")] * len(found)


@pytest.mark.skipif(not FILES, reason="no sample interchanges beside this checkout (../shared/samples/x12)")
def test_samples(reader: Reader) -> None:
    found = [copy for path in FILES for copy in copies_of(path.read_bytes())]
    assert len(found) > 40
    assert [told for copy in found if (told := difference(reader, copy))] == []


@pytest.mark.parametrize("id", BASES)
def test_messages_broken_in_many_ways(id: str, reader: Reader) -> None:
    segments = [segment.split("*") for segment in BASES[id][2]]
    assert copy_of(id, segments).ours == ""
    told = [difference(reader, copy_of(id, one)) for one in broken(segments, id)]
    assert [one for one in told if one] == []


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


def test_a_table_that_is_wrong_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were BEG05 not mandatory for pyx12, the message without it would tell us apart."""
    spoken = grammar.release("004010")
    assert spoken is not None
    files = maps.map_files(spoken)
    wrong = files["850.004010.xml"].replace('data_ele="373" usage="R" seq="05"', 'data_ele="373" usage="S" seq="05"')
    assert wrong != files["850.004010.xml"]
    monkeypatch.setattr(second_opinion, "map_files", lambda one: {**files, "850.004010.xml": wrong})
    segments = [["BEG", "00", "SA", "PO-1"], *[segment.split("*") for segment in BASES["850"][2][1:]]]
    told = difference(Reader(tmp_path), copy_of("850", segments))
    assert told == "pyx12 accepts a set that we refuse: segment 2 BEG, element 5 (date): mandatory element missing [1]"


def test_no_value_of_a_message_is_told(reader: Reader) -> None:
    secret = "REF*CT*SECRET"
    for body in ([secret + "1" * 90], ["ZZZ*SECRET"], ["REF*SECRETIVE*1"], ["DTM*002*SECRET"], ["REF*CT*\x07SECRET"]):
        copy = copy_of("850", [["BEG", "00", "SA", "PO-1", "", "20261121"], *[one.split("*") for one in body]])
        _, told = reader.opinion(copy.text, copy.release)
        assert told
        assert "SECRET" not in "".join(told)


def test_the_process_that_asks_says_nothing_else() -> None:
    raw = copy_of("850", [["BEG", "00", "SA", "PO-1", "", "20261121"], ["REF", "SECRETIVE"], ["ZZZ", "SECRET"]]).text
    asked = struct.pack("!I", len(raw)) + raw.encode()
    command = [sys.executable, "-m", "channels.second_opinion"]
    ended = subprocess.run(command, input=asked * 2, capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == ((struct.pack("!I", 2) + b"[]") * 2, b"")


def test_every_set_has_its_map() -> None:
    for name in grammar.RELEASES:
        spoken = grammar.release(name)
        assert spoken is not None
        files = maps.map_files(spoken, ["004010VICS"] if name == "004010" else [])
        assert {f"{id}.{name}.xml" for id in spoken.groups} < set(files)
        assert ('vriic="004010VICS"' in files["maps.xml"]) == (name == "004010")
