"""Orders that wait for each other and go in one interchange, by the real daemon: by number, by time, through a kill;
each with its own thread, and its 997 set by set."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from channels.simulate.erp import Erp
from tests.functional.parties import played, requisition, send
from tests.functional.scene import Scene, copy_site, in_process, scene

TEMPLATE = "partners/templates/x12_supplier.yaml"


@contextmanager
def waiting(folder: Path, count: int, every: str) -> Iterator[tuple[Scene, Erp]]:
    site, erp = copy_site(folder / "site"), Erp()
    text = (site / TEMPLATE).read_text()
    (site / TEMPLATE).write_text(
        text.replace('"855": 1d}}', f'"855": 1d}}, batch: {{count: {count}, every: {every}}}}}', 1)
    )
    with scene(folder, site=site) as stage:
        stage.start()
        with played(stage, erp=erp):
            yield stage, erp


def order(stage: Scene, erp: Erp, *numbers: str) -> list[str]:
    """Have the ERP order of Acme once for each; our order numbers."""
    known = {*erp.orders}
    for number in numbers:
        assert send(stage, requisition(number, ("GLV-NTR-L", "1", "Box"))) == ["AA"]
    stage.until(lambda: len(erp.orders) == len(known) + len(numbers), "the orders")
    found = [one for one in erp.orders if one not in known]
    stage.until(lambda: all(states(stage, one) for one in found), "their deliveries")
    return found


def states(stage: Scene, number: str) -> list[str]:
    """Of the deliveries of one order's document."""
    _, printed, _ = in_process(stage.environment, "trace", number, "--json")
    data = json.loads(printed)
    return [row["state"] for row in data["deliveries"] if row["destination"] == "acme_surgical" and row["document"]]


def sent(stage: Scene) -> list[str]:
    return [path.read_text() for path in sorted(stage.outbox("acme_surgical").glob("850-*.edi"))]


def receipt(text: str, *verdicts: str) -> bytes:
    """Our supplier's 997 for an interchange of ours: one verdict for each set."""
    (group,) = re.findall(r"~GS(?:\*[^*]*){5}\*(\d+)\*", text)
    told = "".join(f"AK2*850*{number:04}~AK5*{verdict}~" for number, verdict in enumerate(verdicts, 1))
    accepted = len([verdict for verdict in verdicts if verdict == "A"])
    body = f"AK1*PO*{group}~{told}AK9*P*{len(verdicts)}*{len(verdicts)}*{accepted}~"
    return (
        "ISA*00*          *00*          *01*081234567      *ZZ*NORTHHEALTH    *261123*0900*U*00401*000000901*0*P*>~"
        f"GS*FA*081234567*NORTHHEALTH*20261123*0900*901*X*004010~ST*997*0001~{body}SE*{4 + 2 * len(verdicts)}*0001~"
        "GE*1*901~IEA*1*000000901~"
    ).encode()


def of(stage: Scene, number: str, kind: str, what: Callable[[dict[str, Any]], Any]) -> list[Any]:
    return [what(row) for row in stage.trace(number)["acknowledgements"] if row["kind"] == kind]


def test_so_many_go_together_and_each_keeps_its_own_thread(tmp_path: Path) -> None:
    with waiting(tmp_path, 3, "1h") as (stage, erp):
        first = order(stage, erp, "REQ-B1", "REQ-B2")
        assert [states(stage, number) for number in first] == [["gathering"]] * 2
        assert sent(stage) == []
        assert "waiting to be processed" not in stage.hilum("trace", "nothing", code=5).stderr
        first += order(stage, erp, "REQ-B3")
        stage.until(lambda: all(states(stage, number) == ["delivered"] for number in first), "all three delivered")
        (text,) = sent(stage)
        assert re.findall(r"~ST\*850\*(\d+)", text) == ["0001", "0002", "0003"]
        assert re.findall(r"~SE\*\d+\*(\d+)", text) == ["0001", "0002", "0003"]
        assert text.endswith("~GE*3*1~IEA*1*000000001~")
        assert [re.findall(r"BEG\*00\*SA\*(\d+)", one)[0] for one in text.split("~ST*")[1:]] == first
        assert [of(stage, number, "997", lambda row: row["of"]) for number in first] == [
            ["PO/1/0001"], ["PO/1/0002"], ["PO/1/0003"]
        ]  # fmt: skip
        stage.put("acme_surgical", "997.edi", receipt(text, "A", "R", "A"))
        stage.until(lambda: all(of(stage, n, "997", lambda row: row["state"]) != ["awaited"] for n in first), "the 997")
        assert [of(stage, number, "997", lambda row: row["state"]) for number in first] == [
            ["positive"], ["negative"], ["positive"]
        ]  # fmt: skip
        _threads_apart(stage, first)
        _written_anew(stage, erp, first[1])


