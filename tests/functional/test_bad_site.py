"""Bad sites, by `hilum check`: exit code 3, a code, the exact place. And a running daemon that is told to take one in
refuses it and goes on with the site it has."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine import wiring
from engine.site.load import load_site
from tests.functional.bad_kit import verb
from tests.functional.parties import requisition, send
from tests.functional.scene import Scene, copy_site, scene

EHR, ERP, ACME, BRAVO = (f"partners/{name}.yaml" for name in ("ehr", "erp", "acme_surgical", "bravo_medical"))
CHANNELS, CONNECTIONS, ROUTES = (f"config/{name}.yaml" for name in ("channels", "connections", "routes"))
OMS, X850 = "mappings/hl7v2_oms_o05.yaml", "mappings/x12_850.yaml"
HOME, ERP_URL = "${env:HILUM_HOME:-./var}", "${env:HILUM_ERP_URL:-http://127.0.0.1:8090}"
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


class Mistake(NamedTuple):
    """In `file`, `old` becomes `new` (without `old` the file is `new`). The finding stands where `at` does, which may
    also be a number of characters into the file."""

    file: str
    old: str
    new: str
    code: str
    at: str | int


def when(condition: str, code: str, at: str = "") -> Mistake:
    """A route with a condition; the finding stands in it where `at` begins."""
    quoted = condition.replace('"', '\\"')
    return Mistake(ROUTES, "to: [erp]}", f'to: [erp], when: "{quoted}"}}', code, at or quoted)


MISTAKES = {
    "Y1 a key twice": Mistake(EHR, "\nowner: clinical", "\nowner: us\nowner: clinical", "CFG002", "owner: clinical"),
    "Y3 a Python tag": Mistake(
        EHR, "owner: clinical", "owner: !!python/object/apply:os.system clinical", "CFG003", "!!python"),
    "Y4 an alias of itself": Mistake(EHR, "owner: clinical-integration", "owner: &me [*me]", "CFG004", "*me"),
    "Y4 an alias bomb": Mistake(EHR, "", BOMB, "CFG004", "*a3"),
    "Y4 nesting": Mistake(EHR, "", "[" * 20_000, "CFG005", 32),
    "Y4 size": Mistake(EHR, "", "a: b\n" * 210_000, "CFG006", "a: b"),
    "Y5 a key is missing": Mistake(EHR, "owner: clinical-integration\n", "", "CFG103", "apiVersion"),
    "Y5 an unknown key": Mistake(ROUTES, "document: requisition", "documnt: requisition", "CFG102", "documnt"),
    "Y5 a wrong type": Mistake(CONNECTIONS, "in_flight: 8", "in_flight: many", "CFG104", "many"),
    "Y5 out of range": Mistake(CONNECTIONS, "in_flight: 8", "in_flight: 0", "CFG105", "0\n"),
    "Y5 port out of range": Mistake(
        CHANNELS, "${env:HILUM_MLLP:-127.0.0.1:2575}", "127.0.0.1:99999", "CFG105", '"127.0.0.1:99999'),
    "Y5 a negative time": Mistake(CONNECTIONS, "first: 1s", "first: -1s", "CFG106", "-1s"),
    "Y5 a time in words": Mistake(CONNECTIONS, "first: 1s", "first: 5 minutes", "CFG106", "5 minutes"),
    "Y6 one port for two": Mistake(
        CHANNELS, "HILUM_HTTP:-127.0.0.1:8080", "HILUM_MLLP:-127.0.0.1:2575", "CFG309",
        '"${env:HILUM_MLLP:-127.0.0.1:2575}"\n    paths'),
    "Y7 no such field": Mistake(OMS, "facility: ", "facilty: ", "MAP201", "facilty"),
    "Y7 no such segment": Mistake(OMS, "RQD-8.1", "RQX-8.1", "MAP301", "RQX-8.1"),
    "Y7 no such field of a segment": Mistake(OMS, "RQD-8.1", "RQD-88", "MAP301", "RQD-88"),
    "Y7 no such element": Mistake(X850, "BEG03", "BEG33", "MAP301", "BEG33"),
    "Y8 an attribute": when("number.__class__ = 'x'", "MAP402"),
    "Y8 subclasses": when("().__subclasses__()", "MAP401", ".__subclasses__"),
    "Y8 a call": when("open('/etc/passwd')", "MAP401", "('/etc"),
    "Y8 an f-string": when("f'{number}'", "MAP401", "'{number}'"),
    "Y8 a power": when("9 ** 99999999", "MAP401", "** 9"),
    "Y8 a product": when("number = 'a' * 1000000000", "MAP401", "* 1000000000"),
    "Y8 a comprehension": when("[x for x in number]", "MAP401"),
    "Y8 a regular expression": when("number ~ '(a+)+$'", "MAP401", "~ '(a+)+$'"),
    "Y8 too long": when("number = 'x' and " * 80 + "number = 'x'", "CFG105", '"number = '),
    "Y8 too deep": when("(" * 40 + "number = 'x'" + ")" * 40, "MAP403", "(" * 20 + "number"),
    "Y9 no such variable": Mistake(CONNECTIONS, ERP_URL, "${env:NO_SUCH}", "CFG201", '"${env:NO_SUCH'),
    "Y9 no such file": Mistake(CONNECTIONS, ERP_URL, "${file:/nowhere/key}", "CFG202", '"${file:'),
    "Y11 outside": Mistake(ACME, f"{HOME}/exchange/acme_surgical/out", "/etc/out", "CFG206", '"/etc/out"'),
    "Y11 dots": Mistake(ACME, "exchange/acme_surgical/out", "exchange/../../out", "CFG206", f'"{HOME}/exchange/../'),
    "Y13 one identity for two": Mistake(BRAVO, "ZZ:BRAVOMED", "01:081234567", "CFG310", '"01:081234567"'),
    "Y14 no version": Mistake(EHR, "apiVersion: partner/v1\n", "", "CFG107", "name: ehr"),
    "Y14 a newer version": Mistake(EHR, "partner/v1\n", "partner/v2\n", "CFG108", "partner/v2"),
    "Y17 out of the site": Mistake(ACME, "templates/x12_supplier", "../../etc/passwd", "CFG208", "../../etc"),
    "Y17 from the web": Mistake(ACME, "templates/x12_supplier", "http://example.org/t", "CFG208", "http://example"),
    "Y17 nowhere": Mistake(ACME, "templates/x12_supplier", "templates/x12_suplier", "CFG209", "templates/x12_sup"),
}  # fmt: skip


def broken(folder: Path, *mistakes: Mistake) -> Path:
    site = copy_site(folder)
    for mistake in mistakes:
        _make(site, mistake)
    return site


def _make(site: Path, mistake: Mistake) -> None:
    path = site / mistake.file
    text = path.read_text()
    assert mistake.old in text, f"{mistake.old!r} is not in {mistake.file}"
    path.write_text(text.replace(mistake.old, mistake.new, 1) if mistake.old else mistake.new)


def _place(site: Path, mistake: Mistake) -> str:
    before, found, _ = (site / mistake.file).read_text().partition(mistake.at)
    assert found == mistake.at
    return f"{mistake.file}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def _place(site: Path, mistake: Mistake) -> str:
    text, at = (site / mistake.file).read_text(), mistake.at
    offset = text.index(at) if isinstance(at, str) else at
    before = text[:offset]
    return f"{mistake.file}:{before.count(chr(10)) + 1}:{offset - before.rfind(chr(10))}"


@pytest.fixture
def stage(tmp_path: Path) -> Scene:
    stage = Scene(tmp_path)
    for name in ("HILUM_MLLP", "HILUM_HTTP", "HILUM_ERP_URL"):  # the sites' own defaults are checked
        del stage.environment[name]
    return stage


def findings(stage: Scene, site: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(verb(stage, "check", str(site), "--json", code=3))
    return rows


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_found_at_its_place_and_nothing_else_is(stage: Scene, name: str) -> None:
    mistake = MISTAKES[name]
    site = broken(stage.folder / "site", mistake)
    rows = findings(stage, site)
    assert {(row["code"], row["place"]) for row in rows} == {(mistake.code, _place(site, mistake))}
    assert rows[0]["severity"] == "error"


def test_many_mistakes_are_told_at_once_by_the_console_script(stage: Scene) -> None:
    names = ["Y1 a key twice", "Y5 a time in words", "Y6 one port for two", "Y7 no such field", "Y8 a power"]
    chosen = [MISTAKES[name] for name in (*names, "Y13 one identity for two", "Y17 nowhere")]
    site = broken(stage.folder / "site", *chosen)
    ran = stage.hilum("check", str(site), code=3)
    for mistake in chosen[:-2]:
        assert f"error[{mistake.code}]" in ran.stdout
        assert f"--> {_place(site, mistake)}\n" in ran.stdout
    assert "did you mean 'facility'?" in ran.stdout
    assert "500ms, 30s, 15m, 4h or 1d" in ran.stdout
    assert "line 7" in ran.stdout  # where the key stood first
    assert f"which 'ehr_mllp' has ({CHANNELS}:10:13)" in ran.stdout


def test_y2_words_that_look_like_something_else_stay_words(stage: Scene) -> None:
    site = copy_site(stage.folder / "site")
    partner = site / BRAVO
    text = partner.read_text().replace("title: Bravo Medical Distribution", "title: NO\nrunbook: 12:30:45")
    partner.write_text(text.replace("gs: BRAVOMED", "gs: 0012"))
    verb(stage, "check", str(site))
    read, found = load_site(site, wiring.registry(), stage.environment)
    assert read is not None, found
    bravo = read.partners["bravo_medical"]
    assert (bravo.title, bravo.runbook, bravo.identity.theirs["gs"]) == ("NO", "12:30:45", "0012")


@pytest.mark.parametrize(("mode", "code"), [(0o644, 3), (0o640, 3), (0o600, 0)])
def test_y9_a_secret_file_is_its_owners_alone(stage: Scene, mode: int, code: int) -> None:
    secret = stage.folder / "erp-url"
    secret.write_text("http://127.0.0.1:8090")
    secret.chmod(mode)
    site = broken(stage.folder / "site", Mistake(
        CONNECTIONS, ERP_URL, f"${{file:{secret}}}", "CFG203", "${file:"))  # fmt: skip
    rows = json.loads(verb(stage, "check", str(site), "--json", code=code))
    place = _place(site, Mistake(CONNECTIONS, "", "", "", '"${file:'))
    assert [(row["code"], row["place"]) for row in rows] == ([("CFG203", place)] if code else [])


def test_y11_a_link_on_the_way_to_a_folder(stage: Scene) -> None:
    site = copy_site(stage.folder / "site")
    exchange = stage.home / "exchange"
    exchange.mkdir(parents=True)
    (exchange / "acme_surgical").symlink_to("/tmp", target_is_directory=True)
    rows = findings(stage, site)
    place = _place(site, Mistake(ACME, "", "", "", '"${env:HILUM_HOME:-./var}/exchange/acme_surgical/out'))
    assert {row["code"] for row in rows} == {"CFG207"}
    assert place in {row["place"] for row in rows}


def test_y18_an_example_that_is_no_longer_true_is_told_with_the_difference(stage: Scene) -> None:
    wrong = Mistake(OMS, "account:      RQD-8.1", "account:      RQD-9.1", "CFG501", "")
    rows = findings(stage, broken(stage.folder / "site", wrong))
    assert {row["code"] for row in rows} == {"CFG501"}
    texts = [row["text"] for row in rows if row["place"] == "mappings/examples/hl7v2_oms_o05/theatre.json:1:1"]
    assert any("/lines/0/account: expected '47110', got 'DOCK-2'" in text for text in texts)


def test_y6_a_port_that_is_taken_already_is_named_at_the_start(stage: Scene) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stage.environment |= {"HILUM_MLLP": f"127.0.0.1:{port}", "HILUM_HTTP": f"127.0.0.1:{stage.http}"}
        told = stage.hilum("run", code=6).stderr
    assert "error[mllp.listen]: listener ehr_mllp cannot listen on" in told
    assert f"127.0.0.1:{port}" in told


RELOADS: dict[str, Callable[[Path], tuple[str, str]]] = {
    "a mistake in a route": lambda site: _spoil(site, MISTAKES["Y8 a power"]),
    "a key twice": lambda site: _spoil(site, MISTAKES["Y1 a key twice"]),
    "a mapping": lambda site: _spoil(site, MISTAKES["Y7 no such segment"]),
    "half a file": lambda site: _halve(site, EHR),
}


def _spoil(site: Path, mistake: Mistake) -> tuple[str, str]:
    _make(site, mistake)
    return mistake.code, _place(site, mistake)


def _halve(site: Path, file: str) -> tuple[str, str]:
    """As an editor that is still writing leaves it."""
    raw = (site / file).read_bytes()
    (site / file).write_bytes(raw[: raw.index(b"documents:") + 14])
    return "", file


def test_a_running_daemon_refuses_a_bad_site_and_goes_on(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        stage.start()
        version = json.loads(verb(stage, "status", "--json"))["site"]
        for number, (name, spoil) in enumerate(RELOADS.items()):
            before = {file: (site / file).read_bytes() for file in (EHR, ROUTES, OMS)}
            code, place = spoil(site)
            told = stage.hilum("reload", code=3).stderr
            assert code in told, name
            assert place in told, name
            assert send(stage, requisition(f"REQ-Y{number}", ("GLV-NTR-L", "1", "Box"))) == ["AA"]
            assert json.loads(verb(stage, "status", "--json"))["site"] == version
            for file, raw in before.items():
                (site / file).write_bytes(raw)
        stage.until(lambda: stage.log().count("reload_refused") == len(RELOADS), "refusals in the log")
        table = site / "config" / "crosswalks" / "ehr_items.csv"
        table.write_text(table.read_text() + "NEW-GLOVE,NH-10003,A glove nobody had listed\n")
        stage.hilum("reload")
        assert json.loads(verb(stage, "status", "--json"))["site"] != version
        assert send(stage, requisition("REQ-YN", ("NEW-GLOVE", "1", "Box"))) == ["AA"]
        stage.until(lambda: bool(stage.trace("REQ-YN")["documents"]), "the requisition read")
        assert stage.ledger()["exception"] == 0
