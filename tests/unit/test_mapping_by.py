"""Crosswalks of several keys in a mapping: what a unit is depends on the item, both ways, also one loop further in."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.mapping import Context, Mapping
from engine.positions import Findings
from engine.site.crosswalks import Search, read_table
from engine.site.model import Crosswalk
from tests.unit.mapping_kit import compiled, node_of, read, sound

TABLE = b"""\
partner,item,enterprise
CS,NH-1,BX
CS,NH-2,CA
EA,,EA
"""
ANSWERS = """
    apiVersion: mapping/v1
    document: order_acknowledgement
    format: json
    fields:
      purpose: {const: original}
      status: {const: accepted}
      purchase_order: po
      lines:
        each: lines
        number: n
        quantity: {value: q, unit: {at: u, crosswalk: unit, by: {item: "item.ids[buyer_part]"}}}
        item.ids:
          - {scheme: {const: buyer_part}, value: item}
        answers:
          each: answers
          status: {const: accepted}
          quantity: {value: q, unit: {at: u, crosswalk: unit, by: {item: "../item.ids[buyer_part]"}}}
"""


def context(table: bytes = TABLE, **decisions: Any) -> Context:
    rows = read_table(table, "config/crosswalks/u.csv", Findings())
    inward, outward = (Search((rows,), out) for out in (False, True))
    unit = Crosswalk("unit", inward, outward, source=rows.file, columns=rows.columns, **decisions)
    return Context(ZoneInfo("America/Chicago"), {"unit": unit})


def line(number: str, item: str | None, unit: str, *answered: str) -> dict[str, Any]:
    told = {"n": number, "q": "1", "u": unit, "answers": [{"q": "1", "u": one} for one in answered]}
    return told if item is None else {**told, "item": item}


def units(document: Any) -> list[list[str]]:
    """Of each line and its answers; empty where there is no quantity."""
    return [[one.quantity.unit if one.quantity else "" for one in (line, *line.answers)] for line in document.lines]


def test_a_unit_is_read_by_its_item() -> None:
    body = {
        "po": "PO-1",
        "lines": [line("1", "NH-1", "CS", "CS", "EA"), line("2", "NH-2", "CS"), line("3", None, "EA")],
    }
    result = read(sound(ANSWERS), body, context())
    assert result.problems == ()
    assert units(result.documents[0]) == [["BX", "BX", "EA"], ["CA"], ["EA"]]


def test_and_written_by_it_again() -> None:
    mapping = sound(ANSWERS)
    body = {"po": "PO-1", "lines": [line("1", "NH-1", "CS", "CS", "EA"), line("2", "NH-2", "CS")]}
    (document,) = read(mapping, body, context()).documents
    written = mapping.write(document, context())
    assert written.problems == ()
    again = mapping.read(written.node, context())
    assert (again.problems, again.documents) == ((), (document,))


def test_a_unit_that_no_row_has_for_its_item_is_a_miss_at_its_place() -> None:
    body = {"po": "PO-1", "lines": [line("1", "NH-1", "CS", "EA", "CS"), line("2", "NH-9", "CS", "EA", "CS")]}
    result = read(sound(ANSWERS), body, context())
    assert [(one.code, one.place, one.context["word"]) for one in result.problems] == [
        ("map.miss", "/lines/1/u", "CS"),
        ("map.miss", "/lines/1/answers/1/u", "CS"),
    ]


def test_one_that_cannot_be_written_neither() -> None:
    mapping = sound(ANSWERS)
    (document,) = read(mapping, {"po": "PO-1", "lines": [line("1", "NH-1", "CS", "EA")]}, context()).documents
    table = context(b"partner,item,enterprise\nCS,NH-2,BX\nEA,,EA\n")
    (missed,) = mapping.write(document, table).problems
    assert (missed.code, missed.context["word"], missed.context["way"]) == ("map.miss", "BX", "out")


@pytest.mark.parametrize(
    ("decisions", "told"),
    [
        ({"on_miss": "pass"}, [["CS", "CS"], ["EA"]]),
        ({"on_miss": "default", "default": "EA"}, [["EA", "EA"], ["EA"]]),
        ({"on_miss": "skip"}, [["", ""], ["EA"]]),  # a quantity cannot be without its unit
    ],
)
def test_a_miss_is_decided_as_everywhere(decisions: dict[str, str], told: list[list[str]]) -> None:
    body = {"po": "PO-1", "lines": [line("1", "NH-9", "CS", "CS"), line("2", None, "EA")]}
    result = read(sound(ANSWERS), body, context(**decisions))
    assert result.problems == ()
    assert units(result.documents[0]) == told


def test_a_table_without_further_keys_is_asked_as_ever() -> None:
    body = {"po": "PO-1", "lines": [line("1", "NH-1", "CS", "CS")]}
    result = read(sound(ANSWERS), body, context(b"partner,enterprise\nCS,CA\n"))
    assert units(result.documents[0]) == [["CA", "CA"]]


def test_a_lineage_is_the_same() -> None:
    from engine.mapping.lineage import trace_read

    rows = trace_read(sound(ANSWERS), node_of({"po": "PO-1", "lines": [line("1", "NH-1", "CS")]}), context()).rows
    assert ("/lines/0/u", "/lines/0/quantity/unit") in rows


@pytest.mark.parametrize(
    ("by", "code", "hint"),
    [
        ("{item: 'item.ids[vendor]'}", "MAP208", ""),
        ("{item: 'item.idz[buyer_part]'}", "MAP201", "did you mean 'ids'?"),
        ("{item: quantity}", "MAP208", ""),
        ("{item: quantity.value}", "MAP208", ""),
        ("{item: 'item[1'}", "MAP102", ""),
        ("item", "MAP102", ""),
        ("{item: ../../number}", "MAP102", ""),
        ("{item: ../number, location: number}", "MAP208", ""),
    ],
)
def test_a_wrong_by_is_told(by: str, code: str, hint: str) -> None:
    _, findings = compiled(ANSWERS.replace('{item: "item.ids[buyer_part]"}', by))
    assert [(one.code, one.hint) for one in findings.found] == [(code, hint)]


@pytest.mark.parametrize("unit", ["{at: u, by: {item: number}}", "{at: u, codes: {EA: E}, by: {item: number}}"])
def test_by_goes_with_a_crosswalk(unit: str) -> None:
    text = ANSWERS.replace('{at: u, crosswalk: unit, by: {item: "item.ids[buyer_part]"}}', unit)
    assert [one.code for one in compiled(text)[1].found] == ["MAP208"]


def test_a_mapping_says_by_what_it_always_asks() -> None:
    mapping: Mapping = sound(ANSWERS)
    assert mapping.beside == {"unit": frozenset({"item"})}
    text = ANSWERS.replace(', by: {item: "../item.ids[buyer_part]"}', "")
    assert sound(text).beside == {"unit": frozenset()}