def test_a_ta1_that_refuses_the_interchange_fails_all_of_them(tmp_path: Path) -> None:
    with waiting(tmp_path, 2, "1h") as (stage, erp):
        numbers = order(stage, erp, "REQ-R1", "REQ-R2")
        stage.until(lambda: all(states(stage, number) == ["delivered"] for number in numbers), "both delivered")
        raw = receipt(sent(stage)[0], "A").decode()
        note = raw[: raw.index("GS*")] + "TA1*000000001*261121*0914*R*006~IEA*0*000000901~"
        stage.put("acme_surgical", "ta1.edi", note.encode())
        stage.until(lambda: of(stage, numbers[1], "997", lambda row: row["state"]) == ["negative"], "the TA1")
        for number in numbers:
            assert of(stage, number, "997", lambda row: row["code"]) == ["R"]
            assert of(stage, number, "855", lambda row: row["state"]) == ["not_expected"]
        found = json.loads(stage.verb("exceptions", "--json").stdout)
        assert [row["code"] for row in found] == ["ack.rejected"] * 2


def _threads_apart(stage: Scene, numbers: list[str]) -> None:
    """Nobody who asks for one order sees the others; who asks for the interchange sees all of them."""
    for number in numbers:
        assert {row["number"] for row in stage.trace(number)["documents"] if row["type"] == "purchase_order"} == {
            number
        }
        assert [row["type"] for row in stage.trace(number)["messages"]].count("997") == 1
    whole = stage.trace("000000001")["documents"]
    assert {row["number"] for row in whole if row["type"] == "purchase_order"} == {*numbers}
    told = stage.hilum("trace", numbers[1]).stdout
    assert "ISA 000000001 GS 1" in told


def _written_anew(stage: Scene, erp: Erp, number: str) -> None:
    """What the supplier rejected waits again for others."""
    (found,) = json.loads(stage.verb("exceptions", "--json").stdout)
    assert (found["code"], found["context"]["of"]) == ("ack.rejected", "PO/1/0002")
    stage.verb("replay", found["id"], "--reason", "the part is known now")
    stage.until(lambda: "gathering" in states(stage, number), "it to wait again")
    order(stage, erp, "REQ-B4", "REQ-B5")
    stage.until(lambda: len(sent(stage)) == 2, "the next interchange")
    assert number in re.findall(r"BEG\*00\*SA\*(\d+)", sent(stage)[1])
    stage.settled()


def test_none_waits_longer_than_agreed_though_the_daemon_is_killed(tmp_path: Path) -> None:
    with waiting(tmp_path, 50, "3s") as (stage, erp):
        numbers = order(stage, erp, "REQ-T1", "REQ-T2")
        assert stage.daemon is not None
        stage.daemon.kill()
        assert sent(stage) == []
        stage.start()
        stage.until(lambda: len(sent(stage)) == 1, "the interchange")
        stage.settled()
        assert re.findall(r"BEG\*00\*SA\*(\d+)", sent(stage)[0]) == numbers
        assert [states(stage, number) for number in numbers] == [["delivered"]] * 2


def test_what_waits_when_the_agreement_ends_goes_at_its_time(tmp_path: Path) -> None:
    with waiting(tmp_path, 50, "4s") as (stage, erp):
        numbers = order(stage, erp, "REQ-E1", "REQ-E2")
        template = stage.site / TEMPLATE
        template.write_text(template.read_text().replace(", batch: {count: 50, every: 4s}", ""))
        stage.verb("reload")
        third = order(stage, erp, "REQ-E3")
        stage.until(lambda: len(sent(stage)) == 2, "the third, and those that waited")
        stage.settled()
        went = [re.findall(r"BEG\*00\*SA\*(\d+)", text) for text in sent(stage)]
        assert sorted(went, key=len) == [third, numbers]
