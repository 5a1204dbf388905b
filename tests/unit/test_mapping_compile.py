"""Every mistake of a mapping is found when it is compiled, at its place, with the nearest right word."""

from __future__ import annotations

import pytest
from mapping_kit import compiled, requisition, sound

from engine.positions import Finding

WHOLE = requisition("action: action")


def mistakes(text: str, **others: str) -> list[Finding]:
    mapping, findings = compiled(text, **others)
    assert (mapping is None) == bool(findings.errors)
    return findings.found


def test_a_sound_mapping_says_what_it_is() -> None:
    mapping = sound(
        "apiVersion: mapping/v1\nmessage: requisitions\n" + requisition("facility: {at: f, crosswalk: unit}")
    )
    assert (mapping.document, mapping.format, mapping.type) == ("requisition", "json", "requisitions")
    assert mapping.header == {"message": "requisitions"}
    assert (mapping.reads, mapping.writes, mapping.crosswalks) == (True, True, {"unit"})


@pytest.mark.parametrize(
    ("fields", "code", "line", "column", "hint"),
    [
        ("acton: action", "MAP201", 5, 3, "did you mean 'action'?"),
        ("requested_at: {at: t, as: date}", "MAP202", 5, 29, "use 'timestamp'"),
        ("note: {at: t, as: decimal}", "MAP202", 5, 21, "use 'text'"),
        ("action: {at: a, as: text}", "MAP202", 5, 23, "use 'codes'"),
        ("requested_at: {at: t, as: timestmp}", "MAP203", 5, 29, "did you mean 'timestamp'?"),
        ("requested_at: {at: t, crosswalk: unit}", "MAP202", 5, 17, ""),
        ("note: {att: t}", "MAP101", 5, 10, "did you mean 'at'?"),
        ("note: {at: a b}", "MAP301", 5, 14, ""),
        ("note: [a, b]\nnote.x: c", "MAP205", 6, 3, ""),
        ("note: {default: x, on_miss: never, at: a}", "MAP101", 5, 31, "known: exception, skip, pass, default"),
        ("note: {as: text}", "MAP103", 5, 9, ""),
        ("note:", "MAP102", 5, 8, ""),
        ("note: {at: a, only: reed}", "MAP101", 5, 23, "did you mean 'read'?"),
        ("note: {at: a, codes: {x: y}, crosswalk: unit}", "MAP208", 5, 9, ""),
        ("note: {at: a, split: ','}", "MAP208", 5, 9, ""),
        ("note: {each: a, at: b}", "MAP208", 5, 9, ""),
        ("note: {at: a, join: [x]}", "MAP102", 5, 23, ""),
        ("action: {at: a, codes: {neu: NW}}", "MAP206", 5, 27, "did you mean 'new'?"),
        ("action: {at: a, codes: {new: [NW, RP], change: RP}}", "MAP207", 5, 50, ""),
        ("action: {at: a, codes: NW}", "MAP102", 5, 26, ""),
        ("action: {at: a, default: newest}", "MAP206", 5, 28, "did you mean 'new'?"),
        ("requested_at: {at: t, const: noon}", "MAP206", 5, 32, ""),
        ("note: {at: a, when: 'b ='}", "MAP401", 5, 27, ""),
        ("note: {at: a, write: {when: nmber exists}}", "MAP402", 5, 31, "did you mean 'number'?"),
        ("note: {at: a, write: {add: x}}", "MAP101", 5, 25, ""),
        ("facility: {use: places, at: a}", "MAP108", 5, 19, ""),
    ],
)
def test_mistakes_in_a_field(fields: str, code: str, line: int, column: int, hint: str) -> None:
    found = mistakes(requisition(fields))
    told = [(finding.code, finding.mark.line, finding.mark.column, finding.hint) for finding in found]
    assert (code, line, column, hint) in told
    assert all(str(finding.mark).startswith("mappings/one.yaml:") for finding in found)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("lines: lines", "MAP102"),
        ("lines: {number: n}", "MAP102"),
        ("lines: {each: lines, number: n, item.ids: {pairs: [a, b]}, quantity: {value: v, unit: u}}", "MAP103"),
        (
            "lines: {each: lines, number: n, item.ids: {pairs: [a], codes: {gtin: U}}, quantity: {value: v, unit: u}}",
            "MAP102",
        ),
        ("lines: {each: lines, number: n, item.ids: [{scheme: s, value: v}], quantity: {value: v, unit: u}}", "MAP208"),
        (
            "lines: {each: lines, number: n, item.ids: {pairs: [a, b], codes: {gtn: U}}, quantity: q}",
            "MAP206",
        ),
        ("lines: {each: lines, number: n, item.description: d}", "MAP204"),
        ("lines: {each: lines, number: n, item.description: d, quantity.value: v}", "MAP204"),
        ("lines: {each: lines, number: n, item.description: d, quantity: v}", "MAP102"),
        ("lines: {each: 'a b', number: n}", "MAP301"),
        (
            "lines: {each: lines, number: {at: n, only: write}, item.description: d, quantity: {value: v, unit: u}}",
            "MAP204",
        ),
        (
            "lines: {each: lines, number: n, item.ids: {pairs: [a, b], codes: {gtin: U}, derive: {add: gtin}},"
            " quantity: {value: v, unit: u}}",
            "MAP103",
        ),
    ],
)
def test_mistakes_in_lists_of_records(lines: str, code: str) -> None:
    text = f"document: requisition\nformat: json\nfields:\n  number: number\n  {lines}\n"
    assert code in {finding.code for finding in mistakes(text)}


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        (WHOLE.replace("document: requisition", "document: requisitions"), "MAP104", "did you mean 'requisition'?"),
        (WHOLE.replace("fields:", "feilds:"), "MAP101", "did you mean 'fields'?"),
        (WHOLE.replace("document: requisition\n", ""), "MAP103", ""),
        ('set: "850"\n' + WHOLE, "MAP105", "did you mean 'message'?"),
        ("extends: tow\n" + WHOLE, "MAP106", "did you mean 'two'?"),
        ("extends: one\n" + WHOLE, "MAP107", ""),
        ("blocks: {a: {use: b}, b: {use: a}}\n" + requisition("facility: {use: a, at: x}"), "MAP108", ""),
        ("only: red\n" + WHOLE, "MAP101", "did you mean 'read'?"),
        ("when: 'a ='\n" + WHOLE, "MAP401", ""),
        ("each: 'a b'\n" + WHOLE, "MAP301", ""),
        ("[a, b]", "MAP102", ""),
    ],
)
def test_mistakes_in_the_header(text: str, code: str, hint: str) -> None:
    assert (code, hint) in {(finding.code, finding.hint) for finding in mistakes(text, two="document: requisition")}


