"""Structures as data, matching, and what is judged of a message's order of segments."""

from __future__ import annotations

import pytest

from channels.formats.hl7v2 import FORMAT, matching
from channels.formats.hl7v2.definitions import NOTATIONS, SEGMENTS, STRUCTURES, is_simple
from channels.formats.hl7v2.grammar import GroupDefinition, read_notation
from channels.formats.hl7v2.matching import match
from channels.formats.hl7v2.syntax import syntax
from channels.formats.hl7v2.tree import Group, Lines, Segment
from engine.plugin import Profile


def segments(names: str) -> Lines:
    return Lines(names.split(), ["\r"] * len(names.split()), syntax())


def shape(group: Group) -> str:
    """`MSH ORDER(ORC RQD)`."""
    return " ".join(
        child.id if isinstance(child, Segment) else f"{child.definition.name}({shape(child)})"
        for child in group.children
    )


def test_every_segment_of_a_structure_has_its_fields() -> None:
    for name, definition in STRUCTURES.items():
        assert definition.known <= set(SEGMENTS), name


def test_segment_tables_have_the_standards_lengths() -> None:
    assert [len(SEGMENTS[name]) for name in ("RQD", "RQ1", "MSA", "ERR", "TQ1", "PV1")] == [10, 7, 8, 12, 14, 54]
    assert is_simple("RQD", 5)
    assert not is_simple("RQD", 2)
    assert not is_simple("ZQD", 1)


def test_notation_gives_the_four_kinds_of_element() -> None:
    root = read_notation("MSH [{SFT}] [PATIENT( PID [PD1] )] {ORDER( ORC RQD )}")
    told = [(e.name, e.required, e.repeats, e.group is not None) for e in root.elements]
    assert told == [
        ("MSH", True, False, False),
        ("SFT", False, True, False),
        ("PATIENT", False, False, True),
        ("ORDER", True, True, True),
    ]


@pytest.mark.parametrize("text", ["MSH ]", "[MSH", "{ORDER( ORC }", "msh", "MSH <RQD>"])
def test_broken_notation_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_notation(text)


SHAPES = {
    "MSH PID ORC RQD": "MSH PATIENT(PID) ORDER(ORC RQD)",
    "MSH ORC RQD ORC RQD": "MSH ORDER(ORC RQD) ORDER(ORC RQD)",
    "MSH NTE PID NTE PV1 ORC TQ1 TQ1 TQ2 RQD RQ1 NTE NTE OBX NTE OBX BLG": (
        "MSH NTE PATIENT(PID NTE VISIT(PV1)) ORDER(ORC TIMING(TQ1) TIMING(TQ1 TQ2) RQD RQ1 NTE NTE "
        "OBSERVATION(OBX NTE) OBSERVATION(OBX) BLG)"
    ),
    "MSH ORC NTE RQD NTE": "MSH ORDER(ORC NTE RQD NTE)",
    "MSH ORC ZZ1 RQD ZZ2 ORC RQD": "MSH ORDER(ORC ZZ1 RQD ZZ2) ORDER(ORC RQD)",
    "MSH PID IN1 IN2 IN1 GT1 ORC RQD": "MSH PATIENT(PID INSURANCE(IN1 IN2) INSURANCE(IN1) GT1) ORDER(ORC RQD)",
}


@pytest.mark.parametrize("names", SHAPES)
def test_segments_find_their_groups(names: str) -> None:
    matched = match(STRUCTURES["OMS_O05"], segments(names))
    assert shape(matched.root) == SHAPES[names]
    assert (matched.problems, matched.unknown) == ((), False)


