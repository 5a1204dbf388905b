"""A stage for functional tests: the real daemon by its real console script, on loopback, in a folder of its own.

Leaving a scene checks the conservation law: every message the store received is in exactly one place.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner

from channels.simulate.processes import Crew, Program, Running, free_port, wait_for
from engine.cli import main
from engine.store.reader import open_reader

ROOT = Path(__file__).resolve().parents[2]
HILUM = str(Path(sys.executable).with_name("hilum"))
PATIENCE = 120  # seconds for what comes soon on any machine
_Found = TypeVar("_Found")


class Scene:
    def __init__(self, folder: Path, *, site: Path | None = None, **environment: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.site = site or ROOT
        self.mllp, self.http, self.erp = free_port(), free_port(), free_port()
        self.crew = Crew(folder / "logs")
        self.daemon: Running | None = None
        self.environment = {
            "HILUM_SITE": str(self.site),
            "HILUM_HOME": str(self.home),
            "HILUM_MLLP": f"127.0.0.1:{self.mllp}",
            "HILUM_HTTP": f"127.0.0.1:{self.http}",
            "HILUM_ERP_URL": f"http://127.0.0.1:{self.erp}",
            **environment,
        }

    def start(self, defect: str = "") -> Running:
        """Start the daemon; with one of `defective`'s defects, where a test must see that it would be noticed."""
        command = (sys.executable, "-m", "tests.functional.defective", defect) if defect else (HILUM, "run")
        program = Program("hilum", command, self.environment, ready=self._ready)
        self.daemon = self.crew.start(program, PATIENCE)
        return self.daemon

    def _ready(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.mllp)) == 0

    def hilum(self, *args: str, code: int = 0, feed: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run a verb as a user would; checks the exit code."""
        ran = subprocess.run(
            [HILUM, *args], env={**os.environ, **self.environment}, input=feed.decode(), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == code, (
            f"hilum {' '.join(args)} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"
        )
        return ran

    def verb(self, *args: str, code: int = 0, feed: bytes = b"") -> subprocess.CompletedProcess[str]:
        """The same by the same way in, without the start of an interpreter: several times as fast."""
        ended, printed, talk = in_process(self.environment, *args, feed=feed)
        ran = subprocess.CompletedProcess(args, ended, printed.decode(), talk.decode())
        assert ended == code, f"hilum {' '.join(args)} ended with {ended}:\n{ran.stdout}\n{ran.stderr}"
        return ran

    def trace(self, key: str) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.verb("trace", key, "--json").stdout)
        return data

    def read(self, ask: Callable[[Any], Awaitable[_Found]]) -> _Found:
        """Ask the store itself, read-only beside the daemon."""
        return read(self.home / "store.db", ask)

    def ledger(self) -> dict[str, int]:
        return ledger(self.home / "store.db")

    def until(self, condition: Callable[[], bool], what: str, timeout: float = PATIENCE, pause: float = 0.05) -> None:
        wait_for(condition, timeout, what, pause)

    def settled(self, timeout: float = PATIENCE) -> dict[str, int]:
        """Wait until nothing is in flight; the ledger then."""

        def settled() -> bool:  # the counters are cheap to ask; the ledger counts every message, and has the last word
            return self.moving() == 0 and self.ledger()["in_flight"] == 0

        self.until(settled, "nothing in flight", timeout)
        return self.ledger()

    def moving(self) -> int:
        """What the daemon has still to do, as its counters tell."""
        stats = self.read(lambda store: store.stats())
        return int(stats["in_flight"]) + sum(stats["deliveries"][state] for state in ("planned", "retrying", "held"))

    def inbox(self, partner: str) -> Path:
        return self.home / "exchange" / partner / "in"

    def outbox(self, partner: str) -> Path:
        return self.home / "exchange" / partner / "out"

    def put(self, partner: str, name: str, raw: bytes) -> None:
        """A file as a partner gives it: complete, under its own name at once."""
        part = self.inbox(partner) / f".{name}.tmp"
        part.write_bytes(raw)
        part.rename(self.inbox(partner) / name)

    def log(self) -> str:
        return self.daemon.log.read_text(errors="replace") if self.daemon else ""


def in_process(environment: Mapping[str, str], *words: str, feed: bytes = b"") -> tuple[int, bytes, bytes]:
    """Call the console script's own function: exit code, output, talk. What it makes of this process is undone."""
    thresholds = gc.get_threshold()
    with CliRunner().isolation(feed, environment) as (printed, talk, _):
        try:
            main(words)
        except SystemExit as end:
            sys.stdout.flush()
            sys.stderr.flush()
            return int(end.code or 0), printed.getvalue(), talk.getvalue()
        finally:
            gc.unfreeze()
            gc.set_threshold(*thresholds)


def read(store: Path, ask: Callable[[Any], Awaitable[_Found]]) -> _Found:
    """Ask a store file, whether its daemon runs or not."""

    async def reading() -> _Found:
        reader = await open_reader(store)
        try:
            return await ask(reader)
        finally:
            await reader.close()

    return asyncio.run(reading())


def ledger(store: Path) -> dict[str, int]:
    return read(store, lambda reader: reader.ledger())


def conserved(ledger: dict[str, int]) -> None:
    """The conservation law: received = duplicate + exception + in flight + filtered + delivered."""
    parts = {name: count for name, count in ledger.items() if name != "received"}
    assert sum(parts.values()) == ledger["received"], f"the ledger does not add up: {ledger}"


@contextmanager
def scene(folder: Path, **options: Any) -> Iterator[Scene]:
    """A scene that ends with its programs ended, the ledger adding up and no defect in the daemon's log."""
    stage = Scene(folder, **options)
    try:
        yield stage
        if (stage.home / "store.db").exists():
            conserved(stage.ledger())
        assert "defect" not in stage.log(), stage.log()
    finally:
        stage.crew.stop()


def copy_site(target: Path) -> Path:
    """The reference site as a folder of its own, to be changed by a test."""
    for name in ("config", "partners", "mappings"):
        shutil.copytree(ROOT / name, target / name)
    return target


def mllp_exchange(port: int, *payloads: bytes, timeout: float = PATIENCE) -> list[bytes]:
    """Send messages one by one over one connection; the answers' bytes."""
    answers = []
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
        reading = peer.makefile("rb")
        for payload in payloads:
            peer.sendall(b"\x0b" + payload + b"\x1c\r")
            answers.append(_frame(reading))
    return answers


def _frame(reading: Any) -> bytes:
    collected = bytearray()
    while not collected.endswith(b"\x1c\r"):
        byte = reading.read(1)
        if not byte:
            break
        collected += byte
    return bytes(collected).strip(b"\x0b\x1c\r")
