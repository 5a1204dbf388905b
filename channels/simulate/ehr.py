"""Twelve hospitals' inventory systems: MLLP clients that send requisitions and wait for each answer.

Each hospital keeps one connection and its own order. When an answer does not come, or the connection breaks, the very
same bytes are sent again, as real systems do: this is how they survive a crash of the receiver.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import sys
from collections.abc import Iterable
from pathlib import Path

from channels.simulate.background import first_of
from channels.simulate.records import Records
from channels.simulate.requisitions import ZONE, Plan, Requisition, messages
from channels.simulate.words import load

_START, _END = b"\x0b", b"\x1c\r"
_POSITIVE = frozenset({"AA", "CA"})


class Ehr:
    """Sends every requisition until it is answered. `records`: one row per answered message, in order of answer.

    What the record file says is answered already is not sent again.
    rate: messages per second over all hospitals; 0: as fast as the answers come. timeout: seconds to wait for one.
    pause: the longest a hospital waits before it tries a broken line again.
    """

    def __init__(
        self, host: str, port: int, requisitions: Iterable[Requisition], *, rate: float = 0, timeout: float = 10,
        pause: float = 2.0, record: Path | None = None,
    ) -> None:  # fmt: skip
        self._address = (host, port)
        self._requisitions = requisitions
        self._rate = rate
        self._timeout = timeout
        self._pause = pause
        self._task: asyncio.Task[None] | None = None
        self.records = Records(record)
        self._answered = {row["control_id"] for row in self.records}
        self.sent: list[str] = []  # control ids, each once, as first written to a socket
        self.resent = 0
        self.strays = 0

    async def start(self) -> None:
        self._task = asyncio.create_task(self.run())

    async def finished(self) -> None:
        """Wait until every requisition is answered; raises what went wrong inside."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def run(self) -> None:
        lines: dict[int, asyncio.Queue[Requisition | None]] = {}
        async with asyncio.TaskGroup() as hospitals:
            begun = asyncio.get_running_loop().time()
            for position, requisition in enumerate(self._requisitions):
                if requisition.control_id in self._answered:
                    continue
                await self._pace(begun, position)
                if requisition.hospital not in lines:
                    lines[requisition.hospital] = asyncio.Queue()
                    hospitals.create_task(self._hospital(lines[requisition.hospital]))
                lines[requisition.hospital].put_nowait(requisition)
            for line in lines.values():
                line.put_nowait(None)

    async def _pace(self, begun: float, position: int) -> None:
        if self._rate:
            await asyncio.sleep(max(0.0, begun + position / self._rate - asyncio.get_running_loop().time()))

    async def _hospital(self, line: asyncio.Queue[Requisition | None]) -> None:
        link = _Link(*self._address, self._timeout)
        try:
            while (requisition := await line.get()) is not None:
                await self._deliver(link, requisition)
        finally:
            link.close()

    async def _deliver(self, link: _Link, requisition: Requisition) -> None:
        begun, attempts, wait = asyncio.get_running_loop().time(), 0, min(0.1, self._pause)
        self.sent.append(requisition.control_id)
        while True:
            attempts += 1
            try:
                code, told = await link.ask(requisition)
                break
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                link.close()
                self.resent += 1
                await asyncio.sleep(wait)
                wait = min(wait * 1.5, self._pause)
        self.strays += link.strays
        link.strays = 0
        self.records.add(
            control_id=requisition.control_id, requisition=requisition.number, hospital=requisition.hospital,
            type=requisition.type, stat=requisition.stat, answer=code, text=told, attempts=attempts,
            ms=round((asyncio.get_running_loop().time() - begun) * 1000),
        )  # fmt: skip

    def accepted(self) -> list[str]:
        """Control ids with a positive answer: what the receiver has promised to keep."""
        return [row["control_id"] for row in self.records if row["answer"] in _POSITIVE]


class _Link:
    """One MLLP connection, opened when first needed. strays: answers to something else than what was asked last."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.strays = 0

    async def ask(self, requisition: Requisition) -> tuple[str, str]:
        """Send the frame and return (MSA-1, the first ERR's code or MSA-3). Raises OSError and stream errors."""
        async with asyncio.timeout(self._timeout):
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            writer.write(_START + requisition.raw + _END)
            await writer.drain()
            while True:
                code, control_id, told = read_answer(await reader.readuntil(_END))
                if control_id == requisition.control_id:
                    return code, told
                self.strays += 1

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def read_answer(frame: bytes) -> tuple[str, str, str]:
    """(MSA-1, MSA-2, the first error's code or MSA-3) of a framed acknowledgement; empty texts where it has none."""
    text = frame.removesuffix(_END).lstrip(b"\r\n").removeprefix(_START).decode("utf-8", "replace")
    separator = text[3:4] or "|"
    rows = [segment.split(separator) for segment in text.replace("\n", "\r").split("\r") if segment]
    answer = next((row for row in rows if row[0] == "MSA"), [])
    error = next((row for row in rows if row[0] == "ERR"), [])
    code, control_id, told = (*answer[1:4], "", "", "")[:3]
    return code, control_id, next((part for part in (error[3:4] or error[1:2]) if part), told)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--site", type=Path, default=Path(), help="site folder whose crosswalks give the hospitals' words"
    )
    parser.add_argument("--to", default="127.0.0.1:2575", help="host:port of the MLLP listener")
    parser.add_argument("--count", type=int, default=100, help="how many requisitions")
    parser.add_argument("--first", type=int, default=1, help="number of the first one")
    parser.add_argument("--rate", type=float, default=0, help="messages per second; 0: as fast as answers come")
    parser.add_argument("--hospitals", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stat-at", type=int, default=0, metavar="N", help="message N is stat, for a case at 13:00")
    parser.add_argument("--unlisted-at", type=int, default=0, metavar="N", help="message N asks for an unknown item")
    parser.add_argument("--at", type=dt.datetime.fromisoformat, help="time of the first message (default: today 07:00)")
    parser.add_argument("--timeout", type=float, default=10, help="seconds to wait for an answer")
    parser.add_argument("--record", type=Path, help="JSON-lines file of answered messages")


async def run(options: argparse.Namespace, stop: asyncio.Event) -> int:
    """Exit code 0 when every requisition was accepted, 1 otherwise."""
    at = options.at or dt.datetime.now(ZONE).replace(hour=7, minute=0, second=0, microsecond=0)
    plan = Plan(
        load(options.site), options.seed, options.hospitals, at if at.tzinfo else at.replace(tzinfo=ZONE),
        stat_at=options.stat_at, unlisted_at=options.unlisted_at,
    )  # fmt: skip
    host, _, port = options.to.rpartition(":")
    made = list(messages(plan, options.count, options.first))
    ehr = Ehr(host, int(port), made, rate=options.rate, timeout=options.timeout, record=options.record)
    await ehr.start()
    await first_of(stop.wait(), ehr.finished())
    await ehr.stop()
    accepted = set(ehr.accepted())
    unfinished = sum(requisition.control_id not in accepted for requisition in made)
    sys.stdout.write(f"sent={len(ehr.sent)} unfinished={unfinished} resent={ehr.resent}\n")
    return 1 if unfinished else 0
