"""The verbs as a user types them: what they print, and the exit codes they promise."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from engine.cli import VERBS
from engine.store.sqlite import SqliteStore
from tests.functional.scene import HILUM, Scene, copy_site, mllp_exchange, scene
from tests.store_kit import accept_orders, commit, dead, delivered, incoming

HEAVY = ("pydantic", "httpx", "uvicorn", "starlette", "lxml", "hl7apy", "zeep", "paramiko", "yaml", "rich", "sqlite3")
# What looking at a store does without, beside that. The form that programs ask in a loop does without more.
NEEDLESS = (*HEAVY[:-1], "uvloop", "asyncio", "canonical", "concurrent.futures", "importlib.resources")
NEEDLESS_IN_A_LOOP = (*NEEDLESS, "click", "dataclasses", "inspect", "pathlib", "logging", "hashlib")


@pytest.fixture
def stage(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def filled(stage: Scene) -> Scene:
    """A store with an order delivered, which awaits its acknowledgements, and one that failed for good."""

    async def fill() -> None:
        store = SqliteStore(stage.home / "store.db")
        await store.open()
        arrived, failed = await accept_orders(store, 7, 8)
        await commit(store, delivered(arrived), dead(failed))
        await store.close()

    asyncio.run(fill())
    return stage


async def keep(stage: Scene, *numbers: int) -> None:
    """Messages as a daemon leaves them that ended before it came to look into them."""
    store = SqliteStore(stage.home / "store.db")
    await store.open()
    await store.append([incoming(number) for number in numbers])
    await store.close()


def imported(names: Sequence[str], words: Sequence[str], environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """What a verb prints, and which of the named modules it has imported."""
    code = (
        f"import sys\nfrom engine.cli import main\ntry:\n    main({list(words)!r})\nexcept SystemExit as end:\n"
        f"    print(end.code or 0, *[name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    status, *found = ran.stderr.splitlines()[-1].split()
    assert status == "0"
    return ran.stdout, found


def test_help_imports_nothing_heavy() -> None:
    printed, found = imported(HEAVY, ["--help"], {})
    assert found == []
    assert all(verb in printed for verb in VERBS)


@pytest.mark.parametrize("words", ["trace PO-7", "trace PO-7 --limit 9 --json", "messages", "exceptions", "acks"])
def test_looking_imports_nothing_heavy(filled: Scene, words: str) -> None:
    printed, found = imported(NEEDLESS, words.split(), filled.environment)
    assert found == []
    assert printed


def test_a_trace_for_a_program_imports_next_to_nothing(filled: Scene) -> None:
    printed, found = imported(NEEDLESS_IN_A_LOOP, ["trace", "PO-7", "--json"], filled.environment)
    assert found == []
    assert json.loads(printed)["documents"][0]["summary"] == "order 7"


def test_modules_that_a_verb_needs_are_seen(filled: Scene) -> None:
    assert imported(("click", "sqlite3", "yaml"), ["trace", "PO-7"], filled.environment)[1] == ["click", "sqlite3"]


def test_a_trace_is_the_same_however_it_is_asked(filled: Scene) -> None:
    asked = filled.hilum("trace", "PO-7", "--json").stdout
    assert (
        filled.hilum("trace", "--json", "PO-7").stdout
        == asked
        == filled.hilum("trace", "PO-7", "--json", "--limit", "500").stdout
    )
    for words in (("trace", "PO-9", "--json"), ("trace", "PO-9"), ("trace", "PO-9", "--bytes")):
        assert "nothing here goes by PO-9" in filled.hilum(*words, code=5).stderr
    assert "Usage" in filled.hilum("trace", "--json", "--help").stdout


@pytest.mark.parametrize("count", [1, 3])
def test_what_waits_is_told_where_a_number_is_not_known_yet(stage: Scene, count: int) -> None:
    asyncio.run(keep(stage, *range(1, count + 1)))
    waits = "1 message is waiting" if count == 1 else "3 messages are waiting"
    for words in (["trace", "REQ-7"], ["trace", "REQ-7", "--html", "page.html"], ["messages", "REQ-7"]):
        ran = stage.verb(*words, code=5)
        assert f"goes by REQ-7 yet: {waits} to be processed" in ran.stderr
        assert ran.stdout == ""
    ran = stage.verb("trace", "REQ-7", "--json", code=5)
    told = json.loads(ran.stdout)
    assert (told["key"], told["found"], told["unprocessed"]) == ("REQ-7", [], count)
    assert waits in ran.stderr
    known = stage.trace("CTL000001")
    assert (known["found"], known["unprocessed"]) == (["M1"], count)


def test_where_nothing_waits_nothing_is_said_of_it(filled: Scene) -> None:
    for words in (["trace", "REQ-7"], ["messages", "REQ-7"]):
        assert filled.verb(*words, code=5).stderr.endswith(" goes by REQ-7\n")
    assert json.loads(filled.verb("trace", "REQ-7", "--json", code=5).stdout)["unprocessed"] == 0


def test_a_reader_that_goes_away_is_no_error(filled: Scene) -> None:
    command = [HILUM, "trace", "PO-7", "--json"]
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        command, env={**os.environ, **filled.environment}, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(stage: Scene, verb: str) -> None:
    assert stage.verb(verb, "--help").stdout.startswith("Usage: hilum")


def test_a_wrong_verb_is_a_usage_error_with_the_right_word(stage: Scene) -> None:
    assert "did you mean 'trace'?" in stage.hilum("trase", code=2).stderr


def test_looking_without_a_store_says_where_it_looked(stage: Scene) -> None:
    assert str(stage.home) in stage.hilum("trace", "PO-1", code=6).stderr


def test_status_without_a_daemon_cannot_reach_it(stage: Scene) -> None:
    assert "hilum run" in stage.hilum("status", code=6).stderr


def test_explain_knows_a_code_and_says_what_to_do(stage: Scene) -> None:
    told = stage.hilum("explain", "frame.truncated").stdout
    assert told.startswith("frame.truncated: ")
    assert "What to do: " in told
    assert "did you mean 'frame.truncated'?" in stage.hilum("explain", "frame.truncate", code=5).stderr


def test_the_shipped_site_is_sound(stage: Scene) -> None:
    assert "0 errors" in stage.hilum("check").stderr


def test_a_mistake_is_shown_at_its_place(stage: Scene, tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    routes = site / "config" / "routes.yaml"
    routes.write_text(routes.read_text().replace("document: requisition", "documnt: requisition"))
    ran = stage.verb("check", str(site), code=3)
    assert "config/routes.yaml:" in ran.stdout
    assert "did you mean 'document'?" in ran.stdout


def test_a_site_without_routes_is_no_site(stage: Scene, tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    (site / "config" / "routes.yaml").unlink()
    assert "error[CFG109]" in stage.verb("check", str(site), code=3).stdout


def test_check_as_data(stage: Scene, tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    (site / "config" / "engine.yaml").write_text("apiVersion: engine/v1\nname: [\n")
    rows = json.loads(stage.verb("check", str(site), "--json", code=3).stdout)
    assert {"severity", "code", "place", "text"} <= set(rows[0])


def test_init_writes_a_site_that_checks(stage: Scene, tmp_path: Path) -> None:
    site = tmp_path / "mine"
    stage.hilum("init", str(site))
    assert "0 errors" in stage.hilum("check", str(site)).stderr
    stage.hilum("init", str(site), code=4)


def test_schemas_are_draft_07(stage: Scene, tmp_path: Path) -> None:
    from jsonschema import Draft7Validator

    stage.verb("schema", "--write", str(tmp_path / "schemas"))
    written = sorted((tmp_path / "schemas").iterdir())
    assert {path.name for path in written} >= {"partner.v1.json", "routes.v1.json", "mapping.v1.json"}
    for path in written:
        Draft7Validator.check_schema(
            json.loads(path.read_text())
        )  # documents declare a later draft and use nothing of it


def test_every_example_of_every_mapping_holds(stage: Scene) -> None:
    assert "0 failed" in stage.verb("map", "test").stderr


def test_a_running_daemon_needs_a_sound_site(stage: Scene, tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    (site / "config" / "routes.yaml").write_text("apiVersion: routes/v1\nroutes: 7\n")
    stage.environment["HILUM_SITE"] = str(site)
    assert "config/routes.yaml:2" in stage.hilum("run", code=3).stderr


def test_exceptions_alone_lists_as_list_does(filled: Scene) -> None:
    for words in (["--limit", "1"], ["--state", "all", "--json"], ["--code", "delivery.rejected", "-o", "csv"], []):
        alone = filled.verb("exceptions", *words)
        assert (alone.stdout, alone.stderr) == (
            (listed := filled.verb("exceptions", "list", *words)).stdout,
            listed.stderr,
        )
    assert filled.verb("exceptions", "--limit", "1").stdout.startswith("EXC-1\t")
    assert filled.verb("exceptions", "--limit", "0").stdout == ""


def test_options_before_another_word_of_exceptions_are_not_lost(filled: Scene) -> None:
    assert "hilum exceptions show" in filled.hilum("exceptions", "--limit", "1", "show", "EXC-1", code=2).stderr


def test_a_dry_run_of_resolve_knows_what_there_is(filled: Scene) -> None:
    words = ("--reason", "seen", "--dry-run")
    assert "would close EXC-1;" in filled.hilum("exceptions", "resolve", "EXC-1", *words).stderr
    assert "EXC-9" in filled.hilum("exceptions", "resolve", "EXC-1", "EXC-9", *words, code=5).stderr
    assert json.loads(filled.hilum("exceptions", "show", "EXC-1", "--json").stdout)["state"] == "open"


def test_trace_says_what_is_known_of_a_delivery_that_was_never_tried(stage: Scene) -> None:
    async def fill() -> None:
        store = SqliteStore(stage.home / "store.db")
        await store.open()
        await accept_orders(store, 7)
        await store.close()

    asyncio.run(fill())
    told = stage.hilum("trace", "PO-7").stdout
    assert "no attempt has ended since" in told
    assert "0 attempts" not in told


def test_status_counts_deliveries_that_are_tried_again_as_trouble(stage: Scene) -> None:
    with scene(stage.folder) as running:  # with no ERP
        running.start()
        assert json.loads(running.hilum("status", "--json").stdout)["trouble"] == ""
        message = b"MSH|^~\\&|INVSYS|HARBOR|HILUM|NORTHHEALTH|20261121080000-0600||OMS^O05^OMS_O05|T-1|P|2.5.1\r" \
                  b"ORC|NW|REQ-T-1^INVSYS||REQ-T|||||20261121080000-0600\r" \
                  b"RQD|1|GLV-NTR-L^Glove||GLV-NTR-L|1|Box|OR|||20261121\r"  # fmt: skip
        assert b"MSA|AA" in mllp_exchange(running.mllp, message)[0]

        def troubled() -> bool:
            told = json.loads(running.hilum("status", "--json").stdout)
            return bool(told["ready"] and told["trouble"] == "1 delivery retrying")

        running.until(troubled, "a delivery that is tried again")
        assert "it goes again by itself" in running.hilum("trace", "REQ-T").stdout


def test_a_list_that_is_cut_or_empty_says_so(filled: Scene) -> None:
    assert "more than 1; raise --limit" in filled.hilum("acks", "--limit", "1").stderr
    everything = filled.hilum("acks", "--limit", "9")
    assert (len(everything.stdout.splitlines()), everything.stderr) == (2, "")
    assert "no message goes by PO-99" in filled.hilum("messages", "PO-99", code=5).stderr
    assert "no message that fits goes by PO-7" in filled.hilum("messages", "PO-7", "--partner", "nobody", code=5).stderr


def test_what_show_offers_to_type_is_a_name_that_replay_knows(filled: Scene) -> None:
    assert "`hilum replay EXC-1 --reason" in filled.hilum("exceptions", "show", "1").stderr
    assert "would: EXC-1:" in filled.hilum("replay", "EXC-1", "--reason", "fixed", "--dry-run").stderr
