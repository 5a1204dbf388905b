"""HL7 v2 messages that are unusual and right, and messages that come again: each is taken as it is, and done once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.functional.bad_kit import Watch, connected, kept, verb
from tests.functional.hl7_kit import GOOD, REPETITIONS, Stage, hospital_door, in_charset, msh, swap, told

pytestmark = pytest.mark.xdist_group("odd_hl7")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with hospital_door(tmp_path_factory.mktemp("odd_hl7")) as found:
        yield found


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
