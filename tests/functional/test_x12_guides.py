"""A supplier's guides by the real daemon: what it sends against them is refused by our 997, what we would send stops
here, and a mended guide lets it go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.bad_kit import Watch, verb
from tests.functional.parties import requisition, send
from tests.functional.x12_desk import Desk, open_desk

pytestmark = pytest.mark.xdist_group("x12_guides")

ORDERS = 'apiVersion: guide/v1\nset: "850"\nrules:\n  PO1: {most: 1}\n'
ANSWERS = 'apiVersion: guide/v1\nset: "855"\nrules:\n  REF[ZZ]: required\n  PO1/ACK: {most: 1}\n'


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    agreed = {
        '"850": {direction: out,': '"850": {direction: out, guide: acme_850,',
        '"855": {direction: in,': '"855": {direction: in, guide: acme_855,',
    }
    files = {"guides/acme_850.yaml": ORDERS, "guides/acme_855.yaml": ANSWERS}
    with open_desk(tmp_path_factory.mktemp("x12_guides"), agreed, files) as found:
        yield found


def test_what_breaks_the_guide_is_refused_by_our_997_and_told_by_its_line(desk: Desk) -> None:
    watch = Watch(desk.stage)
    desk.take("no-reference.edi", desk.answer(reaches=False))
    _, said = desk.answer_to(desk.control)
    assert b"~AK2*855*0001~AK3*REF*3**3~AK5*R*5~AK9*R*1*1*0~" in said
    found = watch.one("x12.structure", "ST[1]/REF[ZZ]")
    assert "segment 3 REF: mandatory segment missing [3] by guides/acme_855.yaml:4:3" in found["text"]


def test_what_keeps_to_the_guide_goes_on(desk: Desk) -> None:
    desk.take("reference.edi", desk.answer(note="here"))
    desk.stage.until(lambda: set(desk.expected) <= set(desk.heard()), "the 855 in the ERP")


def test_what_we_would_send_against_it_stops_here_until_it_is_mended(desk: Desk) -> None:
    watch = Watch(desk.stage)
    raw = requisition("REQ-TWO", ("GLV-NTR-L", "1", "Box"), ("GLV-NTR-M", "1", "Box"))
    assert send(desk.stage, raw) == ["AA"]
    found = watch.one("delivery.render", "PO1[2]")
    assert "loop occurs too often [4] by guides/acme_850.yaml:4:3" in found["text"]
    outbox = desk.stage.outbox("acme_surgical")
    assert len([*outbox.glob("850-*.edi")]) == 1
    guide = desk.stage.site / "guides/acme_850.yaml"
    guide.write_text(ORDERS.replace("most: 1", "most: 200"))
    verb(desk.stage, "reload")
    verb(desk.stage, "replay", found["id"], "--reason", "the guide allows more lines")
    desk.stage.until(lambda: len([*outbox.glob("850-*.edi")]) == 2, "the second 850")
