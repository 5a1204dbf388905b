"""Takes HL7 v2 messages by MLLP: stores each, then answers it with the acknowledgement its sender asks for.

What all connections read in one turn of the loop is handed to the intake at once, so that it shares a commit; each
connection's answers leave in the order of its messages. Nothing half received is ever answered. Written on asyncio
protocols, not streams, for speed; asyncio and uvloop set TCP_NODELAY themselves. Framing and acknowledgements are
`channels.wire`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import pydantic

from channels.formats.hl7v2.header import Header, read_header
from channels.options import Duration, PlainListenerOptions, split_address
from channels.wire import hl7_ack
from channels.wire.mllp import MAX_FRAME, Broken, Event, Frame, Framer, frame
from engine import logs
from engine.errors import Refused, Unavailable
from engine.plugin import Intake, Verdict

_DRAIN: Final = 5.0  # seconds that stop() gives the answers under way
_FLUSH: Final = 1.0  # and then a peer to read them


class MllpListenerOptions(PlainListenerOptions):
    max_connections: int = pydantic.Field(500, ge=1, description="connections open at a time; more are closed at once")
    max_frame: int = pydantic.Field(MAX_FRAME, ge=1024, description="bytes of the longest message")
    frame_time: Duration = pydantic.Field(60.0, description="how long a message may take to arrive once it has begun")
    max_unanswered: int = pydantic.Field(200, ge=1, description="messages of a connection read ahead of their answers")
    lenient_end: bool = pydantic.Field(False, description="FS alone ends a message, for senders that leave out the CR")


def _utc() -> dt.datetime:
    """Now, to the second: answers of one second share their timestamp's text."""
    return dt.datetime.fromtimestamp(int(time.time()), dt.UTC)


def _ack_ids() -> Callable[[], str]:
    """Control ids for our acknowledgements: 20 characters, unique by 48 random bits per listener and a counter."""
    start, numbers = secrets.token_hex(6).upper(), itertools.count(1)
    return lambda: f"{start}{next(numbers):08d}"


class _Slot:
    """The place of one answer among a connection's answers. answer: None closes the connection instead."""

    __slots__ = ("answer", "connection", "event", "ready")

    def __init__(self, connection: _Connection, event: Event) -> None:
        self.connection = connection
        self.event = event
        self.answer: bytes | None = b""
        self.ready = False

    def fill(self, answer: bytes | None) -> None:
        self.answer = answer
        self.ready = True


class Desk:
    """Stores what all connections have read in one turn of the loop by one call, then fills their answers' slots."""

    def __init__(
        self, name: str, intake: Intake, options: MllpListenerOptions, now: Callable[[], dt.datetime],
        ids: Callable[[], str],
    ) -> None:  # fmt: skip
        self._name = name
        self._intake = intake
        self._wait = options.answer == "processed"
        self._nak = options.on_overload == "nak"
        self._now = now
        self._ids = ids
        self._waiting: list[_Slot] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, slots: list[_Slot]) -> None:
        """Called for each connection that has read something; all of a turn go to the intake together.

        The task's first step is in the loop's next turn, when all that could be read in this one has been.
        """
        if not self._waiting:
            task = asyncio.get_running_loop().create_task(self._serve())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._waiting += slots

    async def _serve(self) -> None:
        batch, self._waiting = self._waiting, []
        frames = [slot for slot in batch if type(slot.event) is Frame]
        try:
            if frames:
                await self._accept(frames, [slot.event.payload for slot in frames])  # type: ignore[union-attr]
            if len(frames) < len(batch):
                await self._keep_all(batch)
        except Exception as error:
            logs.failure("defect", error, channel=self._name)
            for slot in batch:
                if not slot.ready:
                    slot.fill(None)
        for connection in dict.fromkeys([slot.connection for slot in batch]):
            connection.flush()

    async def _accept(self, slots: list[_Slot], payloads: list[bytes]) -> None:
        try:
            verdicts = await self._intake.accept(*payloads)
        except Unavailable:
            for slot, payload in zip(slots, payloads, strict=True):
                slot.fill(self._overloaded(payload))
            return
        if self._wait:
            await asyncio.gather(*map(self._answer_later, slots, payloads, verdicts))
            return
        now = self._now()
        for slot, payload, verdict in zip(slots, payloads, verdicts, strict=True):
            slot.answer = self._answer(payload, verdict, verdict.refusal, now)
            slot.ready = True

    async def _answer_later(self, slot: _Slot, payload: bytes, verdict: Verdict) -> None:
        """`answer: processed`: each message waits for its own verdict, whatever it was read together with."""
        try:
            refusal = verdict.refusal or await self._intake.processed(verdict)
            slot.fill(self._answer(payload, verdict, refusal, self._now()))
        except Unavailable:
            slot.fill(self._overloaded(payload))
        slot.connection.flush()

    def _answer(self, payload: bytes, verdict: Verdict, refusal: Refused | None, now: dt.datetime) -> bytes:
        header = verdict.facts.context
        return self._ack(header if isinstance(header, Header) else read_header(payload), payload, refusal, now)

    async def _keep_all(self, batch: list[_Slot]) -> None:
        for slot in batch:
            if isinstance(slot.event, Broken):
                slot.fill(await self._keep(slot.event))

    async def _keep(self, broken: Broken) -> bytes | None:
        """A broken frame is kept and never answered: its sender must not think it arrived, nor that it was judged."""
        try:
            await self._intake.refuse(broken.raw, broken.refusal)
        except Unavailable:
            return None
        return None if broken.fatal else b""

    def _overloaded(self, payload: bytes) -> bytes | None:
        if not self._nak:
            return None
        text = "the message could not be stored, send it again later"
        refusal = Refused("store.unavailable", text, status=hl7_ack.SYSTEM_ERROR, reject=True)
        return self._ack(read_header(payload), payload, refusal, self._now())

    def _ack(self, header: Header, payload: bytes, refusal: Refused | None, now: dt.datetime) -> bytes:
        outcome = hl7_ack.outcome_of(refusal)
        code = hl7_ack.answer_code(header, outcome, reply=header.is_answer)
        if not code:
            return b""
        return frame(hl7_ack.build_ack(header, code=code, control_id=self._ids(), now=now, refusal=refusal))


