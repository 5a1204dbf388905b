"""Every reference mapping through the real formats: examples hold, the round trip is a law, every field is shown."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping as Dict
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import channels
from canonical import PurchaseOrder
from engine.mapping import Context, Mapping, compile_mapping, format_name
from engine.mapping.examples import Report, run_examples
from engine.mapping.lineage import trace_read
from engine.plugin import Profile
from engine.positions import Findings
from engine.site.model import Crosswalk
from engine.site.yaml import read_tree

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "mappings").glob("*.yaml"))
ZONE = ZoneInfo("America/Chicago")
TABLES = {
    "hl7v2": {"item": "ehr_items", "unit": "ehr_units", "department": "ehr_departments", "facility": "ehr_facilities"},
    "x12": {"item": "acme_items", "unit": "acme_units"},
    "json": {"supplier": "erp_suppliers"},
}


def table(name: str, file: str) -> Crosswalk:
    source = f"config/crosswalks/{file}.csv"
    with (ROOT / source).open(encoding="utf-8", newline="") as lines:
        rows = [(row["partner"], row["enterprise"]) for row in csv.DictReader(lines)]
    outward = {enterprise: partner for partner, enterprise in reversed(rows)}
    return Crosswalk(name, dict(rows), outward, source=source)


def context(mapping: Mapping) -> Context:
    return Context(ZONE, {name: table(name, file) for name, file in TABLES[mapping.format].items()})


def compiled(name: str) -> Mapping:
    findings = Findings()
    trees = {path.stem: read_tree(path, str(path), findings) for path in (ROOT / "mappings").glob("*.yaml")}
    known = {one: tree for one, tree in trees.items() if tree is not None}
    mapping = compile_mapping(
        name, known[name], channels.registry().format(format_name(known[name], known)), findings, known
    )
    assert findings.found == []
    assert mapping is not None
    return mapping


def example_files(name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((ROOT / "mappings/examples" / name).iterdir())}


def run(mapping: Mapping, files: Dict[str, bytes]) -> Report:
    return run_examples(mapping, files, channels.registry().format(mapping.format), context(mapping))


def failures(report: Report) -> list[str]:
    told = []
    for check in report.checks:
        wrong = [(one.pointer, one.expected, one.actual) for one in check.differences]
        told += [] if check.ok else [f"{check.example}: {check.kind}: {check.error or wrong}"]
    return told


@pytest.mark.parametrize("name", NAMES)
def test_examples_hold_and_show_every_field(name: str) -> None:
    mapping = compiled(name)
    report = run(mapping, example_files(name))
    assert failures(report) == []
    assert report.uncovered == ()
    kinds = {check.kind for check in report.checks}
    assert "document" in kinds or not mapping.reads or "output" in kinds
    assert "round trip" in kinds or not (mapping.reads and mapping.writes)


@pytest.mark.parametrize("name", NAMES)
def test_every_table_a_mapping_names_is_in_the_site(name: str) -> None:
    mapping = compiled(name)
    assert mapping.crosswalks <= set(TABLES[mapping.format])


def test_a_wrong_expectation_is_seen() -> None:
    files = example_files("hl7v2_oms_o05")
    wrong = {**files, "theatre.json": files["theatre.json"].replace(b'"NH-10003"', b'"NH-10004"')}
    report = run(compiled("hl7v2_oms_o05"), wrong)
    [check] = [check for check in report.checks if not check.ok]
    assert (check.example, check.kind) == ("theatre", "document")
    assert [(d.pointer, d.expected, d.actual) for d in check.differences] == [
        ("/lines/0/item/ids/0/value", "NH-10004", "NH-10003")
    ]


def hl7_problems(raw: bytes) -> list[tuple[str, str, str]]:
    mapping = compiled("hl7v2_oms_o05")
    [part] = channels.registry().format("hl7v2").open(raw, Profile()).parts
    assert part.refusals == ()
    result = mapping.read(part.node, context(mapping))
    assert result.documents == ()
    return [(problem.code, problem.status, problem.place) for problem in result.problems]


def test_all_faults_of_an_hl7_requisition_are_told_where_people_look_for_them() -> None:
    raw = example_files("hl7v2_oms_o05")["theatre.in.hl7"]
    for right, wrong in [
        (b"|10|Box^box^L|", b"|SYR10|Crate|"),  # shifted fields, as some senders have them
        (b"|||SYR-10ML|5|Each|PACU|", b"|||NOPE|5||PACU|"),
        (b"ORC|NW|REQ-700-2", b"ORC|CA|REQ-700-2"),
        (b"|20261121130000-0600||S", b"|20261121130000-0600||X"),
        (b"|INVSYS02|CEDAR|", b"|INVSYS02|ELSEWHERE|"),
    ]:
        assert right in raw
        raw = raw.replace(right, wrong)
    assert hl7_problems(raw) == [
        ("map.value", "102", "ORDER[1]/RQD-5"),
        ("map.miss", "204", "ORDER[1]/RQD-6.1"),
        ("map.miss", "204", "ORDER[2]/RQD-4.1"),
        ("map.missing", "101", "ORDER[2]/RQD-6.1"),
        ("map.value", "102", "ORC-1"),
        ("map.unknown_code", "103", "ORDER[1]/TIMING[1]/TQ1-9.1"),
        ("map.miss", "204", "MSH-4.1"),
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("hl7v2")])
def test_nothing_of_the_patient_is_read(name: str) -> None:
    mapping = compiled(name)
    raw = example_files("hl7v2_oms_o05")["theatre.in.hl7"]
    [part] = channels.registry().format("hl7v2").open(raw, Profile()).parts
    lineage = trace_read(mapping, part.node, context(mapping))
    assert not [place for place, _ in lineage.rows if "PID" in place or "PV1" in place]
    assert "PID-5.1" in lineage.unmapped


def test_an_order_the_erp_did_not_date_is_dated_by_the_day_it_came() -> None:
    mapping = compiled("erp_purchase_orders")
    known = context(mapping)
    raw = b'{"purchase_orders":[{"number":"P1","supplier":"ACME","lines":[]}]}'
    [part] = channels.registry().format("json").open(raw, Profile()).parts
    [dated] = mapping.read(part.node, Context(known.zone, known.crosswalks, dt.date(2026, 11, 21))).documents
    [undated] = mapping.read(part.node, known).documents
    assert dated.model_dump()["ordered_on"] == dt.date(2026, 11, 21)
    assert "ordered_on" not in undated.model_fields_set


@pytest.mark.parametrize(("item", "unit", "fault"), [
    ("NH-99999", "BX", ("map.miss", "/lines/0/item/ids -> PO1[1]/PO109")),
    ("NH-10003", "ZZ", ("map.miss", "/lines/0/quantity/unit -> PO1[1]/PO103")),
])  # fmt: skip
def test_an_order_with_a_word_the_supplier_does_not_know_is_not_written(
    item: str, unit: str, fault: tuple[str, str]
) -> None:
    mapping = compiled("x12_850")
    line = {"number": "1", "item": {"ids": [{"scheme": "buyer_part", "value": item}]}}
    line["quantity"] = {"value": "1", "unit": unit}
    order = PurchaseOrder.from_fields({"number": "P1", "supplier": "acme_surgical", "lines": [line]})
    written = mapping.write(order, context(mapping))
    assert written.node is None
    assert [(problem.code, problem.place) for problem in written.problems] == [fault]
    assert not [problem for problem in written.problems if item in str(problem) or f"'{unit}'" in str(problem)]