def test_all_mistakes_are_told_at_once() -> None:
    found = mistakes(requisition("acton: a\nnoet: b\nfacility: {at: c, as: nothing}"))
    assert {finding.code for finding in found} == {"MAP201", "MAP203"}
    assert len(found) == 3


def test_a_writing_mapping_need_not_map_what_must_be_read() -> None:
    mapping = sound("document: requisition\nformat: json\nonly: write\nfields: {number: number}\n")
    assert (mapping.reads, mapping.writes) == (False, True)


def test_extends_patches_by_key_and_null_removes() -> None:
    base = requisition("note: {at: note, default: none given}\nfacility: facility\ncase: case")
    mapping = sound("extends: base\nfields: {note: {at: remark}, facility: null, case: number}\n", base=base)
    places = {part.target.name: part.place for part in mapping.plan.parts}
    assert places == {"number": "/number", "note": "/remark", "case": "/number", "lines": "/lines"}


def test_extends_reaches_over_several_files_and_finds_its_circles() -> None:
    third = requisition("note: note")
    chain = {"two": "extends: three\nfields: {note: remark}\n", "three": third}
    assert sound("extends: two\nfields: {case: case}\n", **chain)
    _, findings = compiled("extends: two\n", two="extends: three\n", three="extends: two\n")
    assert [finding.code for finding in findings.found] == ["MAP107"]
    assert "one -> two -> three -> two" in findings.found[0].text


def test_null_that_removes_nothing_is_a_mistake() -> None:
    _, findings = compiled("extends: base\nfields: {nte: null}\n", base=requisition("note: note"))
    assert [(finding.code, finding.hint) for finding in findings.found] == [("MAP109", "did you mean 'note'?")]
