"""The main job: a requisition comes in by MLLP and ends as an acknowledged purchase order, with ERP and suppliers
played by simulators that share no code with the engine. Each scene ends with the conservation law checked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hl7
import pytest

from channels.simulate.erp import Erp
from channels.simulate.interchange import Identity, Separators
from channels.simulate.orderdesk import Habits
from channels.simulate.supplier import Supplier
from tests.functional.scene import PATIENCE, Scene, copy_site, scene

OURS = Identity.parse("ZZ:NORTHHEALTH/NORTHHEALTH")
ACME = Identity.parse("01:081234567/081234567")
BRAVO = Identity.parse("ZZ:BRAVOMED/BRAVOMED")
BRAVO_SEPARATORS = Separators("|", "^", "~", "\n")


class Loop:
    """A thread with an event loop for the simulated parties, so that tests stay plain functions."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@contextmanager
def played(stage: Scene, **parties: Any) -> Iterator[dict[str, Any]]:
    """Parties running beside the daemon; `erp` listens on the scene's ERP port."""
    loop = Loop()
    try:
        for name, party in parties.items():
            loop.run(party.start(port=stage.erp) if name == "erp" else party.start())
        yield parties
    finally:
        for party in parties.values():
            loop.run(party.stop())
        loop.close()


def requisition(
    number: str, *lines: tuple[str, str, str], control: str = "", message: str = "OMS^O05^OMS_O05", stat: bool = False
) -> bytes:
    """An invented OMS^O05 from Harbor Point. lines: (local item, quantity, local unit)."""
    segments = [
        f"MSH|^~\\&|INVSYS01|HARBOR|HILUM|NORTHHEALTH|20261123071500-0600||{message}|{control or number}|P|2.5.1",
    ]
    for position, (item, quantity, unit) in enumerate(lines, 1):
        segments.append(f"ORC|NW|{number}-{position}^INVSYS01||{number}|||||20261123071500-0600")
        segments.append(f"TQ1|1||||||20261123130000-0600||{'S' if stat else 'R'}")
        segments.append(f"RQD|{position}|{item}^Invented item||{item}|{quantity}|{unit}|OR|||20261123")
    return ("\r".join(segments) + "\r").encode()


def send(stage: Scene, *payloads: bytes) -> list[str]:
    """Send by an MLLP client that is not ours; the MSA-1 of each answer."""
    from hl7.client import MLLPClient

    codes = []
    with MLLPClient("127.0.0.1", stage.mllp) as client:
        for payload in payloads:
            client.socket.settimeout(PATIENCE)
            answer = hl7.parse(client.send_message(payload).decode().strip("\x0b\x1c\r"))
            codes.append(str(answer.segment("MSA")[1]))
    return codes


def _supplier(stage: Scene, name: str, identity: Identity, **options: Any) -> Supplier:
    return Supplier(stage.home / "exchange" / name, identity, OURS, **options)


def _bravo(stage: Scene, **options: Any) -> Supplier:
    return _supplier(stage, "bravo_medical", BRAVO, separators=BRAVO_SEPARATORS, **options)


def _done(erp: Erp, acknowledgements: int) -> Callable[[], bool]:
    return lambda: erp.stats()["order_acknowledgements"] >= acknowledgements


