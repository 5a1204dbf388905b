"""The least HTTP/1.1 server a simulated system needs: h11 over asyncio streams, JSON answers, loopback only by habit.

It knows no path and no rule; a handler turns each whole request into a response.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import h11

_MOST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    peer: str  # address of the other side


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""


# None: the request was handled but its answer is lost: the connection closes without a word.
Handler = Callable[[Request], Response | None]


class Web:
    """`async with`-less on purpose: start and stop are called by the party that owns it."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        self._server = await asyncio.start_server(self._connected, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError, h11.RemoteProtocolError, asyncio.CancelledError):
                await self._converse(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = h11.Connection(h11.SERVER)
        peer = str(writer.get_extra_info("peername")[0])
        while (request := await _read(protocol, reader, peer)) is not None:
            response = self._handler(request)
            if response is None:
                return
            writer.write(_written(protocol, response))
            await writer.drain()
            if protocol.our_state is not h11.DONE or protocol.their_state is not h11.DONE:
                return
            protocol.start_next_cycle()


async def _read(protocol: h11.Connection, reader: asyncio.StreamReader, peer: str) -> Request | None:
    """One whole request; None when the other side is done. Raises h11.RemoteProtocolError."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _MOST:
                raise h11.RemoteProtocolError("body too large", 413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            path = head.target.decode("latin-1").partition("?")[0]
            return Request(head.method.decode("latin-1"), path, headers, bytes(body), peer)
        else:  # h11.ConnectionClosed or PAUSED
            return None


def _written(protocol: h11.Connection, response: Response) -> bytes:
    headers = [("content-type", "application/json"), ("content-length", str(len(response.body)))]
    head = protocol.send(h11.Response(status_code=response.status, headers=headers)) or b""
    return head + (protocol.send(h11.Data(data=response.body)) or b"") + (protocol.send(h11.EndOfMessage()) or b"")
