"""What mappings address: paths, scopes and loops, on a parsed message."""

from __future__ import annotations

import pytest

from channels.formats.hl7v2 import FORMAT
from channels.formats.hl7v2.tree import Message
from engine.plugin import NULL, PathError, Profile, Scope, Value

RAW = "\r".join(
    (
        r"MSH|^~\&|WARDSTOCK|WEST|HILUM|NORTH|20261121093011||OMS^O05^OMS_O05|WS-1|P|2.5.1",
        r"NTE|1|L|for all",
        r"PID|1||X900^^^WEST&1.2.3&ISO^MR~X901^^^EAST^VN||SAMPLE^ALPHA",
        r"NTE|1|L|of the patient",
        r"ZPI|VIP",
        r"PV1|1|I|W3^12^A",
        r"ORC|NW|REQ-1^WARDSTOCK||||||||||77^EXAMPLE^NURSE",
        r"TQ1|1||||||20261122",
        r"RQD|1|GLV-L^Gloves \T\ more^L|||10|BX^Box||||20261123",
        r"NTE|1|L|first",
        r"NTE|2|R|second",
        r"ZQD|1|SN-1",
        r"ORC|CA|REQ-1^WARDSTOCK",
        r'RQD|2|""|NULLED^""|SYR^""^|""|a&b&c|\X41\\H\b|',
        r"OBX|1|ST|LOT||L-1",
        r"NTE|1||on the lot",
        r"OBX|2|ST|LOT||L-2~L-3",
        "",
    )
).encode()


@pytest.fixture(scope="module")
def node() -> Message:
    opened = FORMAT.open(RAW, Profile())
    assert opened.parts[0].refusals == ()
    found: Message = opened.parts[0].node
    return found


@pytest.fixture(scope="module")
def scope() -> Scope:
    return FORMAT.structure({"message": "OMS^O05"}).scope


ROOT: list[tuple[str, str, Value]] = [
    ("MSH-1", "MSH-1", "|"),
    ("MSH-2", "MSH-2", "^~\\&"),
    ("MSH-9.2", "MSH-9.2", "O05"),
    ("MSH-10", "MSH-10", "WS-1"),
    ("PID-3", "PID-3.1", "X900"),
    ("PID-3.4", "PID-3.4", "WEST"),
    ("PID-3.4.2", "PID-3.4.2", "1.2.3"),
    ("PID-3(2).1", "PID-3(2).1", "X901"),
    ("PID-3(3).1", "PID-3(3).1", None),
    ("PID-3[5=VN].1", "PID-3[5=VN].1", "X901"),
    ("PID-3[5=XX].1", "PID-3[5=XX].1", None),
    ("PID-3.9", "PID-3.9", None),
    ("PID-30", "PID-30", None),
    ("PV2-1", "PV2-1.1", None),
    ("NTE-3", "NTE-3", "for all"),
    ("PATIENT/NTE-3", "PATIENT/NTE-3", "of the patient"),
    ("PATIENT/PID-5.2", "PID-5.2", "ALPHA"),
    ("VISIT/PV1-3", "PV1-3.1", "W3"),
    ("RQD-1", "ORDER[1]/RQD-1", "1"),
    ("ORDER(2)/RQD-1", "ORDER[2]/RQD-1", "2"),
    ("ORDER[2]/ORC-1", "ORDER[2]/ORC-1", "CA"),
    ("ORDER(3)/ORC-1", "ORDER[3]/ORC-1", None),
    ("ORDER/NTE(2)-3", "ORDER[1]/NTE[2]-3", "second"),
    ("ORDER/NTE[2=R]-3", "ORDER[1]/NTE[2=R]-3", "second"),
    ("ORDER/NTE[2=X]-3", "ORDER[1]/NTE[2=X]-3", None),
    ("ORDER(2)/OBX-5", "ORDER[2]/OBSERVATION[1]/OBX-5", "L-1"),
    ("ORDER(2)/OBSERVATION(2)/OBX-5(2)", "ORDER[2]/OBSERVATION[2]/OBX-5(2)", "L-3"),
    ("ZQD-2", "ZQD-2.1", "SN-1"),
    ("ORDER/ZQD-2", "ORDER[1]/ZQD-2.1", "SN-1"),
    ("ORDER(2)/ZQD-2", "ORDER[2]/ZQD-2.1", None),
    ("ZPI-1", "ZPI-1.1", "VIP"),
]


@pytest.mark.parametrize(("path", "spelled", "value"), ROOT)
def test_reads_paths_from_the_root(path: str, spelled: str, value: Value, node: Message, scope: Scope) -> None:
    field = scope.field(path)
    assert (field.path, field.get(node)) == (spelled, value)
    again = scope.field(field.path)
    assert (again.path, again.get(node)) == (spelled, value)