def test_a_requisition_becomes_an_acknowledged_order(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        acme, erp = _supplier(stage, "acme_surgical", ACME), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            assert send(stage, requisition("REQ-T1", ("GLV-NTR-L", "10", "Box"), stat=True)) == ["AA"]
            stage.until(_done(erp, 1), "the acknowledgement in the ERP")
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
        acme, erp = _supplier(stage, "acme_surgical", ACME), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            raw = requisition("REQ-T2", ("GLV-NTR-L", "2", "Box"), message=message)
            if message == "ORM^O01":
                raw = b"\r".join(part for part in raw.split(b"\r") if not part.startswith(b"TQ1"))
            assert send(stage, raw) == ["AA"]
            stage.until(_done(erp, 1), "the acknowledgement in the ERP")
            stage.settled()


def test_orders_of_a_batch_come_later_and_join_the_thread(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        acme = _supplier(stage, "acme_surgical", ACME)
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


def test_an_unknown_item_is_an_exception_and_a_corrected_row_lets_it_pass(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        acme, erp = _supplier(stage, "acme_surgical", ACME), Erp()
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
            stage.until(_done(erp, 1), "the acknowledgement in the ERP")
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
        bravo, erp = _bravo(stage, habits=Habits(units=frozenset({"EA", "BX", "CT"}))), Erp()
        stage.start()
        with played(stage, erp=erp, bravo=bravo):
            item = _local_item(site, "NH-20001")
            assert send(stage, requisition("REQ-R1", (item, "2", "Case"))) == ["AA"]
            stage.until(lambda: stage.ledger()["exception"] == 1, "the rejection")
            (found,) = json.loads(stage.hilum("exceptions", "list", "--json").stdout)
            assert found["code"] == "ack.rejected"
            assert "PO1" in found["text"]
            table.write_text(table.read_text().replace("CS,CA,", "CT,CA,"))
            stage.hilum("reload")
            told = stage.hilum("replay", found["id"], "--reason", "try", "--dry-run").stderr
            assert "the 850 is written anew and sent to bravo_medical" in told
            stage.hilum("replay", found["id"], "--reason", "Bravo says CT for case")
            stage.until(_done(erp, 1), "the acknowledgement in the ERP")
            assert stage.settled()["exception"] == 0
        first, second = bravo.records.where(did="received")
        assert (first["verdict"], second["verdict"]) == ("R", "A")
        assert first["order"] == second["order"]
        assert first["interchange"] != second["interchange"]
        assert not second["doubled"]


def _local_item(site: Path, enterprise: str) -> str:
    rows = (site / "config" / "crosswalks" / "ehr_items.csv").read_text().splitlines()
    return next(row.split(",")[0] for row in rows if row.split(",")[1] == enterprise)


def test_the_erp_may_be_down_and_refuse(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    connections = site / "config" / "connections.yaml"
    connections.write_text(connections.read_text().replace("first: 1s", "first: 100ms"))
    with scene(tmp_path, site=site) as stage:
        acme, erp = _supplier(stage, "acme_surgical", ACME), Erp(refused_items=["NH-10001"])
        erp.down = True
        stage.start()
        with played(stage, erp=erp, acme=acme):
            refused = requisition("REQ-D2", ("GLV-NTR-S", "1", "Box"), control="D2")
            assert send(stage, requisition("REQ-D1", ("GLV-NTR-L", "1", "Box"), control="D1")) == ["AA"]
            stage.until(lambda: erp.stats()["unavailable"] > 0, "an attempt while the ERP is down")
            assert send(stage, refused) == ["AA"]
            erp.down = False
            stage.until(_done(erp, 1), "the acknowledgement in the ERP")
            ledger = stage.settled()
        assert ledger["exception"] == 1
        (found,) = json.loads(stage.hilum("exceptions", "list", "--json").stdout)
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
        acme, erp = _supplier(stage, "acme_surgical", ACME), Erp(lose_every=1)
        stage.start()
        with played(stage, erp=erp, acme=acme):
            send(stage, requisition("REQ-L1", ("GLV-NTR-L", "1", "Box")))
            stage.until(_done(erp, 1), "the acknowledgement in the ERP")
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
        acme, erp = _supplier(stage, "acme_surgical", ACME, silent=True), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            send(stage, requisition("REQ-S1", ("GLV-NTR-L", "1", "Box")))
            stage.until(lambda: stage.ledger()["exception"] == 1, "the overdue 997")
        _overdue(stage, acme)


def _overdue(stage: Scene, acme: Supplier) -> None:
    (late,) = json.loads(stage.hilum("acks", "--overdue", "--json").stdout)
    assert (late["partner"], late["kind"], late["state"]) == ("acme_surgical", "997", "overdue")
    assert any(row["overdue"] for row in stage.trace("REQ-S1")["awaited"])


def test_an_overdue_order_goes_again_under_its_number(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    template = site / "partners" / "templates" / "x12_supplier.yaml"
    template.write_text(template.read_text().replace('{"997": 4h', '{"997": 1s'))
    with scene(tmp_path, site=site) as stage:
        silent, erp = _supplier(stage, "acme_surgical", ACME, silent=True), Erp()
        stage.start()
        with played(stage, erp=erp, acme=silent):
            send(stage, requisition("REQ-S2", ("GLV-NTR-L", "1", "Box")))
            stage.until(lambda: stage.ledger()["exception"] == 1, "the overdue 997")
        (first,) = silent.records.where(did="received")
        (found,) = json.loads(stage.hilum("exceptions", "--json").stdout)
        awake = _supplier(stage, "acme_surgical", ACME)
        with played(stage, erp=erp, acme=awake):
            assert "1 delivery as before" in stage.hilum("replay", found["id"], "--reason", "they lost it").stderr
            stage.until(_done(erp, 1), "the acknowledgement in the ERP")
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
        rows = {row["code"]: row["id"] for row in json.loads(stage.hilum("exceptions", "--json").stdout)}
        stage.hilum("replay", rows["hl7.processing_id"], "--reason", "try")
        stage.until(lambda: stage.read(_waiting) == 0, "the replay's end")
        assert stage.trace("REQ-G0")["deliveries"] == []
        assert "--force" in stage.hilum("replay", rows["dup.conflict"], "--reason", "try", code=4).stderr
        assert stage.ledger()["exception"] == 2


async def _waiting(store: Any) -> int:
    return int((await store.stats())["in_flight"])


def test_a_route_that_was_missing_is_taken_after_the_fix_and_only_once(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    routes = site / "config" / "routes.yaml"
    whole = routes.read_text()
    routes.write_text("\n".join(line for line in whole.splitlines() if "requisitions_to_erp" not in line) + "\n")
    with scene(tmp_path, site=site) as stage:
        acme, erp = _supplier(stage, "acme_surgical", ACME), Erp()
        stage.start()
        with played(stage, erp=erp, acme=acme):
            assert send(stage, requisition("REQ-N1", ("GLV-NTR-L", "1", "Box"))) == ["AA"]
            stage.until(lambda: stage.ledger()["exception"] == 1, "the exception")
            (found,) = json.loads(stage.hilum("exceptions", "--json").stdout)
            assert (found["code"], found["context"]["number"]) == ("route.none", "REQ-N1")
            routes.write_text(whole)
            stage.hilum("reload")
            stage.hilum("replay", found["id"], "--reason", "route added")
            stage.until(_done(erp, 1), "the acknowledgement in the ERP")
            assert stage.settled()["exception"] == 0
            assert "resolved" in stage.hilum("replay", found["id"], "--reason", "again", code=4).stderr
            stage.hilum("replay", found["id"], "--reason", "again", "--force")
            stage.settled()
        assert erp.stats()["requisitions"] == 1
        assert erp.stats()["doubled"] == 0
        assert len(stage.trace("REQ-N1")["documents"]) == 3


def test_a_reply_without_its_orders_is_an_exception_that_its_requisition_leads_to(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        stage.start()
        body = tmp_path / "typo.json"
        body.write_text('{"requisition": "REQ-M1", "purchase_order": []}')
        target = f"http://127.0.0.1:{stage.http}/purchase-orders"
        stage.hilum("send", "http", str(body), "--to", target)
        stage.until(lambda: stage.ledger()["exception"] == 1, "the exception")
        body.write_text('{"requisition": "REQ-M1", "purchase_orders": {"number": "X"}}')
        stage.hilum("send", "http", str(body), "--to", target)
        stage.until(lambda: stage.ledger()["exception"] == 2, "the second exception")
        codes = {row["code"] for row in json.loads(stage.hilum("exceptions", "--json").stdout)}
        assert codes == {"map.missing", "json.type"}
        send(stage, requisition("REQ-M2", ("NO-SUCH-ITEM", "1", "Box")))
        stage.until(lambda: stage.ledger()["exception"] == 3, "the third exception")
        assert stage.trace("REQ-M2")["exceptions"][0]["code"] == "map.miss"
