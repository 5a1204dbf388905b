"""Guides of a site: read with its partners, every mistake at its line and column, and told when they change."""

from __future__ import annotations

import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml

import channels
from canonical import PurchaseOrder
from engine.ids import new_id
from engine.planner import Planner
from engine.positions import Finding
from engine.site import partners
from engine.site.changes import changes
from engine.site.json_schema import schemas
from engine.site.load import load_site
from engine.site.model import Site
from engine.site.reference import PARTS, reference_root

GUIDE = """\
apiVersion: guide/v1
description: invented
set: "850"
rules:
  CUR: required
  PO1: {most: 2}
  N1[ST]/N4: required
  BEG03: {length: [4, 12]}
  PO1/PO103: {codes: [BX, EA]}
"""
ORDER = {
    "number": "PO-9001",
    "supplier": "ACME",
    "currency": "USD",
    "ordered_on": "2026-11-21",
    "lines": [{"number": "1", "item": {"ids": [{"scheme": "buyer_part", "value": "NH-10003"}]},
               "quantity": {"value": "1", "unit": "BX"}, "price": "4.50"}],
}  # fmt: skip


def site_with(root: Path, guide: str = GUIDE, named: str = "acme_850") -> tuple[Site | None, list[Finding]]:
    """The reference site, whose first supplier has a guide."""
    shutil.rmtree(root, ignore_errors=True)
    for part in PARTS:
        if (reference_root() / part).is_dir():
            shutil.copytree(reference_root() / part, root / part)
    (root / "guides").mkdir(exist_ok=True)
    (root / "guides/acme_850.yaml").write_text(guide)
    with (root / "partners/acme_surgical.yaml").open("a") as file:
        file.write(f'\ndocuments: {{"850": {{guide: {named}}}}}\n')
    site, findings = load_site(root, channels.registry(), {})
    return site, findings.found


@pytest.mark.parametrize("named", ["acme_850", "guides/acme_850"])
def test_an_agreement_has_its_guide(tmp_path: Path, named: str) -> None:
    site, found = site_with(tmp_path / "site", named=named)
    assert (site is not None, found) == (True, [])
    assert site is not None
    agreements = {name: partner.outgoing("purchase_order") for name, partner in site.partners.items()}
    guide = agreements["acme_surgical"]
    assert guide is not None
    assert guide.guide is not None
    assert guide.guide.type == "850"
    other = agreements["bravo_medical"]
    assert other is not None
    assert other.guide is None


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "hint"),
    [
        ("CUR: required", "CUR: requierd", "CFG105", "5:8", "did you mean 'required'?"),
        ("CUR: required", "CURR: required", "CFG350", "5:3", ""),
        ("PO1/PO103", "PO1/PO193", "CFG350", "9:3", "did you mean 'PO125'?"),
        ("N1[ST]/N4", "N1[ST]/N9", "CFG350", "7:3", ""),
        ("[BX, EA]", "[BX, Q@]", "CFG350", "9:3", ""),
        ("{most: 2}", "{mots: 2}", "CFG102", "6:9", "did you mean 'most'?"),
        ("{most: 2}", "{most: many}", "CFG104", "6:15", ""),
        ("[4, 12]", "[4, 40]", "CFG350", "8:3", ""),
        ('"850"', '"8500"', "CFG350", "3:6", "did you mean '850'?"),
        ('"850"', '"855"', "CFG350", "8:3", ""),
        ("description: invented", 'release: "4010"', "CFG350", "2:10", "did you mean '004010'?"),
        ("description: invented", "format: json", "CFG350", "2:9", ""),
        ("guide/v1", "gide/v1", "CFG108", "1:13", ""),
    ],
)
def test_a_mistake_of_a_guide_is_found_at_its_place(
    tmp_path: Path, old: str, new: str, code: str, place: str, hint: str
) -> None:
    site, found = site_with(tmp_path / "site", GUIDE.replace(old, new))
    assert site is None
    [one] = [one for one in found if one.mark.file.startswith("guides/")][:1]
    assert (one.code, f"{one.mark.line}:{one.mark.column}") == (code, place), one
    assert hint in one.hint


