"""Sends HL7 v2 messages by MLLP and waits for the receiver's own answer to each.

One message at a time on each socket, and a lane keeps to one socket, so its order is kept. Only a positive answer with
our control id counts; when none comes the socket is closed, for a late answer must never meet the next message.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, cast

import pydantic

from channels.options import Address, Duration, split_address
from channels.wire.hl7_reply import accepted, judge, read_ack
from channels.wire.mllp import Broken, Framer, frame
from engine.errors import Rejected, Unavailable, Unknown
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


class _Letter:
    """A message to send and its answer: what the receiver said, or None when the line's socket must be made first."""

    __slots__ = ("answer", "control_id", "framed", "timeout")

    def __init__(self, framed: bytes, control_id: str, timeout: float, answer: asyncio.Future[Sent | None]) -> None:
        self.framed = framed
        self.control_id = control_id
        self.timeout = timeout
        self.answer = answer


class _Link(asyncio.Protocol):
    """One socket to the receiver and the letter that is outstanding on it. Made anew for each connection.

    ended: called when the outstanding letter is answered, or cannot be any more; then another may be sent.
    """

    def __init__(self, ended: Callable[[], None], *, retry_errors: bool) -> None:
        self._ended = ended
        self._retry_errors = retry_errors
        self._loop = asyncio.get_running_loop()
        self._framer = Framer(max_frame=_MAX_ACK)
        self._transport: asyncio.Transport | None = None
        self._letter: _Letter | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.ignored = 0

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, letter: _Letter) -> None:
        """After an Unknown the socket is closed: a late answer must never meet the next letter."""
        self._letter = letter
        if self._transport is None:  # the receiver has closed it as soon as it was made
            self._fail(_closed())
            self._ended()
            return
        self._deadline = self._loop.time() + letter.timeout
        if self._timer is None:
            self._timer = self._loop.call_later(letter.timeout, self._look)
        self._transport.write(letter.framed)

    def drop(self, letter: _Letter) -> None:
        """Nobody waits for this letter's answer any more."""
        if self._letter is letter:
            self._letter = None
            self.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all of asyncio.Transport's methods without being of its class
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """What else came with an answer is no answer to the next letter: that is sent only when all has been read."""
        asked = self._letter
        for event in self._framer.feed(data):
            if isinstance(event, Broken):
                self.ignored += 1
            else:
                self._judge(event)
        if self._framer.dead:
            self._fail(Unknown("mllp.answer", "the receiver's answer was not MLLP; it may have the message"))
        if asked is not None and self._letter is None:
            self._ended()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        if self._letter is not None:
            self._fail(_closed())
            self._ended()

    def _judge(self, answer: bytes) -> None:
        letter = self._letter
        if letter is None or letter.answer.done():  # cancelled, and about to be dropped
            self.ignored += 1
            return
        verdict = accepted(answer, letter.control_id) or judge(
            read_ack(answer), letter.control_id, retry_errors=self._retry_errors
        )
        if verdict is None:
            self.ignored += 1
            return
        self._letter = None
        if isinstance(verdict, Sent):
            letter.answer.set_result(verdict)
        else:
            letter.answer.set_exception(verdict)

    def _look(self) -> None:
        """One timer runs on from letter to letter: to set one for each would cost as much as to send it."""
        self._timer = None
        if self._letter is None:
            return
        left = self._deadline - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self._fail(Unknown("mllp.timeout", "no answer came in time; the receiver may have the message"))
        self._ended()

    def _fail(self, error: Unknown) -> None:
        self.abort()
        letter, self._letter = self._letter, None
        if letter is not None and not letter.answer.done():
            letter.answer.set_exception(error)


def _closed() -> Unknown:
    return Unknown("mllp.closed", "the receiver closed the connection without an answer; it may have the message")


class _Line:
    """One place at the receiver: its socket, made when it is needed, and the letters that wait for it in their order.

    connect: makes a socket; called by the letter whose turn it is, so that each fails by its own attempt.
    """

    def __init__(self, connect: Callable[[Callable[[], None]], Awaitable[_Link]]) -> None:
        self._connect = connect
        self._link: _Link | None = None
        self._turn: _Letter | None = None
        self._waiting: deque[_Letter] = deque()
        self._ignored = 0

    @property
    def ignored(self) -> int:
        return self._ignored + (self._link.ignored if self._link is not None else 0)

    @property
    def open(self) -> bool:
        return self._link is not None and self._link.open

    async def exchange(self, framed: bytes, control_id: str, timeout: float) -> Sent:
        """Raises Unavailable, Rejected or Unknown."""
        loop = asyncio.get_running_loop()
        letter = _Letter(framed, control_id, timeout, loop.create_future())
        self._waiting.append(letter)
        if self._turn is None:
            self._next()
        try:
            sent = await letter.answer
            if sent is None:
                letter.answer = loop.create_future()
                await self._reconnect(letter)
                sent = await letter.answer
        except asyncio.CancelledError:
            self._forget(letter)
            raise
        assert sent is not None
        return sent

    def close(self) -> None:
        if self._link is not None:
            self._link.abort()

    def _next(self) -> None:
        """Give the turn to whoever has waited longest."""
        self._turn = None
        while self._waiting and self._turn is None:
            letter = self._waiting.popleft()
            if not letter.answer.done():  # not cancelled
                self._turn = letter
                if self._link is not None and self._link.open:
                    self._link.send(letter)
                else:
                    letter.answer.set_result(None)

    async def _reconnect(self, letter: _Letter) -> None:
        self._ignored, self._link = self.ignored, None
        try:
            self._link = await self._connect(self._next)
        except Exception:
            self._next()
            raise
        self._link.send(letter)

    def _forget(self, letter: _Letter) -> None:
        if self._turn is letter:
            if self._link is not None:
                self._link.drop(letter)
            self._next()
        elif letter in self._waiting:
            self._waiting.remove(letter)


class MllpSender:
    """`ignored` counts answers that were none: wrong control id, unknown MSA-1, no MSA, not framed."""

    def __init__(self, name: str, options: MllpSenderOptions) -> None:
        self.name = name
        self._options = options
        self._lines = [_Line(self._connect) for _ in range(options.connections)]

    @property
    def ignored(self) -> int:
        return sum(line.ignored for line in self._lines)

    async def send(self, out: Outbound) -> Sent:
        delivery, message = out
        body, control_id = message.body, message.control_id
        if not control_id:
            raise Rejected("mllp.control_id", "a message without a control id cannot be acknowledged; it is not sent")
        if b"\x0b" in body or b"\x1c" in body:
            raise Rejected("mllp.framing", "the message holds a framing character (VT or FS), which MLLP cannot carry")
        line = self._lines[zlib.crc32(delivery.lane.encode()) % len(self._lines)]
        return await line.exchange(frame(body), control_id, self._options.timeout)

    async def close(self) -> None:
        for line in self._lines:
            line.close()

    async def _connect(self, ended: Callable[[], None]) -> _Link:
        host, port = split_address(self._options.connect)
        loop = asyncio.get_running_loop()
        retry_errors = self._options.on_error == "retry"
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                _, link = await loop.create_connection(lambda: _Link(ended, retry_errors=retry_errors), host, port)
        except OSError as error:  # TimeoutError is one
            text = f"connection {self.name} cannot be made ({type(error).__name__})"
            raise Unavailable("mllp.connect", text) from error
        return link
