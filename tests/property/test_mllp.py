"""However a stream is cut, the framer sees the same frames and the same faults."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.wire.mllp import Broken, Event, Framer, frame

MESSAGE = b"MSH|^~\\&|TOY|NOWHERE|HILUM|NORTH|20300101||OMS^O05|1|P|2.5.1\rRQD|1|GLV\r"
STREAMS = {
    "good": frame(MESSAGE) + frame(MESSAGE),
    "restart": b"\x0b" + MESSAGE[:30] + frame(MESSAGE),
    "no cr": b"\x0b" + MESSAGE + b"\x1c" + frame(MESSAGE),
    "no start": MESSAGE + b"\x1c\r" + frame(MESSAGE),
    "stray": b"\r\nGET / HTTP/1.1\r\n" + frame(MESSAGE) + b"\n\n" + frame(MESSAGE)[:-2],
    "garbage": b"z" * 1100 + frame(MESSAGE),
    "empty": b"\x0b\x1c\r\x0b\x0b\x1c\r\x1c\r" + frame(MESSAGE),
    "data marks": frame(MESSAGE + b"\x0bMS\x1c\x0c\x0bMS") + frame(b"\x1c\x1c") + b"\x1c",
    "too large": frame(b"M" * 200) + frame(b"M" * 301) + frame(MESSAGE),
}
PIECES = [b"\x0b", b"\x1c\r", b"\x1c", b"\r", b"M", b"S", b"H", b"MSH|", b"PID|", b"x" * 90, b"\n", b"GET / ", MESSAGE]


def told(chunks: list[bytes], *, lenient: bool = False) -> tuple[list[tuple[str, bytes, bool]], int]:
    framer = Framer(max_frame=300, lenient_end=lenient)
    events: list[Event] = [event for chunk in chunks for event in framer.feed(chunk)]
    events += framer.close()
    plain = [
        (event.refusal.code + event.refusal.text, event.raw, event.fatal)
        if isinstance(event, Broken)
        else ("frame", event, False)
        for event in events
    ]
    return plain, framer.ignored


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("name", STREAMS)
def test_cut_at_every_byte(name: str, lenient: bool) -> None:
    stream = STREAMS[name]
    whole = told([stream], lenient=lenient)
    for at in range(1, len(stream)):
        assert told([stream[:at], stream[at:]], lenient=lenient) == whole
    assert told([stream[at : at + 1] for at in range(len(stream))], lenient=lenient) == whole


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25), st.lists(st.integers(0, 2000)), st.booleans())
def test_any_cuts_of_any_stream(pieces: list[bytes], cuts: list[int], lenient: bool) -> None:
    stream = b"".join(pieces)
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    chunks = [stream[begin:end] for begin, end in pairwise(edges)]
    bytewise = [stream[at : at + 1] for at in range(len(stream))]
    assert told(chunks, lenient=lenient) == told([stream], lenient=lenient) == told(bytewise, lenient=lenient)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_no_byte_is_lost(pieces: list[bytes]) -> None:
    """Every byte of a stream that stays trusted is in a frame, in a broken one, or counted as ignored."""
    stream = b"".join(pieces)
    events, ignored = told([stream])
    if any(fatal for *_, fatal in events):
        return
    frames = sum(len(raw) + 3 if code == "frame" else len(raw) for code, raw, _ in events)
    assert frames + ignored == len(stream)


@given(st.lists(st.binary(min_size=1, max_size=80).filter(lambda raw: not {0x0B, 0x1C} & set(raw)), max_size=8))
def test_what_is_framed_comes_back(payloads: list[bytes]) -> None:
    framer = Framer()
    assert framer.feed(b"".join(map(frame, payloads))) == payloads


def test_a_framer_that_decides_by_the_read_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted defect: the end block is looked for in the newest bytes only."""
    feed = Framer.feed

    def forgetful(self: Framer, data: bytes) -> list[Event]:
        events = feed(self, data)
        self._scan = len(self._buffer)
        return events

    monkeypatch.setattr(Framer, "feed", forgetful)
    with pytest.raises(AssertionError):
        test_cut_at_every_byte("good", False)
