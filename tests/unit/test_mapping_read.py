"""Reading documents: codecs, tables, lists, presence, and every fault at its place without its value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from mapping_kit import BODY, CONTEXT, DOCUMENT, LINE, fields_of, node_of, read, requisition, sound, written

from engine.errors import ConfigError
from engine.mapping import Context, translate
from engine.mapping.run import BAD


def faults(fields: str, body: dict[str, Any], head: str = "") -> list[tuple[str, str, str]]:
    result = read(sound(requisition(fields, head)), {**BODY, **body})
    assert result.documents == ()
    for problem in result.problems:
        assert "SECRET" not in f"{problem} {problem.hint}"
    return [(problem.code, problem.status, problem.place) for problem in result.problems]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("note: {at: x}", "hello", "hello"),
        ("note: {at: [x, y]}", "hello", "hello"),
        ("note: {at: [w, x]}", "hello", "hello"),
        ("note: {at: [w, x], join: ' '}", "hello", "hello"),
        ("note: {at: [x, number], join: ' '}", "hello", "hello R1"),
        ("note: {each: x, at: t, join: '; '}", [{"t": "a"}, {}, {"t": "b"}], "a; b"),
        ("facility: {at: x, crosswalk: unit}", "Box", "BX"),
        ("action: {at: x, codes: {new: [NW, RP], change: XO}}", "RP", "new"),
        ("needed_at: {at: x}", "20261121", dt.datetime(2026, 11, 21, 6, tzinfo=dt.UTC)),
        ("needed_at: {at: x}", "202611210730-0500", dt.datetime(2026, 11, 21, 12, 30, tzinfo=dt.UTC)),
        ("needed_at: {at: x}", "2026-11-21T07:30:00.25Z", dt.datetime(2026, 11, 21, 7, 30, 0, 250_000, dt.UTC)),
        ("needed_at: {at: x}", "20260701093000", dt.datetime(2026, 7, 1, 14, 30, tzinfo=dt.UTC)),
        ("note: {at: w, default: nothing said}", None, "nothing said"),
        ("note: {const: always}", "never", "always"),
        ("note: {at: x, when: 'number = \"R1\"'}", "here", "here"),
        ("case: {at: x, as: integer}", "007", "7"),
        ("note: {at: x, read: {at: number}}", "hello", "R1"),
        ("action: {at: x, codes: {new: NW}, on_miss: default, default: change}", "ZZ", "change"),
    ],
)
def test_one_value(field: str, value: Any, expected: object) -> None:
    name = field.split(":", maxsplit=1)[0]
    assert fields_of(sound(requisition(field)), {**BODY, "x": value})[name] == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("note: {at: w}", "hello"),
        ("note: {at: x, when: 'number = \"R2\"'}", "hello"),
        ("note: {at: x, only: write}", "hello"),
        ("action: {at: x, codes: {new: NW}, on_miss: skip}", "ZZ"),
        ("facility: {at: x, crosswalk: unit, on_miss: skip}", "Barrel"),
        ("note: {each: x, at: t, join: ' '}", []),
    ],
)
def test_nothing_there_leaves_the_field_unset(field: str, value: Any) -> None:
    assert field.split(":", maxsplit=1)[0] not in fields_of(sound(requisition(field)), {**BODY, "x": value})


def test_what_a_sender_deletes_is_none_and_what_it_omits_is_unset() -> None:
    mapping = sound(requisition("note: note\nfacility: {at: [facility, site]}\ncase: case\naction: action"))
    found = fields_of(mapping, {**BODY, "note": None, "facility": None, "site": "N1", "action": None})
    assert found["note"] is None
    assert found["facility"] == "N1"  # a deletion counts only where nothing else stands
    assert "case" not in found
    assert "action" not in found  # it cannot be nothing, so the model's own default stays


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("needed_at: x", "tomorrow SECRET", ("map.value", "102", "/x")),
        ("needed_at: x", "20261341", ("map.value", "102", "/x")),
        ("needed_at: x", "20261121+2460", ("map.value", "102", "/x")),
        ("needed_at: x", "2026-11-21", ("map.value", "102", "/x")),
        ("action: {at: x, codes: {new: NW}}", "SECRET", ("map.unknown_code", "103", "/x")),
        ("action: x", "SECRET", ("map.document", "102", "/x")),
        ("facility: {at: x, crosswalk: unit}", "SECRET", ("map.miss", "204", "/x")),
        ("facility: {at: x, crosswalk: ghost}", "SECRET", ("map.miss", "204", "/x")),
        ("facility: {at: [w, x], crosswalk: unit}", "SECRET", ("map.miss", "204", "/x")),
        ("facility: x", "SECRET" * 20, ("map.document", "102", "/x")),
        ("facility: x", "", ("map.document", "102", "/x")),
        ("note: {each: x, at: t, join: ' '}", [{"t": "a"}, {"t": []}], ("json.type", "422", "/x")),
        ("note: x", ["SECRET"], ("json.type", "422", "/x")),
    ],
)
def test_a_fault_has_code_status_and_place(field: str, value: Any, fault: tuple[str, str, str]) -> None:
    assert faults(field, {"x": value}) in ([fault], [(fault[0], fault[1], "/t")])


def test_a_miss_names_the_table_and_its_file() -> None:
    [problem] = read(sound(requisition("facility: {at: x, crosswalk: unit}")), {**BODY, "x": "Barrel"}).problems
    assert "'unit' (config/crosswalks/u.csv)" in problem.text
    assert "config/crosswalks/u.csv" in problem.hint
    assert "Barrel" not in str(problem)


def test_all_faults_of_a_message_are_told_with_their_loops() -> None:
    lines = [
        LINE,
        {"number": "2", "item": [{"scheme": "upc", "value": "x"}], "quantity": "ten", "unit": "EA"},
        {"item": [], "quantity": "1"},
        {"number": "4" * 90, "quantity": "1e3", "unit": "EA"},
    ]
    assert faults("note: note\nneeded_at: when", {"lines": lines, "when": "?", "note": "ok"}) == [
        ("map.value", "102", "/when"),
        ("map.value", "102", "/lines/1/quantity"),
        ("map.missing", "101", "/lines/2/unit"),
        ("map.missing", "101", "/lines/2/number"),
        ("map.value", "102", "/lines/3/quantity"),
        ("map.document", "102", "/lines/1/item/0/scheme"),
        ("map.document", "102", "/lines/3/number"),
    ]


def test_one_missing_value_is_one_fault() -> None:
    assert faults("note: note", {"lines": [{"number": "1", "item": []}]}) == [
        ("map.missing", "101", "/lines/0/quantity"),
        ("map.missing", "101", "/lines/0/unit"),
    ]
    assert faults("note: note", {"number": None}) == [("map.missing", "101", "/number")]


@pytest.mark.parametrize(
    "quantity", ["NaN", "Infinity", "1e5", "1_000", "0x10", "", " 5", "\u0665", "--5", ".", "9" * 40]
)
def test_a_quantity_is_a_plain_number(quantity: str) -> None:
    [fault] = faults("note: note", {"lines": [{**LINE, "quantity": quantity}]})
    assert fault == ("map.value", "102", "/lines/0/quantity")


@pytest.mark.parametrize(("quantity", "value"), [("10", "10"), ("+1.50", "1.50"), ("-0.5", "-0.5"), (".5", "0.5")])
def test_numbers_are_exact(quantity: str, value: str) -> None:
    found = fields_of(sound(requisition("note: note")), {**BODY, "lines": [{**LINE, "quantity": quantity}]})
    assert found["lines"][0]["quantity"]["value"] == Decimal(value)


PARTY = """\
document: purchase_order
format: json
fields:
  number: number
  supplier: {const: acme_surgical}
  parties:
    each: parties
    when: skip != 'yes'
    role: {at: role, codes: {buyer: BY, ship_to: [ST, MA]}, on_miss: skip}
    id: {scheme: {at: idq, codes: {gln: UL}, on_miss: skip}, value: id}
    name: name
    address.lines: [street, street2]
    address.city: city
  lines:
    each: lines
    number: number
    item.ids:
      pairs: [q1, v1, q2, v2, q3, v3]
      codes: {vendor_part: [VN, VC], buyer_part: IN, gtin: UK}
      derive: {add: vendor_part, from: buyer_part, crosswalk: item}
    quantity: {value: {at: q, as: decimal2}, unit: {const: EA}}
    price: {at: p, as: number}