PROBLEMS = {
    "MSH ORC": ["ORDER[1]: RQD"],
    "MSH PID": ["ORDER"],
    "MSH ORC ORC RQD": ["ORDER[1]: RQD"],
    "MSH ORC RQD ORC": ["ORDER[2]: RQD"],
    "MSH ORC RQD PID": ["PID[1]"],
    "MSH PID PID ORC RQD": ["PID[2]"],
    "MSH ORC RQD RQ1 RQD": ["RQD[2]"],
    "MSH PID RQD ORC": ["RQD[1]", "ORDER[1]: RQD"],
    "MSH TQ1 ORC TQ2 RQD": ["TQ1[1]", "TQ2[1]"],
}


@pytest.mark.parametrize("names", PROBLEMS)
def test_missing_and_misplaced_segments_are_problems_and_stay(names: str) -> None:
    matched = match(STRUCTURES["OMS_O05"], segments(names))
    assert [problem.place for problem in matched.problems] == PROBLEMS[names]
    assert {(p.code, p.status, p.reject) for p in matched.problems} == {("hl7.structure", "100", False)}
    assert " ".join(segment.id for segment in matched.root.segments()) == names


def test_nested_problems_tell_the_whole_way() -> None:
    definition = read_notation("MSH {ORDER( ORC [{LOT( OBX NTE )}] )}")
    matched = match(definition, segments("MSH ORC ORC OBX OBX NTE"))
    assert [problem.place for problem in matched.problems] == ["ORDER[2]/LOT[1]: NTE"]


def test_unknown_segments_are_kept_and_told() -> None:
    matched = match(STRUCTURES["OMS_O05"], segments("MSH ORC QRD RQD"))
    assert (shape(matched.root), matched.unknown, matched.problems) == ("MSH ORDER(ORC QRD RQD)", True, ())


ORM = {
    "MSH PID ORC RQD RQ1 NTE": "MSH PATIENT(PID) ORDER(ORC DETAIL(RQD RQ1 NTE))",
    "MSH ORC RQD ORC RQD": "MSH ORDER(ORC DETAIL(RQD)) ORDER(ORC DETAIL(RQD))",
    "MSH ORC": "MSH ORDER(ORC)",
    "MSH ORC OBR OBX NTE OBX BLG": "MSH ORDER(ORC DETAIL(OBR OBSERVATION(OBX NTE) OBSERVATION(OBX)) BLG)",
}


@pytest.mark.parametrize("names", ORM)
def test_the_general_order_carries_requisitions(names: str) -> None:
    matched = match(STRUCTURES["ORM_O01"], segments(names))
    assert (shape(matched.root), matched.problems) == (ORM[names], ())


def test_paths_reach_requisitions_of_the_general_order() -> None:
    raw = b"MSH|^~\\&|A|B|C|D|2026||ORM^O01|1|P|2.3\rORC|NW|R-1\rRQD|1|X^^L\rORC|NW|R-1\rRQD|2\r"
    node = FORMAT.open(raw, Profile()).parts[0].node
    orders = FORMAT.structure({"message": "ORM^O01"}).scope.loop("ORDER")
    field = orders.scope.field("RQD-1")
    assert field.path == "RQD-1"
    assert [field.get(order) for order in orders.nodes(node)] == ["1", "2"]


def test_answers_have_their_structures() -> None:
    for kind, names in {"ACK^O05": "MSH MSA ERR", "ORS^O06": "MSH MSA PID ORC RQD", "ACK": "MSH MSA"}.items():
        raw = "".join(f"{name}|x\r" for name in names.split())
        raw = raw.replace("MSH|x", f"MSH|^~\\&|A|B|C|D|2026||{kind}|1|P|2.5.1")
        opened = FORMAT.open(raw.encode(), Profile())
        assert (opened.parts[0].type, opened.parts[0].refusals) == (kind, ())


def test_open_judges_and_warns() -> None:
    raw = rb"MSH|^~\&|A|B|C|D|2026||OMS^O05|7|P|2.5.1" + b"\rORC|NW\rQRD|1\r"
    opened = FORMAT.open(raw, Profile())
    part = opened.parts[0]
    assert (part.type, part.control_id, part.place) == ("OMS^O05", "7", "")
    assert [(r.code, r.status, r.place) for r in part.refusals] == [("hl7.structure", "100", "ORDER[1]: RQD")]
    assert opened.warnings == ("hl7.unknown_segment",)
    assert part.node.render() == raw


