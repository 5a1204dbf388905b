"""What the conformance suites share: an intake that records, loops to run on, and one row for each kind of listener."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

import httpx
import uvloop

from channels import registry
from channels.formats.hl7v2.header import read_header
from channels.wire.hl7_reply import read_ack
from channels.wire.mllp import frame
from engine.errors import Refused, Unavailable
from engine.message import Facts
from engine.plugin import Verdict

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
REFUSED = b"zz-refuse-me"


def run(scene: Coroutine[Any, Any, Any], loop: str = "asyncio", seconds: float = 120) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(seconds):
            return await scene

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(bounded())


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 (what is waited for has no event)
        await asyncio.sleep(0.002)


class RecordingIntake:
    """`engine.plugin.Intake` in memory. gate: closed, nothing is stored and every call waits. full: nothing can be
    stored. Bytes stored before are duplicates, the same control id with other bytes is a conflict, and what holds
    REFUSED is refused. pipeline: what `processed` says."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.full = False
        self.pipeline: Refused | None = None
        self.waiting = 0
        self.turned_away = 0
        self.most_waiting = 0
        self.stored: list[bytes] = []
        self.types: list[str] = []
        self.broken: list[tuple[bytes, str]] = []
        self._by_id: dict[str, bytes] = {}

    async def accept(self, *raws: bytes, type: str = "", control_id: str = "") -> list[Verdict]:
        await self._wait(len(raws))
        return [self._stored(raw, type, control_id) for raw in raws]

    def _stored(self, raw: bytes, type: str, control_id: str) -> Verdict:
        header = read_header(raw)
        control_id = control_id or header.control_id
        self.stored.append(raw)
        self.types.append(type)
        return self._verdict(raw, control_id, Facts("hl7v2", control_id=control_id, context=header))

    async def refuse(self, raw: bytes, refusal: Refused) -> Verdict:
        await self._wait()
        self.broken.append((raw, refusal.code))
        return Verdict("refused", "M0", 0, Facts("hl7v2"), refusal)

    async def processed(self, verdict: Verdict) -> Refused | None:
        await asyncio.sleep(0)
        return self.pipeline

    async def _wait(self, messages: int = 1) -> None:
        self.waiting += messages
        self.most_waiting = max(self.waiting, self.most_waiting)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            if self.full:
                self.turned_away += messages
                raise Unavailable("store.full", "the disk is full")
        finally:
            self.waiting -= messages

    def _verdict(self, raw: bytes, control_id: str, facts: Facts) -> Verdict:
        number = len(self.stored)
        if REFUSED in raw:
            refusal = Refused("hl7.value", "this is refused", place="RQD-1", status="102")
            return Verdict("refused", f"M{number}", number, facts, refusal)
        known = self._by_id.setdefault(control_id or raw.hex(), raw)
        if known != raw:
            conflict = Refused("dup.conflict", "another message has this control id", status="205")
            return Verdict("conflict", f"M{number}", number, facts, conflict)
        status = "duplicate" if raw in self.stored[:-1] else "accepted"
        return Verdict(status, f"M{number}", number, facts)


class Row(Protocol):
    """A listener and its sender's side. deliver: `yes`, `no`, or `nothing` when the sender may only try again."""

    async def start(self, intake: RecordingIntake, folder: Path, **options: Any) -> None: ...
    async def deliver(self, payload: bytes) -> str: ...
    async def stop(self) -> None: ...


def message(number: int, extra: bytes = b"") -> bytes:
    """An HL7 v2 message; the HTTP and folder rows carry it as bytes like any other."""
    return b"MSH|^~\\&|CARTS|TOYTOWN|HILUM|NORTH|20300101||OMS^O05|N-%d|P|2.5.1\rRQD|1|%b\r" % (number, extra)


def make_listener(kind: str, intake: RecordingIntake, **options: Any) -> Any:
    entry = registry().kind(kind)
    assert entry.listener_options is not None
    assert entry.make_listener is not None
    return entry.make_listener(f"toy_{kind}", entry.listener_options.model_validate(options), intake)


class MllpRow:
    async def start(self, intake: RecordingIntake, folder: Path, **options: Any) -> None:
        self.listener = make_listener("mllp", intake, listen="127.0.0.1:0", **options)
        await self.listener.start()

    async def deliver(self, payload: bytes) -> str:
        reader, writer = await asyncio.open_connection(*self.listener.address)
        try:
            writer.write(frame(payload))
            answer = await reader.readuntil(b"\x1c\r")
        except (asyncio.IncompleteReadError, ConnectionError):
            return "nothing"
        finally:
            writer.close()
        ack = read_ack(answer[1:-2])
        assert ack is not None
        return "yes" if ack.code == "AA" else "no"

    async def stop(self) -> None:
        await self.listener.stop()


class HttpRow:
    async def start(self, intake: RecordingIntake, folder: Path, **options: Any) -> None:
        self.listener = make_listener("http", intake, listen="127.0.0.1:0", paths={"/toys": "toys"}, **options)
        await self.listener.start()

    async def deliver(self, payload: bytes) -> str:
        host, port = self.listener.address
        headers = {"Content-Type": "application/json", "Idempotency-Key": read_header(payload).control_id}
        async with httpx.AsyncClient(trust_env=False, timeout=None) as client:
            answer = await client.post(f"http://{host}:{port}/toys", content=payload, headers=headers)
        if answer.status_code == 503:
            assert "retry-after" in answer.headers
            return "nothing"
        return "yes" if answer.status_code in {200, 201} else "no"

    async def stop(self) -> None:
        await self.listener.stop()


class FolderRow:
    async def start(self, intake: RecordingIntake, folder: Path, **options: Any) -> None:
        self.folder, self.intake = folder, intake
        self.listener = make_listener("folder", intake, fetch=str(folder), poll="10ms", **options)
        self.numbers = iter(range(1000))
        await self.listener.start()

    async def deliver(self, payload: bytes) -> str:
        name = f"toy-{next(self.numbers)}.edi"
        away = self.intake.turned_away
        (self.folder / name).write_bytes(payload)
        while True:
            for place, answer in ((".done", "yes"), (".error", "no")):
                if (self.folder / place / name).exists():
                    return answer
            if self.intake.turned_away > away + 1:  # and it was left where it is in between
                return "nothing"
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        await self.listener.stop()


LISTENERS: dict[str, Callable[[], Row]] = {"mllp": MllpRow, "http": HttpRow, "folder": FolderRow}

Scene = Callable[[Row, RecordingIntake], Awaitable[None]]


def play(
    kind: str, loop: str, folder: Path, scene: Scene, intake: RecordingIntake | None = None, **options: Any
) -> None:
    async def whole() -> None:
        given, row = intake or RecordingIntake(), LISTENERS[kind]()
        await row.start(given, folder, **options)
        try:
            await scene(row, given)
        finally:
            given.gate.set()
            await row.stop()

    run(whole(), loop)