"""


def order(**body: Any) -> dict[str, Any]:
    line = {"number": "1", "q": "1050", "p": 2.50, **body.pop("line", {})}
    return fields_of(sound(PARTY), {"number": "P1", "lines": [line], **body})


def test_an_unlisted_role_leaves_the_party_out_and_an_unlisted_scheme_the_id() -> None:
    found = order(
        parties=[
            {"role": "MA", "idq": "UL", "id": "1", "name": "Dock"},
            {"role": "ZZ", "name": "nobody"},
            {"role": "BY", "idq": "92", "id": "2", "street": "1 Way", "street2": "Unit 2", "city": "Ames"},
            {"role": "BY", "skip": "yes"},
            {"role": "BY", "name": None},
        ]
    )
    assert found["parties"] == (
        {"role": "ship_to", "id": {"scheme": "gln", "value": "1"}, "name": "Dock"},
        {"role": "buyer", "address": {"lines": ("1 Way", "Unit 2"), "city": "Ames"}},
        {"role": "buyer", "name": None},
    )


def test_pairs_stand_in_any_order_and_the_first_of_two_counts() -> None:
    found = order(line={"q1": "VC", "v1": "V-9", "q2": "ZZ", "v2": "z", "q3": "IN", "v3": "NH-9"})
    assert found["lines"][0]["item"]["ids"] == (
        {"scheme": "vendor_part", "value": "V-9"},
        {"scheme": "buyer_part", "value": "NH-9"},
    )
    found = order(line={"q1": "VC", "v1": "V-1", "q2": "VN", "v2": "V-2", "q3": "IN", "v3": "NH-1"})
    assert found["lines"][0]["item"]["ids"][0]["value"] == "V-1"


def test_a_missing_own_number_is_derived_from_the_vendors() -> None:
    found = order(line={"q1": "VN", "v1": "V-1"})
    assert found["lines"][0]["item"]["ids"][1] == {"scheme": "buyer_part", "value": "NH-1"}
    body = {"number": "P1", "lines": [{"number": "1", "q": "1", "q1": "VN", "v1": "V-404"}]}
    [problem] = read(sound(PARTY), body).problems
    assert (problem.code, problem.place) == ("map.miss", "/lines/0/v1")


def test_implied_decimals_constants_and_json_numbers() -> None:
    line = order()["lines"][0]
    assert line["quantity"] == {"value": Decimal("10.50"), "unit": "EA"}
    assert str(line["price"]) == "2.5"  # json.dumps wrote 2.5


SLOTS = """\
document: requisition
format: json
fields:
  number: number
  lines:
    each: lines
    number: number
    item.ids:
      - {scheme: {const: buyer_part}, value: {at: [local, other], crosswalk: item}}
      - {scheme: {const: vendor_part}, value: vendor}
    quantity: {value: q, unit: u}
