"""Bad HL7 v2 on the wire, against one daemon: what its sender is answered, what the worklist says and where, that its
bytes are kept, and that good traffic goes on. An ERP that shares no code with the engine tells what went through."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from channels.simulate.erp import Erp
from channels.simulate.processes import free_port
from tests.functional.bad_kit import END, START, Answer, Peer, Watch, connected, framed, kept, message, verb
from tests.functional.scene import Scene, copy_site, scene
from tests.functional.test_flow import played

pytestmark = pytest.mark.xdist_group("bad_hl7")

GOOD = (
    b"MSH|^~\\&|INVSYS01|HARBOR|HILUM|NORTHHEALTH|20261123071500-0600||OMS^O05^OMS_O05|ID-0|P|2.5.1\r"
    b"ORC|NW|ID-0-1^INVSYS01||ID-0|||||20261123071500-0600\r"
    b"TQ1|1||||||20261123130000-0600||R\r"
    b"RQD|1|GLV-NTR-L^Invented glove||GLV-NTR-L|10|Box|OR|||20261123\r"
)
SECOND = GOOD.split(b"\r", 1)[1].replace(b"RQD|1|", b"RQD|2|").replace(b"ID-0-1", b"ID-0-2")
# The ways in of one daemon: as the reference site has it, and with the switches that bad inputs meet.
LISTENERS = {
    "plain": "",
    "processed": "answer: processed",
    "strict": "format_options: {strict_segment_ends: 'yes'}",
    "lenient": "lenient_end: true",
    "unnamed": "format_options: {allow_empty_control_id: 'yes'}",
}


def swap(*pairs: tuple[bytes, bytes]) -> bytes:
    """The good message with something else in it."""
    raw = GOOD
    for old, new in pairs:
        assert raw.count(old) >= 1, old
        raw = raw.replace(old, new, 1)
    return raw


def msh(number: int, value: bytes) -> bytes:
    first, rest = GOOD.split(b"\r", 1)
    fields = first.split(b"|")
    fields[number - 1] = value
    return b"|".join(fields) + b"\r" + rest


def in_charset(name: bytes, text: bytes) -> bytes:
    return swap((b"|2.5.1", b"|2.5.1||||||" + name), (b"Invented", text))


@dataclass
class Stage:
    """A daemon with its ways in. went_through: requisitions the ERP must have in the end, each once."""

    scene: Scene
    erp: Erp
    ports: dict[str, int]
    went_through: set[str] = field(default_factory=set)
    numbers: int = 0

    def good(self) -> tuple[str, bytes]:
        self.numbers += 1
        control = f"GOOD-{self.numbers}"
        self.went_through.add(control)
        return control, GOOD.replace(b"ID-0", control.encode())

    def goes_on(self, peer: Peer | None = None) -> None:
        """Good traffic is answered AA: on a new connection, and on this one where it must still be open."""
        with connected(self.ports["plain"]) as fresh:
            for one in (fresh, peer) if peer else (fresh,):
                control, raw = self.good()
                assert told(one.ask(raw)) == ("AA", control)

    def ask(self, listener: str, raw: bytes) -> Answer | None:
        with connected(self.ports[listener]) as peer:
            return peer.ask(raw)

    def ordered(self, number: str) -> dict[str, object]:
        """The requisition as the ERP got it."""

        def rows() -> list[dict[str, object]]:
            return self.erp.records.where(did="requisition", number=number)

        self.scene.until(lambda: bool(rows()), f"requisition {number} in the ERP")
        (row,) = rows()
        body = row["body"]
        assert isinstance(body, dict)
        return body

    def newest(self, control: str) -> dict[str, object]:
        """The newest message with this control id, as `hilum messages` shows it."""
        row: dict[str, object] = json.loads(verb(self.scene, "messages", control, "--partner", "ehr", "--json"))[0]
        return row


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("bad_hl7")
    site = copy_site(folder / "site")
    ports = {name: free_port() for name in LISTENERS if name != "plain"}
    channels = site / "config" / "channels.yaml"
    entries = "".join(
        f"  ehr_{name}:\n    kind: mllp\n    format: hl7v2\n    partner: ehr\n    owner: tests\n"
        f'    listen: "127.0.0.1:{port}"\n    {LISTENERS[name]}\n'
        for name, port in ports.items()
    )
    channels.write_text(channels.read_text() + entries)
    erp = Erp()
    with scene(folder, site=site) as running:
        running.start()
        with played(running, erp=erp):
            found = Stage(running, erp, {"plain": running.mllp, **ports})
            yield found
            running.settled()
            running.until(lambda: len(erp.records.where(did="requisition")) >= len(found.went_through), "requisitions")
        assert {row["number"] for row in erp.records.where(did="requisition")} == found.went_through
        assert erp.stats()["doubled"] == erp.stats()["refused"] == 0


def told(answer: Answer | None) -> tuple[str, str]:
    """MSA-1 and MSA-2; empty when the connection was closed instead."""
    return (answer.code, answer.control_id) if answer else ("", "")


# --- messages that are refused ---------------------------------------------------------------------------------------
class Bad(NamedTuple):
    """sent: `ID-0` in it becomes the row's control id. msa: MSA-1. status: ERR-3. erl: ERR-2. code, place: the
    exception's. named: whether the answer can name the message (MSA-2)."""

    sent: bytes
    msa: str
    status: str
    erl: str
    code: str
    place: str
    listener: str = "plain"
    named: bool = True
    recode: str = ""


