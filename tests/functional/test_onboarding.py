"""A supplier brought on from nothing to live by three commands, and what each status means to the running daemon."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from channels.simulate.erp import Erp
from channels.simulate.interchange import Identity
from channels.simulate.supplier import Supplier
from tests.functional.parties import done, played
from tests.functional.scene import HILUM, PATIENCE, Scene, copy_site, scene

DELTA = Identity.parse("14:0812345990001/DELTA")
LIVE = Identity.parse("ZZ:NORTHHEALTH/NORTHHEALTH")
TEST = Identity.parse("ZZ:NORTHTEST/NORTHTEST")
UNITS = "partner,enterprise,description\nBX,BX,box\nCT,CA,their word for a case\n"
ITEMS = "partner,enterprise,description\nDM-100,NH-10003,glove\nDM-200,NH-10013,drape\n"


def order(number: str, supplier: str, unit: str = "CA") -> bytes:
    line = {
        "number": "1", "requisition_line": "1", "item": [{"scheme": "buyer_part", "value": "NH-10003"}],
        "quantity": {"value": "10", "unit": unit}, "price": "233.10",
    }  # fmt: skip
    one = {"number": number, "supplier": supplier, "currency": "USD", "lines": [line]}
    return json.dumps({"requisition": f"REQ-{number}", "purchase_orders": [one]}).encode()


def new(stage: Scene) -> None:
    (stage.folder / "units.csv").write_text(UNITS)
    (stage.folder / "items.csv").write_text(ITEMS)
    stage.hilum(
        "partner", "new", "delta_medical", "--isa", DELTA.isa, "--gs", DELTA.gs, "--code", "DELTA",
        "--contact", "edi@delta-medical.example", "--table", f"unit={stage.folder / 'units.csv'}",
        "--table", f"item={stage.folder / 'items.csv'}",
    )  # fmt: skip
    stage.hilum("check")


def order_by_erp(stage: Scene, body: bytes) -> None:
    file = stage.folder / "order.json"
    file.write_bytes(body)
    stage.hilum("send", "http", str(file))


def standing(stage: Scene, name: str = "delta_medical") -> dict[str, Any]:
    rows: list[dict[str, Any]] = json.loads(stage.verb("partner", "list", "--json").stdout)
    return next(row for row in rows if row["name"] == name)


def test_a_supplier_is_brought_on_by_three_commands(tmp_path: Path) -> None:
    """Beside a running daemon, which opens the new connection when it is told to look."""
    with scene(tmp_path, site=copy_site(tmp_path / "site")) as stage:
        stage.start()
        new(stage)
        assert (standing(stage)["status"], standing(stage)["certificate"]) == ("draft", "none")
        told = stage.hilum("partner", "go-live", "delta_medical", code=4).stderr
        assert "it has no certificate" in told
        certified = stage.hilum("partner", "certify", "delta_medical").stdout
        assert "FAILED" not in certified
        assert "PO1[1]/PO103\tBX" in certified
        live = ("partner", "go-live", "delta_medical", "--control-number", "5000", "--group-number", "77")
        assert "hilum reload takes it in" in stage.hilum(*live).stderr
        assert (standing(stage)["status"], standing(stage)["certificate"]) == ("live", "certified")
        assert stage.hilum("reload").stderr.endswith("opened: delta_medical\n")
        delta, erp = Supplier(stage.home / "exchange" / "delta_medical", DELTA, LIVE), Erp()
        erp.orders["4501777001"] = {"number": "4501777001", "lines": [{"number": "1"}]}
        with played(stage, erp=erp, delta=delta):
            order_by_erp(stage, order("4501777001", "DELTA"))
            stage.until(done(erp, 1), "the acknowledgement in the ERP")
            stage.settled()
        (received,) = delta.records.where(did="received")
        assert (received["order"], received["verdict"], received["usage"]) == ("4501777001", "A", "P")
        assert (received["interchange"], received["group"]) == ("000005000", "77")
        assert received["lines"] == [{"part": "DM-100", "unit": "CT", "quantity": "10"}]
        assert stage.ledger()["exception"] == 0
        assert stage.daemon is not None
        assert stage.daemon.stop(PATIENCE) == 0  # the connection that came later ends in order, too


def test_a_door_that_cannot_be_opened_leaves_the_running_site_as_it_is(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage, socket.socket() as taken:
        stage.start()
        version = json.loads(stage.verb("status", "--json").stdout)["site"]
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        channels = site / "config" / "channels.yaml"
        good = channels.read_text()
        listener = good.split("listeners:\n")[1].split("  erp_http")[0]
        more = listener.replace("ehr_mllp", "late_mllp").replace(
            "${env:HILUM_MLLP:-127.0.0.1:2575}", f"127.0.0.1:{port}"
        )
        channels.write_text(good + more)
        told = stage.hilum("reload", code=3).stderr
        assert "mllp.listen" in told
        assert json.loads(stage.verb("status", "--json").stdout)["site"] == version
        taken.close()
        assert "opened: late_mllp" in stage.hilum("reload").stderr
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
        channels.write_text(good)
        assert "CFG190" in stage.hilum("reload", code=3).stderr  # none is closed beside a running daemon


def test_a_report_is_for_the_supplier(tmp_path: Path) -> None:
    with scene(tmp_path, site=copy_site(tmp_path / "site")) as stage:
        stage.hilum("partner", "certify", "corvus_supply", "--report", str(tmp_path / "out"))
        page = (tmp_path / "out" / "corvus_supply.html").read_text()
        assert "Every rule held." in page
        assert "b2b@corvus-supply.example" in page
        assert "␝NORTHHEALTH" in page  # its separators are control characters
        assert not re.search(r"<script|src=|href=|url\(|@import", page)


def test_a_certificate_is_for_what_the_partner_is_now_and_for_it_alone(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        for name in ("acme_surgical", "bravo_medical"):
            stage.verb("partner", "certify", name)
        table = site / "config" / "crosswalks" / "acme_units.csv"
        table.write_text(table.read_text() + "XB,EA,invented\n")
        assert [standing(stage, name)["certificate"] for name in ("acme_surgical", "bravo_medical")] == [
            "stale", "certified"
        ]  # fmt: skip
        mapping = site / "mappings" / "x12_855.yaml"
        mapping.write_text(mapping.read_text().replace("vendor_order:     BAK08", "vendor_order:     {at: BAK08}"))
        assert standing(stage, "bravo_medical")["certificate"] == "stale"
        told = stage.verb("partner", "go-live", "bravo_medical", code=4).stderr
        assert "another configuration" in told


def test_an_override_needs_a_reason_and_is_kept(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        new(stage)
        stage.verb("partner", "go-live", "delta_medical", "--override", code=2)
        stage.verb("partner", "go-live", "delta_medical", "--back", "--dry-run")
        reason = "their old engine stops tonight"
        stage.verb("partner", "go-live", "delta_medical", "--override", "--reason", reason, "--dry-run")
        assert standing(stage)["status"] == "draft"
        stage.verb("partner", "go-live", "delta_medical", "--override", "--reason", reason)
        assert (standing(stage)["status"], standing(stage)["certificate"]) == ("live", "override")
        kept = json.loads((site / "certificates" / "delta_medical.json").read_text())["overrides"]
        assert [one["reason"] for one in kept] == [reason]
        assert kept[0]["who"]
        stage.verb("partner", "certify", "delta_medical")
        assert json.loads((site / "certificates" / "delta_medical.json").read_text())["overrides"] == kept
        before = (site / "partners" / "delta_medical.yaml").read_text()
        stage.verb("partner", "go-live", "delta_medical", "--back")
        after = (site / "partners" / "delta_medical.yaml").read_text()
        assert after == before.replace("status: live", "status: testing")
        stage.verb("check")
        stage.verb("partner", "go-live", "bravo_medical", "--back")  # it has no test block
        assert standing(stage, "bravo_medical")["status"] == "draft"


BREAKS = {
    "no item": (
        "config/crosswalks/delta_medical_items.csv",
        "DM-100,NH-10003,glove\nDM-200,NH-10013,drape\n",
        "",
        "config/crosswalks/delta_medical_items.csv",
        ("site", "the table 'item' has rows"),
    ),
    "a separator of letters": ("partners/delta_medical.yaml", "crosswalks:", 'envelope: {element: "A"}\ncrosswalks:',
                               "", ("order", "the 850 can be written")),
    "no 997 from us": ("partners/delta_medical.yaml", "crosswalks:", 'documents: {"997": {direction: in}}\ncrosswalks:',
                       "", None),
    "an unknown mapping": ("partners/delta_medical.yaml", "crosswalks:",
                           'documents: {"850": {mapping: x12_805}}\ncrosswalks:', "partners/delta_medical.yaml",
                           ("site", "the site is right with the partner live")),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, name: str) -> None:
    path, old, new_, place, rule = BREAKS[name]
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        new(stage)
        text = (site / path).read_text()
        assert old in text
        (site / path).write_text(text.replace(old, new_, 1))
        ran = stage.verb("partner", "certify", "delta_medical", "--json", code=0 if rule is None else 1)
        verdicts = json.loads(ran.stdout)
        if rule is None:
            skipped = [one["rule"] for one in verdicts if one["result"] == "skipped"]
            assert "our 997 answers it" in skipped
            return
        failed = [one for one in verdicts if one["result"] == "FAILED"]
        assert (failed[0]["case"], failed[0]["rule"]) == rule
        assert place in failed[0]["place"]
        stage.verb("partner", "go-live", "delta_medical", code=3 if name == "an unknown mapping" else 4)


def test_test_traffic_has_no_way_to_a_live_destination(tmp_path: Path) -> None:
    """Tried by every way there is: an order, an answer, and files of the other usage in either folder."""
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        new(stage)
        file = site / "partners" / "delta_medical.yaml"
        file.write_text(file.read_text().replace("status: draft", "status: testing"))
        stage.start()
        trial = Supplier(stage.home / "exchange" / "delta_medical_test", DELTA, TEST)
        with played(stage, erp=(erp := Erp()), trial=trial):
            order_by_erp(stage, order("4501777002", "DELTA"))
            stage.until(lambda: trial.records.where(did="received") != [], "the order at the trial desk")
            # It answers as live traffic, then as test traffic.
            (received,) = trial.records.where(did="received")
            stage.until(lambda: len(list(stage.inbox("delta_medical_test").glob(".error/*"))) == 2, "both refused")
            for index, path in enumerate(sorted(stage.inbox("delta_medical_test").glob(".error/*"))):
                stage.put("delta_medical_test", f"again-{index}.edi", as_test(path.read_bytes(), 10 + index))
            stage.until(lambda: len(list(stage.inbox("delta_medical_test").glob(".done/*"))) == 2, "both taken")
            stage.settled()
            assert erp.stats()["order_acknowledgements"] == 0
        assert received["usage"] == "T"
        assert not stage.outbox("delta_medical").exists() or not list(stage.outbox("delta_medical").iterdir())
        codes = {row["code"] for row in json.loads(stage.verb("exceptions", "--json").stdout)}
        assert codes == {"x12.envelope"}
        told = stage.trace("4501777002")
        assert {row["state"] for row in told["acknowledgements"]} == {"positive"}
        assert "order_acknowledgement" in {row["type"] for row in told["documents"]}
        assert {row["destination"] for row in told["deliveries"]} == {"delta_medical"}


def as_test(raw: bytes, control: int) -> bytes:
    """The simulated supplier's live interchange as test traffic, under another number."""
    old = raw.split(b"*")[13]
    return raw.replace(b"*P*>", b"*T*>", 1).replace(old, b"%09d" % control)


