"""A partner's first files: what they hold, that they pass the check, and what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from channels import registry
from engine.errors import ConfigError
from engine.positions import Findings
from engine.site.load import judge_source
from engine.site.new_partner import Wish, judged, new_files
from engine.site.reference import reference_root
from engine.site.source import Source, read_source

KNOWN = registry()
HERE = read_source(reference_root(), Findings())
WISH = Wish("delta_medical", "x12_supplier", "14:0812345990001", "DELTA", title='Delta "Medical": North')


def with_files(made: dict[str, bytes]) -> Source:
    return Source(HERE.root, dict(sorted({**HERE.files, **made}.items())))


@pytest.mark.parametrize(
    "wish",
    [
        WISH,
        replace(WISH, gs="", code="DELTA", contact="edi@delta.example", separators="|^\n"),
        replace(WISH, separators="*>~\r\n", test_isa="14:0812345990001T", test_gs="DELTAT"),
        replace(WISH, title="NO", isa="12:3125550199", tables={"unit": b"partner,enterprise,description\nBX,BX,box\n"}),
    ],
)
def test_what_is_written_passes_the_check(wish: Wish) -> None:
    made = new_files(wish, HERE, KNOWN)
    assert judged(made, HERE, KNOWN, os.environ) == []
    site, findings = judge_source(with_files(made), KNOWN, os.environ)
    assert site is not None, findings.found
    partner = site.partners["delta_medical"]
    assert (partner.status, partner.title, partner.identity.usage) == ("draft", wish.title, "T")
    assert partner.identity.theirs["isa"] == (wish.test_isa or wish.isa)
    assert [partner.envelope.get(key, "") for key in ("element", "component", "segment", "after_segment")] == [
        *wish.separators[:3], *([wish.separators[3:]] if wish.separators else ["", "", "", ""])
    ]  # fmt: skip
    assert partner.crosswalks["unit"].inward == ({"BX": "BX"} if wish.tables else {})


def test_the_erps_word_for_it_becomes_a_row() -> None:
    made = new_files(replace(WISH, code="DELTA"), HERE, KNOWN)
    assert made["config/crosswalks/erp_suppliers.csv"].startswith(HERE.files["config/crosswalks/erp_suppliers.csv"])
    site, _ = judge_source(with_files(made), KNOWN, os.environ)
    assert site is not None
    assert site.partners["erp"].crosswalks["supplier"].inward["DELTA"] == "delta_medical"


@pytest.mark.parametrize(
    ("wish", "code", "said"),
    [
        (replace(WISH, name="acme_surgical"), "CFG340", "already"),
        (replace(WISH, name="Delta Med"), "CFG105", "did you mean 'delta_med'?"),
        (replace(WISH, template="x12_suplier"), "CFG209", "did you mean 'x12_supplier'?"),
        (replace(WISH, connection="foldr"), "CFG305", "did you mean 'folder'?"),
        (replace(WISH, isa="081234567"), "CFG105", "QUALIFIER:ID"),
        (replace(WISH, isa="01:1234567890123456"), "CFG105", "QUALIFIER:ID"),
        (replace(WISH, gs="X"), "CFG105", "2 to 15"),
        (replace(WISH, separators="*"), "CFG105", "--separators"),
        (replace(WISH, tables={"units": b""}), "CFG401", "did you mean 'unit'?"),
    ],
)
def test_what_cannot_be_is_refused_with_the_nearest_word(wish: Wish, code: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        new_files(wish, HERE, KNOWN)
    assert refused.value.code == code
    assert said in f"{refused.value.text} {refused.value.hint}"


def test_an_identity_that_is_another_partners_is_told() -> None:
    found = judged(new_files(replace(WISH, isa="01:081234567"), HERE, KNOWN), HERE, KNOWN, os.environ)
    assert [(one.code, one.mark.file) for one in found] == [("CFG310", "partners/delta_medical.yaml")]


def test_a_table_with_two_meanings_is_told() -> None:
    rows = b"partner,enterprise,description\nBX,BX,box\nBX,CA,case\n"
    found = judged(new_files(replace(WISH, tables={"unit": rows}), HERE, KNOWN), HERE, KNOWN, os.environ)
    assert [(one.code, one.mark.file) for one in found] == [("CFG403", "config/crosswalks/delta_medical_units.csv")]


def test_what_was_wrong_before_is_not_the_new_partners(tmp_path: Path) -> None:
    broken = Source(HERE.root, {**HERE.files, "config/routes.yaml": b"apiVersion: routes/v1\nroutes: [{name: x}]\n"})
    assert judged(new_files(WISH, broken, KNOWN), broken, KNOWN, os.environ) == []