"""


def test_entries_at_fixed_places_are_there_when_their_value_is() -> None:
    line = {"number": "1", "q": "1", "u": "EA"}
    assert fields_of(sound(SLOTS), {"number": "1", "lines": [{**line, "other": "V-1"}]})["lines"][0]["item"] == {
        "ids": ({"scheme": "buyer_part", "value": "NH-1"},)
    }
    assert fields_of(sound(SLOTS), {"number": "1", "lines": [line]})["lines"][0]["item"] == {}
    [problem] = read(sound(SLOTS), {"number": "1", "lines": [{**line, "local": "gone", "vendor": "V"}]}).problems
    assert (problem.code, problem.place) == ("map.miss", "/lines/0/local")


def test_several_documents_of_one_message() -> None:
    mapping = sound(requisition("note: $.note", "each: orders\nwhen: number != 'R2'"))
    body = {
        "note": "all",
        "orders": [BODY, {**BODY, "number": "R2"}, {**BODY, "number": None}, {**BODY, "number": "R4"}],
    }
    result = read(mapping, body)
    assert [document.reference for document in result.documents] == ["R1", "R4"]
    assert result.places == ("/orders/0", "/orders/3")
    assert [(problem.code, problem.place) for problem in result.problems] == [("map.missing", "/orders/2/number")]


def test_misses_pass_or_take_the_tables_default_when_the_table_says_so() -> None:
    import dataclasses

    mapping = sound(requisition("facility: {at: x, crosswalk: unit}"))
    table = CONTEXT.crosswalks["unit"]
    for on_miss, expected in [("pass", "Barrel"), ("default", "EA")]:
        decided = dataclasses.replace(table, on_miss=on_miss, default="EA")  # type: ignore[type-var]
        result = mapping.read(node_of({**BODY, "x": "Barrel"}), Context(CONTEXT.zone, {"unit": decided}))
        assert result.documents[0].model_dump()["facility"] == expected


def test_a_mapping_that_only_writes_does_not_read() -> None:
    mapping = sound("document: requisition\nformat: json\nonly: write\nfields: {number: number}\n")
    with pytest.raises(ConfigError):
        mapping.read(node_of(BODY), CONTEXT)


def test_a_guess_at_a_miss_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect: a crosswalk that lets every miss pass."""
    monkeypatch.setattr(translate, "walk_crosswalk", lambda run, name, raw, *rest, **more: raw)
    with pytest.raises(AssertionError):
        assert faults("facility: {at: x, crosswalk: unit}", {"x": "SECRET"}) == [("map.miss", "204", "/x")]
    assert repr(BAD) == "BAD"


SAME = "note: {each: orders, at: note, same: true}"


def test_one_value_that_all_of_a_loop_must_share() -> None:
    mapping = sound(requisition(SAME))
    assert fields_of(mapping, {**BODY, "orders": [{"note": "a"}, {}, {"note": "a"}]})["note"] == "a"
    assert faults(SAME, {"orders": [{"note": "a"}, {"note": "SECRET"}]}) == [("map.value", "102", "/note")]
    assert written(mapping, {**DOCUMENT, "note": "a"})["orders"] == [{"note": "a"}]
