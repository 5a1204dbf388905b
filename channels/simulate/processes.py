"""Starts, watches and ends the programs of a scene: the daemon and the simulated parties, each a real process.

Used by the demo and the functional tests. Every program has a log file, and is gone when its `Crew` is left.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

Ready = Callable[[], bool]
_PORTS = range(20_000, 30_000)
_HELD: list[socket.socket] = []


class NotReady(Exception):
    """A program ended, or what was waited for did not come true in time. The text holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to start. environment: added to ours. ready: true once it can be used; checked until it is."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Ready | None = None


class Running:
    """One started program. `restart` starts it again with the same command and the same log."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 30) -> None:
        """Start it and wait until it is ready. Raises NotReady."""
        if self.alive:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.program.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, **self.program.environment}, start_new_session=True,
            )  # fmt: skip
        self.starts += 1
        ready = self.program.ready
        if ready is not None:
            self._await(ready, timeout)

    def _await(self, ready: Ready, timeout: float) -> None:
        def settled() -> bool:
            if not self.alive:
                raise NotReady(f"{self.program.name} ended with {self.code()} before it was ready:\n{self.tail()}")
            return ready()

        try:
            wait_for(settled, timeout, f"{self.program.name} to be ready")
        except NotReady as late:
            raise NotReady(f"{late}\n{self.tail()}") from None

    def stop(self, timeout: float = 15) -> int:
        """SIGTERM, then SIGKILL when it does not end in time. Returns its exit code."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.code()

    def kill(self) -> None:
        """SIGKILL at once, as a crash would end it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def restart(self, timeout: float = 30) -> None:
        self.stop()
        self.start(timeout)

    def wait(self, timeout: float) -> int:
        """Its exit code, once it ends by itself. Raises NotReady."""
        assert self._process is not None
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise NotReady(f"{self.program.name} still runs after {timeout:g} s:\n{self.tail()}") from None

    def code(self) -> int:
        code = self._process.poll() if self._process else None
        return 0 if code is None else code

    def tail(self, lines: int = 20) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Crew:
    """The programs of one scene; leaving it ends them, the last started first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Running] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, program: Program, timeout: float = 30) -> Running:
        running = Running(program, self._logs / f"{program.name}.log")
        self._running.append(running)
        running.start(timeout)
        return running

    def stop(self) -> None:
        for running in reversed(self._running):
            running.stop()
        self._running.clear()


def wait_for(condition: Ready, timeout: float, what: str, pause: float = 0.02) -> None:
    """Returns as soon as the condition holds. Raises NotReady when it does not within `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise NotReady(f"waited {timeout:g} s for {what}")
        time.sleep(pause)


def free_port(host: str = "127.0.0.1") -> int:
    """A port for a program of ours, which may use it late, and leave it for a while.

    It lies below those that the system gives to whoever asks for any, and no other process of ours is given it: as long
    as this one lives it holds the UDP port of the same number, which nobody uses.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        held = socket.socket(type=socket.SOCK_DGRAM)
        try:
            held.bind((host, port))
            with socket.socket() as probe:
                probe.bind((host, port))
        except OSError:
            held.close()
        else:
            _HELD.append(held)
            return port
    raise NotReady("no port is free")


def listens(port: int, host: str = "127.0.0.1") -> Ready:
    """Is someone accepting connections there?"""

    def check() -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex((host, port)) == 0

    return check


def says(log: Path, word: str) -> Ready:
    """Has a program written this word into its log since now?"""
    begin = log.stat().st_size if log.exists() else 0

    def check() -> bool:
        return log.exists() and word.encode() in log.read_bytes()[begin:]

    return check


def exists(path: Path) -> Ready:
    """Is the file or folder there that the program makes when it begins?"""
    return path.exists


def party(name: str, kind: str, arguments: Sequence[str], ready: Ready | None = None) -> Program:
    """A simulated party, `kind` being ehr, erp or supplier."""
    return Program(name, (sys.executable, "-m", "channels.simulate", kind, *arguments), _importable(), ready)


def python_module(name: str, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Program:
    """Any module of ours as a program of its own; give it a `ready` with `dataclasses.replace`."""
    return Program(name, (sys.executable, "-m", module, *arguments), {**_importable(), **environment})


def _importable() -> dict[str, str]:
    """The child finds the same packages as we, whatever folder it starts in, and writes its log unbuffered."""
    root = str(Path(__file__).resolve().parents[2])
    known = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != root]
    return {"PYTHONPATH": os.pathsep.join([root, *known]), "PYTHONUNBUFFERED": "1"}
