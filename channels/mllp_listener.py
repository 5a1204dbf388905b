"""Takes HL7 v2 messages by MLLP: stores each, then answers it with the acknowledgement its sender asks for.

All connections hand in what they read at one desk; each connection's answers leave in the order of its messages.
Nothing half received is ever answered. Written on asyncio protocols, not streams, for speed; asyncio and uvloop set
TCP_NODELAY themselves. Framing and acknowledgements are `channels.wire`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import pydantic

from channels.mllp_desk import Desk, Slot, ack_ids
from channels.options import Duration, PlainListenerOptions, split_address
from channels.wire.mllp import MAX_FRAME, Event, Framer
from engine import logs
from engine.errors import Unavailable
from engine.plugin import Intake

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


class _Connection(asyncio.Protocol):
    """One sender's connection. `_slots` holds its unanswered messages in the order they came."""

    def __init__(self, listener: MllpListener) -> None:
        self._listener = listener
        self._take = listener.desk.take
        self._most = listener.options.max_unanswered
        self._framer = Framer(max_frame=listener.options.max_frame, lenient_end=listener.options.lenient_end)
        self._slots: deque[Slot] = deque()
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
        framer = self._framer
        events = framer.feed(data)
        if framer.inside or self._timer is not None:
            self._watch_frame(progress=bool(events))
        if events:
            self._ask(events)

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
        slots = self._slots
        ready: list[bytes] = []
        while slots and slots[0].ready:
            answer = slots.popleft().answer
            if answer is None:
                self._write(ready)
                self._close_at_once()
                return
            ready.append(answer)
        self._write(ready)
        if self._full and len(slots) < self._most:
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
        events = self._framer.close()
        if events:
            self._ask(events)
        if self._framer.ignored:
            logs.info("ignored", channel=self._listener.name, size=self._framer.ignored, looks=self._framer.looks)
        if not self._slots:
            self._transport.close()

    def _ask(self, events: list[Event]) -> None:
        slots = self._slots
        slots += self._take(self, events)
        if len(slots) >= self._most and not self._full:
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
            self._timer = asyncio.get_running_loop().call_later(self._listener.options.frame_time, self._late)

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
        self.desk = Desk(name, intake, options, now, ids or ack_ids())
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
