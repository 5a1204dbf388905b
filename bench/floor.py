"""The floor: the least program that does what any honest interface engine must do before it says AA.

It frames MLLP, keeps each message in one SQLite table (WAL, synchronous=FULL), and answers AA after the commit that
holds it; whoever arrives while a commit runs forms the next one. No envelope checks, no dedup, no keys, no work rows.
It is the yardstick of every ratio in this folder, so it is made as fast as such a program can reasonably be.

`python -m bench.floor --listen 127.0.0.1:2999 --store FILE` runs until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sqlite3
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

START, END = b"\x0b", b"\x1c\r"
MOST_ROWS = 256  # rows of one INSERT: sqlite3 gives up the GIL at every statement, so few statements matter


class Writer(threading.Thread):
    """Commits all bodies that wait, then lets the loop answer them: one transaction and one sync per turn."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="writer")
        self.path = path
        self.loop = loop
        self.waiting: deque[tuple[bytes, Connection, bytes]] = deque()
        self.wake = threading.Event()
        self.stopping = False

    def put(self, body: bytes, connection: Connection, answer: bytes) -> None:
        self.waiting.append((body, connection, answer))
        self.wake.set()

    def stop(self) -> None:
        self.stopping = True
        self.wake.set()

    def run(self) -> None:
        database = open_store(self.path)
        while not self.stopping:
            self.wake.wait()
            self.wake.clear()
            while self.waiting:
                batch = [self.waiting.popleft() for _ in range(len(self.waiting))]
                commit(database, [body for body, _, _ in batch])
                self.loop.call_soon_threadsafe(answer_all, batch)
        database.close()


def open_store(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS message (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    return database


def commit(database: sqlite3.Connection, bodies: list[bytes]) -> None:
    database.execute("BEGIN IMMEDIATE")
    for start in range(0, len(bodies), MOST_ROWS):
        rows = bodies[start : start + MOST_ROWS]
        database.execute("INSERT INTO message (body) VALUES " + ",".join(["(?)"] * len(rows)), rows)
    database.execute("COMMIT")


def answer_all(batch: list[tuple[bytes, Connection, bytes]]) -> None:
    for _, connection, answer in batch:
        connection.transport.write(answer)


@dataclass(slots=True, eq=False)
class Connection(asyncio.Protocol):
    """One MLLP sender. A frame is `VT message FS CR`; whatever stands outside a frame is an error here: we hang up."""

    writer: Writer
    buffer: bytes = b""
    transport: asyncio.Transport = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data if self.buffer else data
        at = 0
        while (end := data.find(END, at)) >= 0:
            if data[at : at + 1] != START:
                self.transport.close()
                return
            message = data[at + 1 : end]
            self.writer.put(message, self, acknowledgement(message))
            at = end + 2
        self.buffer = data[at:]


def acknowledgement(message: bytes) -> bytes:
    """AA for a message, its own header's names turned round (HL7 v2.5.1 ch. 2.9.2.1)."""
    head = message[: message.find(b"\r")].split(b"|")
    return b"\x0bMSH|%b|%b|%b|%b|%b|%b||ACK|A%b|P|2.5.1\rMSA|AA|%b\r\x1c\r" % (
        head[1], head[4], head[5], head[2], head[3], head[6], head[9], head[9]
    )  # fmt: skip


async def serve(host: str, port: int, path: Path) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    writer = Writer(path, loop)
    writer.start()
    server = await loop.create_server(lambda: Connection(writer), host, port, backlog=512)
    await stop.wait()
    server.close()
    writer.stop()
    await asyncio.to_thread(writer.join)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.floor", description=__doc__)
    options.add_argument("--listen", default="127.0.0.1:2999")
    options.add_argument("--store", type=Path, required=True)
    chosen = options.parse_args()
    host, _, port = chosen.listen.rpartition(":")
    sys.setswitchinterval(0.0005)
    uvloop.run(serve(host, int(port), chosen.store))


if __name__ == "__main__":
    main()
