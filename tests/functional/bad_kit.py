"""What the tests of bad input share: a raw MLLP peer, the worklist as the verbs show it, and the parts of an answer."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.functional.scene import PATIENCE, Scene, in_process

START, END = b"\x0b", b"\x1c\r"


def framed(payload: bytes) -> bytes:
    return START + payload + END


class Answer(NamedTuple):
    """An acknowledgement's parts, read with the separators it was written with."""

    segments: list[bytes]

    def field(self, segment: str, number: int) -> str:
        mark = self.segments[0][3:4]
        line = next((one for one in self.segments if one[:3] == segment.encode()), b"")
        fields = line.split(mark)
        return fields[number].decode("latin-1") if number < len(fields) else ""

    @property
    def code(self) -> str:
        return self.field("MSA", 1)

    @property
    def control_id(self) -> str:
        return self.field("MSA", 2)

    @property
    def status(self) -> str:
        return self.field("ERR", 3)[:3]

    @property
    def place(self) -> str:
        return self.field("ERR", 2)


class Peer:
    """A sender that may send anything."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self._socket.sendall(part)

    def answer(self) -> Answer | None:
        """The next acknowledgement; None when the connection is closed instead."""
        while END not in self._read:
            got = self._receive()
            if not got:
                assert self._read == b"", "half an answer"
                return None
            self._read += got
        raw, _, self._read = self._read.partition(END)
        assert raw.startswith(START)
        return Answer(raw[1:].split(b"\r"))

    def ask(self, payload: bytes) -> Answer | None:
        with contextlib.suppress(ConnectionError):
            self.send(framed(payload))
        return self.answer()

    def hang_up(self) -> None:
        """Say that nothing more comes; answers may still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except ConnectionError:
            return b""


@contextmanager
def connected(port: int) -> Iterator[Peer]:
    peer = Peer(port)
    try:
        yield peer
    finally:
        peer.close()


def verb(stage: Scene, *words: str, code: int = 0) -> bytes:
    """What a verb prints, without the start of an interpreter."""
    ended, printed, talk = in_process(stage.environment, *words)
    assert ended == code, (words, printed, talk)
    return printed


def worklist(stage: Scene) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(verb(stage, "exceptions", "list", "--limit", "10000", "--json"))
    return rows


def message(stage: Scene, name: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(verb(stage, "messages", name, "--json"))
    return row


def kept(stage: Scene, name: str) -> bytes:
    return verb(stage, "messages", name, "--bytes")


class Watch:
    """The exceptions that come up from here on."""

    def __init__(self, stage: Scene) -> None:
        self._stage = stage
        self._known = {row["id"] for row in worklist(stage)}

    def new(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return [row for row in reversed(worklist(self._stage)) if row["id"] not in self._known]

    def expect(self, count: int) -> list[dict[str, Any]]:
        self._stage.until(lambda: len(self.new()) >= count, f"{count} exceptions")
        found = self.new()
        assert len(found) == count, [(row["code"], row["place"]) for row in found]
        return found

    def one(self, code: str, place: str) -> dict[str, Any]:
        (found,) = self.expect(1)
        assert (found["code"], found["place"]) == (code, place), found
        return found
