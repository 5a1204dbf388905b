"""Interchanges we write: envelopes, slots, computed counts, and values that X12 cannot carry."""

from __future__ import annotations

from typing import Any

import pytest

from channels.formats.x12 import FORMAT, write
from engine.errors import Refused
from engine.message import Slot
from engine.plugin import Envelope, Profile, TemplateKey
from tests.x12_kit import AT, envelope, filled, written

ISA13 = Slot("isa:ZZ:NORTH>ZZ:QUILL", 9)
GS06 = Slot("gs:NORTH>QUILL", 0)
ORDER = {"BEG01": "00", "BEG02": "SA", "BEG03": "PO-9", "BEG05": "20261121"}
LINE = {"PO101": "1", "PO102": "10", "PO103": "BX", "PO104": "4.5", "PO106": "VC", "PO107": "Q-100"}


def order(*lines: dict[str, str], **changed: str) -> Any:
    """An 850 with the given lines; `changed` names further top-level paths."""
    made = FORMAT.structure({"set": "850"})
    root = made.blank()
    for path, value in {**ORDER, **changed}.items():
        made.scope.field(path).put(root, value)
    loop = made.scope.loop("PO1")
    for line in lines or (LINE,):
        node = loop.new(root)
        for path, value in line.items():
            loop.scope.field(path).put(node, value)
    return root


def refused(node: Any, **options: str) -> Refused:
    with pytest.raises(Refused) as told:
        written(node, "850", **options)
    return told.value


def test_one_order_in_one_interchange() -> None:
    assert filled(written(order(), "850").body, 41) == (
        b"ISA*00*          *00*          *ZZ*NORTH          *ZZ*QUILL          *261121*0914*U*00401*000000041*0*P*>~"
        b"GS*PO*NORTH*QUILL*20261121*0914*41*X*004010~"
        b"ST*850*0001~BEG*00*SA*PO-9**20261121~PO1*1*10*BX*4.5**VC*Q-100~CTT*1~SE*5*0001~"
        b"GE*1*41~IEA*1*000000041~"
    )


def test_control_numbers_are_left_to_the_commit() -> None:
    made = written(order(), "850")
    assert made.control_id == (ISA13,)
    pair = "ZZ:NORTH>ZZ:QUILL"
    assert made.keys == (TemplateKey("interchange", (ISA13,), pair), TemplateKey("group", (GS06,), pair))
    about = (b"PO/", GS06, b"/0001")
    assert made.refs == {"997": about, "999": about, "TA1": (ISA13,)}
    assert [part for part in made.body if isinstance(part, Slot)] == [ISA13, GS06, GS06, ISA13]


def test_several_orders_share_a_group() -> None:
    made = FORMAT.envelop([order(), order(LINE, LINE)], envelope("850"))
    body = filled(made.body)
    assert b"ST*850*0002~" in body
    assert b"SE*6*0002~GE*2*7~IEA*1*000000007~" in body
    assert made.refs == {"997": (b"PO/", GS06), "999": (b"PO/", GS06), "TA1": (ISA13,)}


@pytest.mark.parametrize("options", [{}, {"element": "|", "component": "^", "after_segment": "\n"}])
def test_orders_that_waited_for_each_other(options: dict[str, str]) -> None:
    """The same interchange as if they had been written together, and what answers to each will speak of."""
    told = envelope("850", **options)
    nodes = [order(), order(LINE, LINE)]
    waited = [FORMAT.single(node, told) for node in nodes]
    made, refs = FORMAT.gather(waited, told)
    assert made.body == FORMAT.envelop(nodes, told).body
    assert (made.control_id, made.refs) == ((ISA13,), {})
    assert [one["997"] for one in refs] == [(b"PO/", GS06, b"/0001"), (b"PO/", GS06, b"/0002")]
    assert [one["TA1"] for one in refs] == [(ISA13,), (ISA13,)]


def test_one_that_waited_under_other_separators_is_not_put_in() -> None:
    waited = FORMAT.single(order(), envelope("850"))
    with pytest.raises(Refused, match="is another now than when this was written") as caught:
        FORMAT.gather([waited], envelope("850", element="|"))
    assert caught.value.code == "x12.separators"


def test_one_that_cannot_be_written_does_not_wait() -> None:
    with pytest.raises(Refused) as caught:
        FORMAT.single(order(LINE | {"PO102": "ten"}), envelope("850"))
    assert caught.value.place == "PO1[1]/PO102"
    for side in ("isa", "ZZ:" + "X" * 16), ("isa", ""):
        broken = envelope("850")._replace(theirs=dict([side]))
        with pytest.raises(Refused, match="identity"):
            FORMAT.single(order(), broken)


@pytest.mark.parametrize(
    "options",
    [
        {"element": "|", "component": "^", "segment": "~", "after_segment": "\n"},
        {"element": "\x1d", "component": "\x1f", "segment": "\n"},
        {"element": "*", "component": ":", "segment": "'", "after_segment": "\r\n"},
        {"version": "00501", "standards_id": "^", "acknowledgement_requested": "1"},
    ],
)
def test_a_partners_own_style_is_read_back(options: dict[str, str]) -> None:
    raw = filled(written(order({**LINE, "CTP04": "10", "CTP05-1": "BX"}), "850", **options).body)
    profile = Profile(theirs={"isa": "ZZ:NORTH"}, ours={"isa": "ZZ:QUILL"})
    [unit] = FORMAT.split(raw, profile)
    assert (unit.refusal, unit.facts.warnings) == (None, ())
    [part] = FORMAT.open(raw, profile).parts
    assert part.refusals == ()
    assert raw[105:107] == options.get("segment", "~").encode() + (options.get("after_segment", "") + "G")[:1].encode()


