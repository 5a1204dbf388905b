"""MLLP release 1 framing without a socket: bytes in, events out. `<VT> data <FS><CR>`, many frames on one connection.

Strategy: one buffer, one scan offset. Between frames we look for VT; inside one for the first place that decides:
FS CR (the end), FS VT (the end's CR is missing) or VT MSH (the sender started again). Everything else is data, and
judged by the format. What is decided never depends on how the stream was cut. Whole frames in one read are cut out
with `bytes.find` and never copied into the buffer; a frame that trickles in is scanned once.
Never decodes, never answers, and hands every byte of a frame on: as the message's bytes without the framing, which are
never empty, or as a Broken with the reason.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.errors import Refused

VT = 0x0B
FS = 0x1C
START, END = b"\x0b", b"\x1c\r"
MAX_FRAME = 8 * 1024 * 1024
MAX_STRAY = 1024

_STOP = b"\x1c"
_STRICT = re.compile(rb"\x1c[\r\x0b]|\x0bMSH")
_LENIENT = re.compile(rb"\x1c|\x0bMSH")
_LONGEST = 4  # bytes of the longest of these marks: fewer at the buffer's end may still become one
_SEGMENT = re.compile(rb"[\r\n]*[A-Z][A-Z0-9]{2}[^A-Za-z0-9\s]")  # begins like HL7: `MSH|`, `PID|`
_HTTP = re.compile(rb"(GET|POST|PUT|HEAD|OPTIONS|DELETE|PATCH|CONNECT|TRACE) |PRI \* HTTP/")


class Broken(NamedTuple):
    """Bytes that are no frame, as received. fatal: the stream cannot be trusted any more and must be closed."""

    raw: bytes
    refusal: Refused
    fatal: bool


Event = bytes | Broken


def frame(payload: bytes) -> bytes:
    return START + payload + END


class Framer:
    """The reading side of one connection.

    max_frame:   a payload longer than this many bytes is `frame.too_large`.
    lenient_end: FS alone ends a frame (a peer known to leave out the CR); an FS inside data then ends it too.
    inside:      a frame has begun and not ended: the time the owner may want to limit.
    ignored:     bytes thrown away between frames; `looks` says what they seemed to be (`http`, `tls` or nothing).
    """

    __slots__ = ("_buffer", "_end", "_marks", "_max", "_scan", "dead", "ignored", "inside", "looks")

    def __init__(self, *, max_frame: int = MAX_FRAME, lenient_end: bool = False) -> None:
        self._max = max_frame
        self._end = END[:1] if lenient_end else END
        self._marks = _LENIENT if lenient_end else _STRICT
        self._buffer = bytearray()  # what is undecided; a frame's VT is its first byte
        self._scan = 0
        self.inside = False
        self.dead = False
        self.ignored = 0
        self.looks = ""

    def feed(self, data: bytes) -> list[Event]:
        """Events of these bytes and the undecided ones before them, in order. After a fatal one: nothing more."""
        if not (self._buffer or self.dead):
            end = data.find(_STOP)
            last = len(data) - len(self._end)
            if 1 < end == last <= self._max + 1 and data.rfind(START) == 0 and data.endswith(self._end):
                return [data[1:end]]  # what nearly every read is: one frame, whole and beyond doubt
        return self._feed(data)

    def _feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self.dead:
            return events
        if self._buffer:
            self._buffer += data
            buffer: bytes | bytearray = self._buffer
            at = self._consume(buffer, 0, events)
        else:
            buffer = data
            at = self._take_whole(data, 0, events)
            if at < len(data):
                at = self._consume(data, at, events)
        if self.dead:
            self._buffer = bytearray()
        elif buffer is self._buffer:
            del self._buffer[:at]
        elif at < len(data):
            self._buffer += memoryview(data)[at:]
        return events

    def close(self) -> list[Event]:
        """The peer has closed: what was begun stays broken."""
        rest, inside = bytes(self._buffer), self.inside
        self._buffer, self.inside = bytearray(), False
        if self.dead:
            return []
        self.dead = True
        if not inside:
            return self._stray(rest)
        if rest[-1] == FS:
            return [_no_cr(rest)]
        return [_truncated(rest, "the connection closed inside a frame")]

    def _consume(self, buffer: bytes | bytearray, at: int, events: list[Event]) -> int:
        """Take all from `at` on that is decided; returns the offset of the first undecided byte."""
        size = len(buffer)
        while at < size and not self.dead:
            if self.inside or buffer[at] == VT:
                following = self._take_frame(buffer, at, events)
                self.inside = following < 0
            else:
                following = self._skip(buffer, at, events)
            if following < 0:
                self._scan = max(size - at - _LONGEST + 1, 0)
                return at
            self._scan = 0
            at = following if self.dead else self._take_whole(buffer, following, events)
        return at

    def _take_whole(self, buffer: bytes | bytearray, at: int, events: list[Event]) -> int:
        """Take the frames from `at` on that are whole and beyond doubt; returns where they end."""
        size, end_block, most = len(buffer), self._end, self._max
        while at < size and buffer[at] == VT:
            begin = at + 1
            end = buffer.find(_STOP, begin)
            whole = begin < end <= begin + most and buffer.startswith(end_block, end)
            if not whole or buffer.find(START, begin, end) >= 0:
                break
            events.append(bytes(buffer[begin:end]))
            at = end + len(end_block)
        return at

    def _take_frame(self, buffer: bytes | bytearray, at: int, events: list[Event]) -> int:
        """buffer[at] is the VT. Returns where the next thing begins, or -1 when this frame has not ended."""
        begin = max(at + 1, at + self._scan)
        end = self._find_end(buffer, begin)
        mark = end
        if buffer.find(START, begin, end if end >= 0 else len(buffer)) >= 0:
            found = self._marks.search(buffer, begin)
            mark = found.start() if found else -1
        if mark < 0 or mark - at - 1 > self._max:
            return self._too_large(buffer, at, mark, events)
        if mark != end:
            return self._resync(buffer, at, mark, events)
        if end == at + 1:
            refusal = Refused("frame.empty", "the frame holds no message")
            events.append(Broken(bytes(buffer[at : end + len(self._end)]), refusal, False))
        else:
            events.append(bytes(buffer[at + 1 : end]))
        return end + len(self._end)

    def _find_end(self, buffer: bytes | bytearray, begin: int) -> int:
        end = buffer.find(_STOP, begin)  # one byte is found several times faster than two
        return end if end < 0 or buffer.startswith(self._end, end) else buffer.find(self._end, end)

    def _resync(self, buffer: bytes | bytearray, at: int, mark: int, events: list[Event]) -> int:
        """A new start block where an end block belongs."""
        if buffer[mark] == VT:
            events.append(_truncated(bytes(buffer[at:mark]), "another frame began inside this one"))
            return mark
        events.append(_no_cr(bytes(buffer[at : mark + 1])))
        self.dead = True
        return mark + 1

    def _too_large(self, buffer: bytes | bytearray, at: int, mark: int, events: list[Event]) -> int:
        sure = mark if mark >= 0 else len(buffer) - _LONGEST + 1  # all before it is known to be data
        if sure - at - 1 <= self._max:
            return -1
        text = f"the frame is longer than {self._max} bytes; only its beginning is kept"
        events.append(
            Broken(bytes(buffer[at : at + 1 + self._max]), Refused("frame.too_large", text, reject=True), True)
        )
        self.dead = True
        return len(buffer)

    def _skip(self, buffer: bytes | bytearray, at: int, events: list[Event]) -> int:
        """Between frames. Returns where the next thing begins, or -1 when that is not to be seen yet."""
        begin = at + self._scan
        start = buffer.find(START, begin)
        end = buffer.find(self._end, begin, start if start >= 0 else len(buffer))
        mark = end if end >= 0 else start
        likely = _SEGMENT.match(buffer, at, at + MAX_STRAY) is not None
        most = self._max if likely else MAX_STRAY
        if (mark if mark >= 0 else len(buffer) - len(self._end) + 1) - at > most:
            events.append(_garbage(bytes(buffer[at : at + most])))
            self.dead = True
            return len(buffer)
        if mark < 0:
            return -1
        if end < 0:
            events += self._stray(bytes(buffer[at:start]))
            return start
        following = end + len(self._end)
        raw = bytes(buffer[at:following])
        if buffer[at:end].strip():
            events.append(_no_start(raw))
        else:
            self.ignored += len(raw)
        return following

    def _stray(self, raw: bytes) -> list[Event]:
        """Bytes before a start block: a message that lost its own is kept, anything else is thrown away and counted."""
        if _SEGMENT.match(raw):
            return [_no_start(raw)]
        self.ignored += len(raw)
        self.looks = _looks(raw) or self.looks
        return []


def _looks(raw: bytes) -> str:
    if _HTTP.match(raw):
        return "http"
    return "tls" if raw[:2] == b"\x16\x03" else ""


def _truncated(raw: bytes, why: str) -> Broken:
    return Broken(raw, Refused("frame.truncated", f"the frame has no end block: {why}"), False)


def _no_cr(raw: bytes) -> Broken:
    text = "the frame ends with FS alone, its CR is missing"
    return Broken(raw, Refused("frame.no_cr", text, hint="set lenient_end for a sender that cannot do better"), True)


def _no_start(raw: bytes) -> Broken:
    return Broken(raw, Refused("frame.no_start", "there is no start block (VT) before this message"), False)


def _garbage(raw: bytes) -> Broken:
    seen = {"http": "an HTTP request", "tls": "a TLS hello"}.get(_looks(raw), "no message")
    text = f"more than {len(raw)} bytes came without a start block (VT); they look like {seen}"
    return Broken(raw, Refused("frame.garbage", text), True)
