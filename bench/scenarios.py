"""What is measured: the floor, Hilum accepting, passing through, and the whole flow. One function makes one Result.

Every scenario starts fresh processes on fresh stores in the folder it is given, and ends them. Rates of (a) and (b) are
answers per second in a measured window after a warm-up. Rates of (c) and (d) are end to end: messages that arrived at
the far side, divided by the time from the first one sent to the last one there, so that a backlog counts against us.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.exchange import SUPPLIERS, last_written, order_files
from bench.processes import (
    ROOT,
    BenchError,
    Running,
    cpu_seconds,
    environment,
    free_port,
    rss_mb,
    running,
)

SITES = ROOT / "bench" / "sites"
REFERENCE = ("config", "partners", "mappings")
BUYER = "ZZ:NORTHHEALTH/NORTHHEALTH"
DAEMON = ("-m", "engine.cli", "run")
DRAIN_LIMIT = 120.0  # seconds a backlog gets to reach the far side
DRAIN_STALL = 15.0  # seconds without anything arriving after which a drain is given up
PASSTHROUGH_CAP, FLOW_CAP = 4000, 400  # messages per second of window that may be sent: bounds the backlog


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario at one connection count, once. Latencies in ms, CPU in us per message, RSS in MB (10^6 bytes)."""

    scenario: str
    connections: int
    rate: float
    count: int
    p50: float
    p95: float
    p99: float
    cpu_us: float
    rss: float
    errors: int = 0
    ordered: bool | None = None  # None where nothing carries an order
    notes: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a run lasts, and its tag: no two runs may repeat a message number.

    watch: told the measured process's id when its load begins; how a profiler gets to see it.
    """

    seconds: float
    warmup: float
    tag: str
    watch: Callable[[int], None] | None = None


# --- parts ---------------------------------------------------------------------------------------------------------
def drive(
    port: int,
    connections: int,
    effort: Effort,
    *,
    tag: str = "",
    pid: int | None = None,
    most: int = 0,
    warm: bool = True,
) -> dict[str, float]:
    """Run the load generator to its end. Raises BenchError when it fails or does not end."""
    arguments = [
        sys.executable, "-m", "bench.load", "--connect", f"127.0.0.1:{port}", "--connections", str(connections),
        "--seconds", str(effort.seconds), "--warmup", str(effort.warmup if warm else 0),
        "--tag", tag or effort.tag, "--most", str(most),
    ]  # fmt: skip
    if pid is not None:
        arguments += ["--pid", str(pid)]
        if effort.watch:
            effort.watch(pid)
    limit = effort.seconds + effort.warmup + 60
    try:
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as late:
        raise BenchError(f"the load did not end within {limit:.0f} s") from late
    if done.returncode:
        raise BenchError(f"the load failed: {done.stderr.decode(errors='replace')[-800:]}")
    told: dict[str, float] = json.loads(done.stdout)
    return told


@contextmanager
def hilum(site: Path, home: Path, env: Mapping[str, str] | None = None) -> Iterator[tuple[Running, int]]:
    """The daemon on a fresh store, listening; and its MLLP port."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    with running(DAEMON, home / "hilum.log", daemon_env(site, home, port, env), port=port) as daemon:
        yield daemon, port


