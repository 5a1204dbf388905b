"""Sends HL7 v2 messages by MLLP and waits for the receiver's own answer to each.

One message at a time on each socket, and a lane keeps to one socket, so its order is kept. Only a positive answer with
our control id counts; when none comes the socket is closed, for a late answer must never meet the next message.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Final, cast

import pydantic

from channels.options import Address, Duration, split_address
from channels.wire.hl7_reply import accepted, judge, read_ack
from channels.wire.mllp import Broken, Framer, frame
from engine.errors import HilumError, Rejected, Unavailable, Unknown
from engine.options import Options
from engine.plugin import Outbound, Sent

_MAX_ACK: Final = 1024 * 1024


class MllpSenderOptions(Options):
    connect: Address = pydantic.Field(description="HOST:PORT of the receiver")
    connections: int = pydantic.Field(1, ge=1, le=100, description="sockets kept open; each lane keeps to one")
    timeout: Duration = pydantic.Field(30.0, description="how long to wait for the answer")
    connect_timeout: Duration = pydantic.Field(10.0, description="how long to wait for the connection")
    on_error: str = pydantic.Field(
        "retry", pattern="^(retry|reject)$", description="AE or CE: try again by the retry policy, or give up at once"
    )


class _Link(asyncio.Protocol):
    """One socket to the receiver and the one message that is outstanding on it. Made anew for each connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, retry_errors: bool) -> None:
        self._loop = loop
        self._retry_errors = retry_errors
        self._framer = Framer(max_frame=_MAX_ACK)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Sent] | None = None
        self._control_id = ""
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.ignored = 0

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, payload: bytes, control_id: str, timeout: float) -> Sent:
        """Raises Unavailable, Rejected or Unknown; the socket is closed after an Unknown."""
        assert self._transport is not None
        self._waiting, self._control_id = self._loop.create_future(), control_id
        self._deadline = self._loop.time() + timeout
        if self._timer is None:
            self._timer = self._loop.call_later(timeout, self._look)
        self._transport.write(frame(payload))
        try:
            return await self._waiting
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiting = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all of asyncio.Transport's methods without being of its class
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for event in self._framer.feed(data):
            if isinstance(event, Broken):
                self.ignored += 1
            else:
                self._judge(event)
        if self._framer.dead:
            self._fail(Unknown("mllp.answer", "the receiver's answer was not MLLP; it may have the message"))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        text = "the receiver closed the connection without an answer; it may have the message"
        self._fail(Unknown("mllp.closed", text))
        if self._timer is not None:
            self._timer.cancel()

    def _judge(self, answer: bytes) -> None:
        waiting = self._waiting
        if waiting is None or waiting.done():
            self.ignored += 1
            return
        verdict = accepted(answer, self._control_id) or judge(
            read_ack(answer), self._control_id, retry_errors=self._retry_errors
        )
        if verdict is None:
            self.ignored += 1
        elif isinstance(verdict, Sent):
            waiting.set_result(verdict)
        else:
            waiting.set_exception(verdict)

    def _look(self) -> None:
        """One timer runs on from message to message: to set one for each would cost as much as to send it."""
        self._timer = None
        if self._waiting is None:
            return
        left = self._deadline - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self._fail(Unknown("mllp.timeout", "no answer came in time; the receiver may have the message"))
        self.abort()

    def _fail(self, error: HilumError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


class MllpSender:
    """`ignored` counts answers that were none: wrong control id, unknown MSA-1, no MSA, not framed."""

    def __init__(self, name: str, options: MllpSenderOptions) -> None:
        self.name = name
        self._options = options
        self._links: list[_Link | None] = [None] * options.connections
        self._turns = [asyncio.Lock() for _ in range(options.connections)]
        self._ignored = 0

    @property
    def ignored(self) -> int:
        return self._ignored + sum(link.ignored for link in self._links if link is not None)

    async def send(self, out: Outbound) -> Sent:
        if not out.message.control_id:
            raise Rejected("mllp.control_id", "a message without a control id cannot be acknowledged; it is not sent")
        body = out.message.body
        if b"\x0b" in body or b"\x1c" in body:
            raise Rejected("mllp.framing", "the message holds a framing character (VT or FS), which MLLP cannot carry")
        position = zlib.crc32(out.delivery.lane.encode()) % len(self._links)
        async with self._turns[position]:
            link = self._links[position]
            if link is None or not link.open:
                link = await self._connect(position)
            return await link.exchange(body, out.message.control_id, self._options.timeout)

    async def close(self) -> None:
        for link in self._links:
            if link is not None:
                link.abort()

    async def _connect(self, position: int) -> _Link:
        before = self._links[position]
        self._ignored += before.ignored if before is not None else 0
        self._links[position] = None
        host, port = split_address(self._options.connect)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                _, link = await loop.create_connection(lambda: self._link(loop), host, port)
        except OSError as error:  # TimeoutError is one
            text = f"connection {self.name} cannot be made ({type(error).__name__})"
            raise Unavailable("mllp.connect", text) from error
        self._links[position] = link
        return link

    def _link(self, loop: asyncio.AbstractEventLoop) -> _Link:
        return _Link(loop, retry_errors=self._options.on_error == "retry")
