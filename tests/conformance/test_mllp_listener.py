"""The MLLP listener against senders as they are: split, pipelining, many, foreign."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hl7.client import MLLPClient
from kinds_kit import LOOPS, REFUSED, RecordingIntake, message, until
from mllp_kit import Peer, connect, play

from channels.mllp_listener import MllpListener, _Connection
from channels.wire.mllp import frame

pytestmark = pytest.mark.parametrize("loop", LOOPS)


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


def test_err_tells_the_place(loop: str) -> None:
    async def scene(peer: Peer, *_: Any) -> None:
        peer.writer.write(frame(message(2, REFUSED)))
        _, _, err, _ = await peer.answer()
        assert err.startswith(b"ERR||RQD^1^1|102^data type error^HL70357|E|")

    play(loop, scene)


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