def daemon_env(site: Path, home: Path, port: int, more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {
        "HILUM_SITE": str(site),
        "HILUM_HOME": str(home),
        "HILUM_MLLP": f"127.0.0.1:{port}",
        "HILUM_HTTP": f"127.0.0.1:{free_port()}",
        **(more or {}),
    }


def lay_out(name: str, place: Path) -> Path:
    """A site in `place`: the reference site, with what `bench/sites/NAME` has instead; or that alone if it is whole."""
    site = place / f"site-{name}"
    if site.exists():
        return site
    overlay = SITES / name
    if not (overlay / "config" / "engine.yaml").exists():
        for folder in REFERENCE:
            shutil.copytree(ROOT / folder, site / folder)
    if overlay.exists():
        shutil.copytree(overlay, site, dirs_exist_ok=True)
    return site


def in_flight(home: Path) -> int:
    """Messages answered and not yet finished, as the daemon itself tells."""
    asked = [sys.executable, "-m", "engine.cli", "status", "--json"]
    env = environment({"HILUM_HOME": str(home)})
    done = subprocess.run(asked, cwd=ROOT, env=env, capture_output=True, timeout=30, check=False)
    if done.returncode:
        raise BenchError(f"`hilum status` failed: {done.stderr.decode(errors='replace')[-500:]}")
    return int(json.loads(done.stdout)["store"]["in_flight"])


def _accepting(name: str, connections: int, told: Mapping[str, float], pid: int, **notes: float | int | str) -> Result:
    return Result(
        name, connections, told["rate"], int(told["measured"]), told["p50"], told["p95"], told["p99"], told["cpu_us"],
        rss_mb(pid), int(told["errors"] + told["lost"]), None, {"load_cpu": round(told["load_cpu"], 2), **notes},
    )  # fmt: skip


# --- (a) and (b) ---------------------------------------------------------------------------------------------------
def floor(place: Path, connections: int, effort: Effort) -> Result:
    port = free_port()
    arguments = ["-m", "bench.floor", "--listen", f"127.0.0.1:{port}", "--store", str(place / "floor.db")]
    with running(arguments, place / "floor.log", port=port) as process:
        told = drive(port, connections, effort, pid=process.pid)
        return _accepting("floor", connections, told, process.pid)


def accept(place: Path, connections: int, effort: Effort) -> Result:
    """Store and answer; the pipeline runs beside it, maps each message and drops it by a rule."""
    with hilum(lay_out("accept", place), place / "home") as (daemon, port):
        told = drive(port, connections, effort, pid=daemon.pid)
        return _accepting("accept", connections, told, daemon.pid, backlog=in_flight(place / "home"))


def saturated(place: Path, connections: int, effort: Effort) -> Result:
    """Accepting with the whole flow behind it, far more coming in than can go out."""
    with flowing(place) as (daemon, port, home):
        told = drive(port, connections, effort, pid=daemon.pid)
        return _accepting("saturated", connections, told, daemon.pid, backlog=in_flight(home))


# --- (c) -------------------------------------------------------------------------------------------------------------
def passthrough(place: Path, connections: int, effort: Effort) -> Result:
    """MLLP in, ten fields mapped, MLLP out, in order per sender, to a sink that answers and keeps the books."""
    sink = free_port()
    with ExitStack() as stack:
        stack.enter_context(
            running(["-m", "bench.sink", "--listen", f"127.0.0.1:{sink}"], place / "sink.log", port=sink)
        )
        site, env = lay_out("passthrough", place), {"BENCH_SINK": f"127.0.0.1:{sink}"}
        daemon, port = stack.enter_context(hilum(site, place / "home", env))
        return _end_to_end(
            "passthrough", daemon, port, connections, effort, PASSTHROUGH_CAP, lambda: int(books(sink)["unique"]),
            lambda: float(books(sink)["last"]), lambda: _judge(books(sink)),
        )  # fmt: skip


def books(port: int) -> dict[str, float]:
    """What the sink has seen."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as asked:
        asked.sendall(b"?\n")
        told: dict[str, float] = json.loads(asked.makefile().readline())
        return told


def _judge(seen: Mapping[str, float]) -> tuple[bool, dict[str, int]]:
    faults = {name: int(seen[name]) for name in ("inversions", "duplicates", "unknown")}
    return bool(seen["unique"]) and not faults["inversions"] and not faults["unknown"], faults


def _end_to_end(
    name: str,
    daemon: Running,
    port: int,
    connections: int,
    effort: Effort,
    cap: int,
    arrived: Callable[[], int],
    last: Callable[[], float],
    judge: Callable[[], tuple[bool | None, dict[str, int]]],
) -> Result:
    """Warm up and drain; then send, drain, and divide what arrived by all the time it took."""
    warmed = drive(port, connections, effort, tag=f"{effort.tag}W", most=max(100, connections * 4), warm=False)
    _drain(daemon, arrived, int(warmed["answered"]))
    before, cpu = arrived(), cpu_seconds(daemon.pid)
    told = drive(port, connections, effort, pid=daemon.pid, most=int(cap * effort.seconds), warm=False)
    highest = rss_mb(daemon.pid)
    _drain(daemon, arrived, before + int(told["answered"]))
    count, took = arrived() - before, last() - told["opened"]
    ordered, faults = judge()
    missing = int(told["answered"]) - count
    return Result(
        name, connections, count / took if took > 0 else 0.0, count, told["p50"], told["p95"], told["p99"],
        (cpu_seconds(daemon.pid) - cpu) / count * 1e6 if count else 0.0, max(highest, rss_mb(daemon.pid)),
        int(told["errors"] + told["lost"]) + missing, ordered,
        {"accepted_rate": round(told["rate"]), "missing": missing, **faults},
    )  # fmt: skip


def _drain(daemon: Running, arrived: Callable[[], int], wanted: int) -> None:
    """Wait until `wanted` have arrived, or nothing comes any more."""
    end, since, seen = time.monotonic() + DRAIN_LIMIT, time.monotonic(), -1
    while (now := time.monotonic()) < end and now - since < DRAIN_STALL:
        if daemon.process.poll() is not None:
            raise BenchError(f"the daemon ended by itself:\n{daemon.tail()}")
        got = arrived()
        if got >= wanted:
            return
        if got != seen:
            seen, since = got, now
        time.sleep(0.1)


# --- (d) -------------------------------------------------------------------------------------------------------------
def flow(place: Path, connections: int, effort: Effort) -> Result:
    """The reference flow: requisitions in, orders made by the ERP simulator, 850 files out, suppliers answering."""
    with flowing(place) as (daemon, port, home):
        return _end_to_end(
            "flow", daemon, port, connections, effort, FLOW_CAP, lambda: len(order_files(home)),
            lambda: last_written(home), lambda: (None, {}),
        )  # fmt: skip


@contextmanager
def flowing(place: Path) -> Iterator[tuple[Running, int, Path]]:
    """The daemon on the reference site, with its ERP and its suppliers played by the simulators."""
    home, erp = place / "home", free_port()
    with ExitStack() as stack:
        stack.enter_context(running(_erp(erp), place / "erp.log", port=erp))
        site = lay_out("reference", place)
        daemon, port = stack.enter_context(hilum(site, home, {"HILUM_ERP_URL": f"http://127.0.0.1:{erp}"}))
        for name in SUPPLIERS:
            stack.enter_context(running(_supplier(name, home), place / f"{name}.log"))
        yield daemon, port, home


def _erp(port: int) -> Sequence[str]:
    return ["-m", "channels.simulate", "erp", "--listen", f"127.0.0.1:{port}"]


def _supplier(name: str, home: Path) -> Sequence[str]:
    identity, separators = SUPPLIERS[name]
    exchange = str(home / "exchange" / name)
    return [
        "-m", "channels.simulate", "supplier", "--exchange", exchange, "--ours", identity, "--theirs", BUYER,
        "--separators", separators,
    ]  # fmt: skip