@pytest.mark.parametrize(
    "options",
    [
        {"element": ">"},
        {"element": "A"},
        {"component": "."},
        {"segment": " "},
        {"segment": ""},
        {"element": "**"},
        {"after_segment": "x"},
        {"standards_id": ""},
        {"version": "401"},
        {"version": "00501", "standards_id": "*"},
        {"acknowledgement_requested": "2"},
        {"line_ending": "\n"},
        {"charset": "klingon"},
    ],
)
def test_impossible_styles(options: dict[str, str]) -> None:
    assert refused(order(), **options).code in {"x12.separators", "x12.envelope"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"isa": "ZZ:QUILL"}),
        ({"isa": "NORTH"}, {"isa": "ZZ:QUILL"}),
        ({"isa": "ZZ:NORTH"}, {"isa": "ZZ:"}),
        ({"isa": "ZZ:" + "N" * 16}, {"isa": "ZZ:QUILL"}),
        ({"isa": "ZZ:NO*RTH"}, {"isa": "ZZ:QUILL"}),
        ({"isa": "ZZ:NORTH", "gs": "N\nX"}, {"isa": "ZZ:QUILL"}),
    ],
)
def test_identities_that_cannot_be_written(ours: dict[str, str], theirs: dict[str, str]) -> None:
    with pytest.raises(Refused, match="identity"):
        FORMAT.envelop([order()], Envelope("850", "u-1", AT, ours=ours, theirs=theirs))


@pytest.mark.parametrize(
    ("path", "value", "code", "place"),
    [
        ("PO107", "A*B", "x12.value", "PO1[1]/PO107"),
        ("PO107", "A~B", "x12.value", "PO1[1]/PO107"),
        ("PO107", "A>B", "x12.value", "PO1[1]/PO107"),
        ("PO107", "A\nB", "x12.value", "PO1[1]/PO107"),
        ("PO107", "A\x00B", "x12.value", "PO1[1]/PO107"),
        ("PO107", "Ä", "x12.value", "PO1[1]/PO107"),
        ("PO107", "\ud800", "x12.value", "PO1[1]/PO107"),
        ("PO107", "9" * 49, "x12.value", "PO1[1]/PO107"),
        ("PO106", "V", "x12.value", "PO1[1]/PO106"),
        ("PO102", "ten", "x12.value", "PO1[1]/PO102"),
        ("PO102", "1e3", "x12.value", "PO1[1]/PO102"),
        ("PO103", "Q@", "x12.value", "PO1[1]/PO103"),
        ("PO103", "Each", "x12.value", "PO1[1]/PO103"),
        ("PO109", "X", "x12.element", "PO1[1]/PO108"),
        ("PO105", "CT", "", ""),
    ],
)
def test_values_x12_cannot_carry(path: str, value: str, code: str, place: str) -> None:
    node = order({**LINE, path: value})
    if not code:
        assert written(node, "850")
        return
    told = refused(node)
    assert (told.code, told.place) == (code, place)
    assert value not in told.text


def test_separators_of_another_partner_are_plain_data() -> None:
    assert b"|A*B>C|" in filled(written(order({**LINE, "PO109": "A*B>C", "PO108": "IN", "PO110": "UK", "PO111": "1"}),
                                        "850", element="|", component="^").body)  # fmt: skip


def test_an_agreed_charset_carries_its_characters() -> None:
    body = filled(written(order({**LINE, "PID[F]05": "Größe 7"}), "850", charset="latin-1").body)
    assert "Größe 7".encode("latin-1") in body


def test_what_is_missing() -> None:
    node = order()
    node.at.pop(node.loop.index["BEG"])
    assert (refused(node).code, refused(node).place) == ("x12.structure", "BEG")
    made = FORMAT.structure({"set": "850"})
    root = made.blank()
    for path, value in ORDER.items():
        if path != "BEG05":
            made.scope.field(path).put(root, value)
    assert (refused(root).code, refused(root).place) == ("x12.element", "BEG05")


def test_no_line_and_no_totals() -> None:
    made = FORMAT.structure({"set": "850"})
    root = made.blank()
    for path, value in ORDER.items():
        made.scope.field(path).put(root, value)
    assert (refused(root).code, refused(root).place) == ("x12.structure", "PO1")


def test_the_number_of_lines_is_counted_and_the_rest_of_the_totals_kept() -> None:
    body = filled(written(order(LINE, LINE, CTT02="20", CTT01="9"), "850").body)
    assert b"CTT*2*20~" in body


def test_a_loop_with_an_opener_that_says_nothing() -> None:
    made = FORMAT.structure({"set": "850"})
    root = order()
    party = made.scope.loop("N1").new(root)
    made.scope.loop("N1").scope.field("N401").put(party, "Lakeside")
    assert refused(root).place == "N1[1]/N101"


def test_empty_elements_at_the_end_are_left_out() -> None:
    node = order({**LINE, "PO108": "IN", "PO109": "X"})
    segment = node.at[node.loop.index["PO1"]][0].at[0][0]
    segment[8] = segment[9] = ""
    assert b"VC*Q-100~" in filled(written(node, "850").body)


def test_what_was_written_is_not_changed_by_writing() -> None:
    node = order()
    assert written(node, "850") == written(node, "850")


def test_a_tree_of_another_set() -> None:
    with pytest.raises(Refused) as told:
        written(order(), "855")
    assert told.value.code == "x12.set"
    with pytest.raises(Refused):
        written(order(), "856")


def test_the_guard_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were characters not checked, a value would become structure."""
    monkeypatch.setattr(write, "_check_characters", lambda group, segment, style: None)
    raw = filled(written(order({**LINE, "PO107": "A~CUR*BY*XXX"}), "850").body)
    assert b"~CUR*BY*XXX~" in raw
