"""MLLP framing: what is a frame, what is broken, and what each is called."""

from __future__ import annotations

import pytest

from channels.wire.mllp import Broken, Event, Framer, frame

ONE = b"MSH|^~\\&|TOY|NOWHERE|HILUM|NORTH|20300101||OMS^O05|1|P|2.5.1\rRQD|1|GLV\r"
TWO = ONE.replace(b"|1|P", b"|2|P")


def run(*chunks: bytes, **options: object) -> tuple[list[Event], Framer]:
    framer = Framer(**options)  # type: ignore[arg-type]
    return [event for chunk in chunks for event in framer.feed(chunk)], framer


def codes(events: list[Event]) -> list[str]:
    return [event.refusal.code if isinstance(event, Broken) else "frame" for event in events]


def test_whole_frames_in_one_read() -> None:
    events, framer = run(frame(ONE) + frame(TWO))
    assert events == [ONE, TWO]
    assert not framer.inside


def test_end_block_cut_in_two() -> None:
    framer = Framer()
    assert framer.feed(frame(ONE)[:-1]) == []
    assert framer.inside
    assert framer.feed(b"\r") == [ONE]
    assert not framer.inside


def test_peer_closes_inside_a_frame() -> None:
    events, framer = run(b"\x0b" + ONE)
    assert events == []
    (broken,) = framer.close()
    assert isinstance(broken, Broken)
    assert (broken.refusal.code, broken.raw) == ("frame.truncated", b"\x0b" + ONE)
    assert framer.close() == []


def test_missing_cr_is_fatal_unless_lenient() -> None:
    sent = b"\x0b" + ONE + b"\x1c" + frame(TWO)
    events, framer = run(sent)
    assert codes(events) == ["frame.no_cr"]
    assert framer.dead
    assert framer.feed(frame(TWO)) == []
    events, _ = run(sent, lenient_end=True)
    assert events == [ONE, TWO]


def test_missing_cr_at_the_end_of_the_connection() -> None:
    _, framer = run(b"\x0b" + ONE + b"\x1c")
    assert codes(framer.close()) == ["frame.no_cr"]


def test_lenient_end_takes_the_frame_without_waiting_for_more() -> None:
    events, framer = run(b"\x0b" + ONE + b"\x1c", b"\r\n", frame(TWO), lenient_end=True)
    assert events == [ONE, TWO]
    assert framer.ignored == 2  # the CR LF; the CR behind the second FS is still undecided


def test_a_little_garbage_is_ignored_and_counted() -> None:
    events, framer = run(b"\r\n\r\nhello\n" + frame(ONE) + b"\n" + frame(TWO))
    assert events == [ONE, TWO]
    assert framer.ignored == 11


@pytest.mark.parametrize(
    ("begin", "named"),
    [(b"GET / HTTP/1.1\r\nHost: x\r\n", "HTTP"), (b"\x16\x03\x01\x02\x00", "TLS"), (b"zzzz", "no message")],
)
def test_much_garbage_is_fatal_and_named(begin: bytes, named: str) -> None:
    events, framer = run(begin + b"x" * 2000 + frame(ONE))
    assert codes(events) == ["frame.garbage"]
    assert isinstance(events[0], Broken)
    assert named in events[0].refusal.text
    assert events[0].raw == (begin + b"x" * 2000)[:1024]
    assert framer.dead


def test_a_short_probe_is_named_for_the_log() -> None:
    _, framer = run(b"GET / HTTP/1.1\r\n\r\n")
    assert framer.close() == []
    assert (framer.ignored, framer.looks) == (18, "http")


def test_message_without_a_start() -> None:
    events, _ = run(ONE + b"\x1c\r" + frame(TWO))
    assert codes(events) == ["frame.no_start", "frame"]
    assert isinstance(events[0], Broken)
    assert events[0].raw == ONE + b"\x1c\r"


def test_long_message_without_a_start_is_not_garbage() -> None:
    events, framer = run((ONE + b"NTE|1||" + b"x" * 5000) + b"\x1c\r" + frame(TWO))
    assert codes(events) == ["frame.no_start", "frame"]
    assert not framer.dead


@pytest.mark.parametrize("ending", ["next frame", "close"])
def test_message_without_start_and_end_is_kept(ending: str) -> None:
    events, framer = run(ONE + (frame(TWO) if ending == "next frame" else b""))
    assert codes(events + framer.close())[0] == "frame.no_start"


def test_a_lone_end_block_is_nothing() -> None:
    events, framer = run(frame(ONE) + b"\x1c\r\n" + frame(TWO))
    assert events == [ONE, TWO]
    assert framer.ignored == 3


def test_a_new_start_inside_a_frame() -> None:
    events, _ = run(b"\x0b" + ONE[:40] + frame(TWO))
    assert codes(events) == ["frame.truncated", "frame"]
    assert isinstance(events[0], Broken)
    assert events[0].raw == b"\x0b" + ONE[:40]


def test_vt_and_fs_in_the_data_are_data() -> None:
    payload = ONE + b"NTE|1||a\x0bb\x1cc\x0bMSx\x0b"
    events, _ = run(frame(payload))
    assert events == [payload]


def test_end_block_inside_the_data_ends_the_frame() -> None:
    events, _ = run(frame(ONE[:50] + b"\x1c\r" + ONE[50:]))
    assert events[0] == ONE[:50]
    assert codes(events)[1] == "frame.no_start"


def test_empty_frame() -> None:
    events, framer = run(b"\x0b\x1c\r" + frame(ONE))
    assert codes(events) == ["frame.empty", "frame"]
    assert not framer.dead


@pytest.mark.parametrize("step", [1, 7, 64, 5000])
def test_the_size_cap_counts_payload_bytes(step: int) -> None:
    exact, over = frame(b"M" * 1000), frame(b"M" * 1001)
    for sent, expected in ((exact, ["frame"]), (over, ["frame.too_large"])):
        events, framer = run(*(sent[at : at + step] for at in range(0, len(sent), step)), max_frame=1000)
        assert codes(events) == expected
        assert framer.dead == (expected != ["frame"])


def test_an_endless_frame_is_given_up_at_the_cap() -> None:
    framer = Framer(max_frame=10_000)
    fed = 0
    while not framer.dead:
        events = framer.feed(b"x" * 1000 if fed else b"\x0b")
        fed += 1000
        assert fed < 15_000
    assert codes(events) == ["frame.too_large"]
    assert isinstance(events[0], Broken)
    assert len(events[0].raw) == 10_001


class Counting(bytearray):
    """Counts the bytes that `find` has to look at."""

    looked = 0

    def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        self.looked += (len(self) if end is None else end) - start
        return super().find(sub, start, len(self) if end is None else end)


def looked_at(framer: Framer, size: int) -> int:
    framer.feed(b"\x0bMSH|")
    buffer = Counting(framer._buffer)
    framer._buffer = buffer
    for _ in range(size):
        framer.feed(b"x")
    return buffer.looked


def test_a_frame_that_trickles_in_is_scanned_once() -> None:
    assert looked_at(Framer(), 5000) < 5000 * 10

    class Rescanning(Framer):  # planted defect: quadratic
        def feed(self, data: bytes) -> list[Event]:
            self._scan = 0
            return super().feed(data)

    assert looked_at(Rescanning(), 5000) > 5000 * 1000
