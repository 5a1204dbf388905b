"""A supplier's desk by hand, for tests of bad X12 and its answers: interchanges written as text into the exchange
folder of one real daemon, and what it answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels.simulate.erp import Erp
from tests.functional.bad_kit import verb
from tests.functional.parties import played, requisition, send
from tests.functional.scene import Scene, copy_site, scene

NOTHING: Mapping[str, str] = {}
ISA = (
    "ISA*00*          *00*          *01*081234567      *ZZ*NORTHHEALTH    *261123*0900"
    "*{repeat}*{version}*{control:09}*0*P*>~"
)


@dataclass
class Desk:
    """The supplier's desk, by hand: interchanges written as text, each with a number of its own.

    order: our purchase order they answer. group, interchange: GS06 and ISA13 of the 850 that carried it. expected:
    order numbers of the supplier (BAK08) that must reach the ERP, one for every good 855.
    """

    stage: Scene
    erp: Erp
    order: str
    group: str
    interchange: str
    control: int = 100
    expected: list[str] = field(default_factory=list)

    def answer(
        self, *, reaches: bool = True, repeat: str = "U", version: str = "00401", note: str = "", marks: str = "*>~"
    ) -> bytes:
        """An 855 that accepts the order's one line. marks: element, component and segment separators."""
        self.control += 1
        vendor_order = f"V-{self.control}"
        self.expected += [vendor_order] * reaches
        body = [f"BAK*00*AC*{self.order}*20261123****{vendor_order}"]
        body += [f"REF*ZZ*{note}"] * bool(note)
        body += ["PO1*1*1*BX*12.50**VN*ASX-2201-L", "ACK*IA*1*BX", "CTT*1"]
        text = self._interchange("PR", "855", body, repeat, version)
        return text.encode("latin-1").translate(bytes.maketrans(b"*>~", marks.encode("latin-1")))

    def receipt(self, group: str, verdict: str, *, kind: str = "PO", id: str = "850", type: str = "997") -> bytes:
        """A 997 (999) about one set of one of our groups."""
        self.control += 1
        trailer = "AK5" if type == "997" else "IK5"
        body = [f"AK1*{kind}*{group}", f"AK2*{id}*0001", f"{trailer}*{verdict}"]
        body.append(f"AK9*{verdict}*1*1*{int(verdict != 'R')}")
        raw = self._interchange("FA", type, body).encode()
        return raw if type == "997" else raw.replace(b"*X*004010~", b"*X*005010X231A1~")

    def note(self, about: str, verdict: str) -> bytes:
        """A TA1 about one of our interchanges. verdict: TA104 and TA105, `R*006`."""
        self.control += 1
        opening = ISA.format(control=self.control, repeat="U", version="00401")
        return f"{opening}TA1*{about}*261123*0800*{verdict}~IEA*0*{self.control:09}~".encode()

    def order_again(self, number: str) -> tuple[str, str, str]:
        """Have the ERP order once more: our order, GS06 and ISA13 of its 850."""
        outbox = self.stage.outbox("acme_surgical")
        before = {path.name for path in outbox.glob("850-*.edi")}
        known = {*self.erp.orders}
        assert send(self.stage, requisition(number, ("GLV-NTR-L", "1", "Box"))) == ["AA"]
        self.stage.until(lambda: len([*outbox.glob("850-*.edi")]) > len(before), "another 850")
        (sent,) = [path for path in outbox.glob("850-*.edi") if path.name not in before]
        (group,) = re.findall(r"~GS(?:\*[^*]*){5}\*(\d+)\*", sent.read_text())
        (order,) = {*self.erp.orders} - known
        return order, group, sent.name[4:13]

    def _interchange(self, kind: str, id: str, body: list[str], repeat: str = "U", version: str = "00401") -> str:
        number = self.control
        opening = ISA.format(control=number, repeat=repeat, version=version)
        inside = "~".join([f"ST*{id}*0001", *body, f"SE*{len(body) + 2}*0001"])
        group = f"GS*{kind}*081234567*NORTHHEALTH*20261123*0900*{number}*X*004010~{inside}~GE*1*{number}~"
        return f"{opening}{group}IEA*1*{number:09}~"

    def take(self, name: str, raw: bytes) -> str:
        """Give a file and wait until it is taken; the folder it was moved to."""
        folder = self.stage.inbox("acme_surgical")
        self.stage.put("acme_surgical", name, raw)
        self.stage.until(lambda: not (folder / name).exists(), f"{name} taken")
        (moved,) = [path for path in folder.glob(f".*/{name}") if path.parent.name in {".done", ".error"}]
        assert moved.read_bytes() == raw
        return moved.parent.name

    def messages(self) -> list[dict[str, Any]]:
        """What came from this supplier, oldest first."""
        words = ("--partner", "acme_surgical", "--direction", "in", "--limit", "10000", "--json")
        rows: list[dict[str, Any]] = json.loads(verb(self.stage, "messages", *words))
        return rows[::-1]

    def sent(self) -> list[dict[str, Any]]:
        """What went to this supplier, oldest first."""
        words = ("--partner", "acme_surgical", "--direction", "out", "--limit", "10000", "--json")
        rows: list[dict[str, Any]] = json.loads(verb(self.stage, "messages", *words))
        return rows[::-1]

    def answers(self, type: str = "997") -> list[str]:
        """Our 997s (TA1s), as written to the supplier's folder."""
        return [path.read_text() for path in sorted(self.stage.outbox("acme_surgical").glob(f"{type}-*.edi"))]

    def answer_to(self, group: int) -> tuple[Path, bytes]:
        """The file of our 997 for an 855 of theirs, and what is in it."""
        found: list[Path] = []

        def there() -> bool:
            files = self.stage.outbox("acme_surgical").glob("997-*.edi")
            found[:] = [path for path in files if f"~AK1*PR*{group}~" in path.read_text()]
            return bool(found)

        self.stage.until(there, "our 997")
        return found[0], found[0].read_bytes()

    def heard(self) -> list[str]:
        """Order numbers of the supplier that the ERP has heard of."""
        rows = self.erp.records.where(did="acknowledgement")
        return [row["body"]["vendor_order"] for row in rows if "vendor_order" in row["body"]]

    def goes_on(self) -> None:
        """A good 855 is taken, mapped and delivered; and so was every good one before it."""
        self.take(f"good-{self.control}.edi", self.answer())
        self.stage.until(lambda: set(self.expected) <= set(self.heard()), "every good 855 in the ERP")