ANSWER = """\
ISA*00*          *00*          *01*081234567      *ZZ*NORTHHEALTH    *261121*0945*U*00401*000000502*0*P*>~
GS*PR*081234567*NORTHHEALTH*20261121*0945*502*X*004010~
ST*855*0001~
BAK*00*AC*4501999002*20261121****SO-77*20261121~
PO1*1*10*BX*233.1**IN*NH-10003*VN*ASX-2201-L~
ACK*IA*10*BX*068*20261123~
CTT*1~
SE*6*0001~
GE*1*502~
IEA*1*000000502~
"""


def tried(stage: Scene, *words: str, code: int = 0) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(stage.verb("partner", "test", *words, "--json", code=code).stdout)
    return rows


def test_a_trial_needs_no_daemon_and_sends_nothing(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        new(stage)
        rows = tried(stage, "delta_medical")
        assert {row["result"] for row in rows} <= {"ok", "warning"}
        assert {row["case"] for row in rows} >= {"file", "connection", "850 emergency", "855 in_parts"}
        assert not stage.home.exists()
        # The erp is not there, and its file is wrong, each told at its place.
        down = [row for row in tried(stage, "erp", code=1) if row["result"] == "FAILED"]
        assert [(row["case"], row["place"]) for row in down] == [("connection", "erp")]
        file = site / "partners" / "delta_medical.yaml"
        file.write_text(file.read_text().replace("delta_medical_units", "delta_medical_unit"))
        (wrong,) = tried(stage, "delta_medical", code=1)
        assert (wrong["result"], wrong["place"].rpartition(":")[0]) == ("FAILED", "partners/delta_medical.yaml:21")
        assert "did you mean" in wrong["text"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with scene(tmp_path, site=copy_site(tmp_path / "site")) as stage:
        (stage.home / "exchange").mkdir(parents=True)
        (stage.home / "exchange" / "acme_surgical").write_text("a file where a folder should be")
        told = {row["rule"]: row["result"] for row in tried(stage, "acme_surgical", code=1)}
        assert told["the live connection can be reached"] == "FAILED"
        assert told["the test connection can be reached"] == "ok"


def test_samples_of_either_side_are_judged_at_their_place(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    with scene(tmp_path, site=site) as stage:
        good = ANSWER.encode()
        ours = good.replace(b"*01*081234567      *ZZ*NORTHHEALTH    *", b"*ZZ*NORTHHEALTH    *01*081234567      *")
        files = {
            "good": (good, 0, "ok", ""),
            "date": (good.replace(b"068*20261123", b"068*20261323"), 1, "FAILED", "ST[1]/PO1[1]/ACK[1]/ACK05"),
            "unit": (good.replace(b"BX*233", b"CS*233"), 1, "FAILED", "PO1[1]/PO103"),  # CS is a code, and in no table
            "other": (good.replace(b"081234567      ", b"089999999      "), 1, "FAILED", "ISA06"),
            "ours": (ours, 1, "FAILED", "ST[1]"),  # we send no 855
            "none": (b"no interchange", 1, "FAILED", "ISA"),
            "empty": (b"", 1, "FAILED", ""),
        }
        for name, (raw, code, result, place) in files.items():
            path = tmp_path / name
            path.write_bytes(raw)
            rows = [row for row in tried(stage, "acme_surgical", str(path), code=code) if row["case"] == str(path)]
            assert (rows[0]["result"], rows[0]["place"]) == (result, place), (name, rows)
        answer = next(row for row in tried(stage, "acme_surgical", str(tmp_path / "date"), code=1)
                      if row["rule"] == "what we would answer")  # fmt: skip
        assert "AK4*5*373*8*20261323" in answer["text"]


HUB = """\
  hub:
    kind: folder
    owner: supply-edi
    send: "${env:HILUM_HOME:-./var}/exchange/hub/out"
    fetch: "${env:HILUM_HOME:-./var}/exchange/hub/in"
"""


def shared(site: Path) -> None:
    """Acme and Bravo by one mailbox at a hub, which sends both under its own interchange id."""
    connections = site / "config" / "connections.yaml"
    connections.write_text(connections.read_text() + HUB)
    for name, code in (("acme_surgical", "ACME"), ("bravo_medical", "BRAVO")):
        file = site / "partners" / f"{name}.yaml"
        old = re.search(r"(?s)live:\n  connection:\n    folder:\n.*?\n  identity: [^\n]*", file.read_text())
        assert old is not None
        identity = f'{{theirs: {{isa: "ZZ:HUB", gs: {code}}}}}'
        file.write_text(file.read_text().replace(old[0], f"live:\n  connection: hub\n  identity: {identity}"))


def from_hub(code: str, order: str, control: int, isa: str = "HUB") -> bytes:
    text = ANSWER.replace("*01*081234567      *", f"*ZZ*{isa:15}*").replace("GS*PR*081234567", f"GS*PR*{code}")
    return text.replace("4501999002", order).replace("000000502", f"{control:09d}").encode()


def test_many_partners_share_a_mailbox(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    shared(site)
    with scene(tmp_path, site=site) as stage:
        stage.hilum("check")
        stage.start()
        erp = Erp()
        orders = {"4501777010": "ACME", "4501777011": "BRAVO"}
        erp.orders |= {number: {"number": number, "lines": [{"number": "1"}]} for number in orders}
        with played(stage, erp=erp):
            for number, supplier in orders.items():
                order_by_erp(stage, order(number, supplier, unit="BX").replace(b"NH-10003", _item(supplier)))
            stage.until(lambda: len(list(stage.outbox("hub").glob("850-*.edi"))) == 2, "both orders at the hub")
            names = sorted(path.name for path in stage.outbox("hub").glob("850-*"))
            assert names == ["850-acme_surgical-000000001.edi", "850-bravo_medical-000000002.edi"]
            stage.put("hub", "a.edi", from_hub("ACME", "4501777010", 1))
            stage.put("hub", "b.edi", from_hub("BRAVO", "4501777011", 2))
            stage.until(done(erp, 2), "both answers in the ERP")
            stage.put("hub", "c.edi", from_hub("NOBODY", "4501777010", 3))
            stage.put("hub", "d.edi", from_hub("ACME", "4501777010", 4, isa="STRANGER"))
            stage.until(lambda: len(list(stage.inbox("hub").glob(".error/*"))) == 2, "both held")
            stage.settled()
        rows = json.loads(stage.verb("exceptions", "--json").stdout)
        assert sorted((row["code"], row["context"]["partner"]) for row in rows) == [
            ("route.partner", "hub"), ("security.sender_spoof", "hub")
        ]  # fmt: skip
        for row in rows:
            held = stage.hilum("messages", row["message"], "--bytes").stdout
            assert held.startswith("ISA*")
        # What we answered: a 997 for each of the two, and nothing to the strangers.
        assert len(list(stage.outbox("hub").glob("997-*"))) == 2
        judged = json.loads(stage.hilum("send", "folder", str(_put(stage, from_hub("BRAVO", "4501777011", 9))), "hub",
                                        "--dry-run", "--json").stdout)  # fmt: skip
        assert (judged["would"], judged["messages"][0]["documents"]) == (
            "accept", ["order_acknowledgement 4501777011 changed"]
        )  # fmt: skip
        told = {number: stage.trace(number) for number in orders}
        assert [{row["partner"] for row in told[number]["messages"] if row["type"] == "855"} for number in orders] == [
            {"acme_surgical"}, {"bravo_medical"}
        ]  # fmt: skip


def _put(stage: Scene, raw: bytes) -> Path:
    path = stage.folder / "sample.edi"
    path.write_bytes(raw)
    return path


def _item(supplier: str) -> bytes:
    return {"ACME": b"NH-10003", "BRAVO": b"NH-20003"}[supplier]


def test_partners_of_a_mailbox_that_could_be_taken_for_each_other_are_an_error(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    shared(site)
    with scene(tmp_path, site=site) as stage:
        stage.verb("check")
        bravo = site / "partners" / "bravo_medical.yaml"
        good = bravo.read_text()
        for wrong in (good.replace("gs: BRAVO", "gs: ACME"), good.replace(", gs: BRAVO", "")):
            bravo.write_text(wrong)
            told = stage.verb("check", code=3).stdout
            assert "CFG310" in told
            assert "partner 'acme_surgical' has the same isa identity" in told
        bravo.write_text(good.replace("gs: BRAVO", 'gs: ACME, n1: "SE:92:2"'))
        assert "CFG310" in stage.verb("check", code=3).stdout
        acme = site / "partners" / "acme_surgical.yaml"
        acme.write_text(acme.read_text().replace("gs: ACME", 'gs: ACME, n1: "SE:92:1"'))
        stage.verb("check")
        acme.write_text(acme.read_text().replace("SE:92:1", "seller 1"))
        assert "CFG105" in stage.verb("check", code=3).stdout


def test_another_partners_name_in_ones_folder_is_held_and_told_nothing(tmp_path: Path) -> None:
    with scene(tmp_path, site=copy_site(tmp_path / "site")) as stage:
        stage.start()
        forged = ANSWER.replace("*0*P*>~", "*1*P*>~")  # it even asks for a TA1
        stage.until(stage.inbox("bravo_medical").exists, "the exchange folders")
        stage.put("bravo_medical", "forged.edi", forged.encode())
        stage.put("bravo_medical", "broken.edi", forged[:-40].encode())
        stage.until(lambda: len(list(stage.inbox("bravo_medical").glob(".error/*"))) == 2, "both held")
        stage.settled()
        rows = json.loads(stage.verb("exceptions", "--json").stdout)
        assert {(row["code"], row["place"]) for row in rows} == {("security.sender_spoof", "ISA06")}
        assert list(stage.outbox("bravo_medical").glob("*")) == []
        shown = stage.verb("exceptions", "show", rows[0]["id"]).stdout
        assert "contacts" in shown
        assert "edi-team@bravo-medical.example" in shown


def test_a_terminal_is_asked_for_what_no_option_says(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    ours, theirs = pty.openpty()
    told = os.environ | {"HILUM_SITE": str(site), "HILUM_HOME": str(tmp_path / "home")}
    process = subprocess.Popen([HILUM, "partner", "new", "foxtrot_labs"], stdin=theirs, stdout=theirs, stderr=theirs,
                               env=told, start_new_session=True)  # fmt: skip
    os.close(theirs)
    asked = b""
    for question, answer in (
        ("Template", ""), ("Name as people say it", "Foxtrot Labs"), ("interchange id", "12:5550100199"),
        ("application code", "FOXTROT"), ("What the ERP calls them", ""), ("Mail address", "edi@foxtrot.example"),
    ):  # fmt: skip
        while not re.search(rf"{question}[^\n]*: $", asked.decode()):
            asked += os.read(ours, 4096)
        os.write(ours, answer.encode() + b"\n")
    assert process.wait(PATIENCE) == 0
    os.close(ours)
    text = (site / "partners" / "foxtrot_labs.yaml").read_text()
    assert 'title: "Foxtrot Labs"' in text
    assert '{theirs: {isa: "12:5550100199", gs: "FOXTROT"}}' in text
    assert "extends: templates/x12_supplier" in text


@pytest.mark.parametrize("running", [True, False])
def test_day_one_answers_find_the_orders_of_the_engine_before(tmp_path: Path, running: bool) -> None:
    with scene(tmp_path, site=copy_site(tmp_path / "site")) as stage:
        if running:
            stage.start()
        new(stage)
        stage.verb("partner", "certify", "delta_medical")
        (tmp_path / "open.json").write_bytes(order("4501777020", "DELTA", unit="BX"))
        (tmp_path / "acme.json").write_bytes(order("4501777021", "ACME", unit="BX"))
        live = ("partner", "go-live", "delta_medical", "--open-orders", str(tmp_path / "open.json"),
                "--open-orders", str(tmp_path / "acme.json"))  # fmt: skip
        assert "would take over 1 open orders" in stage.verb(*live, "--dry-run").stderr
        told = stage.hilum(*live).stderr
        assert "took over 1 open orders; 0 were known before" in told
        assert "acme.json: 0 open orders for delta_medical, 1 for others" in told
        assert "took over 0 open orders; 1 were known before" in stage.hilum(*live).stderr
        if running:
            stage.hilum("reload")
        else:
            stage.start()
        erp = Erp()
        erp.orders |= {
            number: {"number": number, "lines": [{"number": "1"}]} for number in ("4501777020", "4501777099")
        }
        with played(stage, erp=erp):
            stage.until(stage.inbox("delta_medical").exists, "the exchange folder")
            for position, number in enumerate(("4501777020", "4501777099"), 1):
                raw = ANSWER.replace("*01*081234567      *", "*14*0812345990001  *").replace("4501999002", number)
                raw = raw.replace("PR*081234567", "PR*DELTA").replace("000000502", f"{position:09d}")
                raw = raw.replace("ASX-2201-L", "DM-100")
                stage.put("delta_medical", f"{number}.edi", raw.encode())
            stage.until(done(erp, 1), "the answer in the ERP")
            stage.until(lambda: len(list(stage.inbox("delta_medical").glob(".done/*"))) == 2, "both taken")
            stage.settled()
        # The one is known, though it was never sent from here; the other is nobody's.
        (held,) = json.loads(stage.verb("exceptions", "--json").stdout)
        assert (held["code"], held["context"]["number"]) == ("ack.unknown", "4501777099")
        assert "4501777020" in stage.hilum("trace", "4501777020").stdout
        assert list(stage.outbox("delta_medical").glob("850-*")) == []


def test_open_orders_that_cannot_be_read_keep_the_partner_as_it_is(tmp_path: Path) -> None:
    with scene(tmp_path, site=copy_site(tmp_path / "site")) as stage:
        new(stage)
        stage.verb("partner", "certify", "delta_medical")
        wrong = {"broken": (b"{", "json."), "supplier": (order("4501777020", "NOBODY"), "map.miss")}
        for name, (raw, code) in wrong.items():
            (tmp_path / name).write_bytes(raw)
            told = stage.verb("partner", "go-live", "delta_medical", "--open-orders", str(tmp_path / name), code=1)
            assert code in told.stderr
        assert standing(stage)["status"] == "draft"
