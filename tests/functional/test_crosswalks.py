"""Code tables as people keep them: what traffic missed, rows loaded beside a running daemon, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from channels.simulate.erp import Erp
from engine.home import store_file
from engine.site.bulk import FOLDER
from tests.functional.parties import ACME, done, played, requisition, send, supplier
from tests.functional.scene import ROOT, Scene, copy_site, in_process, scene

UNITS = "config/crosswalks/bravo_units.csv"


def rows(stage: Scene, *words: str, code: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stage.verb("crosswalk", *words, "--json", code=code).stdout)
    return found


def test_what_traffic_missed_is_counted_until_it_is_mended(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    units = (site / UNITS).read_text()
    (site / UNITS).write_text(units.replace("BX,BX,", "BZ,BX,").replace("BZ,BX,box", "BZ,BZ,box"))
    with scene(tmp_path, site=site) as stage:
        erp = Erp()
        stage.start()
        with played(stage, erp=erp):
            strange = [requisition(f"REQ-X{n}", ("GLV-LTX-M", "1", "Box"), ("GLV-NTR-L", "1", "Keg")) for n in (1, 2)]
            assert send(stage, *strange, requisition("REQ-X3", ("SYR-10ML", "2", "Box"))) == ["AA"] * 3
            stage.until(lambda: len(rows(stage, "missing")) == 3, "what is missing")
            stage.settled()
        known = {(row["partner"], row["crosswalk"], row["way"], row["word"]): row for row in rows(stage, "missing")}
        assert {key: (row["open"], row["resolved"]) for key, row in known.items()} == {
            ("ehr", "item", "in", "GLV-LTX-M"): (2, 0),
            ("ehr", "unit", "in", "Keg"): (2, 0),
            ("bravo_medical", "unit", "out", "BX"): (1, 0),
        }
        item = known["ehr", "item", "in", "GLV-LTX-M"]
        assert item["table"] == "config/crosswalks/ehr_items.csv"
        assert [stage.verb("messages", item[end]).returncode for end in ("first", "last")] == [0, 0]
        assert {row["word"] for row in rows(stage, "missing", "--partner", "ehr", "--table", "ehr_units")} == {"Keg"}
        _mend(stage, site, units)
        assert "GLV-LTX-M" not in stage.log()


def _mend(stage: Scene, site: Path, units: str) -> None:
    """A corrected table, a reload and a replay: it is no longer missing, and was once."""
    corrected = site.parent / "corrected.csv"
    corrected.write_text(units)
    (site / UNITS).chmod(0o640)
    changes = rows(stage, "load", str(corrected), "--table", "bravo_units")
    assert (site / UNITS).stat().st_mode & 0o777 == 0o640
    assert [(row["change"], row["partner"]) for row in changes] == [("added", "BX"), ("removed", "BZ")]
    assert (site / UNITS).read_text() == units
    stage.verb("reload")
    stage.verb("replay", "--code", "delivery.render", "--reason", "the table was corrected")
    stage.settled()
    assert {row["word"] for row in rows(stage, "missing")} == {"GLV-LTX-M", "Keg"}
    (once,) = rows(stage, "missing", "--state", "resolved")
    assert (once["word"], once["open"], once["resolved"]) == ("BX", 0, 1)
    assert (stage.outbox("bravo_medical") / "850-000000001.edi").exists()


def test_a_large_table_is_taken_at_reload(tmp_path: Path) -> None:
    """It is made by the verb, so that the daemon only opens it; and a site with one goes through start and restart."""
    site = copy_site(tmp_path / "site")
    items = (site / "config/crosswalks/ehr_items.csv").read_text()
    large = tmp_path / "large.csv"
    large.write_text(items + "".join(f"INV-{n:08d},NH-10001,An invented glove\n" for n in range(60_000)))
    with scene(tmp_path, site=site) as stage:
        daemon, erp = stage.start(), Erp()
        with played(stage, erp=erp):
            asked = requisition("REQ-L1", ("INV-00059999", "1", "Box"))
            assert send(stage, asked) == ["AA"]
            stage.until(lambda: bool(rows(stage, "missing")), "what is missing")
            told = stage.verb("crosswalk", "load", str(large), "--table", "ehr_items", "--limit", "3").stderr
            assert "60,000 added (3 listed)" in told
            (made,) = (stage.home / FOLDER).iterdir()
            before = made.stat().st_ino
            stage.verb("reload")
            stage.verb("replay", "--code", "map.miss", "--reason", "the item is listed")
            stage.until(lambda: len(erp.orders) == 1, "the order")
            assert made.stat().st_ino == before
            daemon.kill()
            stage.start()
            assert send(stage, requisition("REQ-L2", ("INV-00000000", "1", "Box"))) == ["AA"]
            stage.until(lambda: len(erp.orders) == 2, "the order after the restart")
            assert [row["line"] for row in rows(stage, "show", "ehr_items", "INV-00059999")] == [60_044]
            stage.settled()


# --- without a daemon ------------------------------------------------------------------------------------------------
@pytest.fixture
def here(tmp_path: Path) -> dict[str, str]:
    return {"HILUM_SITE": str(copy_site(tmp_path / "site")), "HILUM_HOME": str(tmp_path / "home")}


def hilum(environ: dict[str, str], *words: str) -> tuple[int, str, str]:
    code, printed, talk = in_process(environ, *words)
    return code, printed.decode(), talk.decode()


def test_a_dry_run_tells_and_writes_nothing(here: dict[str, str], tmp_path: Path) -> None:
    before, new = (tmp_path / "site" / UNITS).read_bytes(), tmp_path / "new.csv"
    new.write_bytes(before.replace(b"BX,BX,", b"BX,CA,").replace(b"EA,EA,each", b"EA,EACH,each"))
    code, printed, talk = hilum(here, "crosswalk", "load", str(new), "--table", "bravo_units", "--dry-run", "--json")
    told = [(row["change"], row["partner"], row["was"], row["enterprise"]) for row in json.loads(printed)]
    assert code == 0
    assert ("changed", "BX", "BX", "CA") in told
    assert ("unmatched", "EA", "", "EACH") in told
    assert "nothing was written" in talk
    assert (tmp_path / "site" / UNITS).read_bytes() == before
    assert not (tmp_path / "home").exists()


def test_further_keys_must_be_words_of_their_own_tables(here: dict[str, str], tmp_path: Path) -> None:
    new = tmp_path / "new.csv"
    new.write_text("partner,item,enterprise\nCS,NH-10001,CA\nCS,NH-99999,BX\nCS,,CA\n")
    _, printed, _ = hilum(here, "crosswalk", "load", str(new), "--table", "acme_units", "--dry-run", "-o", "jsonl")
    strange = [row for row in map(json.loads, printed.splitlines()) if row["change"] == "unmatched"]
    assert [(row["line"], row["keys"], row["why"]) for row in strange] == [
        (3, {"item": "NH-99999"}, "no table has our item 'NH-99999'")
    ]


def test_a_table_with_a_conflict_is_not_written(here: dict[str, str], tmp_path: Path) -> None:
    before, new = (tmp_path / "site" / UNITS).read_bytes(), tmp_path / "new.csv"
    new.write_text("partner,enterprise\nBX,BX\nBX,CA\n,EA\n")
    code, printed, talk = hilum(here, "crosswalk", "load", str(new), "--table", "bravo_units")
    assert (code, printed) == (3, "")
    assert f"error[CFG403]: line 2 says that the same partner code means something else\n --> {new}:3:1" in talk
    assert "error[CFG404]" in talk
    assert (tmp_path / "site" / UNITS).read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_site_that_is_not_ours_is_not_written(here: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "site" / "config" / "crosswalks").chmod(0o500)
    new = tmp_path / "new.csv"
    new.write_text("partner,enterprise\nBX,BX\n")
    assert hilum(here, "crosswalk", "load", str(new), "--table", "bravo_units")[0] == 4


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("list",), 0, ""),
        (("show", "bravo_units", "BX"), 0, ""),
        (("show", "bravo_units", "KEG"), 5, "config/crosswalks/bravo_units.csv has no row for KEG"),
        (("show", "bravo_unit", "BX"), 5, "no table is called bravo_unit. did you mean 'bravo_units'?"),
        (("load", str(ROOT / UNITS), "--table", "Not A Name"), 2, "is no name of a table"),
        (("load", "nowhere.csv", "--table", "bravo_units"), 2, "does not exist"),
        (("missing",), 6, "there is no store here"),
    ],
)
def test_how_the_verbs_end(here: dict[str, str], words: tuple[str, ...], code: int, said: str) -> None:
    ended, _, talk = hilum(here, "crosswalk", *words)
    assert ended == code
    assert said in talk
    assert not os.path.exists(store_file(here))


def test_list_says_who_uses_what(here: dict[str, str]) -> None:
    _, printed, _ = hilum(here, "crosswalk", "list", "--json")
    found = {row["table"]: row for row in json.loads(printed)}
    assert (found["bravo_units"]["rows"], found["bravo_units"]["used_by"]) == (10, ["bravo_medical.unit"])


def test_a_unit_goes_by_the_item_and_the_day(tmp_path: Path) -> None:
    """One supplier calls a box of gloves CS, from some day on: the order says so, and the answer is understood."""
    site = copy_site(tmp_path / "site")
    units = site / "config/crosswalks/acme_units.csv"
    units.write_text(
        "partner,item,enterprise,from,until\nBX,,BX,,\nCS,NH-10003,BX,2020-01-01,\nXX,NH-10003,BX,,2019-12-31\n"
    )
    with scene(tmp_path, site=site) as stage:
        erp, acme = Erp(), supplier(stage, "acme_surgical", ACME)
        stage.start()
        with played(stage, erp=erp, acme=acme):
            send(stage, requisition("REQ-K1", ("GLV-NTR-L", "10", "Box"), ("GLV-NTR-M", "2", "Box")))
            stage.until(done(erp, 1), "the answer in the ERP")
            stage.settled()
        (sent,) = [row["id"] for row in stage.trace("REQ-K1")["messages"] if row["type"] == "850"]
        raw = stage.verb("messages", sent, "--bytes").stdout
        assert {line.split("*")[3] for line in raw.split("~") if "*NH-10003*" in line} == {"CS"}
        assert {line.split("*")[3] for line in raw.split("~") if "*NH-10002*" in line} == {"BX"}
        (answer,) = [row["id"] for row in stage.trace("REQ-K1")["messages"] if row["type"] == "order_acknowledgement"]
        told = json.loads(stage.verb("messages", answer, "--bytes").stdout)
        assert {line["quantity"]["unit"] for line in told["lines"]} == {"BX"}
