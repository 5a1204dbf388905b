"""Running a mapping's examples: what holds, what is told when it does not, and which fields no example shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mapping_kit import BODY, CONTEXT, DOCUMENT, requisition, sound
from test_mapping_read import PARTY

from channels.formats.json import FORMAT
from engine.mapping import Mapping, writing
from engine.mapping.examples import Difference, Report, run_examples
from engine.mapping.translate import Encode

NOTED = requisition("note: note\nfacility: {at: site, crosswalk: unit}")


def run(mapping: Mapping, **files: Any) -> Report:
    named = {name.replace("__", "."): json.dumps(body).encode() for name, body in files.items()}
    return run_examples(mapping, named, FORMAT, CONTEXT)


def told(report: Report) -> list[tuple[str, str, bool]]:
    return [(check.example, check.kind, check.ok) for check in report.checks]


def test_what_holds_is_told_with_the_fields_it_shows() -> None:
    report = run(sound(NOTED), a__in__json={**BODY, "note": "n"}, a__json={**DOCUMENT, "note": "n"}, b__json=DOCUMENT)
    assert told(report) == [("a", "document", True), ("a", "round trip", True), ("b", "round trip", True)]
    assert report.ok
    assert "note" in report.covered
    assert report.uncovered == ("facility",)


def test_a_wrong_document_is_told_at_its_place() -> None:
    report = run(sound(NOTED), a__in__json={**BODY, "note": None}, a__json={**DOCUMENT, "number": "R2"})
    [check] = [check for check in report.checks if not check.ok]
    assert check.differences == (Difference("/number", "R2", "R1"), Difference("/note", None, "None"))
    assert not report.ok


def test_a_problem_of_reading_is_the_examples_error() -> None:
    report = run(sound(NOTED), a__in__json={**BODY, "site": "Barrel"}, a__json=DOCUMENT)
    assert "[map.miss]" in report.checks[0].error
    assert report.checks[0].error.endswith("at /site")


def test_wrong_output_is_told() -> None:
    report = run(sound(NOTED), a__out__json={"number": "R1"}, a__json=DOCUMENT)
    assert told(report)[0] == ("a", "output", False)


@pytest.mark.parametrize("expected", [{"number": "R1"}, {**DOCUMENT, "nmber": "x"}, [1]])
def test_an_expectation_that_is_no_document_is_told(expected: Any) -> None:
    report = run(sound(NOTED), a__in__json=BODY, a__json=expected)
    assert told(report) == [("a", "files", False)]


def test_an_example_without_its_expectation_is_told() -> None:
    assert told(run(sound(NOTED), a__in__json=BODY)) == [("a", "files", False)]


def test_what_is_derived_is_no_breach_of_the_law_but_what_is_lost_is() -> None:
    document = {
        "number": "P1",
        "supplier": "acme_surgical",
        "lines": [
            {
                "number": "1",
                "item": {"ids": [{"scheme": "buyer_part", "value": "NH-1"}]},
                "quantity": {"value": "1", "unit": "EA"},
            }
        ],
    }
    assert run(sound(PARTY), a__json=document).ok
    lost = run(sound(PARTY), a__json={**document, "note": "not mapped"})
    assert lost.checks[0].differences == (Difference("/note", "not mapped", None),)


def test_a_writer_that_loses_a_value_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted defect: the writing of every text loses its last letter."""
    real = writing.encoder

    def losing(*given: Any) -> Encode:
        encode = real(*given)
        return lambda told, run: (told if encode is None else encode(told, run))[:-1]

    monkeypatch.setattr(writing, "encoder", losing)
    report = run(sound(requisition("note: note")), a__json={**DOCUMENT, "note": "whole"})
    assert not report.ok
