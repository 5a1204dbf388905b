"""Writing messages: order by structure, values as values, MSH by envelope."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib

import pytest

from channels.formats.hl7v2 import FORMAT
from channels.formats.hl7v2.tree import Message
from channels.formats.hl7v2.writing import control_id
from engine.errors import Refused
from engine.plugin import NULL, Envelope, Null, Profile, Structure

AT = dt.datetime(2026, 11, 21, 9, 30, 5, tzinfo=dt.timezone(dt.timedelta(hours=-6)))
NAMES = {"ours": {"hl7": "HILUM|NORTH"}, "theirs": {"hl7": "WARDSTOCK^1.2.3^ISO|WEST"}}


def structure(kind: str = "OMS^O05") -> Structure:
    return FORMAT.structure({"message": kind})


def order(*values: tuple[str, str | Null]) -> Message:
    """A message of one order with a requisition line, and more values by path."""
    made = structure()
    root: Message = made.blank()
    for path, value in (("ORC-1", "NW"), ("RQD-1", "1"), *values):
        made.scope.field(path).put(root, value)
    return root


def written(root: Message, kind: str = "OMS^O05", **options: str) -> list[str]:
    enveloped = FORMAT.envelop([root], Envelope(kind, "D-1", AT, **NAMES, options=options))
    (body,) = enveloped.body
    assert isinstance(body, bytes)
    assert body.endswith(b"\r")
    return body.decode().removesuffix("\r").split("\r")


def test_the_envelope_fills_msh() -> None:
    head = written(order())[0]
    assert head == (r"MSH|^~\&|HILUM|NORTH|WARDSTOCK^1.2.3^ISO|WEST|20261121093005-0600||OMS^O05^OMS_O05|D-1|P|2.5.1")


def test_what_the_mapping_wrote_of_msh_stays() -> None:
    root = order(("MSH-3", "OWN"), ("MSH-10", "M-7"), ("MSH-12", "2.4"))
    head = written(root)[0].split("|")
    assert (head[2], head[9], head[11], head[3]) == ("OWN", "M-7", "2.4", "NORTH")


def test_the_control_id_is_told_and_findable() -> None:
    enveloped = FORMAT.envelop([order()], Envelope("OMS^O05", "D-1", AT, **NAMES))
    assert enveloped.control_id == (b"D-1",)
    assert enveloped.keys == ()  # every message is found by its control id; a key would cost it an index entry more


def test_long_ids_are_shortened_to_something_as_stable() -> None:
    long = "0" * 36
    assert control_id(long, "2.7") == long
    assert len(control_id(long, "2.5.1")) == 20
    assert control_id(long, "2.5.1") == control_id(long, "2.3") != control_id("1" + long, "2.5.1")
    assert control_id("x" * 20, "2.5.1") == "x" * 20
    digest = hashlib.sha256(long.encode()).digest()
    assert control_id(long, "2.5.1") == base64.b32encode(digest).decode()[:20]


def test_an_envelope_leaves_the_tree_as_it_is() -> None:
    root = order()
    for identity in ("D-1", "D-2"):
        assert FORMAT.envelop([root], Envelope("OMS^O05", identity, AT)).control_id == (identity.encode(),)


@pytest.mark.parametrize(
    ("kind", "version", "field"),
    [
        ("OMS^O05", "2.5.1", "OMS^O05^OMS_O05"),
        ("OMS^O05^OMS_O05", "2.5.1", "OMS^O05^OMS_O05"),
        ("ORM^O01", "2.3", "ORM^O01"),
        ("ADT^A01", "2.5.1", "ADT^A01"),
    ],
)
def test_message_types(kind: str, version: str, field: str) -> None:
    made = FORMAT.structure({"message": "ADT^A01"})
    root = made.blank()
    made.scope.field("EVN-1").put(root, "x")
    assert written(root, kind, version=version)[0].split("|")[8] == field


def test_segments_stand_in_the_structures_order_whatever_came_first() -> None:
    made = structure()
    root = made.blank()
    orders = made.scope.loop("ORDER")
    for number in ("1", "2"):
        node = orders.new(root)
        for path in ("OBX-5", "NTE-3", "RQ1-1", "RQD-1", "TQ1-7", "ORC-1"):
            orders.scope.field(path).put(node, number)
    for path in ("PV1-2", "PID-3", "NTE-3", "MSH-8", "PATIENT/NTE-3"):
        made.scope.field(path).put(root, "x")
    names = [line[:3] for line in written(root)]
    assert " ".join(names) == "MSH NTE PID NTE PV1 ORC TQ1 RQD RQ1 NTE OBX ORC TQ1 RQD RQ1 NTE OBX"
    body = "\r".join(written(root)).encode()
    assert FORMAT.open(body, Profile()).parts[0].refusals == ()


def test_z_segments_end_the_group_they_are_written_to() -> None:
    made = structure()
    root = made.blank()
    made.scope.field("ZZA-1").put(root, "root")
    orders = made.scope.loop("ORDER")
    for number in ("1", "2"):
        node = orders.new(root)
        for path in ("ORC-1", "ZZA-1", "RQD-1"):
            orders.scope.field(path).put(node, number)
    assert [line for line in written(root) if line[:3] != "MSH"] == [
        "ORC|1", "RQD|1", "ZZA|1", "ORC|2", "RQD|2", "ZZA|2", "ZZA|root",
    ]  # fmt: skip


def test_a_type_without_definition_is_written_in_the_order_put() -> None:
    made = structure("ADT^A01")
    root = made.blank()
    for path in ("EVN-1", "PID-1", "NK1-1", "MSH-8", "NK1(2)-1"):
        made.scope.field(path).put(root, "x")
    assert [line[:3] for line in written(root, "ADT^A01")] == ["MSH", "EVN", "PID", "NK1", "NK1"]


def test_loops_write_segments_and_repetitions() -> None:
    made = structure()
    root = order()
    orders = made.scope.loop("ORDER")
    node = orders.nodes(root)[0]
    notes = orders.scope.loop("NTE")
    for text in ("one", "two"):
        notes.scope.field("NTE-3").put(notes.new(node), text)
    ids = made.scope.loop("PID-3")
    for number, system in (("X1", "WEST"), ("X2", "EAST")):
        child = ids.new(root)
        ids.scope.field(".1").put(child, number)
        ids.scope.field(".4.2").put(child, system)
    assert written(root)[1:] == ["PID|||X1^^^&WEST~X2^^^&EAST", "ORC|NW", "RQD|1", "NTE|||one", "NTE|||two"]


def test_selections_are_written_as_what_selects_them() -> None:
    root = order(("ORDER/NTE[2=R]-3", "why"), ("PID-3[5=MR].1", "X1"), ("PID-3[5=VN].1", "X2"), ("PID-3[5=MR].4", "W"))
    assert written(root)[1:] == ["PID|||X1^^^W^MR~X2^^^^VN", "ORC|NW", "RQD|1", "NTE||R|why"]


def test_occurrences_are_made_up_to_the_one_written() -> None:
    root = order(("ORDER(2)/ORC-1", "CA"), ("ORDER(2)/RQD-1", "2"), ("ORDER/NTE(2)-3", "second"))
    made = structure().scope.field("ORDER/NTE(2)-3")
    assert made.get(root) == "second"
    assert [line[:3] for line in written(root)] == ["MSH", "ORC", "RQD", "NTE", "ORC", "RQD"]


def test_null_is_written_as_two_quotes_and_two_quotes_as_a_value() -> None:
    root = order(("RQD-5", NULL), ("RQD-2.2", '""'))
    line = written(root)[2]
    assert line == 'RQD|1|^\\X22\\\\X22\\|||""'
    node = FORMAT.open("\r".join(written(root)).encode(), Profile()).parts[0].node
    assert structure().scope.field("RQD-2.2").get(node) == '""'
    assert structure().scope.field("RQD-5").get(node) is NULL


def test_a_value_over_a_null_replaces_it() -> None:
    root = order(("RQD-2", NULL))
    structure().scope.field("RQD-2.2").put(root, "text")
    assert written(root)[2] == "RQD|1|^text"


def test_values_never_become_structure() -> None:
    root = order(("RQD-2.2", "a|b^c~d\\e&f\rMSH|^~\\&|x\n\x0b\x1c"))
    lines = written(root)
    assert len(lines) == 3
    assert lines[2] == r"RQD|1|^a\F\b\S\c\R\d\E\e\T\f\X0D\MSH\F\\S\\R\\E\\T\\F\x\X0A\\X0B\\X1C" + "\\"


def test_other_separators_and_charset() -> None:
    root = order(("RQD-2.2", "Größe & #1"), ("PID-3.4.2", "n"), ("RQD-5", NULL))
    envelope = Envelope("OMS^O05", "D-1", AT, options={"separators": "#@~!%", "charset": "8859/1", "version": "2.3.1"})
    (body,) = FORMAT.envelop([root], envelope).body
    assert isinstance(body, bytes)
    lines = body.decode("latin-1").split("\r")
    assert lines[0].startswith("MSH#@~!%#")
    assert lines[0].split("#")[17] == "8859/1"
    assert lines[1:4] == ["PID###@@@%n", "ORC#NW", 'RQD#1#@Größe & !F!1###""']
    node = FORMAT.open(body, Profile()).parts[0].node
    assert structure().scope.field("RQD-2.2").get(node) == "Größe & #1"


def test_the_truncation_character_is_escaped_where_it_is_one() -> None:
    lines = written(order(("RQD-2.2", "a#b")), separators="|^~\\&#")
    assert lines[2] == r"RQD|1|^a\P\b"
    assert written(order(("RQD-2.2", "a#b")))[2] == "RQD|1|^a#b"


def test_utf_8_is_named_when_it_is_needed() -> None:
    assert written(order(("RQD-2.2", "Größe")))[0].split("|")[17] == "UNICODE UTF-8"
    assert len(written(order())[0].split("|")) == 12


REFUSED = {
    "no character for it": ((("RQD-2.2", "Ж"),), {"charset": "8859/1"}, "hl7.charset", "RQD[1]-2"),
    "a lone surrogate": ((("RQD-2.2", "\ud800"),), {}, "hl7.charset", "RQD[1]-2"),
    "no character for it in MSH": ((("MSH-3", "Ж"),), {"charset": "ASCII"}, "hl7.charset", "MSH[1]-3"),
    "charset unknown": ((), {"charset": "KLINGON"}, "hl7.charset", "MSH-18"),
    "separators too few": ((), {"separators": "|^~"}, "hl7.header", "MSH-2"),
    "separators that headers need": ((), {"separators": "|-~\\&"}, "hl7.header", "MSH-2"),
    "separators the same": ((), {"separators": "|^^\\&"}, "hl7.header", "MSH-2"),
    "an order without its line": ((("ORDER(2)/ORC-1", "NW"),), {}, "hl7.structure", "ORDER[2]: RQD"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_refused_at_its_place(case: str) -> None:
    values, options, code, place = REFUSED[case]
    with pytest.raises(Refused) as caught:
        FORMAT.envelop([order(*values)], Envelope("OMS^O05", "D-1", AT, options=options))
    assert (caught.value.code, caught.value.place) == (code, place)


def test_separators_are_not_a_mappings_to_write() -> None:
    field = structure().scope.field("MSH-2")
    with pytest.raises(Refused):
        field.put(order(), "^~")


def test_one_message_goes_in_one_delivery() -> None:
    with pytest.raises(Refused):
        FORMAT.envelop([order(), order()], Envelope("OMS^O05", "D-1", AT))


def test_a_received_message_can_be_written_to_and_keeps_the_rest() -> None:
    raw = b"MSH|^~\\&|A|B|C|D|2026||OMS^O05|1|P|2.5.1\nORC|NW\nRQD|1|x^\\Q^~|\nZQD|1"
    node = FORMAT.open(raw, Profile()).parts[0].node
    made = structure()
    made.scope.field("RQD-5").put(node, "7")
    made.scope.field("PID-3").put(node, "X1")
    made.scope.field("ORDER/NTE-3").put(node, "added")
    assert node.render() == (
        b"MSH|^~\\&|A|B|C|D|2026||OMS^O05|1|P|2.5.1\nPID|||X1\rORC|NW\nRQD|1|x^\\Q^~|||7\nNTE|||added\rZQD|1"
    )


def test_a_value_that_needs_escapes_is_refused_where_there_are_none() -> None:
    raw = b"MSH|^~|A|B|C|D|2026||OMS^O05|1|P|2.5.1\rORC|NW\rRQD|1\r"
    node = FORMAT.open(raw, Profile()).parts[0].node
    with pytest.raises(Refused):
        structure().scope.field("RQD-2.2").put(node, "a|b")
