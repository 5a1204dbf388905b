"""The main job: a requisition comes in by MLLP and ends as an acknowledged purchase order, with ERP and suppliers
played by simulators that share no code with the engine. Each scene ends with the conservation law checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from channels.simulate.erp import Erp
from channels.simulate.supplier import Supplier
from tests.functional.parties import (
    ACME,
    done,
    played,
    requisition,
    send,
    supplier,
)
from tests.functional.scene import Scene, copy_site, scene


def test_a_requisition_becomes_an_acknowledged_order(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        acme, erp = supplier(stage, "acme_surgical", ACME), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            assert send(stage, requisition("REQ-T1", ("GLV-NTR-L", "10", "Box"), stat=True)) == ["AA"]
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            stage.until(lambda: acme.records.where(did="heard") != [], "our 997 at the supplier")
            ledger = stage.settled()
        (order,) = erp.orders
        (received,) = acme.records.where(did="received")
        assert received["order"] == order
        assert received["verdict"] == "A"
        assert acme.records.where(did="heard")[0]["code"] == "A"
        assert erp.stats()["doubled"] == 0
        assert ledger["exception"] == 0
        _told_whole(stage, order, received)


def _told_whole(stage: Scene, order: str, received: dict[str, Any]) -> None:
    """One thread from whichever key one starts."""
    data = stage.trace(order)
    types = sorted(row["type"] for row in data["messages"])
    assert types == ["850", "855", "997", "997", "OMS^O05", "order_acknowledgement", "purchase_orders", "requisition"]
    assert {row["type"] for row in data["documents"]} == {"requisition", "purchase_order", "order_acknowledgement"}
    assert {row["state"] for row in data["acknowledgements"]} == {"positive"}
    assert {row["state"] for row in data["deliveries"]} == {"delivered"}
    assert data["awaited"] == []
    ids = {row["id"] for row in data["messages"]}
    sent = next(row for row in data["messages"] if row["type"] == "850")
    assert sent["control_ids"]["interchange"] == received["interchange"]
    for key in ("REQ-T1", received["interchange"], sent["id"]):
        assert {row["id"] for row in stage.trace(key)["messages"]} == ids, key
    drawn = stage.hilum("trace", order).stdout
    assert "complete" in drawn
    page = stage.folder / "thread.html"
    stage.hilum("trace", order, "--html", str(page))
    assert order in page.read_text()
    assert "http" not in page.read_text().replace("<!doctype html>", "").split("<body>")[0]
    raw = stage.hilum("messages", sent["id"], "--bytes").stdout
    assert raw.startswith("ISA*")
    assert (stage.outbox("acme_surgical") / ".taken" / f"850-{received['interchange']}.edi").read_text() == raw


@pytest.mark.parametrize("message", ["OMN^O07^OMN_O07", "ORM^O01", "OMS^O05"])
def test_older_and_other_messages_do_the_same(tmp_path: Path, message: str) -> None:
    with scene(tmp_path) as stage:
        acme, erp = supplier(stage, "acme_surgical", ACME), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            raw = requisition("REQ-T2", ("GLV-NTR-L", "2", "Box"), message=message)
            if message == "ORM^O01":
                raw = b"\r".join(part for part in raw.split(b"\r") if not part.startswith(b"TQ1"))
            assert send(stage, raw) == ["AA"]
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            stage.settled()


def test_orders_of_a_batch_come_later_and_join_the_thread(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        acme = supplier(stage, "acme_surgical", ACME)
        erp = Erp(mode="batch", hilum=f"http://127.0.0.1:{stage.http}", batch_every=0.1)
        stage.start()
        with played(stage, erp=erp, acme=acme):
            send(
                stage,
                requisition("REQ-B1", ("GLV-NTR-L", "1", "Box"), control="B1"),
                requisition("REQ-B2", ("GLV-NTR-M", "2", "Box"), control="B2"),
            )
            stage.until(lambda: erp.stats()["order_acknowledgements"] >= len(erp.orders) > 0, "acknowledged orders")
            stage.until(lambda: {"REQ-B1", "REQ-B2"} <= _requisitions_of(erp), "orders of both requisitions")
            stage.until(_all_acknowledged(erp), "all orders acknowledged")
            stage.settled()
        order = next(iter(erp.orders))
        numbers = {row["number"] for row in stage.trace(order)["documents"] if row["type"] == "requisition"}
        assert numbers
        assert numbers <= {"REQ-B1", "REQ-B2"}


def _all_acknowledged(erp: Erp) -> Callable[[], bool]:
    return lambda: erp.stats()["order_acknowledgements"] >= len(erp.orders)


def _requisitions_of(erp: Erp) -> set[str]:
    return {line["requisition"] for order in erp.orders.values() for line in order["lines"] if "requisition" in line}


def test_the_erp_may_be_down_and_refuse(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    connections = site / "config" / "connections.yaml"
    connections.write_text(connections.read_text().replace("first: 1s", "first: 100ms"))
    with scene(tmp_path, site=site) as stage:
        acme, erp = supplier(stage, "acme_surgical", ACME), Erp(refused_items=["NH-10001"])
        erp.down = True
        stage.start()
        with played(stage, erp=erp, acme=acme):
            refused = requisition("REQ-D2", ("GLV-NTR-S", "1", "Box"), control="D2")
            assert send(stage, requisition("REQ-D1", ("GLV-NTR-L", "1", "Box"), control="D1")) == ["AA"]
            stage.until(lambda: erp.stats()["unavailable"] > 0, "an attempt while the ERP is down")
            assert send(stage, refused) == ["AA"]
            erp.down = False
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            ledger = stage.settled()
        assert ledger["exception"] == 1
        (found,) = json.loads(stage.verb("exceptions", "list", "--json").stdout)
        assert found["code"] == "delivery.rejected"
        assert found["context"]["status"] == "422"
        assert found["context"]["pointer"]
        outcomes = [at["outcome"] for row in stage.trace("REQ-D1")["deliveries"] for at in row["attempts"]]
        assert "transient" in outcomes


def test_an_answer_lost_on_the_way_is_asked_for_again_under_the_same_id(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    connections = site / "config" / "connections.yaml"
    connections.write_text(connections.read_text().replace("first: 1s", "first: 100ms"))
    with scene(tmp_path, site=site) as stage:
        acme, erp = supplier(stage, "acme_surgical", ACME), Erp(lose_every=1)
        stage.start()
        with played(stage, erp=erp, acme=acme):
            send(stage, requisition("REQ-L1", ("GLV-NTR-L", "1", "Box")))
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            stage.settled()
        assert erp.stats()["lost_answers"] >= 1
        assert erp.stats()["doubled"] == 0
        deliveries = stage.trace("REQ-L1")["deliveries"]
        assert any(row["possible_duplicate"] for row in deliveries)


def test_a_silent_supplier_becomes_overdue(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    template = site / "partners" / "templates" / "x12_supplier.yaml"
    template.write_text(template.read_text().replace('{"997": 4h', '{"997": 1s'))
    with scene(tmp_path, site=site) as stage:
        acme, erp = supplier(stage, "acme_surgical", ACME, silent=True), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            send(stage, requisition("REQ-S1", ("GLV-NTR-L", "1", "Box")))
            stage.until(lambda: stage.ledger()["exception"] == 1, "the overdue 997")
        _overdue(stage, acme)


def _overdue(stage: Scene, acme: Supplier) -> None:
    (late,) = json.loads(stage.verb("acks", "--overdue", "--json").stdout)
    assert (late["partner"], late["kind"], late["state"]) == ("acme_surgical", "997", "overdue")
    assert any(row["overdue"] for row in stage.trace("REQ-S1")["awaited"])


def test_a_reply_without_its_orders_is_an_exception_that_its_requisition_leads_to(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        stage.start()
        body = tmp_path / "typo.json"
        body.write_text('{"requisition": "REQ-M1", "purchase_order": []}')
        target = f"http://127.0.0.1:{stage.http}/purchase-orders"
        stage.verb("send", "http", str(body), "--to", target)
        stage.until(lambda: stage.ledger()["exception"] == 1, "the exception")
        body.write_text('{"requisition": "REQ-M1", "purchase_orders": {"number": "X"}}')
        stage.verb("send", "http", str(body), "--to", target)
        stage.until(lambda: stage.ledger()["exception"] == 2, "the second exception")
        codes = {row["code"] for row in json.loads(stage.verb("exceptions", "--json").stdout)}
        assert codes == {"map.missing", "json.type"}
        send(stage, requisition("REQ-M2", ("NO-SUCH-ITEM", "1", "Box")))
        stage.until(lambda: stage.ledger()["exception"] == 3, "the third exception")
        assert stage.trace("REQ-M2")["exceptions"][0]["code"] == "map.miss"
