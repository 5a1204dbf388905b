"""Bad MLLP streams, against one daemon: cut, joined, noisy, held open. What is no frame is kept and never answered."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.functional.bad_kit import END, START, Watch, connected, framed, kept, message
from tests.functional.hl7_kit import GOOD, Stage, hospital_door, msh, told

pytestmark = pytest.mark.xdist_group("bad_frames")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with hospital_door(tmp_path_factory.mktemp("bad_frames")) as found:
        yield found


# --- streams that are broken -----------------------------------------------------------------------------------------
def test_h1_one_byte_at_a_time(stage: Stage) -> None:
    control, raw = stage.good()
    with connected(stage.ports["plain"]) as peer:
        peer.send(*(bytes([byte]) for byte in framed(raw)))
        assert told(peer.answer()) == ("AA", control)
        stage.goes_on(peer)


@pytest.mark.parametrize("listener", ["plain", "processed"])
@pytest.mark.parametrize("count", [2, 50])
def test_h2_many_frames_in_one_write(stage: Stage, count: int, listener: str) -> None:
    sent = [stage.good() for _ in range(count)]
    with connected(stage.ports[listener]) as peer:
        peer.send(b"".join(framed(raw) for _, raw in sent))
        answers = [peer.answer() for _ in sent]
        assert [told(answer) for answer in answers] == [("AA", id) for id, _ in sent]


def test_h2_a_bad_one_among_many_keeps_its_turn(stage: Stage) -> None:
    sent = [stage.good() for _ in range(9)]
    bad = msh(9, b"XYZ^O05").replace(b"ID-0", b"H2-BAD")
    watch = Watch(stage.scene)
    with connected(stage.ports["plain"]) as peer:
        peer.send(b"".join(framed(raw) for raw in [*(raw for _, raw in sent[:4]), bad, *(raw for _, raw in sent[4:])]))
        answers = [peer.answer() for _ in range(10)]
    assert [told(answer) for answer in answers] == [
        *(("AA", id) for id, _ in sent[:4]),
        ("AR", "H2-BAD"),
        *(("AA", id) for id, _ in sent[4:]),
    ]
    watch.one("hl7.type", "MSH-9.1")


HALF = GOOD[: len(GOOD) // 2].replace(b"ID-0", b"HALF-1")
WHOLE = GOOD.replace(b"ID-0", b"WHOLE-1")
GET = b"GET /index.html HTTP/1.1\r\nHost: north\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


class Broken(NamedTuple):
    """sent as it is, then the peer hangs up. kept: what the exception's message holds."""

    sent: bytes
    code: str
    kept: bytes