SECOND: list[tuple[str, str, Value]] = [
    ("RQD-1", "RQD-1", "2"),
    ("RQD-2", "RQD-2.1", NULL),
    ("RQD-2.2", "RQD-2.2", NULL),
    ("RQD-3", "RQD-3.1", "NULLED"),
    ("RQD-3.2", "RQD-3.2", NULL),
    ("RQD-4.1", "RQD-4.1", "SYR"),
    ("RQD-4.3", "RQD-4.3", None),
    ("RQD-5", "RQD-5", NULL),
    ("RQD-6", "RQD-6.1", "a"),
    ("RQD-6.1.3", "RQD-6.1.3", "c"),
    ("RQD-7", "RQD-7", "A\\H\\b"),
    ("RQD-8", "RQD-8", None),
    ("TQ1-7", "TIMING[1]/TQ1-7", None),
    ("PID-3", "../PID-3.1", "X900"),
    ("MSH-10", "../MSH-10", "WS-1"),
    ("PV1-3.2", "../PV1-3.2", "12"),
    ("PATIENT/NTE-3", "../PATIENT/NTE-3", "of the patient"),
    ("OBX-5", "OBSERVATION[1]/OBX-5", "L-1"),
    ("OBSERVATION(2)/OBX-5", "OBSERVATION[2]/OBX-5", "L-2"),
    ("OBSERVATION/NTE-3", "OBSERVATION[1]/NTE-3", "on the lot"),
    ("NTE-3", "NTE-3", None),
    ("ZQD-2", "ZQD-2.1", None),
    ("ZPI-1", "ZPI-1.1", "VIP"),
]


@pytest.mark.parametrize(("path", "spelled", "value"), SECOND)
def test_reads_paths_in_a_group_and_outward(path: str, spelled: str, value: Value, node: Message, scope: Scope) -> None:
    orders = scope.loop("ORDER")
    field = orders.scope.field(path)
    assert (field.path, field.get(orders.nodes(node)[1])) == (spelled, value)


def test_escapes_are_read_after_splitting(node: Message, scope: Scope) -> None:
    assert scope.field("RQD-2.2").get(node) == "Gloves & more"


def test_group_loops(node: Message, scope: Scope) -> None:
    orders = scope.loop("ORDER")
    nodes = orders.nodes(node)
    assert (orders.path, [orders.place(node, i) for i in range(len(nodes))]) == ("ORDER", ["ORDER[1]", "ORDER[2]"])
    observations = orders.scope.loop("OBSERVATION")
    assert [len(observations.nodes(order)) for order in nodes] == [0, 2]
    assert observations.place(nodes[1], 1) == "OBSERVATION[2]"
    inner = observations.scope
    second = observations.nodes(nodes[1])[1]
    assert [inner.field(path).get(second) for path in ("OBX-5", "RQD-1", "PID-5.2")] == ["L-2", "2", "ALPHA"]
    assert inner.field("PID-5.2").path == "../../PID-5.2"


def test_loops_over_groups_in_groups(node: Message, scope: Scope) -> None:
    lots = scope.loop("ORDER/OBSERVATION")
    assert [lots.place(node, i) for i in range(2)] == ["ORDER[2]/OBSERVATION[1]", "ORDER[2]/OBSERVATION[2]"]
    assert [lots.scope.field("RQD-1").get(each) for each in lots.nodes(node)] == ["2", "2"]


def test_segment_loops(node: Message, scope: Scope) -> None:
    orders = scope.loop("ORDER")
    notes = orders.scope.loop("NTE")
    first = orders.nodes(node)[0]
    found = notes.nodes(first)
    assert [notes.place(first, i) for i in range(len(found))] == ["NTE", "NTE[2]"]
    assert [notes.scope.field("NTE-3").get(each) for each in found] == ["first", "second"]
    assert [notes.scope.field("-2").get(each) for each in found] == ["L", "R"]
    assert [notes.scope.field("RQD-1").get(each) for each in found] == ["1", "1"]
    assert notes.scope.field("PID-3").get(found[0]) == "X900"
    chosen = orders.scope.loop("NTE[2=R]")
    assert [chosen.scope.field("-3").get(each) for each in chosen.nodes(first)] == ["second"]


def test_segment_loops_through_groups(node: Message, scope: Scope) -> None:
    requisitions = scope.loop("RQD")
    assert [requisitions.scope.field("RQD-1").get(each) for each in requisitions.nodes(node)] == ["1", "2"]
    assert requisitions.place(node, 1) == "ORDER[2]/RQD"
    assert [requisitions.scope.field("ORC-1").get(each) for each in requisitions.nodes(node)] == ["NW", "CA"]


def test_repetition_loops(node: Message, scope: Scope) -> None:
    ids = scope.loop("PID-3")
    found = ids.nodes(node)
    assert [ids.place(node, i) for i in range(len(found))] == ["PID-3", "PID-3(2)"]
    assert [ids.scope.field(".1").get(each) for each in found] == ["X900", "X901"]
    assert [ids.scope.field(".4.2").get(each) for each in found] == ["1.2.3", None]
    assert ids.scope.field("PID-5.2").get(found[1]) == "ALPHA"
    assert scope.loop("PID-10").nodes(node) == []
    with pytest.raises(PathError, match=r"its parts are \.1"):
        ids.scope.field("PID-3.4")


