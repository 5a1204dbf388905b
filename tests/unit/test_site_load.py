"""A site that is right: what it becomes, its version and snapshot, and what is shown of findings."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from site_kit import FILES, KINDS, Kit, changed, load, places, write_site

from engine.errors import ConfigError
from engine.options import Options
from engine.positions import Finding, Findings, Mark
from engine.site.diagnostics import line_at, render, summary
from engine.site.json_schema import schemas
from engine.site.load import SiteError, load_site, load_snapshot, require_site
from engine.site.model import Site
from engine.site.reference import reference_root, site_root
from engine.site.source import read_source
from engine.site.yaml import read_tree

WARD = "partners/ward.yaml"
SHOP = "partners/shop.yaml"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def good(root: Path, changes: dict[str, str | None] | None = None, **environ: str) -> Site:
    site, found = load(root, changes or {}, **environ)
    assert site is not None, found
    return site


# --- values ----------------------------------------------------------------------------------------------------------
def test_plain_scalars_stay_the_text_they_are() -> None:
    """Y2: what YAML 1.1 makes of these is False, 10, 45045 and 1.1."""
    findings = Findings()
    tree = read_tree(b"a: NO\nb: 0012\nc: 12:30:45\nd: 1.10\ne: ~\nf: 'null'\ng: 1_000\n", "x.yaml", findings)
    assert tree is not None
    assert tree.plain() == {
        "a": "NO", "b": "0012", "c": "12:30:45", "d": "1.10", "e": None, "f": "null", "g": "1_000"
    }  # fmt: skip


def test_identities_and_codes_are_never_numbers(tmp_path: Path) -> None:
    shop = (
        FILES[SHOP].replace('{isa: "ZZ:SHOP"}', "{isa: 12:30:45, gs: 0012}")
        + "envelope: {segment: NO, element: '\\'}\n"
    )
    site = good(tmp_path, {SHOP: shop})
    assert site.partners["shop"].identity.theirs == {"isa": "12:30:45", "gs": "0012"}
    assert site.partners["shop"].envelope == {"segment": "NO", "element": "\\"}


def test_a_few_aliases_are_fine() -> None:
    findings = Findings()
    tree = read_tree(b"a: &a {x: 1}\nb: *a\n", "x.yaml", findings)
    assert tree is not None
    assert tree.plain() == {"a": {"x": "1"}, "b": {"x": "1"}}


def test_references_come_from_the_environment_or_their_default(tmp_path: Path) -> None:
    def url(site: Site) -> object:
        return site.connections["office"].options.model_dump()["url"]

    assert url(good(tmp_path)) == "http://127.0.0.1:8090"
    assert url(good(tmp_path, OFFICE_URL="http://office:1")) == "http://office:1"
    assert url(good(tmp_path, OFFICE_URL="")) == "http://127.0.0.1:8090"


# --- partners, connections, listeners --------------------------------------------------------------------------------
def test_a_template_is_overlaid_key_by_key(tmp_path: Path) -> None:
    shop = good(tmp_path).partners["shop"]
    assert (shop.owner, dict(shop.identity.ours)) == ("shops", {"isa": "ZZ:CLINIC"})
    assert [(a.type, a.direction) for a in shop.agreements] == [("997", "in"), ("997", "out")]
    shorn = good(tmp_path, {SHOP: FILES[SHOP] + 'owner: desk\ndocuments: {"997": ~}\n'}).partners["shop"]
    assert (shorn.owner, shorn.agreements) == ("desk", ())


def test_an_agreement_knows_its_document_format_and_promises(tmp_path: Path) -> None:
    sent = good(tmp_path).partners["office"].outgoing("requisition")
    assert sent is not None
    assert (sent.type, sent.format, sent.connection, sent.reply) == ("requisition", "json", "office", "answer")
    assert sent.expect == (("answer", 4 * 3600 * 1_000_000),)
    assert sent.options == {"path": "/notes"}


def test_a_connection_that_fetches_is_a_listener_too(tmp_path: Path) -> None:
    site = good(tmp_path)
    listener = site.listeners["shop"]
    assert (listener.kind, listener.format, listener.partner, listener.owner) == ("folder", "x12", "shop", "shops")
    assert str(listener.options.model_dump()["fetch"]).endswith("shop/in")
    assert site.connections["shop"].options.model_dump().keys() == {"send"}


def test_a_testing_partner_uses_its_test_block_alone(tmp_path: Path) -> None:
    text = FILES[SHOP].replace("status: live", "status: testing") + (
        "test:\n  connection: {folder: {send: ./var/t/out}}\n  identity: {theirs: {isa: 'ZZ:TRIAL'}}\n"
    )
    site = good(tmp_path, {SHOP: text})
    assert site.partners["shop"].identity.usage == "T"
    assert site.partners["shop"].identity.theirs == {"isa": "ZZ:TRIAL"}
    assert "exchange" not in str(site.connections["shop"].options)
    assert "shop" not in site.listeners


def test_a_draft_has_no_way_in(tmp_path: Path) -> None:
    """Its listeners are checked with all others, and not opened."""
    assert "ward" in good(tmp_path).listeners
    draft = FILES[WARD].replace("status: live", "status: draft")
    assert "ward" not in good(tmp_path, {WARD: draft}).listeners
    assert "shop" not in good(tmp_path, {SHOP: FILES[SHOP].replace("status: live", "status: draft")}).listeners


def test_a_draft_needs_no_connection(tmp_path: Path) -> None:
    draft = (
        FILES["partners/office.yaml"]
        .replace("status: live", "status: draft")
        .replace("live:\n  connection: office\n", "")
    )
    assert good(tmp_path, {"partners/office.yaml": draft}).partners["office"].status == "draft"


def test_a_route_may_name_the_field_that_names_the_partner(tmp_path: Path) -> None:
    text = "apiVersion: routes/v1\nroutes:\n  - {name: a, document: requisition, to: {field: facility}, from: ward}\n"
    text += "  - {name: b, document: requisition, drop: true, when: \"action = 'cancel'\", order_by: sender}\n"
    by_field, dropped = good(tmp_path, {"config/routes.yaml": text}).routes
    assert (by_field.to_field, by_field.source, by_field.when) == ("facility", "ward", None)
    assert dropped.filter
    assert dropped.when is not None


def test_ports_may_be_shared_by_two_addresses_and_port_0_by_all(tmp_path: Path) -> None:
    for address in ("127.0.0.2:2575", "127.0.0.1:0"):
        good(tmp_path, changed("config/channels.yaml", "127.0.0.1:8080", address))


# --- version and snapshot --------------------------------------------------------------------------------------------
def test_the_version_is_that_of_the_files_and_nothing_else(tmp_path: Path) -> None:
    first = good(tmp_path / "a")
    (tmp_path / "a/README.txt").write_text("no part of it")
    assert good(tmp_path / "a", OFFICE_URL="http://elsewhere").version == first.version
    assert good(tmp_path / "b").version == first.version
    assert good(tmp_path / "b").snapshot == first.snapshot
    assert good(tmp_path / "c", changed(WARD, "wards", "warden")).version != first.version


def test_moved_bytes_change_the_version(tmp_path: Path) -> None:
    (tmp_path / "a/config").mkdir(parents=True)
    (tmp_path / "a/config/engine.yaml").write_text("ab")
    (tmp_path / "a/config/routes.yaml").write_text("c")
    first = read_source(tmp_path / "a", Findings()).version
    (tmp_path / "a/config/engine.yaml").write_text("a")
    (tmp_path / "a/config/routes.yaml").write_text("bc")
    assert read_source(tmp_path / "a", Findings()).version != first


def test_a_snapshot_is_the_same_site_again(tmp_path: Path) -> None:
    site = good(tmp_path)
    again, findings = load_snapshot(site.snapshot, Kit(), {})
    assert again is not None, findings
    assert again.version == site.version
    assert again.partners == site.partners
    assert again.listeners == site.listeners


def test_a_secret_is_in_no_snapshot(tmp_path: Path) -> None:
    token = changed("config/channels.yaml", "timeout: 30s", "token: ${env:TOKEN}")
    assert b"swordfish" not in good(tmp_path, token, TOKEN="swordfish").snapshot


def test_a_site_that_is_required_says_all_findings(tmp_path: Path) -> None:
    root = write_site(tmp_path, {WARD: FILES[WARD].replace("owner", "ovner").replace(": live", ": alive")})
    with pytest.raises(SiteError) as caught:
        require_site(root, Kit(), {})
    assert isinstance(caught.value, ConfigError)
    assert places(caught.value.findings.found) == [("CFG105", f"{WARD}:3:9"), ("CFG102", f"{WARD}:4:1")]


# --- where it lies ---------------------------------------------------------------------------------------------------
def test_the_site_is_the_named_one_or_this_folders_or_the_reference(tmp_path: Path) -> None:
    assert site_root({"HILUM_SITE": "/somewhere"}) == Path("/somewhere")
    assert site_root({}, tmp_path) == reference_root()
    assert site_root({}, write_site(tmp_path)) == tmp_path
    assert (reference_root() / "config" / "engine.yaml").is_file()


# --- how findings look -----------------------------------------------------------------------------------------------
def test_a_finding_is_shown_with_its_line_and_carets(tmp_path: Path) -> None:
    changes = changed(WARD, "mapping: note", "maping: note")
    _, found = load(tmp_path, changes)
    assert render(found[0], line_at(tmp_path, found[0].mark)) == (
        "error[CFG102]: unknown key 'maping'\n"
        " --> partners/ward.yaml:8:26\n"
        "  |\n"
        "8 |   order: {direction: in, maping: note}\n"
        "  |                          ^^^^^^ did you mean 'mapping'?\n"
        "  = help: `hilum explain CFG102`"
    )


def test_colour_is_only_added_when_asked_for() -> None:
    finding = Finding("CFG102", "unknown key", Mark("a.yaml", 1, 1, 3))
    assert "\x1b" not in render(finding, "abc: 1")
    assert "\x1b[1;31m" in render(finding, "abc: 1", colour=True)


def test_a_secret_in_clear_is_not_shown() -> None:
    finding = Finding("CFG204", "a secret is written in clear", Mark("a.yaml", 1, 8, 9))
    assert "swordfish" not in render(finding, "token: swordfish")


def test_a_long_line_is_cut_around_its_place_and_terminal_codes_are_disarmed() -> None:
    line = "x" * 400 + "\x1b[31mHERE" + "y" * 400
    shown = render(Finding("CFG001", "odd", Mark("a.yaml", 1, 406, 4)), line)
    source, carets = (row.partition("| ")[2] for row in shown.split("\n")[3:5])
    assert "\x1b" not in shown
    assert len(source) <= 140
    assert source[carets.index("^") :].startswith("HERE")


def test_the_summary_counts() -> None:
    findings = Findings()
    findings.error("CFG102", "", Mark("a"))
    assert summary(31, 0.18, findings) == "checked 31 files in 0.18 s: 1 error, 0 warnings"


# --- schemas ---------------------------------------------------------------------------------------------------------
KIND_OF = {"engine": "engine", "channels": "channels", "connections": "connections", "routes": "routes"}


def kind_of(path: str) -> str:
    folder, _, file = path.rpartition("/")
    return {"partners": "partner", "partners/templates": "partner", "mappings": "mapping"}.get(folder) or KIND_OF[
        file[:-5]
    ]


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith(".yaml")])
def test_what_check_accepts_an_editor_accepts(path: str) -> None:
    schema = schemas(Kit())[kind_of(path)]
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load(FILES[path]))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (WARD, "owner:", "ovner:"),
        (WARD, "status: live", "status: alive"),
        (WARD, "partner/v1", "partner/v2"),
        (SHOP, "fetch:", "fecth:"),
        ("config/channels.yaml", "timeout: 30s", "timeout: 5 minutes"),
        ("config/channels.yaml", "timeout: 30s", "backlog: 101"),
        ("config/connections.yaml", "url:", "ulr:"),
        ("config/routes.yaml", "[office]", "office"),
    ],
)
def test_what_check_refuses_an_editor_marks(path: str, old: str, new: str) -> None:
    text = FILES[path].replace(old, new, 1)
    assert text != FILES[path]
    schema = schemas(Kit())[kind_of(path)]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(yaml.safe_load(text))


def test_schemas_are_plain_json_and_hold_no_unresolved_reference() -> None:
    for schema in schemas(Kit()).values():
        text = json.dumps(schema)
        names = {part.split('"')[0] for part in text.split('"#/definitions/')[1:]}
        assert names <= schema.get("definitions", {}).keys()


def test_every_option_of_every_kind_is_in_the_schema() -> None:
    text = json.dumps(schemas(Kit()))
    for kind in KINDS.values():
        models: list[type[Options] | None] = [kind.listener_options, kind.sender_options]
        assert all(f'"{name}"' in text for model in models if model for name in model.model_fields)


def test_a_site_is_loaded_without_running_anything(tmp_path: Path) -> None:
    """Nothing is opened or made: the folders of connections and the data root are not there afterwards."""
    load_site(write_site(tmp_path), Kit(), {})
    assert not (tmp_path / "var").exists()
