"""Writing documents: what is unset leaves nothing, what cannot be written is a fault with both of its places."""

from __future__ import annotations

from typing import Any

import pytest
from mapping_kit import CONTEXT, DOCUMENT, requisition, sound, written
from test_mapping_read import PARTY, SLOTS

from engine.errors import ConfigError


def faults(text: str, fields: dict[str, Any]) -> list[tuple[str, str, str]]:
    mapping = sound(text)
    told = mapping.write(mapping.model.from_fields(fields), CONTEXT)
    assert told.node is None
    return [(problem.code, problem.status, problem.place) for problem in told.problems]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("note: {at: x}", "hello", {"x": "hello"}),
        ("note: {at: [x, y]}", "hello", {"x": "hello"}),
        ("note: {at: [x, y], join: ' '}", "a b", {"x": "a", "y": "b"}),
        ("note: {each: x, at: t, join: '; '}", "a; b", {"x": [{"t": "a"}, {"t": "b"}]}),
        ("facility: {at: x, crosswalk: unit}", "BX", {"x": "Box"}),
        ("facility: {at: x, crosswalk: unit, on_miss: skip}", "RL", {}),
        ("facility: {at: x, crosswalk: unit, on_miss: pass}", "RL", {"x": "RL"}),
        ("action: {at: x, codes: {new: [NW, RP]}}", "new", {"x": "NW"}),
        ("action: {at: x, codes: {new: NW}, on_miss: skip}", "change", {}),
        ("needed_at: x", "2026-11-21T12:30:00Z", {"x": "2026-11-21T06:30:00-06:00"}),
        ("note: {at: x, default: none}", None, {"x": None}),
        ("note: {at: x, const: always}", "hello", {"x": "always"}),
        ("note: {at: x, write: {at: y}}", "hello", {"y": "hello"}),
        ("note: {at: x, write: {when: action = 'new'}}", "hello", {"x": "hello"}),
        ("note: {at: x, write: {when: action = 'change'}}", "hello", {}),
        ("note: {at: x, only: read}", "hello", {}),
        ("case: {at: x, as: integer}", "7", {"x": "7"}),
        ("note: {at: x}", None, {"x": None}),
        ("note: {at: [x, y], join: ' '}", None, {"x": None}),
    ],
)
def test_one_value(field: str, value: Any, expected: dict[str, Any]) -> None:
    name = field.split(":", maxsplit=1)[0]
    found = written(sound(requisition(field)), {**DOCUMENT, name: value})
    assert {key: found[key] for key in found if key not in {"number", "lines"}} == expected


def test_unset_fields_leave_nothing_and_defaults_are_written() -> None:
    mapping = sound(requisition("note: note\nfacility: {at: site, default: N9}\naction: action"))
    found = written(mapping, DOCUMENT)
    assert found == {
        "number": "R1",
        "site": "N9",
        "action": "new",
        "lines": [{"number": "1", "item": [{"scheme": "buyer_part", "value": "NH-1"}], "quantity": "10", "unit": "EA"}],
    }
    assert list(found) == ["number", "site", "action", "lines"]  # the mapping's order


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("facility: {at: x, crosswalk: unit}", "RL", ("map.miss", "204", "/facility -> /x")),
        ("action: {at: x, codes: {new: NW}}", "change", ("map.unknown_code", "103", "/action -> /x")),
        ("case: {at: x, as: integer}", "1.5", ("map.value", "102", "/case -> /x")),
        ("case: {at: x, as: integer}", "C-7", ("map.value", "102", "/case -> /x")),
        ("note: {at: [x, y], join: ' '}", "a b c", ("map.value", "102", "/note -> /y")),
    ],
)
def test_a_fault_has_both_places(field: str, value: str, fault: tuple[str, str, str]) -> None:
    assert faults(requisition(field), {**DOCUMENT, field.split(":", maxsplit=1)[0]: value}) == [fault]