@contextmanager
def open_desk(folder: Path, changes: Mapping[str, str] = NOTHING, files: Mapping[str, str] = NOTHING) -> Iterator[Desk]:
    """A desk of Acme Surgical that got one order. changes: texts of its YAML or template -> what stands there instead.
    files: more files of the site.

    Leaving it checks that the ERP heard of every good 855 once, and of nothing else.
    """
    site = copy_site(folder / "site")
    for name in ("acme_surgical", "templates/x12_supplier"):
        file = site / "partners" / f"{name}.yaml"
        text = file.read_text().replace('acme_surgical/in"\n', 'acme_surgical/in"\n      poll: 20ms\n', 1)
        for old, new in changes.items():
            text = text.replace(old, new)
        file.write_text(text)
    for path, text in files.items():
        (site / path).parent.mkdir(exist_ok=True)
        (site / path).write_text(text)
    erp = Erp()
    with scene(folder, site=site) as stage:
        stage.start()
        with played(stage, erp=erp):
            assert send(stage, requisition("REQ-X", ("GLV-NTR-L", "1", "Box"))) == ["AA"]
            outbox = stage.outbox("acme_surgical")
            stage.until(lambda: bool([*outbox.glob("850-*.edi")]), "the 850")
            (sent,) = outbox.glob("850-*.edi")
            (group,) = re.findall(r"~GS(?:\*[^*]*){5}\*(\d+)\*", sent.read_text())
            found = Desk(stage, erp, *erp.orders, group, sent.name[4:13])
            yield found
            stage.settled()
        assert sorted(found.heard()) == sorted(found.expected)
        assert erp.stats()["doubled"] == erp.stats()["refused"] == 0
