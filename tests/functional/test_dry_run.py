"""`--dry-run` of run, reload and send: it tells what the verb would meet, and nothing of it happens."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.scene import Scene, copy_site, scene

pytestmark = pytest.mark.xdist_group("dry_run")

ORDER = "MSH|^~\\&|INVSYS|HARBOR|HILUM|NORTHHEALTH|20261121080000-0600||{type}|DRY-1|P|2.5.1\r" \
        "ORC|NW|REQ-DRY-1^INVSYS||REQ-DRY|||||20261121080000-0600\r" \
        "RQD|1|{item}^Invented glove||{item}|10|Box|OR|||20261121\r"  # fmt: skip


def order(item: str = "GLV-NTR-L", type: str = "OMS^O05^OMS_O05") -> bytes:
    return ORDER.format(item=item, type=type).encode()


def told(stage: Scene, *words: str, code: int = 0, feed: bytes = b"") -> Any:
    return json.loads(stage.verb(*words, "--dry-run", "--json", code=code, feed=feed).stdout)


def edit(site: Path, file: str, old: str, new: str) -> None:
    text = (site / file).read_text()
    assert old in text
    (site / file).write_text(text.replace(old, new, 1))


@pytest.fixture
def still(tmp_path: Path) -> Scene:
    """A site of its own with no daemon."""
    return Scene(tmp_path, site=copy_site(tmp_path / "site"))


# --- run -------------------------------------------------------------------------------------------------------------
def failed(rows: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(row["check"], row["name"], row["code"]) for row in rows if row["result"] != "ok"]


def test_a_start_that_would_go_well_leaves_nothing_behind(still: Scene) -> None:
    rows = told(still, "run")
    assert failed(rows) == []
    assert {row["check"] for row in rows} == {"site", "store", "home", "listener", "connection"}
    assert {"ehr_mllp", "erp_http"} <= {row["name"] for row in rows}
    assert not still.home.exists()
    assert "would start; nothing was started" in still.hilum("run", "--dry-run").stderr


def test_an_address_that_is_taken_is_named(still: Scene) -> None:
    with socket.create_server(("127.0.0.1", still.mllp)):
        assert failed(told(still, "run", code=6)) == [("listener", "ehr_mllp", "mllp.listen")]
    assert failed(told(still, "run")) == []


def test_a_site_with_a_mistake_would_not_start(still: Scene) -> None:
    edit(still.site, "config/routes.yaml", "document: requisition", "documnt: requisition")
    assert "config/routes.yaml:" in still.verb("run", "--dry-run", code=3).stderr


def test_a_secret_that_does_not_resolve_is_told(still: Scene) -> None:
    edit(still.site, "config/connections.yaml", "${env:HILUM_ERP_URL:-http://127.0.0.1:8090}", "${env:NOBODY_SET_THIS}")
    assert "error[CFG201]" in still.verb("run", "--dry-run", code=3).stderr


def test_a_store_of_a_later_version_would_not_be_opened(still: Scene) -> None:
    still.home.mkdir()
    other = still.home / "store.db"
    other.write_bytes(b"this is no database at all, but something else of this name" * 20)
    assert failed(told(still, "run", code=6)) == [("store", str(other), "store.read")]
    other.unlink()  # it holds no messages to account for


def test_a_file_where_the_home_should_be_is_told(still: Scene) -> None:
    still.home.write_text("not a folder")
    assert ("home", "HILUM_HOME", "store.write") in failed(told(still, "run", code=6))


def test_a_form_without_dry_run_is_a_usage_error(still: Scene) -> None:
    for words in (("run",), ("reload",), ("send", "mllp", "-")):
        assert "--dry-run" in still.verb(*words, "--json", code=2).stderr


# --- reload ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("dry_run")
    with scene(folder, site=copy_site(folder / "site")) as stage:
        stage.start()
        yield stage


@pytest.fixture
def stage(running: Scene) -> Iterator[Scene]:
    """The running daemon, and its site as it runs again afterwards."""
    kept = {path: path.read_bytes() for path in running.site.rglob("*") if path.is_file()}
    version = status(running)["site"]
    yield running
    for path in running.site.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    assert status(running)["site"] == version, "a dry run has changed the running site"


def status(stage: Scene) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(stage.verb("status", "--json").stdout)
    return data


def test_a_reload_of_the_same_site_would_do_nothing(stage: Scene) -> None:
    plan = told(stage, "reload")
    assert (plan["would"], plan["changes"], plan["findings"]) == ("nothing", [], [])
    assert plan["site"] == plan["running"] == status(stage)["site"]


def test_a_reload_tells_what_it_would_take_in(stage: Scene) -> None:
    edit(stage.site, "config/crosswalks/bravo_units.csv", "\n", "\nXX,EA,invented\n")
    edit(stage.site, "config/routes.yaml", "name: answers_to_erp", "name: answers")
    plan = told(stage, "reload")
    assert plan["would"] == "take"
    assert [(row["change"], row["what"], row["name"], row["fields"]) for row in plan["changes"]] == [
        ("changed", "file", "config/crosswalks/bravo_units.csv", []),
        ("changed", "file", "config/routes.yaml", []),
        ("changed", "partner", "bravo_medical", ["crosswalks.unit"]),
        ("added", "route", "answers", []),
        ("gone", "route", "answers_to_erp", []),
    ]
    shown = stage.hilum("reload", "--dry-run")
    assert "changed\tpartner\tbravo_medical\tcrosswalks.unit" in shown.stdout
    assert "Nothing was changed" in shown.stderr


def test_a_reload_that_would_move_doors_names_all_of_them(stage: Scene) -> None:
    edit(stage.site, "config/channels.yaml", "kind: mllp", "kind: mllp\n    max_connections: 7")
    edit(stage.site, "config/connections.yaml", "most: 1m", "most: 2m")
    plan = told(stage, "reload", code=3)
    assert plan["would"] == "refuse"
    assert [(row["what"], row["name"], row["fields"]) for row in plan["changes"] if row["refused"]] == [
        ("listener", "ehr_mllp", ["options.max_connections"]), ("connection", "erp", ["retry.most"]),
    ]  # fmt: skip
    assert stage.verb("reload", "--dry-run", code=3).stderr.count("error[CFG190]") == 2
    assert "(and 1 more)" in stage.verb("reload", code=3).stderr


def test_a_reload_of_a_bad_site_shows_every_mistake_at_its_place(stage: Scene) -> None:
    edit(stage.site, "config/routes.yaml", "document: requisition", "documnt: requisition")
    edit(stage.site, "config/engine.yaml", "name:", "nmae:")
    plan = told(stage, "reload", code=3)
    assert (plan["would"], plan["site"]) == ("refuse", None)
    assert {row["name"] for row in plan["changes"]} == {"config/routes.yaml", "config/engine.yaml"}
    assert {found["place"].split(":")[0] for found in plan["findings"]} == {"config/routes.yaml", "config/engine.yaml"}
    assert "^^^^^^^ did you mean 'document'?" in stage.verb("reload", "--dry-run", code=3).stdout
    assert "goes on as it was" in stage.verb("reload", code=3).stderr


def test_beside_a_running_daemon_no_other_would_start(stage: Scene) -> None:
    found = failed(told(stage, "run", code=6))
    assert ("store", str(stage.home / "store.db"), "store.locked") in found
    assert ("listener", "ehr_mllp", "mllp.listen") in found


# --- send ------------------------------------------------------------------------------------------------------------
def test_what_would_be_sent_by_mllp_is_shown_to_the_byte_and_stays_here(stage: Scene) -> None:
    plan = told(stage, "send", "mllp", "-", feed=order())
    framed = b"\x0b" + order() + b"\x1c\r"
    assert (plan["size"], plan["sha256"]) == (len(framed), hashlib.sha256(framed).hexdigest())
    assert plan["sent"].encode() == framed
    assert (plan["would"], plan["listener"], plan["to"]) == ("accept", "ehr_mllp", f"mllp://127.0.0.1:{stage.mllp}")
    assert plan["messages"][0]["documents"] == ["requisition REQ-DRY  1 line"]
    assert status(stage)["store"]["received"] == 0
    shown = stage.hilum("send", "mllp", "-", "--dry-run", feed=order())
    assert shown.stdout.startswith("<VT>MSH|")
    assert shown.stdout.endswith("<FS>\n")


def test_the_judgement_is_the_listeners_own(still: Scene) -> None:
    refused = told(still, "send", "mllp", "-", feed=order(type="ADT^A01"), code=7)
    assert [(row["code"], row["place"]) for row in refused["messages"]] == [("hl7.type", "MSH-9.1")]
    later = told(still, "send", "mllp", "-", feed=order("NO-SUCH-ITEM"))
    assert later["would"] == "accept"
    assert [found["code"] for found in later["messages"][0]["problems"]] == ["map.miss"]
    broken = told(still, "send", "mllp", "-", feed=b"MSH|\x1c\rMSH|", code=7)
    assert broken["refusal"]["code"] == "frame.no_start"
    assert not still.home.exists()


def test_a_listener_that_answers_after_processing_would_refuse_what_cannot_be_mapped(still: Scene) -> None:
    edit(still.site, "config/channels.yaml", "kind: mllp", "kind: mllp\n    answer: processed")
    assert told(still, "send", "mllp", "-", feed=order("NO-SUCH-ITEM"), code=7)["would"] == "refuse"


def test_where_no_listener_of_the_site_is_nothing_is_judged(still: Scene) -> None:
    plan = told(still, "send", "mllp", "-", "--to", "hospital.example:2575", feed=order())
    assert (plan["would"], plan["listener"], plan["messages"]) == ("unknown", None, [])
    assert "not judged" in still.verb("send", "mllp", "-", "--to", "a.example:1", "--dry-run", feed=order()).stderr


def test_what_would_be_posted_is_judged_by_path_and_body(still: Scene) -> None:
    body = b'{"requisition": "REQ-DRY", "purchase_orders": []}'
    plan = told(still, "send", "http", "-", "--key", "batch-1", feed=body)
    assert (plan["method"], plan["would"], plan["listener"]) == ("POST", "accept", "erp_http")
    assert plan["headers"] == {"Content-Type": "application/json", "Idempotency-Key": "batch-1"}
    assert told(still, "send", "http", "-", feed=b"{", code=7)["messages"][0]["code"] == "json.syntax"
    elsewhere = f"http://localhost:{still.http}/elsewhere"
    assert told(still, "send", "http", "-", "--to", elsewhere, feed=body, code=7)["refusal"]["code"] == "http.path"
    assert (
        "Idempotency-Key: batch-1"
        in still.hilum("send", "http", "-", "--key", "batch-1", "--dry-run", feed=body).stdout
    )


def test_a_file_for_a_folder_is_judged_and_stays_where_it_is(stage: Scene, tmp_path: Path) -> None:
    file = tmp_path / "answer.edi"
    file.write_bytes(b"this is no interchange")
    plan = told(stage, "send", "folder", str(file), "acme_surgical", code=7)
    assert plan["to"] == str(stage.inbox("acme_surgical") / "answer.edi")
    assert (plan["listener"], plan["messages"][0]["code"]) == ("acme_surgical", "x12.not_isa")
    assert not (stage.inbox("acme_surgical") / "answer.edi").exists()
    passed_over = file.rename(tmp_path / "answer.tmp")
    plan = told(stage, "send", "folder", str(passed_over), "acme_surgical")
    assert (plan["would"], "passed over" in plan["why"]) == ("unknown", True)
    assert "no exchange folder" in stage.verb("send", "folder", str(passed_over), "nobody", "--dry-run", code=5).stderr


@pytest.mark.parametrize("words", [("mllp", "-", "--to", "nowhere"), ("http", "-", "--to", "ftp://a.example/x")])
def test_an_address_that_is_none_is_a_usage_error(still: Scene, words: tuple[str, ...]) -> None:
    assert "Traceback" not in still.verb("send", *words, code=2, feed=b"x").stderr
