"""The ledger of acknowledgements, played with short deadlines: what is owed, late, and closed by itself."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from channels.simulate.erp import Erp
from tests.functional.parties import ACME, played, requisition, send, supplier
from tests.functional.scene import Scene, copy_site, scene

TEMPLATE = "partners/templates/x12_supplier.yaml"


def owed(stage: Scene, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stage.verb("acks", *words, "--json").stdout)
    return found


def exceptions(stage: Scene, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stage.verb("exceptions", "--state", state, "--json").stdout)
    return found


def test_what_is_late_is_an_exception_once_and_closes_itself(tmp_path: Path) -> None:
    site = copy_site(tmp_path / "site")
    template = (site / TEMPLATE).read_text()
    (site / TEMPLATE).write_text(template.replace('{"997": 4h, "855": 1d}', '{"997": 1s, "855": 1s}'))
    with scene(tmp_path, site=site) as stage:
        erp = Erp()
        stage.start()
        with played(stage, erp=erp):
            assert send(stage, requisition("REQ-A1", ("GLV-NTR-L", "1", "Box"))) == ["AA"]
            stage.until(lambda: len(exceptions(stage, "open")) == 2, "both answers to be late")
            (order,) = erp.orders
            _late(stage, order)
            with played(stage, acme=supplier(stage, "acme_surgical", ACME, delay=3600)):
                stage.until(lambda: len(owed(stage)) == 1, "the 997")
            (left,) = owed(stage)
            assert (left["kind"], left["reached"]) == ("855", "acknowledged")
            assert [row["text"] for row in exceptions(stage, "open")] == [
                f"no 855 from acme_surgical for {order} within the time agreed"
            ]
            (taken,) = (stage.outbox("acme_surgical") / ".taken").iterdir()
            taken.rename(stage.outbox("acme_surgical") / taken.name)
            with played(stage, acme=supplier(stage, "acme_surgical", ACME)):
                stage.until(lambda: owed(stage) == [], "the 855")
            stage.settled()
        resolved = exceptions(stage, "resolved")
        assert {(row["code"], row["reason"]) for row in resolved} == {
            ("ack.overdue", "answered, or no longer expected")
        }
        assert (len(resolved), exceptions(stage, "open")) == (2, [])


def _late(stage: Scene, order: str) -> None:
    late = owed(stage, "--overdue")
    assert {(row["kind"], row["state"], row["stage"]) for row in late} == {
        ("997", "overdue", "acknowledged"),
        ("855", "overdue", "answered"),
    }
    for row in late:
        assert (row["partner"], row["sent"], row["number"], row["reached"]) == (
            "acme_surgical", "850", order, "handed over",
        )  # fmt: skip
        assert row["contacts"]["edi"] == "edi@acme-surgical.example"
        assert row["late"] > 0
    assert [row["of"] for row in owed(stage)] == [row["of"] for row in late]
    assert owed(stage, "--partner", "bravo_medical") == []
    assert "edi@acme-surgical.example" in stage.verb("acks", "--overdue").stdout
    assert len(exceptions(stage, "all")) == 2


def test_what_is_not_late_is_owed_and_calls_nobody(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        erp = Erp()
        stage.start()
        with played(stage, erp=erp):
            send(stage, requisition("REQ-A2", ("GLV-NTR-L", "1", "Box")))
            stage.until(lambda: len(owed(stage)) == 2, "what is owed")
            stage.settled()
        assert [(row["kind"], row["state"], row["late"], row["contacts"]) for row in owed(stage)] == [
            ("997", "awaited", 0, {}),
            ("855", "awaited", 0, {}),
        ]
        assert owed(stage, "--overdue") == []


def test_a_partner_that_is_closed_owes_nothing_before_it_opens(tmp_path: Path) -> None:
    """The same promise of a second, over some days that its calendar names."""
    today = dt.datetime.now(dt.UTC).date()
    closed = [today + dt.timedelta(days=days) for days in range(-1, 4)]
    calendar = f"calendar: {{zone: UTC, hours: '08:00-17:00', holidays: [{', '.join(map(str, closed))}]}}"
    site = copy_site(tmp_path / "site")
    template = (site / TEMPLATE).read_text().replace("calendar: {zone: America/Chicago}", calendar)
    (site / TEMPLATE).write_text(template.replace('{"997": 4h, "855": 1d}', '{"997": 1s, "855": 1d}'))
    with scene(tmp_path, site=site) as stage:
        erp = Erp()
        stage.start()
        with played(stage, erp=erp):
            send(stage, requisition("REQ-A3", ("GLV-NTR-L", "1", "Box")))
            stage.until(lambda: len(owed(stage)) == 2, "what is owed")
            stage.settled()
        opens = closed[-1] + dt.timedelta(days=1)
        assert [(row["kind"], row["due"]) for row in owed(stage)] == [
            ("997", f"{opens}T08:00:01Z"),
            ("855", f"{opens + dt.timedelta(days=1)}T08:00:00Z"),
        ]
