"""Large tables: the same answers as small ones, in little memory, and never other rows than those of their hash."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.positions import Findings
from engine.site import source
from engine.site.bulk import FOLDER, UNUSED, Bulk, LargeTable, open_table, sweep
from engine.site.crosswalks import Search, Table, read_table
from engine.site.load import load_site, load_snapshot
from tests.unit.site_kit import Kit, write_site

FILE = "config/crosswalks/units.csv"
WORDS = st.sampled_from(["A", "B", "CS", "é", "\x1f", "A\x1fB", 'q"', "x,y", "two\nlines"])
DAYS = st.sampled_from(["", "2026-01-01", "2026-06-30", "2026-12-31"])


def bulk(path: Path) -> Bulk:
    content = path.read_bytes()
    return Bulk(hashlib.sha256(content).hexdigest(), len(content), path)


def opened(path: Path, home: Path, *, keep: bool = False) -> tuple[Table, Findings]:
    findings = Findings()
    return open_table(bulk(path), FILE, home, keep=keep, findings=findings), findings


def table(folder: Path, text: str) -> LargeTable:
    path = folder / "table.csv"
    path.write_text(text, newline="")
    found, findings = opened(path, folder)
    assert isinstance(found, LargeTable)
    assert findings.found == []
    return found


def csv_text(rows: list[tuple[str, ...]], heading: str) -> str:
    import csv
    import io

    text = io.StringIO()
    csv.writer(text).writerows([heading.split(","), *rows])
    return text.getvalue()


@given(st.lists(st.tuples(WORDS, WORDS, st.sampled_from(["", "NH-1", "NH-2"]), DAYS, DAYS), max_size=12))
def test_large_and_small_agree(rows: list[tuple[str, ...]]) -> None:
    """The same findings, the same answers to every question."""
    import tempfile

    text = csv_text(rows, "partner,enterprise,item,from,until")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_text(text, newline="")
        findings = Findings()
        small = read_table(path.read_bytes(), FILE, findings)
        large, told = opened(path, Path(folder))
        assert told.found == findings.found
        assert (large.columns, large.dated, large.count) == (small.columns, small.dated, small.count)
        for out in (False, True):
            for word in {cell.strip() for row in rows for cell in row[:2]} | {"A\x1fNH-1"}:
                for others in ({}, {"item": "NH-1"}):
                    for day in ("", "2026-01-01", "2026-07-01", "2027-01-01"):
                        asked = [Search((one,), out, day).get(word, others) for one in (small, large)]
                        assert asked[0] == asked[1], (out, word, others, day)


def test_rows_that_share_a_checksum_are_told_apart(tmp_path: Path) -> None:
    """plumless and buckeroo are the classic pair of one CRC-32."""
    found = table(tmp_path, "partner,enterprise\nplumless,A\nbuckeroo,B\n")
    assert [Search((found,), out=False).get(word) for word in ("plumless", "buckeroo")] == ["A", "B"]


def test_a_conflict_names_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('partner,enterprise,description\nBX,BX,"two\nlines"\nCA,CA,\nBX,CA,\n')
    _, findings = opened(path, tmp_path, keep=True)
    assert [(one.code, one.mark.line) for one in findings.found] == [("CFG403", 5)]
    assert "line 2 says" in findings.found[0].text
    assert list((tmp_path / FOLDER).iterdir()) == []  # a table with mistakes is not kept


def test_what_is_kept_is_opened_and_what_was_altered_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("partner,enterprise\nBX,BX\nCA,CA\n")
    opened(path, tmp_path, keep=True)
    (kept,) = (tmp_path / FOLDER).iterdir()
    whole = kept.read_bytes()
    for at in (9, 80, len(whole) - 9, None):  # the head, a row, a slot; cut short
        kept.write_bytes(whole[:-1] if at is None else whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found, findings = opened(path, tmp_path, keep=True)
        assert (findings.found, Search((found,), out=False).get("CA")) == ([], "CA")
        assert kept.read_bytes() == whole


def test_a_file_that_changes_while_it_is_read_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("partner,enterprise\nBX,BX\n")
    known = bulk(path)
    path.write_text("partner,enterprise\nBX,CA\n")
    findings = Findings()
    open_table(known, FILE, tmp_path, keep=True, findings=findings)
    assert [one.code for one in findings.found] == ["CFG112"]
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_tables_long_unused_go(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("partner,enterprise\nBX,BX\n")
    opened(path, tmp_path, keep=True)
    (kept,) = (tmp_path / FOLDER).iterdir()
    now = kept.stat().st_mtime
    sweep(tmp_path, set(), now + UNUSED - 1)
    sweep(tmp_path, {bulk(path).sha256}, now + UNUSED * 2)
    assert kept.exists()
    sweep(tmp_path, set(), now + UNUSED + 1)
    assert not kept.exists()


# --- in a site -------------------------------------------------------------------------------------------------------
@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are large from their first byte on."""
    monkeypatch.setattr(source, "LARGE", 0)


