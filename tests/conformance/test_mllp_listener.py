"""The MLLP listener against senders as they are: split, pipelining, broken, slow, many, foreign."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hl7.client import MLLPClient
from kinds_kit import LOOPS, REFUSED, RecordingIntake, make_listener, message, run, until

from channels.mllp_listener import MllpListener, _Connection
from channels.wire.mllp import frame

pytestmark = pytest.mark.parametrize("loop", LOOPS)


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


def test_one_byte_at_a_time(loop: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        for byte in frame(message(1)):
            peer.writer.write(bytes([byte]))
            await peer.writer.drain()
            await asyncio.sleep(0)
        assert await peer.msa() == b"MSA|AA|N-1"
        assert intake.stored == [message(1)]

    play(loop, scene)


async def fifty_in_one_write(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
    numbers = range(50)
    peer.writer.write(b"".join(frame(message(number)) for number in numbers))
    assert [await peer.msa() for _ in numbers] == [b"MSA|AA|N-%d" % number for number in numbers]
    assert intake.stored == [message(number) for number in numbers]
    assert intake.most_waiting == 50  # all were with the store together: they can share a commit


def test_fifty_frames_in_one_write(loop: str) -> None:
    play(loop, fifty_in_one_write)


def test_answers_out_of_order_are_caught(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted defect: a connection writes its answers from the last to the first."""
    flush = _Connection.flush

    def shuffled(self: _Connection) -> None:
        self._slots.reverse()
        flush(self)

    monkeypatch.setattr(_Connection, "flush", shuffled)
    with pytest.raises(AssertionError):
        play(loop, fifty_in_one_write)


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


def test_err_tells_the_place(loop: str) -> None:
    async def scene(peer: Peer, *_: Any) -> None:
        peer.writer.write(frame(message(2, REFUSED)))
        _, _, err, _ = await peer.answer()
        assert err.startswith(b"ERR||RQD^1^1|102^data type error^HL70357|E|")

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


@pytest.mark.parametrize(("on_overload", "answers"), [("close", False), ("nak", True)])
def test_overload(loop: str, on_overload: str, answers: bool) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        intake.full = True
        peer.writer.write(frame(message(1)))
        if not answers:
            assert await peer.closed() == b""
            return
        _, msa, err, _ = await peer.answer()
        assert msa.startswith(b"MSA|AR|N-1")
        assert b"207^application internal error" in err
        intake.full = False
        peer.writer.write(frame(message(1)))
        assert await peer.msa() == b"MSA|AA|N-1"

    play(loop, scene, on_overload=on_overload)


def test_reading_pauses_while_answers_are_owed(loop: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        intake.gate.clear()
        big = b"x" * 60_000
        for number in range(200):  # far more than a socket's buffers hold
            peer.writer.write(frame(message(number, big)))
        await until(lambda: intake.waiting > 0)
        await asyncio.sleep(0.1)
        assert intake.waiting < 20
        intake.gate.set()
        assert [await peer.msa() for _ in range(200)] == [b"MSA|AA|N-%d" % number for number in range(200)]

    play(loop, scene, max_unanswered=4)


def test_connections_are_limited(loop: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, listener: MllpListener) -> None:
        peer.writer.write(frame(message(1)))
        await peer.msa()
        second = await connect(listener)
        assert await second.closed() == b""
        second.writer.close()
        peer.writer.write(frame(message(2)))
        assert await peer.msa() == b"MSA|AA|N-2"
        peer.writer.close()
        while True:  # the place is free as soon as the listener sees the close
            third = await connect(listener)
            third.writer.write(frame(message(3)))
            try:
                assert await third.msa() == b"MSA|AA|N-3"
                break
            except (asyncio.IncompleteReadError, ConnectionError):
                third.writer.close()
        third.writer.close()

    play(loop, scene, max_connections=1)


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


def test_enhanced_mode_and_silence(loop: str) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, _: MllpListener) -> None:
        wishes = [b"|2.5.1|||AL|NE", b"|2.5.1|||NE|NE", b"|2.5.1|||ER|NE", b"|2.5.1|||NE|AL"]
        for number, wish in enumerate(wishes):
            peer.writer.write(frame(message(number).replace(b"|2.5.1", wish)))
        ack = b"MSH|^~\\&|A|B|C|D|2030||ACK^O05|X|P|2.5.1\rMSA|AA|1\r"
        peer.writer.write(frame(ack) + frame(message(9)))
        assert [await peer.msa() for _ in range(3)] == [b"MSA|CA|N-0", b"MSA|AA|N-3", b"MSA|AA|N-9"]
        assert len(intake.stored) == 6

    play(loop, scene)


def test_each_answer_has_its_own_control_id(loop: str) -> None:
    async def scene(peer: Peer, *_: Any) -> None:
        peer.writer.write(b"".join(frame(message(number)) for number in range(5)))
        ids = {(await peer.answer())[0].split(b"|")[9] for _ in range(5)}
        assert len(ids) == 5
        assert all(len(one) == 20 for one in ids)

    play(loop, scene)


def test_a_defect_closes_one_connection_only(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(peer: Peer, intake: RecordingIntake, listener: MllpListener) -> None:
        other = await connect(listener)
        good = intake.accept
        monkeypatch.setattr(intake, "accept", None)
        peer.writer.write(frame(message(1)) + frame(message(2)))
        assert await peer.closed() == b""
        monkeypatch.setattr(intake, "accept", good)
        other.writer.write(frame(message(3)))
        assert await other.msa() == b"MSA|AA|N-3"
        other.writer.close()

    play(loop, scene)


def test_python_hl7_as_the_sender(loop: str) -> None:
    async def scene(_: Peer, intake: RecordingIntake, listener: MllpListener) -> None:
        def send() -> list[bytes]:
            with MLLPClient(*listener.address) as client:
                return [client.send_message(message(number)) for number in range(3)]

        answers = await asyncio.to_thread(send)
        assert [b"MSA|AA|N-%d" % number in answer for number, answer in enumerate(answers)] == [True] * 3
        assert intake.stored == [message(number) for number in range(3)]

    play(loop, scene)
