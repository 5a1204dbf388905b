"""What the senders' suites share: deliveries, a scripted TCP peer, and one row for each kind of sender."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from kinds_kit import message

from channels import registry
from channels.simulate.processes import free_port
from channels.wire.mllp import frame
from engine.message import Delivery, Message
from engine.plugin import Outbound, Sender


def outbound(
    body: bytes, *, control_id: str = "N-1", format: str = "hl7v2", type: str = "OMS^O05", lane: str = "one",
    uid: str = "DLV-1", **options: str,
) -> Outbound:  # fmt: skip
    sha = hashlib.sha256(body).digest()
    carried = Message(7, "out", "toy", "toys", format, type, control_id, "", 0, len(body), sha, body)
    delivery = Delivery(1, uid, 7, "toys", "toy", type, lane, "planned", 0, 0, options=options)
    return Outbound(delivery, carried)


def numbered(number: int, lane: str = "one") -> Outbound:
    return outbound(message(number), control_id=f"N-{number}", lane=lane, uid=f"DLV-{number}")


def ack(control_id: str, code: str = "AA", error: bytes = b"") -> bytes:
    head = b"MSH|^~\\&|HILUM|NORTH|CARTS|TOYTOWN|20300101||ACK^O05^ACK|R-1|P|2.5.1\r"
    return head + f"MSA|{code}|{control_id}\r".encode() + error


def make_sender(kind: str, **options: Any) -> Any:
    entry = registry().kind(kind)
    assert entry.sender_options is not None
    assert entry.make_sender is not None
    return entry.make_sender(f"toy_{kind}", entry.sender_options.model_validate(options))


Behaviour = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A TCP server on a free port that does what `behaviour` says with each connection, and closes it then."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.received: list[bytes] = []
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._play(reader, writer))
        self._tasks.add(task)

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.behaviour(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def read_frame(peer: Peer, reader: asyncio.StreamReader) -> str:
    """The next message's control id."""
    raw = (await reader.readuntil(b"\x1c\r"))[1:-2]
    peer.received.append(raw)
    return raw.split(b"|")[9].decode()


async def read_request(peer: Peer, reader: asyncio.StreamReader) -> dict[str, str]:
    """The next HTTP request's headers in lower case, with `:start` its first line."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, value in re.findall(r"(?m)^([^:\r]+): (.*)$", "\n".join(head[1:]))}
    peer.received.append(await reader.readexactly(int(headers["content-length"])))
    return {":start": head[0], **headers}


def http_answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Row(Protocol):
    """One kind of sender and a receiver for it. answer: `yes`, `no` (for good) or `lost` (after it was received)."""

    async def play(self, answer: str, scene: Callable[[Sender], Awaitable[None]]) -> list[bytes]:
        """Run a scene; returns the bodies that the receiver has then, each with the id it came under."""
        ...

    async def unreachable(self) -> Sender: ...


class MllpRow:
    def __init__(self, folder: Path, monkeypatch: Any) -> None: ...

    async def play(self, answer: str, scene: Callable[[Sender], Awaitable[None]]) -> list[bytes]:
        async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                control_id = await read_frame(peer, reader)
                if answer == "lost":
                    return
                writer.write(frame(ack(control_id, "AA" if answer == "yes" else "AR")))

        async with Peer(behave) as peer:
            sender = make_sender("mllp", connect=f"127.0.0.1:{peer.port}")
            try:
                await scene(sender)
            finally:
                await sender.close()
            return peer.received

    async def unreachable(self) -> Sender:
        return make_sender("mllp", connect=f"127.0.0.1:{free_port()}")


class HttpRow:
    def __init__(self, folder: Path, monkeypatch: Any) -> None: ...

    async def play(self, answer: str, scene: Callable[[Sender], Awaitable[None]]) -> list[bytes]:
        async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await read_request(peer, reader)
                if answer == "lost":
                    return
                problem = json.dumps({"code": "toy", "message": "no", "pointer": "/a"}).encode()
                writer.write(http_answer(201) if answer == "yes" else http_answer(422, problem))

        async with Peer(behave) as peer:
            sender = make_sender("http", url=f"http://127.0.0.1:{peer.port}")
            try:
                await scene(sender)
            finally:
                await sender.close()
            return peer.received

    async def unreachable(self) -> Sender:
        return make_sender("http", url=f"http://127.0.0.1:{free_port()}")


class FolderRow:
    """The receiver's `no` is another file under the same name; `lost` is a folder that cannot be synced."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.folder, self.monkeypatch = folder / "out", monkeypatch

    async def play(self, answer: str, scene: Callable[[Sender], Awaitable[None]]) -> list[bytes]:
        self.folder.mkdir()
        if answer == "no":
            for number in range(10):
                (self.folder / f"OMS_O05-toys-N-{number}.hl7").write_bytes(b"another")
        if answer == "lost":
            self.monkeypatch.setattr("channels.folder_sender._sync_folder", _broken_disk)
        await scene(make_sender("folder", send=str(self.folder)))
        assert not [path for path in self.folder.iterdir() if path.name.endswith(".tmp")]
        return [path.read_bytes() for path in sorted(self.folder.iterdir())]

    async def unreachable(self) -> Sender:
        self.folder.write_bytes(b"a file where the folder should be")
        sender: Sender = make_sender("folder", send=str(self.folder))
        return sender


def _broken_disk(folder: Path) -> None:
    raise OSError(5, "planted")


SENDERS: dict[str, Callable[[Path, Any], Row]] = {"mllp": MllpRow, "http": HttpRow, "folder": FolderRow}