@pytest.mark.usefixtures("little")
def test_a_site_is_the_same_with_its_tables_in_files(tmp_path: Path) -> None:
    root, environ = write_site(tmp_path / "site", {"partners/shop.yaml": None}), {"HILUM_HOME": str(tmp_path / "home")}
    site, findings = load_site(root, Kit(), environ, keep=True)
    assert site is not None, findings.found
    assert site.partners["ward"].crosswalks["unit"].inward.get("Box") == "BX"
    assert b"Box,BX" not in site.snapshot
    again, _ = load_snapshot(site.snapshot, Kit(), environ)
    assert again is not None
    assert (again.version, again.partners) == (site.version, site.partners)
    (root / FILE).write_text("partner,enterprise\nBox,CA\n")
    other, _ = load_site(root, Kit(), environ)
    assert other is not None
    assert other.version != site.version
    assert other.partners["ward"] != site.partners["ward"]
    assert site.partners["ward"].crosswalks["unit"].inward.get("Box") == "BX"  # a site never changes


@pytest.mark.usefixtures("little")
def test_only_a_daemon_leaves_anything_behind(tmp_path: Path) -> None:
    root, home = write_site(tmp_path / "site", {"partners/shop.yaml": None}), tmp_path / "home"
    site, _ = load_site(root, Kit(), {"HILUM_HOME": str(home)})
    assert site is not None
    assert site.partners["ward"].crosswalks["unit"].inward.get("Box") == "BX"
    assert not home.exists()
    gone, findings = load_snapshot(site.snapshot, Kit(), {"HILUM_HOME": str(home)})
    assert (gone, [one.code for one in findings.found]) == (None, ["CFG407"])


@pytest.mark.usefixtures("little")
def test_a_home_that_takes_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / FOLDER).write_text("no folder")
    _, findings = load_site(
        write_site(tmp_path / "site", {"partners/shop.yaml": None}),
        Kit(),
        {"HILUM_HOME": str(tmp_path / "home")},
        keep=True,
    )
    assert {one.code for one in findings.found} == {"CFG407"}


# --- size ------------------------------------------------------------------------------------------------------------
_MEASURE = """
import hashlib, resource, sys, time
from pathlib import Path
from engine.positions import Findings
from engine.site.bulk import Bulk, open_table
from engine.site.crosswalks import Search
path, before = Path(sys.argv[1]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
known = Bulk(hashlib.file_digest(path.open("rb"), "sha256").hexdigest(), path.stat().st_size, path)
began, findings = time.process_time(), Findings()
table = open_table(known, "table.csv", path.parent, keep=True, findings=findings)
took, used = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert not findings.found and Search((table,), out=False).get("ASX-0000999") == "NH-0000999"
print(table.count, took, used / 1000)
"""


@pytest.mark.slow
def test_a_large_table_is_read_fast_and_in_little_memory(tmp_path: Path) -> None:
    """A quarter of a million rows: a million takes four times as long, and the aim for it is 5 s and 100 MB."""
    path, count = tmp_path / "items.csv", 250_000
    with path.open("w") as file:
        file.write("partner,enterprise,description\n")
        file.writelines(f'ASX-{n:07d},NH-{n:07d},"Glove {n}, invented"\n' for n in range(count))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    rows, took, used = (float(one) for one in ran.stdout.split())
    assert rows == count
    assert took < 4 * 5 / 4, f"{took} s of CPU"  # four times the aim: other machines are slower, and others' work is on
    assert used < 100 / 4 * 2, f"{used} MB"


def test_finding_a_row_does_not_take_longer_in_a_longer_table(tmp_path: Path) -> None:
    times = []
    for count in (100, 50_000):
        path = tmp_path / f"{count}.csv"
        path.write_text("partner,enterprise\n" + "".join(f"A{n},B{n}\n" for n in range(count)))
        search = Search((opened(path, tmp_path)[0],), out=True)
        best = 1.0
        for _ in range(5):
            began = time.perf_counter()
            for n in range(100):
                assert search.get(f"B{n}") == f"A{n}"
            best = min(best, time.perf_counter() - began)
        times.append(best)
    assert times[1] < times[0] * 20
