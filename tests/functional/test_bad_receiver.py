"""H26: receivers that misbehave, at the end of the whole way: a message comes in by MLLP, is mapped, and goes out by
MLLP to a sink that plays a script. What the sink did not take is never "sent", and what it may have is flagged."""

from __future__ import annotations

import json
import re
import shutil
import socketserver
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from tests.functional.bad_kit import END, START, connected, framed, verb
from tests.functional.scene import ROOT, Scene, scene

pytestmark = pytest.mark.xdist_group("bad_receiver")

HEAD = b"MSH|^~\\&|SINK|BENCH|HILUM|NORTHHEALTH|20261123||ACK^O05^ACK|S-1|P|2.5.1\r"
ERR_5 = b"ERR||RQD^1^5|102^wrong^HL70357|E\r"
ERR_207 = b"ERR||MSH^1|207^busy^HL70357|E\r"
CLOSE = b"close"
NOTHING = b""


def ack(code: bytes, error: bytes = b"", control: bytes = b"@ID@") -> bytes:
    """`@ID@` becomes the control id of what is answered."""
    return framed(HEAD + b"MSA|" + code + b"|" + control + b"\r" + error)


class Play(NamedTuple):
    """acts: what the sink does with each attempt; after the last, AA. outcomes: of the attempts, as the trace tells.

    flagged: whether the delivery is a possible duplicate. code, cause, place: of the exception; none if delivered.
    """

    acts: list[bytes]
    outcomes: list[str]
    flagged: bool = False
    code: str = ""
    cause: str = ""
    place: str = ""


LOST = ["ambiguous", "delivered"]
PLAYS = {
    "AA": Play([], ["delivered"]),
    "CA": Play([ack(b"CA")], ["delivered"]),
    "AE for ever": Play(
        [ack(b"AE", ERR_5)] * 3, ["transient"] * 3, False, "delivery.exhausted", "mllp.nak_error", "RQD[1]-5"),
    "AE, then AA": Play([ack(b"AE")], ["transient", "delivered"]),
    "CE, then AA": Play([ack(b"CE")], ["transient", "delivered"]),
    "AR": Play([ack(b"AR", ERR_5)], ["permanent"], code="delivery.rejected", cause="mllp.rejected", place="RQD[1]-5"),
    "CR": Play([ack(b"CR")], ["permanent"], code="delivery.rejected", cause="mllp.rejected"),
    "AR 207, then AA": Play([ack(b"AR", ERR_207)], ["transient", "delivered"]),
    "another's id, then ours": Play([ack(b"AA", control=b"X-9") + ack(b"AA")], ["delivered"]),
    "another's id alone": Play([ack(b"AA", control=b"X-9")], LOST, flagged=True),
    "another's AR, then our AA": Play([ack(b"AR", control=b"X-9") + ack(b"AA")], ["delivered"]),
    "MSA-1 is XX": Play([ack(b"XX")], LOST, flagged=True),
    "an empty frame": Play([START + END], LOST, flagged=True),
    "no MSA": Play([framed(HEAD)], LOST, flagged=True),
    "not framed": Play([HEAD + b"MSA|AA|@ID@\r"], LOST, flagged=True),
    "two answers": Play([ack(b"AA") * 2], ["delivered"]),
    "yes, then no": Play([ack(b"AA") + ack(b"AR")], ["delivered"]),
    "no answer": Play([NOTHING], LOST, flagged=True),
    "closed after the message": Play([CLOSE], LOST, flagged=True),
    "never an answer": Play(
        [NOTHING] * 3, ["ambiguous"] * 3, flagged=True, code="delivery.exhausted", cause="mllp.timeout"),
}  # fmt: skip


