"""What tells two sites apart: found in what is compiled where that can be compared, in the files where it cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from channels import registry
from engine.site.changes import Change, changes, door_changes
from engine.site.load import load_site
from engine.site.model import Site

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("config", "partners", "mappings"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def load(folder: Path, **environ: str) -> Site:
    site, findings = load_site(folder, registry(), environ)
    assert site is not None, findings.found
    return site


def edited(folder: Path, file: str, old: str, new: str) -> list[Change]:
    """What a change of one file changes, the file itself left out."""
    before = load(folder)
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    found = changes(before, load(folder))
    assert Change("file", file, "changed") in found
    return [change for change in found if change.what != "file"]


def test_the_same_site_differs_in_nothing(folder: Path) -> None:
    assert changes(load(folder), load(folder)) == []


def test_a_comment_changes_its_file_alone(folder: Path) -> None:
    assert edited(folder, "config/routes.yaml", "routes:\n", "# a remark\nroutes:\n") == []
    assert edited(folder, "mappings/x12_850.yaml", "blocks:\n", "# a remark\nblocks:\n") == []


def test_a_condition_that_changes_is_seen(folder: Path) -> None:
    text = "document: requisition, to: [erp]"
    assert edited(folder, "config/routes.yaml", text, f"{text}, when: \"action = 'new'\"") == [
        Change("route", "requisitions_to_erp", "changed", ("when",))
    ]
    assert edited(folder, "config/routes.yaml", "= 'new'", "= 'cancel'") == [
        Change("route", "requisitions_to_erp", "changed", ("when",))
    ]


def test_routes_in_another_order_are_told(folder: Path) -> None:
    before = load(folder)
    path = folder / "config/routes.yaml"
    *head, first, second, third = path.read_text().splitlines()
    path.write_text("\n".join([*head, second, first, third]) + "\n")
    assert Change("route", "(their order)", "moved") in changes(before, load(folder))


def test_a_mapping_changes_with_what_it_draws_on(folder: Path) -> None:
    """hl7v2_omn_o07 extends hl7v2_oms_o05."""
    found = edited(
        folder, "mappings/hl7v2_oms_o05.yaml", "apiVersion: mapping/v1\n", "apiVersion: mapping/v1\ndescription: x\n"
    )
    assert {change.name for change in found} >= {"hl7v2_oms_o05", "hl7v2_omn_o07"}
    assert {change.what for change in found} == {"mapping"}
    assert "x12_850" not in {change.name for change in found}


def test_a_partner_tells_which_of_its_parts(folder: Path) -> None:
    assert edited(folder, "partners/acme_surgical.yaml", 'isa: "01:081234567"', 'isa: "01:081234568"') == [
        Change("partner", "acme_surgical", "changed", ("identity.theirs",))
    ]


def test_doors_are_told_by_option_and_never_by_value(folder: Path) -> None:
    before, after = load(folder), load(folder, HILUM_MLLP="127.0.0.1:2999")
    assert door_changes(before, after) == [Change("listener", "ehr_mllp", "changed", ("options.listen",))]
    assert all(change.refused for change in door_changes(before, after))
    assert "2999" not in str(changes(before, after))


def test_what_is_added_and_gone_is_told(folder: Path) -> None:
    before = load(folder)
    shutil.copy(folder / "mappings/x12_850.yaml", folder / "mappings/x12_850_more.yaml")
    after = load(folder)
    assert changes(before, after) == [
        Change("file", "mappings/x12_850_more.yaml", "added"), Change("mapping", "x12_850_more", "added"),
    ]  # fmt: skip
    assert [change.how for change in changes(after, before)] == ["gone", "gone"]


def test_the_sites_own_settings_are_told(folder: Path) -> None:
    assert edited(folder, "config/engine.yaml", "name: North Health", "name: South Health") == [
        Change("site", "South Health", "changed", ("name",))
    ]
