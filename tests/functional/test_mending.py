"""What a person mends: a table, a route, a mistake of a partner. What had stopped then goes on, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from channels.simulate.erp import Erp
from channels.simulate.orderdesk import Habits
from tests.functional.parties import ACME, bravo_medical, done, played, requisition, send, supplier
from tests.functional.scene import copy_site, scene


def test_an_unknown_item_is_an_exception_and_a_corrected_row_lets_it_pass(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        acme, erp = supplier(stage, "acme_surgical", ACME), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            raw = requisition("REQ-U1", ("NEW-GLOVE", "3", "Box"))
            assert send(stage, raw) == ["AA"]
            stage.until(lambda: stage.ledger()["exception"] == 1, "the exception")
            (found,) = json.loads(stage.hilum("exceptions", "list", "--json").stdout)
            assert found["code"] == "map.miss"
            assert "RQD" in found["place"]
            assert "NEW-GLOVE" not in found["text"]
            table = site / "config" / "crosswalks" / "ehr_items.csv"
            table.write_text(table.read_text() + "NEW-GLOVE,NH-10003,A glove nobody had listed\n")
            stage.hilum("reload")
            stage.hilum("replay", found["id"], "--reason", "item listed")
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            assert stage.settled()["exception"] == 0
            assert send(stage, raw) == ["AA"]
            stage.until(lambda: stage.ledger()["duplicate"] == 1, "the duplicate")
        assert erp.stats()["requisitions"] == 1
        assert erp.stats()["doubled"] == 0


def test_a_rejected_850_goes_again_under_a_new_number_after_the_fix(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    table = site / "config" / "crosswalks" / "bravo_units.csv"
    table.write_text(table.read_text().replace("CT,CA,", "CS,CA,"))
    with scene(tmp_path, site=site) as stage:
        bravo, erp = bravo_medical(stage, habits=Habits(units=frozenset({"EA", "BX", "CT"}))), Erp()
        stage.start()
        with played(stage, erp=erp, bravo=bravo):
            item = _local_item(site, "NH-20001")
            assert send(stage, requisition("REQ-R1", (item, "2", "Case"))) == ["AA"]
            stage.until(lambda: stage.ledger()["exception"] == 1, "the rejection")
            (found,) = json.loads(stage.verb("exceptions", "list", "--json").stdout)
            assert found["code"] == "ack.rejected"
            assert "PO1" in found["text"]
            table.write_text(table.read_text().replace("CS,CA,", "CT,CA,"))
            stage.verb("reload")
            told = stage.verb("replay", found["id"], "--reason", "try", "--dry-run").stderr
            assert "the 850 is written anew and sent to bravo_medical" in told
            stage.verb("replay", found["id"], "--reason", "Bravo says CT for case")
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            assert stage.settled()["exception"] == 0
        first, second = bravo.records.where(did="received")
        assert (first["verdict"], second["verdict"]) == ("R", "A")
        assert first["order"] == second["order"]
        assert first["interchange"] != second["interchange"]
        assert not second["doubled"]


def _local_item(site: Path, enterprise: str) -> str:
    rows = (site / "config" / "crosswalks" / "ehr_items.csv").read_text().splitlines()
    return next(row.split(",")[0] for row in rows if row.split(",")[1] == enterprise)


def test_an_overdue_order_goes_again_under_its_number(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    template = site / "partners" / "templates" / "x12_supplier.yaml"
    template.write_text(template.read_text().replace('{"997": 4h', '{"997": 1s'))
    with scene(tmp_path, site=site) as stage:
        silent, erp = supplier(stage, "acme_surgical", ACME, silent=True), Erp()
        stage.start()
        with played(stage, erp=erp, acme=silent):
            send(stage, requisition("REQ-S2", ("GLV-NTR-L", "1", "Box")))
            stage.until(lambda: stage.ledger()["exception"] == 1, "the overdue 997")
        (first,) = silent.records.where(did="received")
        (found,) = json.loads(stage.verb("exceptions", "--json").stdout)
        awake = supplier(stage, "acme_surgical", ACME)
        with played(stage, erp=erp, acme=awake):
            assert "1 delivery as before" in stage.verb("replay", found["id"], "--reason", "they lost it").stderr
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            assert stage.settled()["exception"] == 0
        (again,) = awake.records.where(did="received")
        assert again["interchange"] == first["interchange"]
        deliveries = stage.trace("REQ-S2")["deliveries"]
        assert [row["possible_duplicate"] for row in deliveries if row["type"] == "850"] == [True]


def test_what_was_refused_at_the_door_stays_refused_until_the_reason_is_gone(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        stage.start()
        good = requisition("REQ-G1", ("GLV-NTR-L", "1", "Box"))
        test_traffic = good.replace(b"|P|2.5.1", b"|T|2.5.1").replace(b"REQ-G1|T", b"REQ-G0|T")
        other = good.replace(b"|1|Box", b"|2|Box")
        assert send(stage, test_traffic, good, other) == ["AR", "AA", "AE"]
        rows = {row["code"]: row["id"] for row in json.loads(stage.verb("exceptions", "--json").stdout)}
        stage.verb("replay", rows["hl7.processing_id"], "--reason", "try")
        stage.until(lambda: stage.read(_waiting) == 0, "the replay's end")
        assert stage.trace("REQ-G0")["deliveries"] == []
        assert "--force" in stage.verb("replay", rows["dup.conflict"], "--reason", "try", code=4).stderr
        assert stage.ledger()["exception"] == 2


async def _waiting(store: Any) -> int:
    return int((await store.stats())["in_flight"])


def test_a_route_that_was_missing_is_taken_after_the_fix_and_only_once(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    routes = site / "config" / "routes.yaml"
    whole = routes.read_text()
    routes.write_text("\n".join(line for line in whole.splitlines() if "requisitions_to_erp" not in line) + "\n")
    with scene(tmp_path, site=site) as stage:
        acme, erp = supplier(stage, "acme_surgical", ACME), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            assert send(stage, requisition("REQ-N1", ("GLV-NTR-L", "1", "Box"))) == ["AA"]
            stage.until(lambda: stage.ledger()["exception"] == 1, "the exception")
            (found,) = json.loads(stage.verb("exceptions", "--json").stdout)
            assert (found["code"], found["context"]["number"]) == ("route.none", "REQ-N1")
            routes.write_text(whole)
            stage.verb("reload")
            stage.verb("replay", found["id"], "--reason", "route added")
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            assert stage.settled()["exception"] == 0
            assert "resolved" in stage.verb("replay", found["id"], "--reason", "again", code=4).stderr
            stage.verb("replay", found["id"], "--reason", "again", "--force")
            stage.settled()
        assert erp.stats()["requisitions"] == 1
        assert erp.stats()["doubled"] == 0
        assert len(stage.trace("REQ-N1")["documents"]) == 3
