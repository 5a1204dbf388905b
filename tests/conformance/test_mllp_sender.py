"""The MLLP sender against receivers that misbehave: it says "sent" only for its own positive answer."""

from __future__ import annotations

import asyncio

import pytest
from kinds_kit import LOOPS, run, until
from senders_kit import Behaviour, Peer, ack, make_sender, numbered, outbound, read_frame

from channels.mllp_sender import MllpSender
from channels.wire.mllp import frame
from engine.errors import HilumError, Rejected, Unavailable, Unknown
from engine.plugin import Outbound, Sent

CLOSE, RESET, LATE = object(), object(), object()
GOOD, OTHER = ack("N-1"), ack("N-999")
ERR_207 = b"ERR||MSH^1|207^busy^HL70357|E\r"

# name, what the receiver does once it has the message, what the sender must say
HOSTILE: list[tuple[str, list[object], str]] = [
    ("AA", [frame(GOOD)], "AA"),
    ("CA", [frame(ack("N-1", "CA"))], "CA"),
    ("answer cut at every byte", [bytes([byte]) for byte in frame(GOOD)], "AA"),
    ("two answers", [frame(GOOD) * 2], "AA"),
    ("yes, then no", [frame(GOOD) + frame(ack("N-1", "AR"))], "AA"),
    ("no, then yes", [frame(ack("N-1", "AR")) + frame(GOOD)], "mllp.rejected"),
    ("answer, then reset", [frame(GOOD), RESET], "AA"),
    ("line feeds around the answer", [b"\r\n" + frame(GOOD) + b"\r\n"], "AA"),
    ("other separators", [frame(GOOD.replace(b"|", b"!"))], "AA"),
    ("wrong id", [frame(OTHER)], "mllp.timeout"),
    ("wrong id, then ours", [frame(OTHER) + frame(GOOD)], "AA"),
    ("wrong id, negative", [frame(ack("N-999", "AR"))], "mllp.timeout"),
    ("empty id", [frame(ack(""))], "mllp.timeout"),
    ("MSA-1 is XX", [frame(ack("N-1", "XX"))], "mllp.timeout"),
    ("MSA-1 is XX, then AA", [frame(ack("N-1", "XX")) + frame(GOOD)], "AA"),
    ("MSA-1 is empty", [frame(ack("N-1", ""))], "mllp.timeout"),
    ("no MSA", [frame(GOOD.split(b"\r")[0])], "mllp.timeout"),
    ("empty frame", [b"\x0b\x1c\r"], "mllp.timeout"),
    ("empty frame, then AA", [b"\x0b\x1c\r" + frame(GOOD)], "AA"),
    ("not HL7", [frame(b"OK")], "mllp.timeout"),
    ("unframed", [GOOD], "mllp.timeout"),
    ("no start block", [GOOD + b"\x1c\r"], "mllp.timeout"),
    ("no end block", [b"\x0b" + GOOD], "mllp.timeout"),
    ("half an answer, then close", [frame(GOOD)[:-2], CLOSE], "mllp.closed"),
    ("nothing", [], "mllp.timeout"),
    ("too late", [LATE, frame(GOOD)], "mllp.timeout"),
    ("close", [CLOSE], "mllp.closed"),
    ("reset", [RESET], "mllp.closed"),
    ("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 2000], "mllp.answer"),
    ("an endless answer", [b"\x0b" + b"x" * 1_100_000], "mllp.answer"),
    ("AE", [frame(ack("N-1", "AE"))], "mllp.nak_error"),
    ("CE", [frame(ack("N-1", "CE"))], "mllp.nak_error"),
    ("AR", [frame(ack("N-1", "AR"))], "mllp.rejected"),
    ("CR", [frame(ack("N-1", "CR"))], "mllp.rejected"),
    ("AR 207", [frame(ack("N-1", "AR", ERR_207))], "mllp.nak_busy"),
    ("CR 207", [frame(ack("N-1", "CR", ERR_207))], "mllp.nak_busy"),
]
CLASSES = {
    "mllp.timeout": Unknown, "mllp.closed": Unknown, "mllp.answer": Unknown,
    "mllp.nak_error": Unavailable, "mllp.nak_busy": Unavailable, "mllp.rejected": Rejected,
}  # fmt: skip


def receiver(acts: list[object]) -> Behaviour:
    """Does this when it has N-1, and answers every other message as it should."""

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            control_id = await read_frame(peer, reader)
            for act in acts if control_id == "N-1" else [frame(ack(control_id))]:
                if act is CLOSE:
                    return
                if act is RESET:
                    writer.transport.abort()
                elif act is LATE:
                    await reader.read()  # until the sender has given up
                else:
                    assert isinstance(act, bytes)
                    writer.write(act)
                    await writer.drain()

    return behave


async def outcome(sender: MllpSender, out: Outbound) -> str:
    try:
        return (await sender.send(out)).code
    except HilumError as error:
        return error.code if type(error) is CLASSES[error.code] else repr(error)


async def hostile(acts: list[object], expected: str) -> None:
    async with Peer(receiver(acts)) as peer:
        timeout = "100ms" if expected == "mllp.timeout" else "1m"
        sender = make_sender("mllp", connect=f"127.0.0.1:{peer.port}", timeout=timeout)
        try:
            assert await outcome(sender, numbered(1)) == expected
            sender._options = sender._options.model_copy(update={"timeout": 60.0})
            while (said := await outcome(sender, numbered(2))) != "AA":
                assert said == "mllp.closed"  # the reset may be noticed only by the next message
                assert RESET in acts
            if CLASSES.get(expected) is Unknown:
                assert peer.connections == 2  # a late answer can never meet the next message
        finally:
            await sender.close()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("name", "acts", "expected"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_only_our_own_positive_answer_counts(name: str, acts: list[object], expected: str, loop: str) -> None:
    run(hostile(acts, expected), loop)


def test_a_sender_that_trusts_any_answer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted defect: MSA-2 is not compared."""
    monkeypatch.setattr("channels.mllp_sender.judge", lambda ack, _, **__: Sent("AA") if ack else None)
    caught = 0
    for _, acts, expected in HOSTILE:
        try:
            run(hostile(acts, expected))
        except AssertionError:
            caught += 1
    assert caught > 8


def test_stray_answers_are_counted() -> None:
    async def scene() -> None:
        acts: list[object] = [frame(OTHER) + b"\x0b\x1c\r" + frame(b"OK") + frame(GOOD) * 2]
        async with Peer(receiver(acts)) as peer:
            sender = make_sender("mllp", connect=f"127.0.0.1:{peer.port}")
            assert await outcome(sender, numbered(1)) == "AA"
            assert sender.ignored == 4
            await sender.close()

    run(scene())


def test_errors_may_be_final() -> None:
    async def scene() -> None:
        acts: list[object] = [frame(ack("N-1", "AE", b"ERR||RQD^1^3|204^unknown^HL70357|E||||call us\r"))]
        async with Peer(receiver(acts)) as peer:
            sender = make_sender("mllp", connect=f"127.0.0.1:{peer.port}", on_error="reject")
            with pytest.raises(Rejected) as caught:
                await sender.send(numbered(1))
            assert caught.value.context == {
                "status": "AE", "code": "204", "message": "call us", "pointer": "RQD[1]-3"
            }  # fmt: skip
            await sender.close()

    run(scene())


@pytest.mark.parametrize("body", [b"MSH|\x1c\rMSH|", b"MSH|\x0b|"])
def test_a_body_never_breaks_the_framing(body: bytes) -> None:
    async def scene() -> None:
        sender = make_sender("mllp", connect="127.0.0.1:1")
        with pytest.raises(Rejected) as caught:
            await sender.send(outbound(body))
        assert caught.value.code == "mllp.framing"
        with pytest.raises(Rejected):
            await sender.send(outbound(b"MSH|", control_id=""))

    run(scene())


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("connections", [1, 3])
def test_lanes_keep_their_order_and_their_socket(loop: str, connections: int) -> None:
    """One message at a time on a socket, in the order of the lane, each lane always on the same socket."""
    seen: list[tuple[int, str]] = []

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = peer.connections
        while True:
            control_id = await read_frame(peer, reader)
            seen.append((number, control_id))
            await asyncio.sleep(0.001)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    seen.append((-1, (await reader.read(1)).hex()))  # a second message before our answer
            writer.write(frame(ack(control_id)))

    async def scene() -> None:
        async with Peer(behave) as peer:
            sender = make_sender("mllp", connect=f"127.0.0.1:{peer.port}", connections=connections)
            await asyncio.gather(*(sender.send(numbered(number, lane=f"lane {number % 6}")) for number in range(60)))
            await sender.close()
            assert peer.connections == min(connections, 3)

    run(scene(), loop)
    for lane in range(6):
        mine = [(socket, name) for socket, name in seen if int(name[2:]) % 6 == lane]
        assert [name for _, name in mine] == [f"N-{number}" for number in range(lane, 60, 6)]
        assert len({socket for socket, _ in mine}) == 1


def test_cancelled_while_waiting_gives_up_the_socket() -> None:
    async def scene() -> None:
        async with Peer(receiver([LATE])) as peer:
            sender = make_sender("mllp", connect=f"127.0.0.1:{peer.port}")
            sending = asyncio.create_task(sender.send(numbered(1)))
            await until(lambda: bool(peer.received))
            sending.cancel()
            assert (await asyncio.gather(sending, return_exceptions=True))[0].__class__ is asyncio.CancelledError
            assert await outcome(sender, numbered(2)) == "AA"
            assert peer.connections == 2
            await sender.close()

    run(scene())


def test_whoever_gives_up_while_waiting_keeps_nobody_else_waiting() -> None:
    """On one socket: one is outstanding, and is cancelled last; of those behind it every other is cancelled."""

    async def scene() -> None:
        async with Peer(receiver([LATE])) as peer:
            sender = make_sender("mllp", connect=f"127.0.0.1:{peer.port}")
            first = asyncio.create_task(sender.send(numbered(1)))
            behind = [asyncio.create_task(outcome(sender, numbered(number))) for number in range(2, 8)]
            await until(lambda: bool(peer.received))
            for task in (*behind[::2], first):
                task.cancel()
            told = await asyncio.gather(first, *behind, return_exceptions=True)
            assert [isinstance(one, asyncio.CancelledError) for one in told] == [True, *[True, False] * 3]
            assert told[2::2] == ["AA"] * 3
            assert peer.connections == 2
            await sender.close()

    run(scene())


def test_nobody_waits_behind_a_connection_that_cannot_be_made() -> None:
    async def scene() -> None:
        async with Peer(receiver([])) as peer:
            port = peer.port
        sender = make_sender("mllp", connect=f"127.0.0.1:{port}")
        told = await asyncio.gather(*(sender.send(numbered(number)) for number in range(5)), return_exceptions=True)
        assert [getattr(error, "code", error) for error in told] == ["mllp.connect"] * 5
        await sender.close()

    run(scene())


def test_a_connection_that_the_receiver_closed_meanwhile_is_made_again() -> None:
    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(ack(await read_frame(peer, reader))))

    async def scene() -> None:
        async with Peer(behave) as peer:
            sender = make_sender("mllp", connect=f"127.0.0.1:{peer.port}")
            for number in range(3):
                assert await outcome(sender, numbered(number)) == "AA"
                await until(lambda: not sender._lines[0].open)
            assert peer.connections == 3
            await sender.close()

    run(scene())