ESCAPES = {
    r"a\F\b\S\c\R\d\T\e\E\f": ("a|b^c~d&e\\f", ()),
    r"\X0D\\X0A\\X414243\ ": ("\r\nABC ", ()),
    r"\XC3A9\ ": ("é ", ()),
    r"\Q": (r"\Q", ("hl7.bad_escape",)),
    r"\X0": (r"\X0", ("hl7.bad_escape",)),
    r"\Xzz\ ": (r"\Xzz\ ", ("hl7.bad_escape",)),
    r"\X\ ": (r"\X\ ", ("hl7.bad_escape",)),
    r"\XFF\ ": (r"\XFF\ ", ("hl7.bad_escape",)),
    r"\.br\ ": (r"\.br\ ", ("hl7.kept_escape",)),
    r"\.sp+3\ ": (r"\.sp+3\ ", ("hl7.kept_escape",)),
    r"\H\bold\N\ ": (r"\H\bold\N\ ", ("hl7.kept_escape",)),
    r"\C2842\ \M2842\ ": (r"\C2842\ \M2842\ ", ("hl7.kept_escape",)),
    r"\Zlocal\ ": (r"\Zlocal\ ", ("hl7.kept_escape",)),
    r"C:\dir\file": (r"C:\dir\file", ("hl7.bad_escape",)),
    r"\P\ ": (r"\P\ ", ("hl7.bad_escape",)),
    r"\dir\F\x": (r"\dir|x", ("hl7.bad_escape",)),
    r"\.br\ \Q": (r"\.br\ \Q", ("hl7.bad_escape", "hl7.kept_escape")),
}


@pytest.mark.parametrize("text", ESCAPES)
def test_h18_escapes_are_read_or_kept_with_a_warning(text: str) -> None:
    value, warnings = ESCAPES[text]
    raw = f"MSH|^~\\&|A|B|C|D|2026||OMS^O05|7|P|2.5.1\rORC|NW\rRQD|1\rNTE|1||{text}\r".encode()
    opened = FORMAT.open(raw, Profile())
    node = opened.parts[0].node
    assert FORMAT.structure({"message": "OMS^O05"}).scope.field("ORDER/NTE-3").get(node) == value
    assert opened.warnings == warnings
    assert node.render() == raw


def test_h18_the_truncation_character_has_its_escape_where_it_is_one() -> None:
    raw = b"MSH|^~\\&#|A|B|C|D|2026||OMS^O05|7|P|2.7\rORC|NW\rRQD|1\rNTE|1||\\P\\\r"
    node = FORMAT.open(raw, Profile()).parts[0].node
    assert FORMAT.structure({"message": "OMS^O05"}).scope.field("ORDER/NTE-3").get(node) == "#"


def test_a_lost_segment_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of this page can fail: with unexpected segments dropped, the message does not render the same."""
    raw = b"MSH|^~\\&|A|B|C|D|2026||OMS^O05|7|P|2.5.1\rORC|NW\rZQD|1\rRQD|1\r"
    assert FORMAT.open(raw, Profile()).parts[0].node.render() == raw
    monkeypatch.setattr("channels.formats.hl7v2.matching._Matching.leave", lambda self, number: None)
    monkeypatch.setattr("channels.formats.hl7v2.matching._remembered", matching._matched)
    assert FORMAT.open(raw, Profile()).parts[0].node.render() != raw


def test_notations_are_read_once_into_tables() -> None:
    assert set(NOTATIONS) == set(STRUCTURES)
    assert all(isinstance(definition, GroupDefinition) for definition in STRUCTURES.values())
