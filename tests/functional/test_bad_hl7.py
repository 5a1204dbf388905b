"""Bad HL7 v2 messages, against one daemon: what their sender is answered, what the worklist says and where, that their
bytes are kept, and that good traffic goes on. An ERP that shares no code with the engine tells what went through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from channels.simulate.erp import Erp
from tests.functional.bad_kit import Watch, connected, kept
from tests.functional.hl7_kit import GOOD, REPETITIONS, SECOND, Stage, hospital_door, in_charset, msh, swap, told
from tests.functional.scene import Scene

pytestmark = pytest.mark.xdist_group("bad_hl7")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with hospital_door(tmp_path_factory.mktemp("bad_hl7")) as found:
        yield found


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
