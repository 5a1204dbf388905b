"""A daemon with MLLP listeners of every sort, an ERP behind it, and a good message to make bad ones of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from channels.simulate.erp import Erp
from channels.simulate.processes import free_port
from tests.functional.bad_kit import Answer, Peer, connected, verb
from tests.functional.parties import played
from tests.functional.scene import Scene, copy_site, scene

GOOD = (
    b"MSH|^~\\&|INVSYS01|HARBOR|HILUM|NORTHHEALTH|20261123071500-0600||OMS^O05^OMS_O05|ID-0|P|2.5.1\r"
    b"ORC|NW|ID-0-1^INVSYS01||ID-0|||||20261123071500-0600\r"
    b"TQ1|1||||||20261123130000-0600||R\r"
    b"RQD|1|GLV-NTR-L^Invented glove||GLV-NTR-L|10|Box|OR|||20261123\r"
)
SECOND = GOOD.split(b"\r", 1)[1].replace(b"RQD|1|", b"RQD|2|").replace(b"ID-0-1", b"ID-0-2")
REPETITIONS = b"~".join([b"1"] * 100_000)
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


def told(answer: Answer | None) -> tuple[str, str]:
    """MSA-1 and MSA-2; empty when the connection was closed instead."""
    return (answer.code, answer.control_id) if answer else ("", "")


@contextmanager
def hospital_door(folder: Path) -> Iterator[Stage]:
    """One daemon with all ways in and an ERP; left, exactly what had to go through has gone through, once."""
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
        running.until(lambda: " ready " in running.log(), "all ways in to be open")
        with played(running, erp=erp):
            found = Stage(running, erp, {"plain": running.mllp, **ports})
            yield found
            running.settled()
            running.until(lambda: len(erp.records.where(did="requisition")) >= len(found.went_through), "requisitions")
        assert {row["number"] for row in erp.records.where(did="requisition")} == found.went_through
        assert erp.stats()["doubled"] == erp.stats()["refused"] == 0
