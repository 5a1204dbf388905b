"""Field lineage: which place fed which field, and what nothing read."""

from __future__ import annotations

from mapping_kit import BODY, CONTEXT, DOCUMENT, node_of, requisition, sound
from test_mapping_read import PARTY, SLOTS

from engine.mapping.lineage import derived_fields, mapped_fields, trace_read, trace_write


def test_a_reading_tells_each_place_and_what_is_left() -> None:
    mapping = sound(requisition("note: {at: [remark, note]}\ncase: {at: case, when: 'number = \"R9\"'}"))
    lineage = trace_read(mapping, node_of({**BODY, "note": "n", "case": "C", "extra": {"deep": "x"}}), CONTEXT)
    assert lineage.rows == (
        ("/number", "/number"),
        ("/note", "/note"),
        ("/lines/0/number", "/lines/0/number"),
        ("/lines/0/item/0/scheme", "/lines/0/item/ids/0/scheme"),
        ("/lines/0/item/0/value", "/lines/0/item/ids/0/value"),
        ("/lines/0/quantity", "/lines/0/quantity/value"),
        ("/lines/0/unit", "/lines/0/quantity/unit"),
    )
    assert lineage.unmapped == ("/case", "/extra/deep")


def test_skipped_records_and_second_qualifiers_stay_in_the_ledger() -> None:
    body = {
        "number": "P1",
        "parties": [{"role": "ZZ", "name": "nobody"}, {"role": "BY", "name": "us"}],
        "lines": [{"number": "1", "q": "1", "q1": "VN", "v1": "V-1", "q2": "VC", "v2": "V-2", "q3": "??", "v3": "x"}],
    }
    lineage = trace_read(sound(PARTY), node_of(body), CONTEXT)
    assert ("/parties/1/name", "/parties/0/name") in lineage.rows
    assert ("/lines/0/v1", "/lines/0/item/ids/0/value") in lineage.rows
    unmapped = {f"/lines/0/{name}" for name in ("q2", "v2", "q3", "v3")}
    assert set(lineage.unmapped) == unmapped | {"/parties/0/role", "/parties/0/name"}


def test_several_documents_are_told_apart() -> None:
    mapping = sound(requisition("note: $.note", "each: orders"))
    lineage = trace_read(mapping, node_of({"note": "all", "orders": [BODY, BODY]}), CONTEXT)
    assert ("/orders/1/lines/0/unit", "/1/lines/0/quantity/unit") in lineage.rows
    assert ("/note", "/0/note") in lineage.rows
    assert lineage.unmapped == ()


def test_a_writing_tells_each_place() -> None:
    mapping = sound(SLOTS)
    lineage = trace_write(mapping, mapping.model.from_fields(DOCUMENT), CONTEXT)
    assert lineage.rows == (
        ("/number", "/number"),
        ("/lines/0/number", "/lines/0/number"),
        ("/lines/0/item/ids/0/value", "/lines/0/local"),
        ("/lines/0/quantity/value", "/lines/0/q"),
        ("/lines/0/quantity/unit", "/lines/0/u"),
    )


def test_which_fields_a_mapping_has() -> None:
    assert mapped_fields(sound(SLOTS)) == (
        "number", "lines.number", "lines.item.ids.value", "lines.quantity.value", "lines.quantity.unit",
    )  # fmt: skip
    assert {"lines.item.ids", "lines.quantity.unit", "supplier"} <= derived_fields(sound(PARTY))


def test_a_loop_of_a_fixed_entry_is_told_with_the_entrys_own_place() -> None:
    parties = "[{role: {const: buyer}, name: b}, {role: {const: ship_to}, address.lines: {each: ls, at: t}}]"
    mapping = sound(f"document: purchase_order\nformat: json\nonly: write\nfields:\n  parties: {parties}\n")
    told = [{"role": "buyer", "name": "n"}, {"role": "ship_to", "address": {"lines": ["one", "two"]}}]
    order = mapping.model.from_fields({"number": "P1", "supplier": "s", "lines": [], "parties": told})
    assert trace_write(mapping, order, CONTEXT).rows == (
        ("/parties/0/name", "/b"),
        ("/parties/1/address/lines", "/ls/0/t"),
        ("/parties/1/address/lines", "/ls/1/t"),
    )
