"""The site that ships: right by its own rules, complete for its story, and what `hilum init` writes."""

from __future__ import annotations

import csv
import datetime as dt
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

import channels
from canonical import PurchaseOrder
from engine.errors import ConfigError
from engine.mapping import Context
from engine.plugin import Envelope, Profile
from engine.site.json_schema import schemas
from engine.site.load import load_site
from engine.site.model import Site
from engine.site.reference import reference_root
from engine.site.scaffold import scaffold

ROOT = reference_root()
AT = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
SUPPLIERS = {"acme_surgical": "NH-1", "bravo_medical": "NH-2", "corvus_supply": "NH-3"}


@pytest.fixture(scope="module")
def site() -> Site:
    loaded, findings = load_site(ROOT, channels.registry(), {}, examples=True)
    assert loaded is not None, [f"{found.mark} {found.code} {found.text}" for found in findings.found]
    assert findings.found == []
    return loaded


def column(table: str, name: str) -> list[str]:
    with (ROOT / f"config/crosswalks/{table}.csv").open(newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def test_the_environment_moves_what_differs_by_machine() -> None:
    environ = {"HILUM_MLLP": "127.0.0.1:7", "HILUM_HTTP": "127.0.0.1:8", "HILUM_ERP_URL": "http://127.0.0.1:9"}
    site, findings = load_site(ROOT, channels.registry(), {**environ, "HILUM_HOME": "/srv/hilum"})
    assert site is not None, findings
    assert site.listeners["ehr_mllp"].options.model_dump()["listen"] == "127.0.0.1:7"
    assert site.listeners["erp_http"].options.model_dump()["listen"] == "127.0.0.1:8"
    assert site.connections["erp"].options.model_dump()["url"] == "http://127.0.0.1:9"
    for name in SUPPLIERS:
        assert site.connections[name].options.model_dump()["send"] == Path(f"/srv/hilum/exchange/{name}/out")
        assert site.listeners[name].options.model_dump()["fetch"] == Path(f"/srv/hilum/exchange/{name}/in")


def test_every_step_of_the_flow_has_its_agreement(site: Site) -> None:
    made = {(name, a.direction, a.type): a for name, partner in site.partners.items() for a in partner.agreements}
    for type in ("OMS^O05", "OMN^O07", "ORM^O01"):
        assert made["ehr", "in", type].document == "requisition"
    assert made["erp", "out", "requisition"].reply == "purchase_orders"
    assert made["erp", "out", "requisition"].options == {"path": "/requisitions"}
    assert made["erp", "in", "purchase_orders"].document == "purchase_order"
    assert made["erp", "out", "order_acknowledgement"].options == {"path": "/order-acknowledgements"}
    for name in SUPPLIERS:
        order = made[name, "out", "850"]
        assert (order.document, order.format, order.connection) == ("purchase_order", "x12", name)
        assert dict(order.expect)["997"] == 4 * 3600 * 1_000_000
        assert made[name, "in", "855"].document == "order_acknowledgement"
        assert {made[name, way, "997"].mapping for way in ("in", "out")} == {""}


def test_suppliers_differ_in_names_separators_units_and_items(site: Site) -> None:
    partners = [site.partners[name] for name in SUPPLIERS]
    assert len({partner.identity.theirs["isa"] for partner in partners}) == 3
    assert len({(p.envelope["element"], p.envelope["component"], p.envelope["segment"]) for p in partners}) == 3
    assert len({tuple(partner.crosswalks["unit"].outward.items()) for partner in partners}) == 3
    assert site.partners["corvus_supply"].envelope["element"] == "\x1d"
    assert site.partners["bravo_medical"].envelope["after_segment"] == "\n"


def test_every_item_and_unit_a_hospital_may_ask_for_can_be_ordered(site: Site) -> None:
    asked = set(column("ehr_items", "enterprise"))
    for name, numbers in SUPPLIERS.items():
        sold = site.partners[name].crosswalks["item"].outward
        assert {item for item in asked if item.startswith(numbers)} == set(sold)
        assert set(column("ehr_units", "enterprise")) <= set(site.partners[name].crosswalks["unit"].outward)
    assert len([item for item in asked if item.startswith("NH-9")]) == 5
    assert len(asked) >= 40


def test_the_row_that_the_demo_spoils_is_right_here(site: Site) -> None:
    assert site.partners["bravo_medical"].crosswalks["unit"].outward["CA"] == "CT"


def test_twelve_hospitals_are_known_by_their_own_codes(site: Site) -> None:
    facilities = site.partners["ehr"].crosswalks["facility"].inward
    assert sorted(facilities.values()) == [f"NH{number:02}" for number in range(1, 13)]


def test_the_erps_words_for_suppliers_are_partners(site: Site) -> None:
    assert set(site.partners["erp"].crosswalks["supplier"].outward) == set(SUPPLIERS)


def test_it_loads_fast(site: Site) -> None:
    """A bound far above the target (0.15 s), so that only a change of kind can break it."""
    began = time.process_time()
    load_site(ROOT, channels.registry(), {})
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize("path", sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("[cpm]*/**/*.yaml")))
def test_every_file_names_the_schema_it_keeps_to(path: str) -> None:
    if not path.startswith(("config/", "partners/", "mappings/")) or "examples" in path:
        pytest.skip("no file of the site")
    text = (ROOT / path).read_text()
    head = text.splitlines()[0]
    plain = yaml.safe_load(text)
    kind = plain["apiVersion"].removesuffix("/v1")
    up = "../" * path.count("/")
    assert head == f"# yaml-language-server: $schema={up}.schemas/{kind}.v1.json"
    jsonschema.Draft7Validator(schemas(channels.registry())[kind]).validate(plain)