BROKEN = {
    "H3 half a frame": Broken(START + HALF, "frame.truncated", START + HALF),
    "H3 a whole message without an end": Broken(START + WHOLE, "frame.truncated", START + WHOLE),
    "H4 FS, then another frame": Broken(
        START + WHOLE + b"\x1c" + framed(WHOLE), "frame.no_cr", START + WHOLE + b"\x1c"),
    "H4 FS, then nothing": Broken(START + WHOLE + b"\x1c", "frame.no_cr", START + WHOLE + b"\x1c"),
    "H5 HTTP": Broken(GET + b"x" * 1200, "frame.garbage", (GET + b"x" * 1200)[:1024]),
    "H5 TLS": Broken(HELLO + b"\x02" * 1200, "frame.garbage", (HELLO + b"\x02" * 1200)[:1024]),
    "H5 noise": Broken(b"\xff\xfd\x18" * 400, "frame.garbage", (b"\xff\xfd\x18" * 400)[:1024]),
    "H6 no start block": Broken(WHOLE + END, "frame.no_start", WHOLE + END),
    "an empty frame": Broken(START + END, "frame.empty", START + END),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_frame_is_never_answered_nor_processed(stage: Stage, name: str) -> None:
    row, watch = BROKEN[name], Watch(stage.scene)
    control, raw = stage.good()
    with connected(stage.ports["plain"]) as peer:
        assert told(peer.ask(raw)) == ("AA", control)
        peer.send(row.sent)
        peer.hang_up()
        assert peer.answer() is None
    found = watch.one(row.code, "")
    assert found["context"]["channel"] == "ehr_mllp"
    assert kept(stage.scene, found["message"]) == row.kept
    assert message(stage.scene, found["message"])["state"] == "exception"
    stage.goes_on()


def test_h3_a_reset_inside_a_frame(stage: Stage) -> None:
    watch = Watch(stage.scene)
    with connected(stage.ports["plain"]) as peer:
        peer.send(START + HALF)
        control, raw = stage.good()
        with connected(stage.ports["plain"]) as other:  # until the daemon has surely read what came before
            assert told(other.ask(raw)) == ("AA", control)
        peer.reset()
    found = watch.one("frame.truncated", "")
    assert kept(stage.scene, found["message"]) == START + HALF


def test_h4_a_missing_cr_may_be_agreed(stage: Stage) -> None:
    sent = [stage.good() for _ in range(3)]
    with connected(stage.ports["lenient"]) as peer:
        peer.send(b"".join(START + raw + b"\x1c" for _, raw in sent))
        answers = [peer.answer() for _ in sent]
    assert [told(answer) for answer in answers] == [("AA", id) for id, _ in sent]


@pytest.mark.parametrize(("noise", "looks"), [(b"\r\nhello\r\n", ""), (GET, "http"), (HELLO, "tls")])
def test_h5_a_little_noise_is_passed_over_counted_and_named(stage: Stage, noise: bytes, looks: str) -> None:
    watch, before = Watch(stage.scene), len(stage.scene.log())
    control, raw = stage.good()
    with connected(stage.ports["plain"]) as peer:
        peer.send(noise + framed(raw))
        assert told(peer.answer()) == ("AA", control)
    line = f"ignored channel=ehr_mllp size={len(noise)}" + (f" looks={looks}" if looks else "")
    stage.scene.until(lambda: line in stage.scene.log()[before:], line)
    assert watch.new() == []


def test_h6_no_start_block_and_the_next_one_is_taken(stage: Stage) -> None:
    watch = Watch(stage.scene)
    control, raw = stage.good()
    with connected(stage.ports["plain"]) as peer:
        peer.send(WHOLE + END + framed(raw))
        assert told(peer.answer()) == ("AA", control)
        watch.one("frame.no_start", "")


def test_h7_a_frame_inside_a_frame(stage: Stage) -> None:
    watch = Watch(stage.scene)
    control, raw = stage.good()
    with connected(stage.ports["plain"]) as peer:
        peer.send(START + HALF + framed(raw))
        assert told(peer.answer()) == ("AA", control)
        found = watch.one("frame.truncated", "")
        assert kept(stage.scene, found["message"]) == START + HALF
        stage.goes_on(peer)


def test_h8_an_end_block_inside_the_data(stage: Stage) -> None:
    """The frame ends there; what follows is a message without a start. Neither becomes a requisition."""
    raw = GOOD.replace(b"ID-0", b"H8-1")
    begin, rest = raw.split(b"RQD", 1)
    watch = Watch(stage.scene)
    with connected(stage.ports["plain"]) as peer:
        peer.send(START + begin + END + b"RQD" + rest + END)
        assert told(peer.answer()) == ("AA", "H8-1")
        found = {row["code"]: row for row in watch.expect(2)}
        assert kept(stage.scene, found["hl7.structure"]["message"]) == begin
        assert kept(stage.scene, found["frame.no_start"]["message"]) == b"RQD" + rest + END
        stage.goes_on(peer)


def test_many_bad_senders_do_not_hold_up_a_good_one(stage: Stage) -> None:
    """Half frames held open on many connections; the good one is answered all the same."""
    watch = Watch(stage.scene)
    held = [socket.create_connection(("127.0.0.1", stage.ports["plain"])) for _ in range(40)]
    try:
        for peer in held:
            peer.sendall(START + HALF)
        stage.goes_on()
    finally:
        for peer in held:
            peer.close()
    assert {row["code"] for row in watch.expect(40)} == {"frame.truncated"}
