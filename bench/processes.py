"""Processes of a measurement: start one, know when it listens, read what it costs, end it. Only those started here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 20.0  # seconds until a process must listen
STOP_LIMIT = 15.0  # seconds a process gets to end before it is killed


class BenchError(Exception):
    """A measurement could not be made; the text says why."""


@dataclass(slots=True)
class Running:
    """A process we started. log: what it said on stderr and stdout."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def tail(self, lines: int = 8) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(arguments: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Running:
    """Run `python ARGUMENTS` from the repository, its output in `log`."""
    command, whole = [sys.executable, *arguments], environment(env)
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=whole, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    return Running(process, log)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, as an installed program has it: bytecode is cached, whatever a developer's shell says."""
    kept = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONDONTWRITEBYTECODE", "PYTHONOPTIMIZE"}
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **(more or {})}


def stop(running: Running) -> None:
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
    try:
        running.process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait()


@contextmanager
def running(
    arguments: Sequence[str], log: Path, env: Mapping[str, str] | None = None, *, port: int | None = None
) -> Iterator[Running]:
    """The process, once it listens on `port`, and until the block ends. Raises BenchError when it never listens."""
    started = start(arguments, log, env)
    try:
        if port is not None:
            await_port(port, started)
        yield started
    finally:
        stop(started)


def await_port(port: int, started: Running, limit: float = START_LIMIT) -> None:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if started.process.poll() is not None:
            raise BenchError(f"it ended before it listened:\n{started.tail()}")
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise BenchError(f"it did not listen within {limit:.0f} s:\n{started.tail()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int | None) -> float:
    """User and system time so far, of a process and its descendants."""
    return sum(sum(one.cpu_times()[:2]) for one in family(pid)) if pid is not None else 0.0


def rss_mb(pid: int) -> float:
    """Resident megabytes (10^6 bytes) now, of a process and its descendants."""
    return float(sum(one.memory_info().rss for one in family(pid))) / 1e6


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder on a real disk, gone afterwards. HILUM_BENCH_DIR says where; raises BenchError when that is memory."""
    parent = Path(os.environ.get("HILUM_BENCH_DIR") or "/var/tmp")
    kind = filesystem(parent)
    if kind in {"tmpfs", "ramfs"}:
        raise BenchError(f"{parent} is {kind}: a sync there costs nothing; set HILUM_BENCH_DIR to a folder on a disk")
    place = Path(tempfile.mkdtemp(prefix="hilum-bench-", dir=parent))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def filesystem(path: Path) -> str:
    """The type of the file system a path lies on; `unknown` where the system does not tell."""
    whole = str(path.resolve())
    mounts = [part for part in psutil.disk_partitions(all=True) if _holds(part.mountpoint, whole)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"


def _holds(mountpoint: str, path: str) -> bool:
    return path == mountpoint or path.startswith(mountpoint.rstrip("/") + "/")