def test_leaves_are_all_values_by_canonical_path(node: Message, scope: Scope) -> None:
    structure = FORMAT.structure({"message": "OMS^O05"})
    found = dict(structure.leaves(node))
    assert found["PID-3(2).1"] == "X901"
    assert found["PID-3.4.2"] == "1.2.3"
    assert found["PATIENT/NTE-3"] == "of the patient"
    assert found["ORDER[1]/NTE[2]-3"] == "second"
    assert found["ORDER[1]/ZQD-2.1"] == "SN-1"
    assert found["ORDER[1]/TIMING[1]/TQ1-7"] == "20261122"
    assert found["ORDER[2]/OBSERVATION[2]/OBX-5(2)"] == "L-3"
    assert found["ORDER[2]/RQD-5"] == '""'
    assert "MSH-2" not in found
    for path, value in found.items():
        assert structure.scope.field(path).get(node) in (value, NULL), path


WRONG = {
    "RQX-2": ("has no RQX", "RQD"),
    "RQD-11": ("fields 1 to 10", "RQD-10"),
    "RQD-0": ("counts from 1", ""),
    "PID-3(0)": ("counts from 1", ""),
    "ORDR/RQD-1": ("has no ORDR", "ORDER"),
    "ORDER/PID-3": ("leads nowhere", ""),
    "PID/PID-3": ("has no PID", "PID"),
    "RQD": ("is not a field", ""),
    "": ("is not a field", ""),
    "rqd-1": ("is not a field", ""),
    "RQD-1.2.3.4": ("is not a field", ""),
    ".4": ("no loop over repetitions", ""),
    "-4": ("no loop over segments", ""),
    "ORDER/-3": ("is not a field", ""),
    "EVN-2": ("has no EVN", ""),
}


@pytest.mark.parametrize("path", WRONG)
def test_wrong_paths_are_told_with_the_nearest_right_word(path: str, scope: Scope) -> None:
    text, near = WRONG[path]
    with pytest.raises(PathError, match=text) as caught:
        scope.field(path)
    assert not near or near in caught.value.nearest


@pytest.mark.parametrize("path", ["ORDR", "ORDER(2)", "RQD-2.1", "EVN", "", "NTE(2)"])
def test_wrong_loops(path: str, scope: Scope) -> None:
    with pytest.raises(PathError):
        scope.loop(path)


@pytest.mark.parametrize(
    "header", [{}, {"message": ""}, {"message": "requisition"}, {"message": "OMS^O05", "structure": "OMS_O50"}]
)
def test_wrong_headers(header: dict[str, str]) -> None:
    with pytest.raises(PathError):
        FORMAT.structure(header)


def test_a_type_without_definition_has_all_segments_and_no_groups() -> None:
    raw = b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\rEVN|A01\rPID|1||X1\rNK1|1\rNK1|2\rZZ1|q\r"
    opened = FORMAT.open(raw, Profile())
    assert opened.warnings == ()
    assert opened.parts[0].refusals == ()
    structure = FORMAT.structure({"message": "ADT^A01"})
    node = opened.parts[0].node
    assert structure.scope.field("EVN-1").get(node) == "A01"
    assert structure.scope.field("NK1(2)-1").get(node) == "2"
    assert len(structure.scope.loop("NK1").nodes(node)) == 2
    with pytest.raises(PathError):
        structure.scope.field("PATIENT/PID-3")
    with pytest.raises(PathError):
        structure.scope.field("PID-99")


def test_a_local_type_may_borrow_a_structure() -> None:
    structure = FORMAT.structure({"message": "ZMS^Z05", "structure": "OMS_O05"})
    node = FORMAT.open(RAW.replace(b"OMS^O05", b"ZMS^Z05"), Profile()).parts[0].node
    assert len(structure.scope.loop("ORDER").nodes(node)) == 2


def test_other_separators_read_the_same() -> None:
    marks = bytes.maketrans(b"|^~\\&", b"#@%!$")
    node = FORMAT.open(RAW.translate(marks), Profile()).parts[0].node
    scope = FORMAT.structure({"message": "OMS^O05"}).scope
    assert scope.field("PID-3(2).4").get(node) == "EAST"
    assert scope.field("PID-3.4.2").get(node) == "1.2.3"
    assert scope.field("RQD-2.2").get(node) == "Gloves $ more"


def test_shortened_separators_split_nothing_they_do_not_have() -> None:
    raw = RAW.replace(b"^~\\&", b"^~", 1)
    node = FORMAT.open(raw, Profile()).parts[0].node
    scope = FORMAT.structure({"message": "OMS^O05"}).scope
    assert scope.field("PID-3.4").get(node) == "WEST&1.2.3&ISO"
    assert scope.field("RQD-2.2").get(node) == r"Gloves \T\ more"