class Sink(socketserver.ThreadingTCPServer):
    """Plays PLAYS by the sender's name of each message. received: what came, in order, by that name."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.received: defaultdict[str, list[bytes]] = defaultdict(list)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Talk(socketserver.StreamRequestHandler):
    server: Sink

    def handle(self) -> None:
        raw = b""
        while byte := self.rfile.read(1):
            raw += byte
            if raw.endswith(END):
                if not self._play(raw[1:-2]):
                    return
                raw = b""

    def _play(self, raw: bytes) -> bool:
        name = list(PLAYS)[int(re.findall(rb"\rORC\|\|?[^|]*\|?PLAY-(\d+)", raw)[0])]
        seen, acts = self.server.received[name], PLAYS[name].acts
        act = acts[len(seen)] if len(seen) < len(acts) else ack(b"AA")
        seen.append(raw)
        if act == CLOSE:
            return False
        self.wfile.write(act.replace(b"@ID@", raw.split(b"|")[9]))
        return True


@dataclass
class Stage:
    scene: Scene
    sink: Sink


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """All plays at once, each in a lane of its own."""
    folder = tmp_path_factory.mktemp("bad_receiver")
    site = shutil.copytree(ROOT / "bench" / "sites" / "passthrough", folder / "site")
    connections = site / "config" / "connections.yaml"
    retry = "    timeout: 2s\n    retry: {first: 20ms, most: 50ms, attempts: 3}\n"
    connections.write_text(connections.read_text().replace("    connections: 16\n", f"    connections: 40\n{retry}"))
    with Sink() as sink, scene(folder, site=site, BENCH_SINK=sink.address) as running:
        running.start()
        with connected(running.mllp) as peer:
            for number in range(len(PLAYS)):
                answer = peer.ask(_message(number))
                assert answer is not None
                assert answer.code == "AA"
        running.settled()
        yield Stage(running, sink)
        sink.shutdown()


def _message(number: int) -> bytes:
    return (
        f"MSH|^~\\&|SYS{number}|HARBOR|HILUM|NORTHHEALTH|20261123071500-0600||OMS^O05^OMS_O05|M-{number}|P|2.5.1\r"
        f"ORC|NW|PLAY-{number}\rRQD|1|GLV^Invented glove|||10|BX|OR|1|DOCK|20261123\r"
    ).encode()


@pytest.mark.parametrize("name", PLAYS)
def test_only_our_own_positive_answer_ends_a_delivery_well(stage: Stage, name: str) -> None:
    play, number = PLAYS[name], list(PLAYS).index(name)
    delivery = _settled(stage, number)
    assert delivery["state"] == ("dead" if play.code else "delivered")
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == play.outcomes
    assert delivery["possible_duplicate"] == play.flagged
    sent = stage.sink.received[name]
    assert len(sent) == len(play.outcomes)
    assert set(sent) == {verb(stage.scene, "messages", delivery["message"], "--bytes")}  # always the same id and bytes
    rows = [row for row in _exceptions(stage) if row["message"] == delivery["message"]]
    told = [(row["code"], row["context"]["cause"], row["place"]) for row in rows]
    assert told == ([(play.code, play.cause, play.place)] if play.code else [])


def test_what_was_refused_is_written_anew_when_a_person_says_so(stage: Stage) -> None:
    """Under a new control id: the receiver has refused the old one for good."""
    name = "CR"
    (refused,) = [
        row for row in _exceptions(stage) if row["message"] == _settled(stage, list(PLAYS).index(name))["message"]
    ]
    verb(stage.scene, "replay", refused["id"], "--reason", "the sink knows this item now")
    stage.scene.until(lambda: len(stage.sink.received[name]) == 2, "the message again")
    first, second = (raw.split(b"|")[9] for raw in stage.sink.received[name])
    assert first != second
    stage.scene.until(lambda: refused["id"] not in {row["id"] for row in _exceptions(stage)}, "the exception closed")


def _settled(stage: Stage, number: int) -> dict[str, Any]:
    """The one delivery of a message, once nothing more happens to it."""

    def first() -> dict[str, Any]:
        data = json.loads(verb(stage.scene, "trace", f"M-{number}", "--json"))
        found: dict[str, Any] = data["deliveries"][0]
        return found

    stage.scene.until(lambda: first()["state"] in {"delivered", "dead", "replaced"}, "the delivery's end")
    return first()


def _exceptions(stage: Stage) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(verb(stage.scene, "exceptions", "list", "--json"))
    return rows