ORDER: dict[str, Any] = {
    "number": "P1",
    "supplier": "acme_surgical",
    "parties": [
        {"role": "requester", "name": "left out"},
        {"role": "buyer", "id": {"scheme": "duns", "value": "1"}, "address": {"lines": ["a", "b"]}},
        {"role": "ship_to", "id": {"scheme": "gln", "value": "2"}, "address": None},
    ],
    "lines": [
        {
            "number": "1",
            "item": {"ids": [{"scheme": "buyer_part", "value": "NH-1"}, {"scheme": "upn", "value": "u"}]},
            "quantity": {"value": "10.5", "unit": "EA"},
            "price": "1.50",
        }
    ],
}


def test_records_pairs_and_derived_identifiers() -> None:
    found = written(sound(PARTY), ORDER)
    assert found["parties"] == [
        {"role": "BY", "street": "a", "street2": "b"},
        {"role": "ST", "idq": "UL", "id": "2", "street": None, "city": None},
    ]
    assert found["lines"] == [{"number": "1", "q1": "IN", "v1": "NH-1", "q2": "VN", "v2": "V-1", "q": "1050", "p": 1.5}]


def test_faults_in_loops_name_the_line_of_the_document_and_of_the_message() -> None:
    line = ORDER["lines"][0]
    ids = [{"scheme": scheme, "value": "x"} for scheme in ("buyer_part", "vendor_part", "gtin", "gtin")]
    lines = [
        line,
        {**line, "number": "2", "item": {"ids": [{"scheme": "buyer_part", "value": "NH-404"}]}},
        {**line, "number": "3", "quantity": {"value": "0.001", "unit": "EA"}, "item": {"ids": ids}},
    ]
    assert faults(PARTY, {**ORDER, "lines": lines}) == [
        ("map.miss", "204", "/lines/1/item/ids -> /lines/1/v2"),
        ("map.value", "102", "/lines/2/item/ids -> /lines/2/v3"),
        ("map.value", "102", "/lines/2/quantity/value -> /lines/2/q"),
    ]


def test_too_many_places_of_an_address() -> None:
    party = {"role": "buyer", "address": {"lines": ["a", "b", "c"]}}
    assert faults(PARTY, {**ORDER, "parties": [party]}) == [
        ("map.value", "102", "/parties/0/address/lines -> /parties/0/street2")
    ]


def test_entries_go_to_the_place_of_their_constant() -> None:
    ids = [{"scheme": scheme, "value": value} for scheme, value in (("gtin", "g"), ("vendor_part", "V"))]
    ids.append({"scheme": "buyer_part", "value": "NH-1"})
    quantity = {"value": "10", "unit": "EA"}
    fields = {"number": "R1", "lines": [{"number": "1", "quantity": quantity, "item": {"ids": ids}}]}
    assert written(sound(SLOTS), fields)["lines"] == [
        {"number": "1", "local": "V-1", "vendor": "V", "q": "10", "u": "EA"}
    ]
    ids[2]["value"] = "NH-404"
    assert faults(SLOTS, fields) == [("map.miss", "204", "/lines/0/item/ids/2/value -> /lines/0/local")]


def test_loops_can_be_written_in_part() -> None:
    text = PARTY.replace("when: skip != 'yes'", "write: {when: name exists}")
    assert [party["role"] for party in written(sound(text), {**ORDER, "parties": [
        {"role": "buyer"}, {"role": "ship_to", "name": "Dock"}]})["parties"]] == ["ST"]  # fmt: skip


def test_a_document_of_several_is_written_into_its_own_entry() -> None:
    mapping = sound(requisition("note: $.note", "each: orders"))
    found = written(mapping, {**DOCUMENT, "note": "all"})
    assert found["note"] == "all"
    assert [order["number"] for order in found["orders"]] == ["R1"]


def test_a_mapping_that_only_reads_does_not_write() -> None:
    mapping = sound("only: read\n" + requisition("note: note"))
    with pytest.raises(ConfigError):
        mapping.write(mapping.model.from_fields(DOCUMENT), CONTEXT)
