"""Paths and loops that a mapping names: what they read, what they write, and which words are nearest to wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from channels.formats.x12 import FORMAT
from engine.errors import Refused
from engine.plugin import NULL, PathError, Structure
from tests.x12_kit import ACK, BAK, LINE, filled, opened, segments, with_855, written

BODY = (
    BAK,
    "REF*DP*OR-1",
    "REF*CT*C-77",
    "DTM*002*20261201",
    "N9*ZZ*1",
    "MSG*first",
    "MSG*second",
    "N1*BY*Lakeside*92*LAKE",
    "N1*ST*Ward 4*UL*0000000000017",
    "N3*Dock 2*Gate C",
    "N4*Lakeside*WI*53000",
    LINE,
    "CTP***4.5*10*BX>2",
    "PID*F****Gloves",
    "PID*S****Other",
    ACK,
    "DTM*067*20261126",
    "ACK*IB*4*BX",
    "PO1*2*3*EA",
    "SLN*1**I*5*EA>10",
    "CTT*2",
)


def structure(id: str = "855") -> Structure:
    return FORMAT.structure({"set": id, "release": "004010"})


@pytest.fixture
def node() -> Any:
    [part] = opened(with_855(*BODY)).parts
    assert part.refusals == ()
    return part.node


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("BAK03", "PO-7001"),
        ("REF02", "OR-1"),
        ("REF[CT]02", "C-77"),
        ("REF[01=CT]02", "C-77"),
        ("REF[02=C-77]01", "CT"),
        ("REF[ZZ]02", None),
        ("DTM[002]02", "20261201"),
        ("N1[ST]04", "0000000000017"),
        ("N1[03=92]04", "LAKE"),
        ("N1[ST,03=92]04", None),
        ("CTT01", "2"),
        ("CUR02", None),
        ("BAK09", None),
    ],
)
def test_values_of_the_top_level(node: Any, path: str, value: str | None) -> None:
    assert structure().scope.field(path).get(node) == value


def test_paths_are_told_in_one_spelling() -> None:
    scope = structure().scope
    assert scope.field("REF[01=CT]02").path == "REF[CT]02"
    assert scope.field("N1[ST,03=92]04").path == "N1[ST,03=92]04"
    assert scope.loop("N1[01=ST]").path == "N1[ST]"


def test_loops_and_what_is_inside_them(node: Any) -> None:
    lines = structure().scope.loop("PO1")
    [first, second] = lines.nodes(node)
    assert [lines.place(node, at) for at in (0, 1)] == ["PO1[1]", "PO1[2]"]
    read = lines.scope.field
    assert [read(path).get(first) for path in ("PO101", "PO107", "PID[F]05", "BAK03", "REF[CT]02")] == [
        "1", "Q-100", "Gloves", "PO-7001", None,
    ]  # fmt: skip
    assert read("CTP05-1").get(first) == "BX"
    assert read("CTP05-2").get(first) == "2"
    assert read("PO102").get(second) == "3"
    answers = lines.scope.loop("ACK")
    told = [
        (answers.scope.field("ACK01").get(one), answers.scope.field("PO101").get(one)) for one in answers.nodes(first)
    ]
    assert told == [("IA", "1"), ("IB", "1")]
    assert answers.scope.field("DTM02").get(answers.nodes(first)[0]) == "20261126"
    assert answers.scope.field("BAK03").get(answers.nodes(first)[1]) == "PO-7001"
    [subline] = lines.scope.loop("SLN").nodes(second)
    assert lines.scope.loop("SLN").scope.field("SLN05-1").get(subline) == "EA"


def test_a_selected_loop_counts_among_all(node: Any) -> None:
    parties = structure().scope.loop("N1[ST]")
    [ship_to] = parties.nodes(node)
    assert parties.place(node, 0) == "N1[2]"
    assert [parties.scope.field(path).get(ship_to) for path in ("N301", "N302", "N403")] == [
        "Dock 2",
        "Gate C",
        "53000",
    ]


def test_repeating_segments_are_loops_too(node: Any) -> None:
    references = structure().scope.loop("REF")
    found = references.nodes(node)
    assert [references.scope.field("REF02").get(one) for one in found] == ["OR-1", "C-77"]
    assert references.place(node, 1) == "REF[2]"
    assert [references.scope.field("BAK03").get(one) for one in found] == ["PO-7001", "PO-7001"]
    notes = structure().scope.loop("N9")
    texts = notes.scope.loop("MSG")
    assert [texts.scope.field("MSG01").get(one) for one in texts.nodes(notes.nodes(node)[0])] == ["first", "second"]


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("BEG03", None),
        ("BAC03", "BAK03"),
        ("BAK11", "BAK10"),
        ("BAK00", "BAK10"),
        ("ZZZ01", None),
        ("bak03", None),
        ("BAK3", "BAK03"),
        ("BAK03-1", None),
        ("REF04", "REF04-1"),
        ("REF[CT02", None),
        ("REF[1=CT]02", None),
        ("REF[99=CT]02", None),
        ("MSG01", None),
        ("N301", None),
        ("", None),
    ],
)
def test_wrong_paths(path: str, nearest: str | None) -> None:
    with pytest.raises(PathError) as told:
        structure().scope.field(path)
    assert nearest is None or nearest in told.value.nearest


def test_a_segment_of_an_inner_loop_is_told_with_its_loop() -> None:
    with pytest.raises(PathError, match="inside the loop PO1"):
        structure().scope.field("ACK01")


@pytest.mark.parametrize("path", ["BAK", "P01", "ACK", "PO1*", "CUR", ""])
def test_wrong_loops(path: str) -> None:
    with pytest.raises(PathError):
        structure().scope.loop(path)
    with pytest.raises(PathError, match="no loop"):
        structure().scope.loop("PO2")


def test_wrong_sets() -> None:
    for header, told in (
        ({"set": "846"}, "no X12 set '846'"),
        ({}, "no X12 set ''"),
        ({"set": "850", "release": "003040"}, "release '003040' is not known"),
        ({"set": "850", "release": "004010VICS"}, "is not known"),
        ({"set": "999"}, "X12 004010 has no set 999"),
    ):
        with pytest.raises(PathError, match=told):
            FORMAT.structure(header)
    assert structure("850").type == "850"


def test_an_opener_is_selected_at_the_loop() -> None:
    with pytest.raises(PathError, match="select at `each:`"):
        structure().scope.loop("N1").scope.field("N1[ST]04")


# --- writing ---------------------------------------------------------------------------------------------------------
PUTS = [
    ("BEG05", "20261121"),
    ("BEG03", "PO-9"),
    ("BEG01", "00"),
    ("BEG02", "SA"),
    ("DTM[002]02", "20261201"),
    ("REF[DP]02", "OR-1"),
    ("REF[CT]02", "C-77"),
    ("N1[ST]03", "92"),
    ("N1[ST]04", "LAKE"),
    ("CUR[BY]02", "USD"),
]
LINE_PUTS = [
    ("PID[F]05", "Gloves"),
    ("PO103", "BX"),
    ("PO102", "10"),
    ("CTP05-2", "2"),
    ("CTP05-1", "BX"),
    ("CTP04", "10"),
    ("PO101", "1"),
]


@pytest.mark.parametrize("backwards", [False, True])
def test_writing_places_segments_whatever_the_order_of_calls(backwards: bool) -> None:
    made = structure("850")
    root = made.blank()
    lines = made.scope.loop("PO1")
    step = -1 if backwards else 1
    for path, value in PUTS[::step]:
        made.scope.field(path).put(root, value)
    line = lines.new(root)
    for path, value in LINE_PUTS[::step]:
        lines.scope.field(path).put(line, value)
    body = segments(filled(written(root, "850").body))[3:-4]
    references = ["REF*DP*OR-1", "REF*CT*C-77"][::step]
    assert body == [
        "BEG*00*SA*PO-9**20261121", "CUR*BY*USD", *references, "DTM*002*20261201", "N1*ST**92*LAKE", "PO1*1*10*BX",
        "CTP****10*BX>2", "PID*F****Gloves", "CTT*1",
    ]  # fmt: skip


def test_loops_that_are_written() -> None:
    made = structure("850")
    root = made.blank()
    for path, value in PUTS[:4]:
        made.scope.field(path).put(root, value)
    notes = made.scope.loop("N9[ZZ]")
    note = notes.new(root)
    notes.scope.field("N902").put(note, "1")
    texts = notes.scope.loop("MSG")
    for words in ("first", "second"):
        texts.scope.field("MSG01").put(texts.new(note), words)
    made.scope.loop("PO1").new(root)
    line = made.scope.loop("PO1").new(root)
    made.scope.loop("PO1").scope.field("PO101").put(line, "1")
    made.scope.loop("PO1").scope.loop("N1").new(line)
    body = segments(filled(written(root, "850").body))[3:-4]
    assert body[1:] == ["N9*ZZ*1", "MSG*first", "MSG*second", "PO1*1", "CTT*1"]
    assert made.scope.loop("PO1").place(root, 1) == "PO1[2]"


def test_a_path_outwards_writes_there() -> None:
    made = structure("850")
    root = made.blank()
    lines = made.scope.loop("PO1")
    lines.scope.field("BEG03").put(lines.new(root), "PO-9")
    assert made.scope.field("BEG03").get(root) == "PO-9"


def test_nothing_is_written_for_null_or_an_empty_text() -> None:
    made = structure("850")
    root = made.blank()
    made.scope.field("REF[CT]02").put(root, NULL)
    made.scope.field("REF[CT]02").put(root, "")
    assert root.at == {}


def test_leaves_name_every_value_once(node: Any) -> None:
    leaves = list(structure().leaves(node))
    assert len({path for path, _ in leaves}) == len(leaves)
    told = dict(leaves)
    assert told["BAK03"] == "PO-7001"
    assert told["REF[CT]02"] == "C-77"
    assert told["N1[2]/N302"] == "Gate C"
    assert told["PO1[1]/CTP05-2"] == "2"
    assert (told["N9[1]/MSG01"], told["N9[1]/MSG[2]/MSG01"]) == ("first", "second")
    assert told["PO1[1]/ACK[1]/DTM02"] == "20261126"
    assert told["PO1[2]/SLN[1]/SLN05-2"] == "10"


def test_a_product_id_is_found_behind_its_qualifier_in_whichever_pair(node: Any) -> None:
    lines = structure().scope.loop("PO1")
    [first, _] = lines.nodes(node)
    assert lines.scope.field("PO1[*=VC]").get(first) == "Q-100"
    assert lines.scope.field("PO1[*=SN]").get(first) is None
    blank = structure().blank()
    line = lines.new(blank)
    for path, value in (("PO106", "VC"), ("PO107", "Q-1"), ("PO1[*=SN]", "S-9"), ("PO1[*=SN]", "S-10"), ("PO101", "1")):
        lines.scope.field(path).put(line, value)
    lines.scope.field("PO1[*=LT]").put(line, "L-7")
    [(_, segment)] = [*line.walk()]
    assert segment == ["PO1", "1", "", "", "", "", "VC", "Q-1", "SN", "S-10", "LT", "L-7"]


def test_a_product_id_that_has_no_room_is_refused() -> None:
    lines = structure().scope.loop("PO1")
    line = lines.new(structure().blank())
    for number in range(10):
        lines.scope.field(f"PO1[*=A{number}]").put(line, "x")
    with pytest.raises(Refused) as refused:
        lines.scope.field("PO1[*=LT]").put(line, "L-7")
    assert refused.value.code == "map.value"


def test_a_path_may_begin_further_out(node: Any) -> None:
    lines = structure().scope.loop("PO1")
    [first, _] = lines.nodes(node)
    answers = lines.scope.loop("ACK")
    [answer, _] = answers.nodes(first)
    assert answers.scope.field("DTM02").get(answer) == "20261126"
    assert lines.scope.field("DTM02").get(first) is None
    assert lines.scope.field("../DTM02").get(first) == "20261201"
    assert answers.scope.field("../../DTM[002]02").get(answer) == "20261201"
    assert answers.scope.field("../../DTM[002]02").path == "../../DTM[002]02"
    with pytest.raises(PathError):
        structure().scope.field("../DTM02")
