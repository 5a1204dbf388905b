"""Bad YAML and bad sites: each mistake has its code and its exact place."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from site_kit import FILES, Kit, changed, load, places, write_site

from engine.positions import Findings
from engine.site import templates, yaml
from engine.site.load import load_site
from engine.site.yaml import read_tree

CHANNELS = "config/channels.yaml"
CONNECTIONS = "config/connections.yaml"
ROUTES = "config/routes.yaml"
UNITS = "config/crosswalks/units.csv"
WARD = "partners/ward.yaml"
OFFICE = "partners/office.yaml"
SHOP = "partners/shop.yaml"
NOTE = "mappings/note.yaml"
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))

CASES = {
    # Y1, Y3, Y4 and other YAML that is refused before anything is read of it
    "Y1 duplicate key": (changed(WARD, "owner: wards", "owner: wards\nowner: others"), "CFG002", f"{WARD}:5:1"),
    "Y3 python tag": (changed(WARD, "owner: wards", "owner: !!python/name:os.system x"), "CFG003", f"{WARD}:4:8"),
    "Y3 plain tag": (changed(WARD, "owner: wards", "owner: !!str wards"), "CFG003", f"{WARD}:4:8"),
    "Y4 recursive alias": (changed(WARD, "owner: wards", "owner: &me [*me]"), "CFG004", f"{WARD}:4:13"),
    "Y4 alias bomb": ({WARD: BOMB}, "CFG004", f"{WARD}:5:10"),
    "Y4 nesting": ({WARD: "[" * 20_000}, "CFG005", f"{WARD}:1:33"),
    "Y4 size": ({WARD: "a: b\n" * 210_000}, "CFG006", f"{WARD}:1:1"),
    "tab": (changed(WARD, "  identity", "\tidentity"), "CFG001", f"{WARD}:6:1"),
    "syntax": (changed(WARD, "name: ward", "name: [ward"), "CFG001", f"{WARD}:3:7"),
    "control character": (changed(WARD, "wards", "war\x07ds"), "CFG007", f"{WARD}:4:11"),
    "list as key": (changed(WARD, "owner: wards", "? [owner]\n: wards"), "CFG008", f"{WARD}:4:3"),
    "two documents": (changed(WARD, "name: ward", "---\nname: ward"), "CFG009", f"{WARD}:2:1"),
    "empty file": ({WARD: "# nothing\n"}, "CFG009", f"{WARD}:1:1"),
    # Y5, the shape of the files and their values
    "Y5 unknown key": (changed(WARD, "crosswalks:", "crosswalk:"), "CFG102", f"{WARD}:9:1"),
    "Y5 unknown key of an agreement": (changed(WARD, "mapping: note", "maping: note"), "CFG102", f"{WARD}:8:26"),
    "Y5 unknown option": (changed(CHANNELS, "timeout:", "timeuot:"), "CFG102", f"{CHANNELS}:9:5"),
    "Y5 missing key": (changed(WARD, "owner: wards\n", ""), "CFG103", f"{WARD}:1:1"),
    "Y5 missing option": (changed(CHANNELS, '    listen: "127.0.0.1:2575"\n', ""), "CFG103", f"{CHANNELS}:3:3"),
    "Y5 wrong type": (changed(WARD, "{unit: units}", "[unit]"), "CFG104", f"{WARD}:9:1"),
    "Y5 not a number": (changed(CHANNELS, "timeout: 30s", "backlog: many"), "CFG104", f"{CHANNELS}:9:14"),
    "Y5 out of range": (changed(CHANNELS, "timeout: 30s", "backlog: 101"), "CFG105", f"{CHANNELS}:9:14"),
    "Y5 port out of range": (changed(CHANNELS, "127.0.0.1:2575", "127.0.0.1:99999"), "CFG105", f"{CHANNELS}:8:13"),
    "Y5 not a listed word": (changed(WARD, "status: live", "status: alive"), "CFG105", f"{WARD}:3:9"),
    "Y5 five minutes": (changed(CHANNELS, "30s", "5 minutes"), "CFG106", f"{CHANNELS}:9:14"),
    "Y5 bare number": (changed(CHANNELS, "30s", "30"), "CFG106", f"{CHANNELS}:9:14"),
    "Y5 negative": (changed(CHANNELS, "30s", "-30s"), "CFG106", f"{CHANNELS}:9:14"),
    "Y5 zone": ({"config/engine.yaml": FILES["config/engine.yaml"].replace("Chicago", "Chicagoo")}, "CFG105",
                "config/engine.yaml:3:7"),
    # Y6-Y9
    "Y6 one port twice": (changed(CHANNELS, "127.0.0.1:8080", "0.0.0.0:2575"), "CFG309", f"{CHANNELS}:15:13"),
    "Y7 unknown canonical field": (changed(NOTE, "number: number", "nomber: number"), "MAP201", f"{NOTE}:5:3"),
    "Y9 no such variable": (changed(CONNECTIONS, ":-http://127.0.0.1:8090", ""), "CFG201", f"{CONNECTIONS}:5:10"),
    "Y9 no such file": (changed(CHANNELS, "timeout: 30s", "token: ${file:/nowhere/key}"), "CFG202", f"{CHANNELS}:9:12"),
    "Y9 no reference": (changed(CHANNELS, "timeout: 30s", "token: ${vault:key}"), "CFG205", f"{CHANNELS}:9:12"),
    "Y9 secret in clear": (changed(CHANNELS, "timeout: 30s", "token: swordfish"), "CFG204", f"{CHANNELS}:9:12"),
    "Y9 secret as a default": (
        changed(CHANNELS, "timeout: 30s", "token: ${env:TOKEN:-swordfish}"), "CFG204", f"{CHANNELS}:9:12"),
    # Y11
    "Y11 absolute": (changed(SHOP, "./var/exchange/shop/out", "/etc/out"), "CFG206", f"{SHOP}:7:20"),
    "Y11 dots": (changed(SHOP, "./var/exchange/shop/out", "./var/../out"), "CFG206", f"{SHOP}:7:20"),
    "Y11 the data root": (changed(SHOP, "./var/exchange/shop/out", "./var"), "CFG206", f"{SHOP}:7:20"),
    "Y11 fetched": (changed(SHOP, "./var/exchange/shop/in", "elsewhere"), "CFG206", f"{SHOP}:7:52"),
    # Y13, Y14, Y17
    "Y13 one identity twice": (
        changed(WARD, '{hl7: "WARD|CLINIC"}', '{isa: "ZZ:SHOP  "}'), "CFG310", f"{WARD}:6:28"),
    "Y14 no version": (changed(WARD, "apiVersion: partner/v1\n", ""), "CFG107", f"{WARD}:1:1"),
    "Y14 newer version": (changed(WARD, "partner/v1", "partner/v2"), "CFG108", f"{WARD}:1:13"),
    "Y14 other kind": (changed(WARD, "partner/v1", "routes/v1"), "CFG108", f"{WARD}:1:13"),
    "Y17 dots": (changed(SHOP, "templates/shop", "../../etc/passwd"), "CFG208", f"{SHOP}:3:10"),
    "Y17 dots inside": (changed(SHOP, "templates/shop", "templates/.."), "CFG208", f"{SHOP}:3:10"),
    "Y17 web": (changed(SHOP, "templates/shop", "http://example/t.yaml"), "CFG208", f"{SHOP}:3:10"),
    "Y17 unknown": (changed(SHOP, "templates/shop", "templates/shoe"), "CFG209", f"{SHOP}:3:10"),
    # Y12: code tables
    "Y12 no such table": (changed(WARD, "{unit: units}", "{unit: unit}"), "CFG401", f"{WARD}:9:20"),
    "Y12 row twice": (changed(UNITS, "Box,BX,box", "Each,EA,again"), "CFG402", f"{UNITS}:3:1"),
    "Y12 conflicting rows": (changed(UNITS, "Box,BX,box", "Each,BX,box"), "CFG403", f"{UNITS}:3:1"),
    "Y12 empty key": (changed(UNITS, "Box,BX,box", "Box,,box"), "CFG404", f"{UNITS}:3:1"),
    "Y12 ragged row": (changed(UNITS, "Box,BX,box", "Box"), "CFG405", f"{UNITS}:3:1"),
    "Y12 no columns": (changed(UNITS, "partner,", "theirs,"), "CFG405", f"{UNITS}:1:1"),
    # names that lead nowhere
    "unknown kind": (changed(CHANNELS, "kind: mllp", "kind: mlp"), "CFG301", f"{CHANNELS}:4:11"),
    "unknown inline kind": (changed(SHOP, "folder:", "foldr:"), "CFG301", f"{SHOP}:7:5"),
    "unknown format": (changed(CHANNELS, "format: json", "format: jsn"), "CFG302", f"{CHANNELS}:12:13"),
    "listener of nobody": (changed(CHANNELS, "partner: ward", "partner: wart"), "CFG303", f"{CHANNELS}:6:14"),
    "unknown mapping": (changed(WARD, "mapping: note", "mapping: not"), "CFG304", f"{WARD}:8:35"),
    "unknown connection": (changed(OFFICE, "connection: office", "connection: offices"), "CFG305", f"{OFFICE}:6:15"),
    "route of nothing": (changed(ROUTES, "requisition", "requisitoin"), "CFG306", f"{ROUTES}:3:33"),
    "route to nobody": (changed(ROUTES, "[office]", "[ofice]"), "CFG303", f"{ROUTES}:3:51"),
    "route to one who takes none": (changed(ROUTES, "[office]", "[ward]"), "CFG307", f"{ROUTES}:3:51"),
    "route nowhere": (changed(ROUTES, ", to: [office]", ""), "CFG105", f"{ROUTES}:3:12"),
    "route by an unknown field": (changed(ROUTES, "[office]", "{field: offce}"), "CFG323", f"{ROUTES}:3:58"),
    "route in words": (changed(ROUTES, "[office]", "office"), "CFG104", f"{ROUTES}:3:50"),
    "reply that is not taken": (changed(OFFICE, "reply: answer", "reply: anser"), "CFG308", f"{OFFICE}:8:55"),
    "answer that is not taken": (changed(OFFICE, "{answer: 4h}", '{"997": 4h}'), "CFG322", f"{OFFICE}:8:94"),
    "batch of what is no X12": (
        changed(OFFICE, "reply: answer", "batch: {count: 5, every: 1m}, reply: answer"), "CFG327", f"{OFFICE}:8:48"),
    "batch of one": (
        changed(OFFICE, "reply: answer", "batch: {count: 1, every: 1m}, reply: answer"), "CFG105", f"{OFFICE}:8:63"),
    "fault that cannot be tolerated": (
        changed(WARD, "owner: wards", 'owner: wards\ntolerate: {AK502: ["2"]}'), "CFG105", f"{WARD}:5:20"),
    "agreement without mapping": (changed(WARD, ", mapping: note", ""), "CFG313", f"{WARD}:8:3"),
    "way out without connection": (changed(OFFICE, "  connection: office\n", "  identity: {}\n"), "CFG316",
                                   f"{OFFICE}:8:3"),
    "name of another file": (changed(WARD, "name: ward", "name: wards"), "CFG311", f"{WARD}:2:7"),
    "test traffic to a live partner": (changed(WARD, "theirs:", "usage: T, theirs:"), "CFG319", f"{WARD}:6:21"),
    "a mistake in the block that is not in use": (
        {WARD: FILES[WARD] + "test: {connection: {folder: {send: /etc}}}\n"}, "CFG206", f"{WARD}:10:36"),
    "a live door of a partner in tests": (
        changed(WARD, "status: live", "status: testing\ntest: {}")
        | changed("config/channels.yaml", "partner: ward\n", "partner: ward\n    usage: P\n"),
        "CFG319",
        "config/channels.yaml:7:12",
    ),
    "tests into a live folder by another name": (
        changed(SHOP, "live:", "test:\n  connection: {folder: {send: ./var/./exchange/shop/out}}\nlive:"),
        "CFG320",
        f"{SHOP}:6:3",
    ),
    "no block for the status": (changed(WARD, "status: live", "status: testing"), "CFG103", f"{WARD}:3:9"),
    "test traffic by a live connection": (
        {WARD: FILES[WARD] + "test: {connection: office}\n"}, "CFG320", f"{WARD}:10:20"),
    "a folder nobody's": (
        changed(CONNECTIONS, "  office:", "  box: {kind: folder, send: ./var/a, fetch: ./var/b}\n  office:"),
        "CFG318", f"{CONNECTIONS}:3:3"),
    "one mailbox for two": (
        {CONNECTIONS: FILES[CONNECTIONS] + "  box: {kind: folder, send: ./var/a, fetch: ./var/b}\n",
         WARD: FILES[WARD].replace("live:", "live:\n  connection: box"),
         SHOP: FILES[SHOP].split("  connection")[0] + "  connection: box\n"}, "CFG317", f"{WARD}:6:15"),
    "kind that has no sender": (changed(CONNECTIONS, "kind: http", "kind: mllp"), "CFG312", f"{CONNECTIONS}:3:3"),
    "file of no meaning": ({"config/route.yaml": "a: b\n"}, "CFG111", "config/route.yaml:1:1"),
    "no site": ({"config/engine.yaml": None}, "CFG109", "config/engine.yaml:1:1"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_found_at_its_place(name: str, tmp_path: Path) -> None:
    changes, code, place = CASES[name]
    began = time.process_time()
    site, found = load(tmp_path, changes)
    assert site is None
    assert (code, place) in places(found)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("Y5")])
def test_one_mistake_is_one_finding(name: str, tmp_path: Path) -> None:
    changes, code, place = CASES[name]
    assert places(load(tmp_path, changes)[1]) == [(code, place)]


def test_many_mistakes_of_many_files_are_told_at_once(tmp_path: Path) -> None:
    edits = [CASES[name][0] for name in ("Y1 duplicate key", "Y6 one port twice", "Y12 row twice", "route of nothing")]
    changes = {path: text for edit in edits for path, text in edit.items()}
    changes[OFFICE] = FILES[OFFICE].replace("reply: answer", "replay: answer").replace("4h", "four hours")
    _, found = load(tmp_path, changes)
    assert {finding.code for finding in found} >= {"CFG002", "CFG309", "CFG402", "CFG306", "CFG102", "CFG106"}
    assert [finding.mark.file for finding in found] == sorted(finding.mark.file for finding in found)


def test_the_nearest_right_word_is_told(tmp_path: Path) -> None:
    hints = {}
    for name in ("Y5 unknown key", "Y5 unknown option", "unknown kind", "unknown mapping", "Y17 unknown", "Y5 zone"):
        changes, code, _ = CASES[name]
        hints[name] = next(finding.hint for finding in load(tmp_path / name, changes)[1] if finding.code == code)
    assert hints == {
        "Y5 unknown key": "did you mean 'crosswalks'?",
        "Y5 unknown option": "did you mean 'timeout'?",
        "unknown kind": "did you mean 'mllp'?",
        "unknown mapping": "did you mean 'note'?",
        "Y17 unknown": "did you mean 'templates/shop'?",
        "Y5 zone": "did you mean 'America/Chicago'?",
    }


def test_both_places_are_named(tmp_path: Path) -> None:
    texts = {
        "Y1 duplicate key": "line 4",
        "Y6 one port twice": f"{CHANNELS}:8:13",
        "Y13 one identity twice": f"{SHOP}:8:28",
        "Y12 conflicting rows": "line 2",
        "Y12 row twice": "line 2",
    }
    for name, place in texts.items():
        changes, code, _ = CASES[name]
        _, found = load(tmp_path / name, changes)
        assert any(place in finding.text for finding in found if finding.code == code), name


def test_a_duration_error_names_the_units(tmp_path: Path) -> None:
    _, found = load(tmp_path, CASES["Y5 five minutes"][0])
    assert all(unit in found[0].text for unit in ("500ms", "30s", "15m", "4h", "1d"))


@pytest.mark.parametrize(("mode", "code"), [(0o644, "CFG203"), (0o640, "CFG203"), (0o600, ""), (0o400, "")])
def test_a_secret_file_belongs_to_its_owner(tmp_path: Path, mode: int, code: str) -> None:
    key = tmp_path / "key"
    key.write_text("swordfish\n")
    key.chmod(mode)
    site, found = load(tmp_path / "site", changed(CHANNELS, "timeout: 30s", f"token: ${{file:{key}}}"))
    assert [finding.code for finding in found] == ([code] if code else [])
    if site:
        token = getattr(site.listeners["ward"].options, "token")  # noqa: B009
        assert token.reveal() == "swordfish"
        assert "swordfish" not in repr(site)


def test_no_secret_is_told_back(tmp_path: Path) -> None:
    for name in ("Y9 secret in clear", "Y9 secret as a default"):
        _, found = load(tmp_path, CASES[name][0])
        assert not any("swordfish" in f"{finding.text}{finding.hint}" for finding in found)


def test_a_link_on_the_way_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var/exchange").mkdir(parents=True)
    (tmp_path / "var/exchange/shop").symlink_to("/tmp", target_is_directory=True)
    _, found = load(tmp_path)
    assert places(found) == [("CFG207", f"{SHOP}:7:20"), ("CFG207", f"{SHOP}:7:52")]


def test_a_file_that_links_out_of_the_site_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(FILES[WARD])
    (tmp_path / "site/partners").mkdir(parents=True)
    (tmp_path / "site/partners/ward2.yaml").symlink_to(tmp_path / "outside.yaml")
    _, found = load(tmp_path / "site")
    assert ("CFG110", "partners/ward2.yaml:1:1") in places(found)


def test_a_file_in_another_encoding_is_refused_where_it_stops_being_utf8(tmp_path: Path) -> None:
    findings = Findings()
    assert read_tree("a: ok\nb: naïve".encode("latin-1"), "x.yaml", findings) is None
    assert places(findings.found) == [("CFG007", "x.yaml:2:6")]


def test_a_template_goes_in_no_circle(tmp_path: Path) -> None:
    changes = {"partners/templates/shop.yaml": "apiVersion: partner/v1\nextends: templates/shop\n"}
    _, found = load(tmp_path, changes)
    assert ("CFG209", "partners/templates/shop.yaml:2:10") in places(found)


SHOWN = '{"number": "R1", "lines": [{"number": "1", "text": "tape", "amount": "2", "unit": "RL"}]}'
MEANT = """\
{"number": "R1", "lines": [{"number": "1", "item": {"description": "tape"}, "quantity": {"value": "2", "unit": "RL"}}]}
"""


def test_y18_an_example_that_is_no_longer_true_is_found(tmp_path: Path) -> None:
    folder = "mappings/examples/note"
    write_site(tmp_path, {f"{folder}/tape.json": MEANT, f"{folder}/tape.in.json": SHOWN})
    site, findings = load_site(tmp_path, Kit(), {}, examples=True)
    assert site is not None, findings
    write_site(tmp_path, changed(NOTE, "item.description: text", "item.description: remark"))
    assert load_site(tmp_path, Kit(), {})[0] is not None
    site, findings = load_site(tmp_path, Kit(), {}, examples=True)
    assert site is None
    assert places(findings.found) == [("CFG501", f"{folder}/tape.json:1:1")]
    assert "/lines/0/item" in findings.found[0].text


def test_these_tests_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the checks taken out, the bad sites load."""
    monkeypatch.setattr(templates, "_inside", lambda path: True)
    assert "CFG208" not in {finding.code for finding in load(tmp_path, CASES["Y17 dots"][0])[1]}
    monkeypatch.setattr(yaml._Builder, "_refuse_tag", lambda self, event: None)
    site, _ = load(tmp_path, CASES["Y3 plain tag"][0])
    assert site is not None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / WARD).chmod(0)
    _, found = load(tmp_path, {WARD: None})
    assert ("CFG112", f"{WARD}:1:1") in places(found)