class _Connection(asyncio.Protocol):
    """One sender's connection. `_slots` holds its unanswered messages in the order they came."""

    def __init__(self, listener: MllpListener) -> None:
        self._listener = listener
        self._options = listener.options
        self._framer = Framer(max_frame=self._options.max_frame, lenient_end=self._options.lenient_end)
        self._slots: deque[_Slot] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._full = False  # too many unanswered
        self._choked = False  # the peer does not read its answers
        self._ended = False
        self._idle = asyncio.Event()
        self._lost = asyncio.Event()
        self._transport: asyncio.Transport

    # asyncio's side
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all of asyncio.Transport's methods without being of its class
        self._transport = cast(asyncio.Transport, transport)
        if not self._listener.enter(self):
            self._ended = True
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        events = self._framer.feed(data)
        if self._timer is not None or self._framer.inside:
            self._watch_frame(progress=bool(events))
        if events:
            self._take(events)

    def eof_received(self) -> bool:
        """The peer has said all: what it sent is still answered, then we close."""
        self._finish()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()
        self._idle.set()
        self._lost.set()
        self._listener.leave(self)

    def pause_writing(self) -> None:
        self._choked = True
        self._hold()

    def resume_writing(self) -> None:
        self._choked = False
        self._resume()

    # ours
    def flush(self) -> None:
        """Write the answers that are ready, in order; stop at the first that is not."""
        ready: list[bytes] = []
        slots = self._slots
        while slots and slots[0].ready:
            answer = slots.popleft().answer
            if answer is None:
                self._write(ready)
                self._close_at_once()
                return
            ready.append(answer)
        self._write(ready)
        if self._full and len(slots) < self._options.max_unanswered:
            self._full = False
            self._resume()
        if self._ended and not slots:
            self._idle.set()
            self._transport.close()

    async def drain(self) -> None:
        """Answer what was handed to the intake, take nothing more, close."""
        self._ended = True
        self._stop_timer()
        if self._slots:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN):
                    await self._idle.wait()
        self._transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH):
                await self._lost.wait()
        self._transport.abort()

    def _finish(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._stop_timer()
        self._take(self._framer.close())
        if self._framer.ignored:
            logs.info("ignored", channel=self._listener.name, size=self._framer.ignored, looks=self._framer.looks)
        if not self._slots:
            self._transport.close()

    def _take(self, events: list[Event]) -> None:
        if not events:
            return
        slots = [_Slot(self, event) for event in events]
        self._slots += slots
        self._listener.desk.take(slots)
        if not self._full and len(self._slots) >= self._options.max_unanswered:
            self._full = True
            self._hold()

    def _write(self, answers: list[bytes]) -> None:
        if answers and not self._transport.is_closing():
            self._transport.write(answers[0] if len(answers) == 1 else b"".join(answers))

    def _close_at_once(self) -> None:
        """Close after what was written; what comes behind is not answered, so its sender sends it again."""
        self._ended = True
        self._stop_timer()
        self._slots.clear()
        self._idle.set()
        self._transport.close()

    def _hold(self) -> None:
        self._stop_timer()  # a frame that we do not read is not late
        if not self._ended:
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not (self._full or self._choked or self._ended):
            self._transport.resume_reading()
            self._watch_frame(progress=True)

    def _watch_frame(self, *, progress: bool) -> None:
        """Run the clock of the frame that has begun; a new one when the one before it ended."""
        if progress or not self._framer.inside:
            self._stop_timer()
        if self._framer.inside and self._timer is None and not (self._full or self._choked):
            self._timer = asyncio.get_running_loop().call_later(self._options.frame_time, self._late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        logs.info("slow_frame", channel=self._listener.name)
        self._timer = None
        self._finish()


class MllpListener:
    """Start binds the port: Unavailable (`mllp.listen`) when it cannot. `address` is what it listens on then."""

    def __init__(
        self,
        name: str,
        options: MllpListenerOptions,
        intake: Intake,
        *,
        now: Callable[[], dt.datetime] = _utc,
        ids: Callable[[], str] | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.desk = Desk(name, intake, options, now, ids or _ack_ids())
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @property
    def address(self) -> tuple[str, int]:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def start(self) -> None:
        host, port = split_address(self.options.listen)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), host, port, backlog=512)
        except OSError as error:
            text = f"listener {self.name} cannot listen on {self.options.listen} (errno {error.errno})"
            raise Unavailable("mllp.listen", text) from error

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        await asyncio.gather(*(connection.drain() for connection in list(self._connections)))

    def enter(self, connection: _Connection) -> bool:
        if len(self._connections) >= self.options.max_connections:
            logs.warning("too_many_connections", channel=self.name, most=self.options.max_connections)
            return False
        self._connections.add(connection)
        return True

    def leave(self, connection: _Connection) -> None:
        self._connections.discard(connection)
