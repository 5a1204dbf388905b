"""How long a program takes from the start of its process to its first AA."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.messages import feed
from bench.processes import BenchError, await_port, free_port, start, stop
from bench.scenarios import DAEMON, daemon_env, lay_out


def start_floor(place: Path) -> float:
    """Seconds from the start of the process to its first AA."""
    port = free_port()
    arguments = ["-m", "bench.floor", "--listen", f"127.0.0.1:{port}", "--store", str(place / "floor.db")]
    return _first_answer(arguments, place / "floor.log", {}, port)


def start_hilum(place: Path) -> float:
    """The same of the daemon on the whole reference site and an empty store."""
    home, port = place / "home", free_port()
    home.mkdir(parents=True, exist_ok=True)
    return _first_answer(DAEMON, home / "hilum.log", daemon_env(lay_out("reference", place), home, port), port)


def _first_answer(arguments: Sequence[str], log: Path, env: Mapping[str, str], port: int) -> float:
    source = feed("START", 0)
    frame = source.frame(source.number(1))
    began = time.perf_counter()
    process = start(arguments, log, env)
    try:
        await_port(port, process)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
            sender.sendall(frame)
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                read = sender.recv(4096)
                if not read:
                    raise BenchError("the connection closed before the first answer")
                answer += read
        if b"|AA|" not in answer:
            raise BenchError("the first answer was not AA")
        return time.perf_counter() - began
    finally:
        stop(process)
