"""Code tables as a site reads them: columns, days, further keys, several tables, and every mistake at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.positions import Findings
from engine.site.crosswalks import Search, SmallTable, read_table
from tests.unit.site_kit import changed, load

FILE = "config/crosswalks/units.csv"
DATED = """\
partner,enterprise,from,until
CS,CA,,2026-11-30
CS,BX,2026-12-01,
KT,KIT,2026-01-01,2026-12-31
SET,KIT,2026-06-01,
SE,KIT,2026-06-01,
"""
KEYED = """\
partner,item,enterprise,location
CS,,CA,
CS,NH-1,BX,
CS,NH-1,EA,HARBOR
CS,,PK,HARBOR
"""


def table(text: str, name: str = "units") -> tuple[SmallTable, list[tuple[str, int, str]]]:
    findings = Findings()
    read = read_table(text.encode(), f"config/crosswalks/{name}.csv", findings)
    return read, [(found.code, found.mark.line, found.text) for found in findings.found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("partner,enterprise\nBX,BX\nBX,CA\n", [("CFG403", 3, "line 2 says that the same partner code means")]),
        ("partner,enterprise\nBX,BX\n\nBX,BX\n", [("CFG402", 4, "the row of line 2 stands here again")]),
        ("partner,enterprise\n,BX\nBX, \n", [("CFG404", 2, "the partner"), ("CFG404", 3, "the enterprise")]),
        ("partner,enterprise\nBX\n", [("CFG405", 2, "the row has 1 columns")]),
        ("enterprise,description\nBX,box\n", [("CFG405", 1, "the first row must name the columns")]),
        ("partner,enterprise,partner\nBX,BX,BX\n", [("CFG405", 1, "two columns are called 'partner'")]),
        ("partner,enterprise,Not A Name\nBX,BX,BX\n", [("CFG405", 1, "beside description")]),
        ("partner,enterprise,a,b,c,d\n", [("CFG405", 1, "beside description")]),
        ("partner,enterprise,from\nBX,BX,21.11.2026\n", [("CFG406", 2, "a row's from or until is no day")]),
        ("partner,enterprise,from\nBX,BX,20261121\n", [("CFG406", 2, "a row's from or until is no day")]),
        ("partner,enterprise,from,until\nBX,BX,2026-02-01,2026-01-01\n", [("CFG406", 2, "the row ends before")]),
        ("partner,enterprise,until\nCS,CA,2026-11-30\nCS,BX,\n", [("CFG403", 3, "line 2 says")]),
        ("partner,item,enterprise\nCS,NH-1,CA\nCS,NH-2,BX\nCS,NH-1,EA\n", [("CFG403", 4, "line 2 says")]),
        ('partner,enterprise\n"B\nX",BX\nCA,CA\nCA,EA\n', [("CFG403", 5, "line 4 says")]),
        ('partner,enterprise\nBX,"BX\n', [("CFG405", 3, "the table cannot be read")]),
        ("", [("CFG405", 1, "the first row must name the columns")]),
    ],
)
def test_a_mistake_is_told_at_its_line(text: str, found: list[tuple[str, int, str]]) -> None:
    told = table(text)[1]
    assert [(code, line) for code, line, _ in told] == [(code, line) for code, line, _ in found]
    assert all(said.startswith(wanted) for (_, _, said), (_, _, wanted) in zip(told, found, strict=True))


def test_a_table_full_of_mistakes_is_not_read_to_its_end() -> None:
    told = table("partner,enterprise\n" + "BX,BX\n" * 10_000)[1]
    assert len(told) == 101
    assert told[-1][2] == "there are too many mistakes: the rest was not read"


@pytest.mark.parametrize(
    ("day", "inward", "outward"),
    [
        ("2026-11-30", "CA", "SET"),
        ("2026-12-01", "BX", "SET"),
        ("2026-03-01", "CA", "KT"),
        ("", "BX", "SET"),  # without a day: what came last into force
    ],
)
def test_the_row_of_the_day_tells(day: str, inward: str, outward: str) -> None:
    read, told = table(DATED)
    assert told == []
    assert Search((read,), out=False, day=day).get("CS") == inward
    assert Search((read,), out=True, day=day).get("KIT") == outward


@pytest.mark.parametrize(
    ("others", "inward"),
    [
        ({}, "CA"),
        ({"item": "NH-2"}, "CA"),
        ({"item": "NH-1"}, "BX"),
        ({"item": "NH-1", "location": "HARBOR"}, "EA"),
        ({"item": "NH-2", "location": "HARBOR"}, "PK"),
        ({"unheard": "of"}, "CA"),
    ],
)
def test_the_most_particular_row_tells(others: dict[str, str], inward: str) -> None:
    read, told = table(KEYED)
    assert told == []
    assert Search((read,), out=False).get("CS", others) == inward
    assert Search((read,), out=True).get(inward, others) == "CS"


def test_a_word_cannot_pose_as_a_key() -> None:
    """A value is never structure: no text in a message reaches a row of several keys by itself."""
    read, _ = table("partner,item,enterprise\nCS,NH-1,BX\n")
    for joint in ("\x1f", "|", ",", "\0"):
        assert Search((read,), out=False).get(f"CS{joint}NH-1") is None


def test_the_first_table_that_knows_a_word_tells() -> None:
    own, site = table("partner,enterprise\nCS,BX\n")[0], table("partner,enterprise\nCS,CA\nDZ,DZN\n")[0]
    search = Search((own, site), out=False)
    assert [search.get(word) for word in ("CS", "DZ", "XX")] == ["BX", "DZN", None]


def test_a_partner_has_its_own_table_before_that_of_the_site(tmp_path: Path) -> None:
    own = "partner,enterprise\nBox,CA\n"
    changes = {"config/crosswalks/ward_units.csv": own}
    changes |= changed("partners/ward.yaml", "unit: units", "unit: [ward_units, units]")
    site, found = load(tmp_path, changes)
    assert (site is not None, found) == (True, [])
    crosswalk = site.partners["ward"].crosswalks["unit"]
    assert [crosswalk.inward.get(word) for word in ("Box", "Each", "Barrel")] == ["CA", "EA", None]
    assert crosswalk.source == "config/crosswalks/ward_units.csv, config/crosswalks/units.csv"


def test_a_table_of_a_list_that_is_not_there_is_told(tmp_path: Path) -> None:
    _, found = load(tmp_path, changed("partners/ward.yaml", "unit: units", "unit: [unit, units]"))
    assert [(one.code, one.mark.line, one.hint) for one in found] == [("CFG401", 9, "did you mean 'units'?")]


def test_a_dated_table_is_the_one_of_the_day(tmp_path: Path) -> None:
    import datetime as dt

    site, found = load(tmp_path, {FILE: DATED})
    assert (site is not None, found) == (True, [])
    ward, office = site.partners["ward"], site.partners["office"]
    told = [ward.crosswalks_on(dt.date(2026, month, 1))["unit"].inward.get("CS") for month in (11, 12)]
    assert told == ["CA", "BX"]
    assert office.crosswalks_on(dt.date(2026, 1, 1)) is office.crosswalks  # nothing to pay for


def test_a_plain_table_is_asked_as_a_dictionary(tmp_path: Path) -> None:
    """The hot path: nothing stands between a mapping and the rows."""
    site, _ = load(tmp_path)
    assert site is not None
    assert site.partners["ward"].crosswalks["unit"].inward == {"Each": "EA", "Box": "BX"}