HEADER, TYPE, CHARSET, LIMIT = "hl7.header", "hl7.type", "hl7.charset", "hl7.limit"
REPETITIONS = b"~".join([b"1"] * 100_000)
REFUSED = {
    "H7 start byte in the data": Bad(
        swap((b"Invented", b"In\x0bvented")), "AE", "102", "RQD^1", "hl7.control_char", "RQD[1]"),
    "H8 end byte in the data": Bad(
        swap((b"Invented", b"In\x1cvented")), "AE", "102", "RQD^1", "hl7.control_char", "RQD[1]"),
    "H9 no MSH": Bad(b"PID|1||X1\r" + GOOD, "AR", "100", "MSH^1", HEADER, "MSH", named=False),
    "H10 separators only": Bad(b"MSH|^~\\&", "AR", "101", "MSH^1^9", HEADER, "MSH-9", named=False),
    "H10 shorter than that": Bad(b"MSH|^", "AR", "101", "MSH^1^9", HEADER, "MSH-9", named=False),
    "H12 no control id": Bad(msh(10, b""), "AR", "101", "MSH^1^10", "hl7.control_id", "MSH-10", named=False),
    "H13 no type": Bad(msh(9, b""), "AR", "200", "MSH^1^9", TYPE, "MSH-9"),
    "H13 unknown type": Bad(msh(9, b"XYZ^O05"), "AR", "200", "MSH^1^9^1^1", TYPE, "MSH-9.1"),
    "H13 unknown event": Bad(msh(9, b"OMS^O99"), "AR", "201", "MSH^1^9^1^2", TYPE, "MSH-9.2"),
    "H13 not of this channel": Bad(msh(9, b"ADT^A01^ADT_A01"), "AR", "200", "MSH^1^9^1^1", TYPE, "MSH-9.1"),
    "H14 training": Bad(msh(11, b"T"), "AR", "202", "MSH^1^11", "hl7.processing_id", "MSH-11"),
    "H14 debugging": Bad(msh(11, b"D"), "AR", "202", "MSH^1^11", "hl7.processing_id", "MSH-11"),
    "H14 none": Bad(msh(11, b""), "AR", "202", "MSH^1^11", "hl7.processing_id", "MSH-11"),
    "H15 line feeds, strictly": Bad(
        GOOD.replace(b"\r", b"\n"), "AE", "100", "MSH^1", "hl7.segment", "MSH", listener="strict"),
    "H17 lower-case segment": Bad(swap((b"RQD|", b"rqd|")), "AE", "100", "", "hl7.segment", "segment 4"),
    "H17 blank before a segment": Bad(swap((b"RQD|", b" RQD|")), "AE", "100", "", "hl7.segment", "segment 4"),
    "H20 not as named": Bad(in_charset(b"UNICODE UTF-8", b"Gr\xfcn"), "AE", "102", "RQD^1", CHARSET, "RQD[1]"),
    "H20 nobody's charset": Bad(in_charset(b"KLINGON", b"Qapla"), "AE", "102", "MSH^1^18", CHARSET, "MSH-18"),
    "H20 undecodable": Bad(swap((b"Invented", b"\x81\x8d\xff")), "AE", "102", "RQD^1", CHARSET, "RQD[1]"),
    "H20 UTF-16": Bad(GOOD, "AE", "102", "MSH^1", CHARSET, "MSH", recode="utf-16"),
    "H21 100,000 repetitions": Bad(swap((b"|R\r", b"|R~" + REPETITIONS + b"\r")), "AE", "102", "TQ1^1^9", LIMIT,
                                   "TQ1[1]-9"),
    "H21 20,000 segments": Bad(GOOD + b"OBX|1|ST|X||1\r" * 20_000, "AE", "102", "", LIMIT, "segment 10001"),
    "H21 a field of 5 MB": Bad(
        swap((b"Invented", b"x" * (5 * 1024 * 1024 + 1))), "AE", "102", "RQD^1^2", LIMIT, "RQD[1]-2"),
    "H22 two MSH": Bad(GOOD + GOOD, "AE", "100", "MSH^2", "hl7.multi_msh", "MSH[2]"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_at_its_place(stage: Stage, name: str) -> None:
    refused(stage, name)


def test_a_daemon_that_judges_nothing_is_caught(tmp_path: Path) -> None:
    running = Scene(tmp_path)
    try:
        running.start(defect="judges_nothing")
        for name in ("H12 no control id", "H13 no type", "H13 unknown event", "H14 training"):
            with pytest.raises(AssertionError):
                refused(Stage(running, Erp(), {"plain": running.mllp}), name)
    finally:
        running.crew.stop()


def refused(stage: Stage, name: str) -> None:
    row, control = REFUSED[name], "BAD-" + re.sub(r"\W+", "", name)[:16]
    raw = row.sent.replace(b"ID-0", control.encode())
    raw = raw.decode().encode(row.recode) if row.recode else raw
    watch, spent = Watch(stage.scene), _cpu(stage.scene)
    with connected(stage.ports[row.listener]) as peer:
        answer = peer.ask(raw)
        assert answer is not None
        assert (answer.code, answer.status, answer.place) == (row.msa, row.status, row.erl)
        assert answer.control_id == (control if row.named else "")
        assert answer.field("ERR", 5).startswith(row.code)
        assert row.erl or f"(at {row.place})" in answer.field("ERR", 7)
        found = watch.one(row.code, row.place)
        assert _cpu(stage.scene) - spent < 1
        assert found["context"]["status"] == row.status
        assert found["context"]["partner"] == "ehr"
        assert kept(stage.scene, found["message"]) == raw
        if row.listener == "plain":
            stage.goes_on(peer)


def _cpu(running: Scene) -> float:
    """Seconds of processor time the daemon has used."""
    assert running.daemon is not None
    fields = Path(f"/proc/{running.daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


# --- messages whose content is wrong ---------------------------------------------------------------------------------
class Wrong(NamedTuple):
    sent: bytes
    status: str
    erl: str
    code: str
    place: str


MISPLACED = swap((b"TQ1|1||||||20261123130000-0600||R\r", b"")) + b"TQ1|1\r"
H16 = {
    "no RQD": Wrong(GOOD.split(b"RQD")[0], "100", "RQD^1", "hl7.structure", "ORDER[1]: RQD"),
    "no order at all": Wrong(GOOD.split(b"ORC")[0], "100", "", "hl7.structure", "ORDER"),
    "out of order": Wrong(MISPLACED, "100", "TQ1^1", "hl7.structure", "TQ1[1]"),
    "a required field": Wrong(GOOD + SECOND.replace(b"|10|", b"||"), "101", "RQD^2^5", "map.missing",
                              "ORDER[2]/RQD-5"),
    "no number": Wrong(swap((b"|10|", b"|ten|")), "102", "RQD^1^5", "map.value", "ORDER[1]/RQD-5"),
    "no date": Wrong(GOOD + SECOND.replace(b"|20261123\r", b"|20261399\r"), "102", "RQD^2^10", "map.value",
                     "ORDER[2]/RQD-10"),
    "code not in the table": Wrong(swap((b"||R\r", b"||Q\r")), "103", "TQ1^1^9^1^1", "map.unknown_code",
                                   "ORDER[1]/TIMING[1]/TQ1-9.1"),
    "unknown item": Wrong(swap((b"|GLV-NTR-L^", b"|NO-SUCH-1^"), (b"||GLV-NTR-L|", b"||NO-SUCH-1|")), "204",
                          "RQD^1^2^1^1", "map.miss", "ORDER[1]/RQD-2.1"),
}  # fmt: skip


@pytest.mark.parametrize("listener", ["plain", "processed"])
@pytest.mark.parametrize("name", H16)
def test_h16_wrong_content(stage: Stage, name: str, listener: str) -> None:
    """Answered when it is stored: AA, then an exception. Answered when it is processed: the answer tells the place."""
    row, control = H16[name], f"H16-{listener[:5]}-{list(H16).index(name)}"
    raw = row.sent.replace(b"ID-0", control.encode())
    watch = Watch(stage.scene)
    with connected(stage.ports[listener]) as peer:
        answer = peer.ask(raw)
        assert answer is not None
        assert answer.control_id == control
        if listener == "plain":
            assert (answer.code, answer.status) == ("AA", "")
        else:
            assert (answer.code, answer.status, answer.place) == ("AE", row.status, row.erl)
        found = watch.one(row.code, row.place)
        assert (found["context"]["control_id"], found["context"]["status"]) == (control, row.status)
        assert kept(stage.scene, found["message"]) == raw
        assert "NO-SUCH" not in found["text"] + "".join(part.decode() for part in answer.segments)
        stage.goes_on(peer)


# --- messages that are unusual and right -----------------------------------------------------------------------------
class Unusual(NamedTuple):
    """described: the item's description as the ERP must get it. warnings: on the message. sender: MSH-3's bytes."""

    sent: bytes
    described: str = "Invented glove"
    warnings: tuple[str, ...] = ()
    listener: str = "plain"
    sender: bytes = b"INVSYS01"


def _as(charset: bytes, codec: str, text: str) -> Unusual:
    """A message whose sender's name and item are written in a charset."""
    name = "Größe".encode(codec) if codec != "ascii" else b"INVSYS01"
    return Unusual(in_charset(charset, text.encode(codec)).replace(b"INVSYS01", name), f"{text} glove", (), sender=name)


ODD = b"\\Q and \\X0 and \\Xzz\\ and \\.br\\ and \\H\\bold\\N\\ and \\C2842\\ and \\M2428\\"
TAKEN = {
    "H11 other separators": Unusual(GOOD.translate(bytes.maketrans(b"|^~\\&", b"#@%!$"))),
    "H11 truncation character": Unusual(swap((b"^~\\&", b"^~\\&#"), (b"|2.5.1", b"|2.7"))),
    "H15 LF": Unusual(GOOD.replace(b"\r", b"\n"), warnings=("hl7.lf_segments",)),
    "H15 CR LF": Unusual(GOOD.replace(b"\r", b"\r\n"), warnings=("hl7.lf_segments",)),
    "H18 escapes that mean nothing": Unusual(
        swap((b"Invented glove", ODD)), ODD.decode(), ("hl7.bad_escape", "hl7.kept_escape")),
    "H18 escapes": Unusual(swap((b"Invented", b"\\T\\ \\F\\ \\E\\ \\S\\ \\X41\\")), "& | \\ ^ A glove"),
    "H20 UTF-8 by nobody's word": Unusual(swap((b"Invented", "Größe Ω".encode())), "Größe Ω glove"),
    "H20 byte order mark": Unusual(b"\xef\xbb\xbf" + GOOD, warnings=("hl7.bom",)),
    "H20 UNICODE UTF-8": _as(b"UNICODE UTF-8", "utf-8", "Größe"),
    "H20 8859/1": _as(b"8859/1", "latin-1", "Größe"),
    "H20 several": _as(b"8859/1~UNICODE UTF-8", "latin-1", "Größe"),
    "H21 100,000 carets": Unusual(GOOD + b"OBX|1|ST|X||" + b"^" * 100_000 + b"\r"),
    "H21 30 ampersands": Unusual(GOOD + b"OBX|1|ST|X||" + b"&" * 30 + b"\r"),
    "H21 4,000 repetitions": Unusual(swap((b"|R\r", b"|R~" + REPETITIONS[:8_000] + b"\r"))),
    "H21 9,000 segments": Unusual(GOOD + b"OBX|1|ST|X||1\r" * 9_000),
    "H21 a field of 4 MB": Unusual(GOOD + b"OBX|1|ST|X||" + b"x" * (4 << 20) + b"\r"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_taken_as_it_is(stage: Stage, name: str) -> None:
    row, control = TAKEN[name], f"ODD-{list(TAKEN).index(name)}"
    separators = row.sent.removeprefix(b"\xef\xbb\xbf")[3:8]
    raw = row.sent.replace(b"ID-0", control.encode())
    with connected(stage.ports[row.listener]) as peer:
        answer = peer.ask(raw)
        assert answer is not None
        stage.went_through.add(control)
        assert (answer.code, answer.control_id) == ("AA", control)
        assert answer.segments[0][3:8] == separators
        assert answer.field("MSH", 4).encode("latin-1") == row.sender
        lines = stage.ordered(control)["lines"]
        assert isinstance(lines, list)
        assert lines[0]["description"] == row.described
        stored = stage.newest(control)
        assert tuple(stored["warnings"]) == row.warnings  # type: ignore[arg-type]
        assert kept(stage.scene, str(stored["id"])) == raw
        stage.goes_on(peer)


def test_h19_deleting_is_not_leaving_out(stage: Stage) -> None:
    requester = b"|||||20261123071500-0600|"
    for control, value in (("H19-D", b'""'), ("H19-E", b"")):
        raw = swap((b"|||||20261123071500-0600\r", requester + value + b"\r")).replace(b"ID-0", control.encode())
        assert told(stage.ask("plain", raw)) == ("AA", control)
        stage.went_through.add(control)
    assert stage.ordered("H19-D")["requester"] is None
    assert "requester" not in stage.ordered("H19-E")


def test_h12_a_hash_stands_for_the_control_id_where_that_is_agreed(stage: Stage) -> None:
    stage.went_through.add("H12-U")
    raw = msh(10, b"").replace(b"ID-0", b"H12-U")
    before = stage.scene.ledger()
    for _ in range(2):
        assert told(stage.ask("unnamed", raw)) == ("AA", "")
    assert stage.scene.ledger()["duplicate"] == before["duplicate"] + 1
    assert stage.ordered("H12-U")


def test_h23_the_same_again_is_answered_again_and_delivered_once(stage: Stage) -> None:
    control, raw = stage.good()
    with connected(stage.ports["plain"]) as peer:
        answers = [peer.ask(raw), peer.ask(raw)]
    answers.append(stage.ask("processed", raw))
    assert [told(answer) for answer in answers] == [("AA", control)] * 3
    stage.ordered(control)
    stage.scene.settled()
    rows = [row for row in stage.scene.trace(control)["messages"] if row["type"] == "OMS^O05"]
    first, *again = sorted(rows, key=lambda row: int(row["id"][1:]))
    assert [row["state"] for row in again] == ["duplicate"] * 2
    assert [row["duplicate_of"] for row in again] == [first["id"]] * 2
    assert kept(stage.scene, again[0]["id"]) == raw


@pytest.mark.parametrize("listener", ["plain", "processed"])
def test_h24_another_body_under_a_known_control_id(stage: Stage, listener: str) -> None:
    control, raw = stage.good()
    changed = raw.replace(b"|10|", b"|99|")
    watch = Watch(stage.scene)
    with connected(stage.ports[listener]) as peer:
        assert told(peer.ask(raw)) == ("AA", control)
        answer = peer.ask(changed)
        assert answer is not None
        assert (answer.code, answer.status, answer.place) == ("AE", "205", "MSH^1^10")
        found = watch.one("dup.conflict", "MSH-10")
        assert found["context"]["control_id"] == control
        assert kept(stage.scene, found["message"]) == changed
        stage.goes_on(peer)
    (line,) = stage.ordered(control)["lines"]  # type: ignore[misc]
    assert line["quantity"]["value"] == "10"


def test_what_was_refused_may_come_again_corrected_under_its_old_id(stage: Stage) -> None:
    control, raw = stage.good()
    with connected(stage.ports["plain"]) as peer:
        assert told(peer.ask(raw.replace(b"OMS^O05^OMS_O05", b"XYZ^O05"))) == ("AR", control)
        assert told(peer.ask(raw)) == ("AA", control)
    assert stage.ordered(control)


def test_h16_the_answer_stays_no_until_the_cause_is_mended(stage: Stage) -> None:
    """A sender that is answered AE sends the same again, and gets the same answer until a person has mended it."""
    control, raw = stage.good()
    raw = raw.replace(b"GLV-NTR-L", b"NEW-GLOVE")
    watch = Watch(stage.scene)
    with connected(stage.ports["processed"]) as peer:
        for _ in range(2):
            answer = peer.ask(raw)
            assert answer is not None
            assert (answer.code, answer.status, answer.place) == ("AE", "204", "RQD^1^2^1^1")
        found = watch.one("map.miss", "ORDER[1]/RQD-2.1")
        table = stage.scene.site / "config" / "crosswalks" / "ehr_items.csv"
        table.write_text(table.read_text() + "NEW-GLOVE,NH-10003,A glove nobody had listed\n")
        verb(stage.scene, "reload")
        verb(stage.scene, "replay", found["id"], "--reason", "item listed")
        assert stage.ordered(control)
        assert told(peer.ask(raw)) == ("AA", control)


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
    watch.one(TYPE, "MSH-9.1")


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


# --- the whole of it -------------------------------------------------------------------------------------------------
def test_a_person_sees_it_by_the_console_script(stage: Stage) -> None:
    """One of the rows above, by the program people run."""
    control = "SEEN-1"
    raw = msh(11, b"T").replace(b"ID-0", control.encode())
    assert told(stage.ask("plain", raw)) == ("AR", control)
    listed = stage.scene.hilum("exceptions", "list", "--code", "hl7.processing_id", "--json").stdout
    found = next(row for row in json.loads(listed) if row["context"].get("control_id") == control)
    assert (found["place"], found["state"]) == ("MSH-11", "open")
    assert stage.scene.hilum("messages", found["message"], "--bytes").stdout == raw.decode().replace("\r", "\n")
    shown = stage.scene.trace(control)
    assert [row["code"] for row in shown["exceptions"]] == ["hl7.processing_id"]


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
