"""The receiver at the end of the road: an MLLP listener that answers AA and keeps the books on what it got.

Per sender it knows the last number it saw: a smaller one is an inversion, one already seen a duplicate. Numbers come
from the message itself (`bench.messages.position`), so whatever mapped it must have carried them through.
A connection that sends the line `?` gets the books as one JSON line.

`python -m bench.sink --listen 127.0.0.1:2990` runs until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from dataclasses import dataclass, field

import uvloop

from bench.floor import END, START, acknowledgement
from bench.messages import position


@dataclass(slots=True)
class Books:
    """Counts since the start. first, last: wall clock of the first and newest arrival, seconds."""

    received: int = 0
    duplicates: int = 0
    inversions: int = 0
    unknown: int = 0
    first: float = 0.0
    last: float = 0.0
    greatest: dict[bytes, int] = field(default_factory=dict)
    seen: dict[bytes, set[int]] = field(default_factory=dict)

    def enter(self, message: bytes, now: float) -> None:
        self.received += 1
        self.first = self.first or now
        self.last = now
        found = position(message)
        if found is None:
            self.unknown += 1
            return
        sender, number = found
        known = self.seen.setdefault(sender, set())
        if number in known:
            self.duplicates += 1
            return
        known.add(number)
        if number < self.greatest.get(sender, 0):
            self.inversions += 1
        self.greatest[sender] = max(number, self.greatest.get(sender, 0))

    def report(self) -> dict[str, float | int]:
        return {
            "received": self.received, "unique": sum(len(known) for known in self.seen.values()),
            "duplicates": self.duplicates, "inversions": self.inversions, "unknown": self.unknown,
            "senders": len(self.seen), "first": self.first, "last": self.last,
        }  # fmt: skip


class Receiver(asyncio.Protocol):
    def __init__(self, books: Books) -> None:
        self.books = books
        self.buffer = b""
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        data = self.buffer + data if self.buffer else data
        if data == b"?\n":
            self.transport.write(json.dumps(self.books.report()).encode() + b"\n")
            return
        at, now = 0, time.time()
        while (end := data.find(END, at)) >= 0:
            if data[at : at + 1] != START:
                self.transport.close()
                return
            message = data[at + 1 : end]
            self.books.enter(message, now)
            self.transport.write(acknowledgement(message))
            at = end + 2
        self.buffer = data[at:]


async def serve(host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    books = Books()
    server = await loop.create_server(lambda: Receiver(books), host, port, backlog=512)
    await stop.wait()
    server.close()


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.sink", description=__doc__)
    options.add_argument("--listen", default="127.0.0.1:2990")
    host, _, port = options.parse_args().listen.rpartition(":")
    uvloop.run(serve(host, int(port)))


if __name__ == "__main__":
    main()