def test_a_guide_that_is_not_there_or_for_another_type(tmp_path: Path) -> None:
    _, found = site_with(tmp_path / "site", named="acme_851")
    assert [(one.code, one.hint) for one in found] == [("CFG351", "did you mean 'acme_850'?")]
    rules = GUIDE.partition("rules:")[0].replace("850", "855") + "rules: {CUR: required}\n"
    _, found = site_with(tmp_path / "site", rules)
    assert [(one.code, one.mark.file) for one in found] == [("CFG352", "partners/acme_surgical.yaml")]


def test_what_is_sent_is_refused_by_the_line_of_the_guide(tmp_path: Path) -> None:
    site, _ = site_with(tmp_path / "site", GUIDE + "  SAC: required\n")
    assert site is not None
    planner = Planner(site, channels.registry().format, new_id)
    way = planner.ways["acme_surgical", "850"]
    document = PurchaseOrder.from_fields(ORDER)
    _, problems = way.render(document, "u-1", planner.moment("acme_surgical", 1_795_000_000))
    assert problems, problems
    assert ["by guides/acme_850.yaml:10:3" in problem.text for problem in problems] == [True]


def test_what_is_received_is_judged_by_the_guide(tmp_path: Path) -> None:
    root = tmp_path / "site"
    site_with(root)
    (root / "guides/acme_855.yaml").write_text('apiVersion: guide/v1\nset: "855"\nrules: {"REF[IA]": required}\n')
    partner = root / "partners/acme_surgical.yaml"
    partner.write_text(partner.read_text().replace('"850": {guide: acme_850}', '"855": {guide: acme_855}'))
    site, findings = load_site(root, channels.registry(), {})
    assert site is not None, findings.found
    planner = Planner(site, channels.registry().format, new_id)
    profile = planner.profile("acme_surgical", "acme_surgical", "")
    assert {type: guide.type for type, guide in profile.guides.items()} == {"855": "855"}


def test_a_reload_tells_a_guide_that_has_changed(tmp_path: Path) -> None:
    one, _ = site_with(tmp_path / "one")
    same, _ = site_with(tmp_path / "same")
    other, _ = site_with(tmp_path / "other", GUIDE.replace("most: 2", "most: 3"))
    assert one is not None
    assert same is not None
    assert other is not None
    assert changes(one, same) == []
    assert [(change.what, change.name, change.fields) for change in changes(one, other)] == [
        ("file", "guides/acme_850.yaml", ()),
        ("partner", "acme_surgical", ("agreements.850",)),
    ]


def test_editors_can_check_a_guide() -> None:
    schema = schemas(channels.registry())["guide"]
    jsonschema.validate(yaml.safe_load(GUIDE), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(GUIDE.replace("most", "mots")), schema)


def test_a_guide_is_part_of_the_sites_version(tmp_path: Path) -> None:
    one, _ = site_with(tmp_path / "one")
    other, _ = site_with(tmp_path / "other", GUIDE + "# a word\n")
    assert one is not None
    assert other is not None
    assert one.version != other.version


def test_a_second_opinion_must_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site_with(tmp_path / "site")
    partner = tmp_path / "site/partners/acme_surgical.yaml"
    partner.write_text(partner.read_text().replace("{guide: acme_850}", "{guide: acme_850, second_opinion: pyx12}"))
    site, findings = load_site(tmp_path / "site", channels.registry(), {})
    assert site is not None, findings.found
    asked = [one.type for one in site.partners["acme_surgical"].agreements if one.second_opinion]
    assert asked == ["850"]
    monkeypatch.setattr(partners, "find_spec", lambda name: None)
    site, findings = load_site(tmp_path / "site", channels.registry(), {})
    assert site is None
    [found] = findings.found
    assert (found.code, found.mark.file, found.hint) == (
        "CFG353", "partners/acme_surgical.yaml", "install it: pip install 'hilum[pyx12]'",
    )  # fmt: skip