def test_init_writes_the_same_site_with_its_schemas(tmp_path: Path, site: Site) -> None:
    written = scaffold(tmp_path / "new", channels.registry())
    assert all(path.is_file() for path in written)
    assert (tmp_path / "new/.schemas/partner.v1.json") in written
    again, findings = load_site(tmp_path / "new", channels.registry(), {}, examples=True)
    assert again is not None, findings
    assert again.version == site.version


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners/erp.yaml").write_text("mine")
    with pytest.raises(ConfigError) as caught:
        scaffold(tmp_path, channels.registry())
    assert caught.value.code == "CFG113"
    assert [path.name for path in tmp_path.rglob("*")] == ["partners", "erp.yaml"]


@pytest.mark.parametrize("name", SUPPLIERS)
def test_every_suppliers_envelope_can_be_written_and_read_again(site: Site, name: str) -> None:
    partner, mapping, x12 = site.partners[name], site.mappings["x12_850"], channels.registry().format("x12")
    item = next(iter(partner.crosswalks["item"].outward))
    line = {"number": "1", "item": {"ids": [{"scheme": "buyer_part", "value": item}]}}
    order = PurchaseOrder.from_fields(
        {
            "number": "PO-1",
            "supplier": name,
            "ordered_on": "2026-11-21",
            "lines": [{**line, "quantity": {"value": "3", "unit": "CA"}, "price": "1.50"}],
        }
    )
    written = mapping.write(order, Context(partner.zone, partner.crosswalks))
    assert written.problems == ()
    identity = partner.identity
    envelope = Envelope("850", "D1", AT, identity.usage, identity.ours, identity.theirs, partner.envelope)
    body = x12.envelop([written.node], envelope).body
    raw = b"".join(part if isinstance(part, bytes) else b"1".zfill(part.width) for part in body)
    assert partner.envelope["element"].encode() == raw[3:4]
    (unit,) = x12.split(raw, Profile(partner=name, ours=identity.theirs, theirs=identity.ours))
    assert unit.refusal is None
    assert partner.crosswalks["unit"].outward["CA"].encode() in raw
