"""What the MLLP listener's suites share: a sender of raw bytes, and a scene with one of them before a listener."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from kinds_kit import RecordingIntake, make_listener, run

from channels.mllp_listener import MllpListener


class Peer:
    """A sender: raw bytes out, acknowledgements in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> list[bytes]:
        """The segments of the next acknowledgement."""
        raw = await self.reader.readuntil(b"\x1c\r")
        assert raw[:1] == b"\x0b"
        return raw[1:-2].split(b"\r")

    async def msa(self) -> bytes:
        return (await self.answer())[1]

    async def closed(self) -> bytes:
        """What still came before the listener closed the connection."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""


Scene = Callable[[Peer, RecordingIntake, MllpListener], Awaitable[None]]


def play(loop: str, scene: Scene, **options: Any) -> None:
    async def whole() -> None:
        intake = RecordingIntake()
        listener = make_listener("mllp", intake, listen="127.0.0.1:0", **options)
        await listener.start()
        peer = await connect(listener)
        try:
            await scene(peer, intake, listener)
        finally:
            intake.gate.set()
            peer.writer.close()
            await listener.stop()

    run(whole(), loop)


async def connect(listener: MllpListener) -> Peer:
    return Peer(*await asyncio.open_connection(*listener.address))
