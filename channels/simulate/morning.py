"""One morning at North Health, played by real processes: twelve hospitals, an ERP, three suppliers, and trouble.

400 requisitions arrive while the ERP is down; the daemon is killed and started again; a supplier backorders, one
rejects a unit it does not know until a crosswalk row is corrected, one stays silent. Every claim in the summary is
counted from the parties' own records, never from Hilum's.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channels.simulate.processes import Crew, NotReady, Program, Running, free_port, listens, party, python_module, says
from channels.simulate.records import read

COUNT = 400
STAT_AT = 180
_OURS = "ZZ:NORTHHEALTH/NORTHHEALTH"
_MARK = ".hilum-demo"
# The row of Bravo's unit table that the morning begins with wrong: a unit code Bravo has never heard of.
_WRONG, _RIGHT = "CS,CA,", "CT,CA,"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the parties' own books say at the end."""

    received: int
    lost: int
    doubled: int
    crashes: int
    orders: int
    accepted: int
    resent: int
    awaited: int
    stat: str
    stat_order: str
    seconds: float


class Morning:
    """The stage and its programs. `say` gets a line whenever something happened."""

    def __init__(self, folder: Path, reference: Path, say: Say, *, seed: int = 7, count: int = COUNT) -> None:
        self.folder, self.site = folder, folder / "site"
        self._reference, self._say = reference, say
        self._seed, self._count = seed, count
        self._mllp, self._http, self._erp = free_port(), free_port(), free_port()
        self.environment = {
            "HILUM_SITE": str(self.site),
            "HILUM_HOME": str(folder),
            "HILUM_MLLP": f"127.0.0.1:{self._mllp}",
            "HILUM_HTTP": f"127.0.0.1:{self._http}",
            "HILUM_ERP_URL": f"http://127.0.0.1:{self._erp}",
        }
        self._crashes = 0

    def play(self) -> Summary:
        """Play it whole. Raises NotReady when a step does not come to its end in time."""
        began = time.monotonic()
        self._set_stage()
        with Crew(self.folder / "logs") as crew:
            daemon, hospitals = self._open(crew)
            self._crash(daemon)
            hospitals.wait(60)
            self._say(f"all {self._count} requisitions are answered; the ERP is still down")
            self._raise_erp()
            self._correct_bravo()
            self._await_acceptance()
            return self._summary(time.monotonic() - began)

    # --- acts ------------------------------------------------------------------------------------------------------
    def _set_stage(self) -> None:
        if self.folder.exists():
            if not (self.folder / _MARK).exists():
                raise NotReady(f"{self.folder} holds something else than an earlier demo; name another folder")
            shutil.rmtree(self.folder)
        for name in ("config", "partners", "mappings"):
            shutil.copytree(self._reference / name, self.site / name)
        (self.folder / _MARK).touch()
        self._edit("config/crosswalks/bravo_units.csv", _RIGHT, _WRONG)
        self._edit("config/connections.yaml", "most: 1m", "most: 3s")
        self._edit("partners/corvus_supply.yaml", '{expect: {"855": 2d}}', '{expect: {"997": 20s, "855": 2d}}')
        self._say("12 hospitals, 1 ERP, 3 suppliers; the ERP is down for maintenance")

    def _open(self, crew: Crew) -> tuple[Running, Running]:
        crew.start(
            party(
                "erp", "erp", ("--listen", f"127.0.0.1:{self._erp}", "--state", self._book("erp")), listens(self._erp)
            )
        )
        self._admin("down")
        for supplier in self._suppliers():
            crew.start(supplier)
        daemon = python_module("hilum", "engine.cli", ("run",), self.environment)
        ready = Program(daemon.name, daemon.command, daemon.environment, listens(self._mllp))
        running = crew.start(ready)
        self._say("Hilum is up")
        hospitals = crew.start(
            party("hospitals", "ehr", (
                "--site", str(self.site), "--to", f"127.0.0.1:{self._mllp}", "--count", str(self._count),
                "--rate", "60", "--seed", str(self._seed), "--stat-at", str(STAT_AT), "--timeout", "3",
                "--record", self._book("ehr"),
            ))
        )  # fmt: skip
        return running, hospitals

    def _suppliers(self) -> Iterator[Program]:
        told = {
            "acme_surgical": ("01:081234567/081234567", ("--backorder", self._part("acme_items.csv", "NH-10003"))),
            "bravo_medical": (
                "ZZ:BRAVOMED/BRAVOMED",
                ("--separators", "|^~\\n", "--units", "EA,BX,CT,BD,RL,KT,BG,PR,BO,DZ"),
            ),
            "corvus_supply": ("12:3125550142/CORVUS", ("--silent",)),
        }
        for name, (identity, habits) in told.items():
            exchange = str(self.folder / "exchange" / name)
            arguments = (
                "--exchange",
                exchange,
                "--ours",
                identity,
                "--theirs",
                _OURS,
                "--record",
                self._book(name),
                *habits,
            )
            log = self.folder / "logs" / f"{name}.log"
            yield party(name, "supplier", arguments, says(log, "watching"))

    def _crash(self, daemon: Running) -> None:
        self._until(lambda: len(read(self._path("ehr"))) >= self._count // 2, "half of the requisitions", 60)
        answered = len(read(self._path("ehr")))
        daemon.kill()
        self._crashes += 1
        self._say(f"kill -9 after {answered} answers: the daemon is gone, the hospitals keep trying")
        began = time.monotonic()
        daemon.start()
        self._say(f"the daemon is back after {time.monotonic() - began:.1f} s")

    def _raise_erp(self) -> None:
        self._admin("up")
        self._say("the ERP is up again; the orders flow")
        self._until(lambda: len(self._requisitions()) >= self._count, f"{self._count} requisitions in the ERP", 60)
        orders = self._stats()["purchase_orders"]
        self._say(f"the ERP made {orders} purchase orders of {self._count} requisitions")
        self._until(lambda: len(self._ordered()) >= orders, f"{orders} orders at the suppliers", 60)

    def _correct_bravo(self) -> None:
        refused = {row["order"] for row in self._received("bravo_medical") if row["verdict"] == "R"}
        self._until(lambda: len(self._exceptions("ack.rejected")) >= len(refused), "Bravo's rejections", 30)
        self._say(f"Bravo Medical rejected {len(refused)} orders: it knows no unit CS")
        self._edit("config/crosswalks/bravo_units.csv", _WRONG, _RIGHT)
        self._ask("reload")
        queued = self._hilum(
            "replay", "--code", "ack.rejected", "--reason", "unit of case corrected: Bravo says CT"
        ).stderr
        self._say(f"one row of bravo_units.csv corrected, site reloaded, orders sent again ({queued.strip()})")

    def _await_acceptance(self) -> None:
        wanted = set(self._stats_orders("ACME")) | set(self._stats_orders("BRAVO"))
        self._until(lambda: wanted <= self._accepted(), "acceptance by Acme and Bravo", 60)
        self._until(lambda: self._stats()["order_acknowledgements"] >= len(wanted), "acknowledgements in the ERP", 60)
        self._until(
            lambda: json.loads(self._hilum("acks", "--overdue", "--json").stdout) != [], "Corvus to be overdue", 60
        )
        self._say(f"{len(wanted)} orders accepted by Acme and Bravo and told to the ERP; Corvus has not said a word")

    def _summary(self, seconds: float) -> Summary:
        answered = [row for row in read(self._path("ehr")) if row["answer"] in {"AA", "CA"}]
        arrived = {row["number"] for row in self._requisitions()}
        stat = next(row["requisition"] for row in answered if row["stat"])
        doubled = sum(bool(row["doubled"]) for name in ("acme_surgical", "bravo_medical", "corvus_supply")
                      for row in self._received(name))  # fmt: skip
        overdue = json.loads(self._hilum("acks", "--overdue", "--limit", "10000", "--json").stdout)
        return Summary(
            received=len(answered),
            lost=sum(row["requisition"] not in arrived for row in answered),
            doubled=self._stats()["doubled"] + doubled,
            crashes=self._crashes,
            orders=self._stats()["purchase_orders"],
            accepted=len(self._accepted()),
            resent=sum(row["attempts"] > 1 for row in answered),
            awaited=len(overdue),
            stat=stat,
            stat_order=next(iter(self._orders_of(stat)), ""),
            seconds=seconds,
        )

    # --- what the parties' books say -------------------------------------------------------------------------------
    def _path(self, name: str) -> Path:
        return self.folder / "books" / f"{name}.jsonl"

    def _book(self, name: str) -> str:
        return str(self._path(name))

    def _requisitions(self) -> list[dict[str, Any]]:
        return [row for row in read(self._path("erp")) if row["did"] == "requisition"]

    def _received(self, supplier: str) -> list[dict[str, Any]]:
        return [row for row in read(self._path(supplier)) if row["did"] == "received"]

    def _ordered(self) -> set[str]:
        return {
            row["order"] for name in ("acme_surgical", "bravo_medical", "corvus_supply") for row in self._received(name)
        }

    def _accepted(self) -> set[str]:
        rows = self._received("acme_surgical") + self._received("bravo_medical")
        return {row["order"] for row in rows if row["verdict"] != "R"}

    def _stats_orders(self, supplier: str) -> list[str]:
        made = [order for row in self._requisitions() for order in row.get("orders", ())]
        return [order["number"] for order in made if order["supplier"] == supplier]

    def _orders_of(self, requisition: str) -> list[str]:
        return [
            order["number"]
            for row in self._requisitions()
            if row["number"] == requisition
            for order in row.get("orders", ())
        ]

    def _part(self, table: str, enterprise: str) -> str:
        with (self._reference / "config" / "crosswalks" / table).open(newline="", encoding="utf-8") as file:
            return next(row["partner"] for row in csv.DictReader(file) if row["enterprise"] == enterprise)

    # --- hands -----------------------------------------------------------------------------------------------------
    def _edit(self, name: str, before: str, after: str) -> None:
        path = self.site / name
        text = path.read_text(encoding="utf-8")
        if before not in text:
            raise NotReady(f"the reference site's {name} has changed: it no longer says {before}")
        path.write_text(text.replace(before, after), encoding="utf-8")

    def _admin(self, state: str) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self._erp}/admin/{state}", data=b"", method="POST")
        urllib.request.urlopen(request, timeout=5).close()

    def _stats(self) -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._erp}/admin/stats", timeout=5) as answer:
            told: dict[str, int] = json.load(answer)
        return told

    def _hilum(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "engine.cli", *arguments)
        ran = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=60, check=False
        )
        if ran.returncode not in {0, 5}:
            raise NotReady(f"hilum {' '.join(arguments)} ended with {ran.returncode}:\n{ran.stderr}")
        return ran

    def _ask(self, verb: str) -> None:
        self._hilum(verb)

    def _exceptions(self, code: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._hilum("exceptions", "list", "--code", code, "--json").stdout)
        return found

    def _until(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        """Wait for it, telling every two seconds how far the morning is."""
        end, told = time.monotonic() + timeout, time.monotonic()
        while not condition():
            if time.monotonic() > end:
                raise NotReady(f"waited {timeout:g} s for {what}; see {self.folder / 'logs'}")
            if time.monotonic() - told >= 2:
                told = time.monotonic()
                self._say(self._progress())
            time.sleep(0.1)

    def _progress(self) -> str:
        answered, ordered = len(read(self._path("ehr"))), len(self._ordered())
        told = (f"{answered} answered", f"{len(self._requisitions())} in the ERP", f"{ordered} ordered")
        return f"  … {', '.join(told)}, {len(self._accepted())} accepted"
