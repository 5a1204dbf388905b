"""What counts for a partner and where it is written; secrets stay unseen; a certificate's fingerprint."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_kit import Kit, changed, write_site

from engine.options import Options
from engine.plugin import Kind
from engine.positions import Findings
from engine.secrets import Secret
from engine.site.effective import effective_tree, fingerprint, settings
from engine.site.source import Source, read_source

SHOP = "partners/shop.yaml"
OFFICE = "partners/office.yaml"
WARD = "partners/ward.yaml"


def source(root: Path, changes: dict[str, str | None] | None = None) -> Source:
    return read_source(write_site(root, changes or {}), Findings())


def told(root: Path, name: str, changes: dict[str, str | None] | None = None) -> dict[str, tuple[str, str]]:
    return {one.key: (one.value, one.place) for one in settings(source(root, changes), name, Kit())}


def test_every_value_names_the_line_it_comes_from(tmp_path: Path) -> None:
    shop = told(tmp_path, "shop")
    assert shop["owner"] == ("shops", "partners/templates/shop.yaml:2")
    assert shop["live.identity.theirs.isa"] == ("ZZ:SHOP", f"{SHOP}:8")
    assert shop["live.identity.ours.isa"] == ("ZZ:CLINIC", "partners/templates/shop.yaml:4")
    assert shop["live.identity.usage"] == ("P", "default")
    assert shop["calendar.zone"] == ("America/Chicago", "config/engine.yaml:3")
    assert list(shop).index("status") < list(shop).index("live.identity.ours.isa")


def test_a_named_connection_is_told_with_its_own_file(tmp_path: Path) -> None:
    office = told(tmp_path, "office")
    assert office["live.connection"] == ("office", f"{OFFICE}:6")
    assert office["live.connection.office.url"] == (
        "${env:OFFICE_URL:-http://127.0.0.1:8090}",
        "config/connections.yaml:5",
    )


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    secrets = {
        "connection: office": "connection: {http: {url: 'https://me:hunter2@desk.example', token: hunter2, pasword: x, "
        "password: hunter2}}"
    }
    (old, new), *_ = secrets.items()
    office = told(tmp_path, "office", changed(OFFICE, old, new))
    assert "hunter2" not in str(office)
    assert office["live.connection.http.token"][0] == "***"
    assert office["live.connection.http.url"][0] == "https://***@desk.example"
    kept = changed(OFFICE, old, "connection: {http: {url: 'http://d', token: '${file:/run/secrets/t}'}}")
    assert told(tmp_path, "office", kept)["live.connection.http.token"][0] == "${file:/run/secrets/t}"
    with_default = changed(OFFICE, old, "connection: {http: {url: 'http://d', token: '${env:T:-hunter2}'}}")
    assert told(tmp_path, "office", with_default)["live.connection.http.token"][0] == "***"


class Stamped(Kit):
    """A kind with a secret whose name does not say so."""

    def kind(self, name: str) -> Kind:
        return Kind(name, sender_options=StampOptions)


class StampOptions(Options):
    url: str
    stamp: Secret | None = None


def test_a_secret_is_known_by_its_type_too(tmp_path: Path) -> None:
    stamped = changed(OFFICE, "connection: office", "connection: {http: {url: 'http://d', stamp: hunter2}}")
    site = source(tmp_path, stamped)
    shown = {one.key: one.value for one in settings(site, "office", Stamped())}
    assert (shown["live.connection.http.stamp"], shown["live.connection.http.url"]) == ("***", "http://d")


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        ({}, set()),
        (changed(WARD, "status: live", "status: testing\ntest: {}"), {"ward"}),
        (changed(WARD, "owner: wards", "owner: others\ntitle: A ward\ncontacts: {desk: d@w.example}"), set()),
        (changed(WARD, "WARD|CLINIC", "WARD|OTHER"), {"ward"}),
        (changed("config/crosswalks/units.csv", "Box,BX", "Box,CA"), {"ward"}),
        (changed("mappings/note.yaml", "quantity.unit: unit", "quantity.unit: {at: unit}"), {"ward", "office"}),
        (changed("partners/templates/shop.yaml", "ZZ:CLINIC", "ZZ:OTHER"), {"shop"}),
        (changed("config/engine.yaml", "Little Clinic", "Big Clinic"), set()),
    ],
)
def test_a_fingerprint_moves_with_what_its_partner_is_told_and_with_nothing_else(
    tmp_path: Path, changes: dict[str, str | None], moved: set[str]
) -> None:
    before, after = source(tmp_path / "a"), source(tmp_path / "b", changes)
    names = ("ward", "office", "shop")
    assert {one for one in names if fingerprint(before, one, Kit()) != fingerprint(after, one, Kit())} == moved


def test_a_status_alone_moves_no_fingerprint(tmp_path: Path) -> None:
    draft = source(tmp_path / "b", changed(SHOP, "status: live", "status: draft"))
    assert fingerprint(source(tmp_path / "a"), "shop", Kit()) == fingerprint(draft, "shop", Kit()) != ""


def test_there_is_nothing_of_a_partner_that_is_not_there(tmp_path: Path) -> None:
    assert effective_tree(source(tmp_path), "nobody", Kit()) is None
    assert settings(source(tmp_path), "nobody", Kit()) == []
    assert fingerprint(source(tmp_path), "nobody", Kit()) == ""
    assert effective_tree(source(tmp_path), "../config/engine", Kit()) is None


@pytest.mark.parametrize("large", [0, 2_000_000])
def test_a_fingerprint_is_also_of_the_second_table_and_of_large_ones(
    tmp_path: Path, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.site.source.LARGE", large)
    both = changed(WARD, "unit: units", "unit: [own, units]") | {"config/crosswalks/own.csv": "partner,enterprise\n"}
    moved = changed("config/crosswalks/units.csv", "Box,BX", "Box,CA")
    before, after = source(tmp_path / "a", both), source(tmp_path / "b", both | moved)
    assert fingerprint(before, "ward", Kit()) != fingerprint(after, "ward", Kit())
