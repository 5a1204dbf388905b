"""Releases 004010 and 005010: which of them judges, what they have apart, and what may be repeated."""

from __future__ import annotations

from typing import Any

import pytest

from channels.formats.x12 import FORMAT, grammar
from tests.x12_kit import LINE, ORDER, answer_of, filled, group, interchange, one_set, opened, written

LONG = "REF*CT*" + "7" * 40
BIG = ("BIG*20261121*INV-1", "N1*ST*Lakeside*92*LAKE")
MODERN = {"isa12": "00501", "isa11": "^"}


def order(*body: str, release: str = "005010", **changed: str) -> Any:
    made = group([one_set("850", [ORDER, *body, LINE, "CTT*1"])], "PO", release=release)
    return opened(interchange(made, **changed))


def invoice(*body: str, release: str = "005010", **changed: str) -> Any:
    made = group([one_set("810", [*BIG, *body, "TDS*4500"])], "IN", release=release)
    return opened(interchange(made, **changed))


def notes(result: Any) -> list[str]:
    return [segment for segment in answer_of(result) if segment.startswith(("AK3", "AK4"))]


@pytest.mark.parametrize(
    ("body", "old", "new"),
    [
        ([LONG], ["AK3*REF*3**8", f"AK4*2*127*5*{'7' * 40}"], []),
        (["N9*ZZ*1", "MSG*by hand"], [], ["AK3*MSG*4*N9*6"]),
        (["N9*ZZ*1", "MTX**by hand"], ["AK3*MTX*4*N9*7"], []),
        (["N1*ST*A", "N4*Lakeside***CA***ON"], ["AK3*N4*4*N1*8", "AK4*7**3*ON"], []),
        (["CTX*A"], ["AK3*CTX*3**1"], ["AK3*CTX*3**6"]),
    ],
)
def test_the_release_of_the_group_judges(body: list[str], old: list[str], new: list[str]) -> None:
    assert notes(order(*body, release="004010")) == old
    assert notes(order(*body, release="005010")) == new
    assert notes(order(*body, release="005010X999")) == new


def test_groups_of_both_releases_in_one_interchange() -> None:
    sets = [one_set("850", [ORDER, LONG, LINE])]
    raw = interchange(group(sets, "PO", "7"), group(sets, "PO", "8", release="005010"))
    result = opened(raw)
    assert [bool(part.refusals) for part in result.parts] == [True, False]


def test_a_unit_is_listed_in_004010_and_open_in_005010() -> None:
    assert notes(order("PO1*2*1*Q@", release="004010")) == ["AK3*PO1*3*PO1*8", "AK4*3*355*7*Q@"]
    assert notes(order("PO1*2*1*Q@", release="005010")) == []


def test_repetitions_where_the_standard_has_them() -> None:
    result = invoice("DMG*****7>RET>2135-2^8", **MODERN)
    [part] = result.parts
    assert part.refusals == ()
    leaves = dict(FORMAT.structure({"set": "810", "release": "005010"}).leaves(part.node))
    assert leaves["N1[1]/DMG05-1"] == "7"
    assert leaves["N1[1]/DMG05-2"] == "RET"
    assert leaves["N1[1]/DMG05(2)-1"] == "8"
    options = {"version": "00501", "standards_id": "^", "group_version": "005010"}
    assert b"DMG*****7>RET>2135-2^8~" in filled(written(part.node, "810", **options).body)


@pytest.mark.parametrize(
    ("body", "old", "new"),
    [
        ("REF*CT*A^B", "AK4*2*127*6", "AK4*2*127*12"),
        ("REF*CT*A>B", "AK4*2*127*6", "AK4*2*127*13"),
        ("REF*CT*1**CT>1>CT>2>CT>3>CT", "AK4*4**3", "AK4*4**13"),
    ],
)
def test_parts_where_the_standard_has_none(body: str, old: str, new: str) -> None:
    assert notes(order(body, release="004010", **MODERN)) == ["AK3*REF*3**8", old]
    assert notes(order(body, release="005010", **MODERN)) == ["AK3*REF*3**8", new]


@pytest.mark.parametrize(
    ("release", "options", "isa", "version"),
    [
        ("004010", {}, "U*00401", "004010"),
        ("005010", {}, "^*00501", "005010"),
        ("004010", {"group_version": "005010"}, "^*00501", "005010"),
        ("005010", {"group_version": "005010X999", "version": "00401", "standards_id": "U"}, "U*00401", "005010X999"),
    ],
)
def test_the_envelope_goes_by_the_release_of_what_is_written(
    release: str, options: dict[str, str], isa: str, version: str
) -> None:
    made = FORMAT.structure({"set": "850", "release": release})
    root = made.blank()
    for path, value in {"BEG01": "00", "BEG02": "SA", "BEG03": "PO-9", "BEG05": "20261121"}.items():
        made.scope.field(path).put(root, value)
    line = made.scope.loop("PO1")
    line.scope.field("PO101").put(line.new(root), "1")
    body = filled(written(root, "850", **options).body).decode()
    assert f"*{isa}*" in body
    assert f"*X*{version}~" in body


def test_too_many_repetitions() -> None:
    [refusal] = invoice("DMG*****" + "^".join("7" * 11), **MODERN).parts[0].refusals
    assert "too many repetitions [12]" in refusal.text


def test_a_repetition_that_is_wrong() -> None:
    [refusal] = invoice("DMG*****7^77", **MODERN).parts[0].refusals
    assert (refusal.place, "too long" in refusal.text) == ("ST[1]/N1[1]/DMG05-1", True)


def test_a_letter_in_isa11_separates_nothing() -> None:
    assert notes(order("REF*CT*AUTUMN", isa12="00501")) == []


def test_what_is_not_asked_for_is_not_built() -> None:
    """Start-up is measured: a release makes the sets and segments that somebody asks for, and no others."""
    fresh = grammar.Release("005010")
    assert fresh.transaction_set("997") is not None
    assert set(fresh.segments._made) == {"AK1", "AK2", "AK3", "AK4", "AK5", "AK9"}  # type: ignore[attr-defined]
    assert "212" not in fresh.elements._made  # type: ignore[attr-defined]
