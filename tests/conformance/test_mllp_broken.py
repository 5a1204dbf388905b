"""The MLLP listener before what is no message: broken, cut, slow, endless. It is kept and never answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kinds_kit import LOOPS, REFUSED, RecordingIntake, message, until
from mllp_kit import Peer, play

from channels.mllp_listener import MllpListener
from channels.wire.mllp import frame

pytestmark = pytest.mark.parametrize("loop", LOOPS)


def test_a_bad_message_among_good_ones(loop: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        sent = [message(1), message(2, REFUSED), b"", message(3)]
        peer.writer.write(b"".join(map(frame, sent)))
        assert [await peer.msa() for _ in range(3)] == [
            b"MSA|AA|N-1",
            b"MSA|AE|N-2|this is refused",
            b"MSA|AA|N-3",
        ]
        assert intake.broken == [(b"\x0b\x1c\r", "frame.empty")]

    play(loop, scene)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x0b" + message(1), "frame.truncated"),
        (b"\x0b" + message(1) + b"\x1c", "frame.no_cr"),
        (message(1) + b"\x1c\r", "frame.no_start"),
        (message(1), "frame.no_start"),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
def test_half_a_message_is_kept_and_never_answered(loop: str, sent: bytes, code: str, reset: bool) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        peer.writer.write(sent)
        await peer.writer.drain()
        if reset:
            peer.writer.transport.abort()
        else:
            peer.writer.write_eof()
            assert await peer.closed() == b""
        await until(lambda: bool(intake.broken))
        assert intake.broken == [(sent, code)]
        assert not intake.stored

    play(loop, scene)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x0b" + message(1) + b"\x1c" + frame(message(2)), "frame.no_cr"),
        (b"GET / HTTP/1.1\r\n" + b"x" * 2000, "frame.garbage"),
        (b"\x0bMSH|" + b"x" * 3000, "frame.too_large"),
    ],
)
def test_what_cannot_be_trusted_is_kept_and_closed(loop: str, sent: bytes, code: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        peer.writer.write(frame(message(0)) + sent)
        assert await peer.msa() == b"MSA|AA|N-0"
        assert await peer.closed() == b""
        assert [code for _, code in intake.broken] == [code]
        assert intake.stored == [message(0)]

    play(loop, scene, max_frame=2048)


def test_a_frame_inside_a_frame(loop: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        peer.writer.write(b"\x0b" + message(1)[:30] + frame(message(2)))
        assert await peer.msa() == b"MSA|AA|N-2"
        assert intake.broken == [(b"\x0b" + message(1)[:30], "frame.truncated")]
        assert intake.stored == [message(2)]

    play(loop, scene)


def test_a_missing_cr_may_be_agreed(loop: str) -> None:
    async def scene(peer: Peer, *_: Any) -> None:
        peer.writer.write(b"\x0b" + message(1) + b"\x1c")
        assert await peer.msa() == b"MSA|AA|N-1"

    play(loop, scene, lenient_end=True)


def test_a_frame_that_does_not_end_is_given_up(loop: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        peer.writer.write(frame(message(1)) + b"\x0bMSH|")
        assert await peer.msa() == b"MSA|AA|N-1"
        for _ in range(100):  # a drip now and then does not help it
            peer.writer.write(b"x")
            await asyncio.sleep(0.005)
            if intake.broken:
                break
        assert intake.broken[0][1] == "frame.truncated"
        assert await peer.closed() == b""

    play(loop, scene, frame_time="100ms")


def test_an_idle_connection_is_left_alone(loop: str) -> None:
    async def scene(peer: Peer, *_: Any) -> None:
        await asyncio.sleep(0.1)
        peer.writer.write(frame(message(1)))
        assert await peer.msa() == b"MSA|AA|N-1"
        await asyncio.sleep(0.1)
        peer.writer.write(frame(message(2)))
        assert await peer.msa() == b"MSA|AA|N-2"

    play(loop, scene, frame_time="50ms")


def test_stop_never_answers_half_a_message(loop: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, listener: MllpListener) -> None:
        intake.gate.clear()
        peer.writer.write(frame(message(1)) + b"\x0b" + message(2))
        await until(lambda: intake.waiting == 1)
        stopping = asyncio.create_task(listener.stop())
        await asyncio.sleep(0.01)
        intake.gate.set()
        await stopping
        assert await peer.msa() == b"MSA|AA|N-1"
        assert await peer.closed() == b""
        assert intake.stored == [message(1)]

    play(loop, scene)
