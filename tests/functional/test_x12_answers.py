"""What a supplier is answered to a whole interchange, by the real daemon: TA1s where they are agreed, the same answer
to the same bytes, and what the supplier's own TA1s do to what we sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.bad_kit import Watch, kept
from tests.functional.x12_desk import Desk, open_desk

pytestmark = pytest.mark.xdist_group("x12_answers")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    agreed = {'"997": {direction: both}': '"997": {direction: both}\n  "TA1": {direction: both}'}
    with open_desk(tmp_path_factory.mktemp("x12_answers"), agreed) as found:
        yield found


REFUSED = {
    "X3 component is element": (lambda raw: raw.replace(b"*P*>~", b"*P**~"), "x12.separators", "026"),
    "X3 a letter ends segments": (lambda raw: raw.replace(b"*P*>~", b"*P*>Z"), "x12.separators", "004"),
    "X7 cut": (lambda raw: raw[:250], "x12.truncated", "023"),
    "X8 IEA02": (lambda raw: raw[:-10] + b"999999999~", "x12.envelope", "001"),
    "X8 IEA01": (lambda raw: raw.replace(b"IEA*1*", b"IEA*3*"), "x12.envelope", "021"),
    "X10 ISA06": (lambda raw: raw.replace(b"*01*081234567 ", b"*01*999999999 "), "x12.identity", "006"),
    "X10 ISA07": (lambda raw: raw.replace(b"*ZZ*NORTHHEALTH ", b"*14*NORTHHEALTH "), "x12.identity", "007"),
    "X10 ISA09": (lambda raw: raw.replace(b"*261123*0900*U", b"*261399*0900*U"), "x12.envelope", "014"),
    "X10 ISA15": (lambda raw: raw.replace(b"*0*P*>", b"*0*T*>"), "x12.envelope", "020"),
    "X11 ISA01": (lambda raw: raw.replace(b"ISA*00*", b"ISA*77*"), "x12.envelope", "010"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_interchange_is_told_why(desk: Desk, name: str) -> None:
    spoil, code, note = REFUSED[name]
    watch, before = Watch(desk.stage), len(desk.answers("TA1"))
    raw = spoil(desk.answer(reaches=False))
    assert desk.take(f"refused-{desk.control}.edi", raw) == ".error"
    (found,) = watch.expect(1)
    assert (found["code"], found["context"]["status"]) == (code, note)
    desk.stage.until(lambda: len(desk.answers("TA1")) > before, "our TA1")
    (told,) = desk.answers("TA1")[before:]
    date = "261399" if note == "014" else "261123"
    assert f"~TA1*{desk.control:09}*{date}*0900*R*{note}~IEA*0*" in told
    assert told.startswith("ISA*00*          *00*          *ZZ*NORTHHEALTH    *01*081234567      *")
    (answer,) = [row for row in desk.sent() if row["type"] == "TA1" and row["control_id"] == told[-10:-1]]
    assert kept(desk.stage, answer["id"]).decode() == told  # stored and delivered like any message
    edges = desk.stage.trace(found["message"])["edges"]
    assert {"from": found["message"], "to": answer["id"], "kind": "causes"} in edges


def test_what_holds_nothing_but_acknowledgements_is_told_nothing(desk: Desk) -> None:
    watch, before = Watch(desk.stage), len(desk.answers("TA1"))
    desk.take("bad-997.edi", desk.receipt("1", "A").replace(b"IEA*1*", b"IEA*2*"))
    desk.take("bad-ta1.edi", desk.note("000000001", "A*000").replace(b"IEA*0*", b"IEA*1*"))
    assert [row["context"]["status"] for row in watch.expect(2)] == ["021", "021"]
    desk.take("spoilt.edi", desk.answer(reaches=False).replace(b"IEA*1*", b"IEA*2*"))
    desk.stage.until(lambda: len(desk.answers("TA1")) > before, "a TA1 for what came after them")
    assert len(desk.answers("TA1")) == before + 1


def test_isa14_asks_for_a_ta1_of_what_is_well(desk: Desk) -> None:
    before = len(desk.answers("TA1"))
    desk.take("asks.edi", desk.answer().replace(b"*0*P*>", b"*1*P*>"))
    number = desk.control
    desk.goes_on()
    assert [text.split("~TA1")[1].split("~")[0] for text in desk.answers("TA1")[before:]] == [
        f"*{number:09}*261123*0900*A*000"
    ]


def test_x9_the_same_number_with_other_bytes_is_a_conflict_and_told(desk: Desk) -> None:
    watch, before = Watch(desk.stage), len(desk.answers("TA1"))
    raw = desk.answer()
    number = desk.control
    desk.take("first-of-two.edi", raw)
    assert desk.take("other-of-two.edi", raw.replace(b"ACK*IA*1", b"ACK*IA*2")) == ".error"
    watch.one("dup.conflict", "ISA13")
    desk.stage.until(lambda: len(desk.answers("TA1")) > before, "our TA1")
    assert f"~TA1*{number:09}*261123*0900*R*025~" in desk.answers("TA1")[-1]
    desk.goes_on()


def test_the_same_bytes_get_the_same_answer_and_nothing_else(desk: Desk) -> None:
    """Our 997 had been taken from the folder; it lies there again, the same to the last byte."""
    raw = desk.answer()
    number = desk.control
    desk.take("asked-once.edi", raw)
    path, told = desk.answer_to(number)
    path.unlink()
    desk.take("asked-twice.edi", raw)
    desk.stage.until(path.exists, "the same 997")
    assert path.read_bytes() == told
    again = desk.messages()[-1]
    assert again["state"] == "duplicate"
    (repeat,) = [row for row in desk.sent() if kept(desk.stage, row["id"]) == told][-1:]
    edges = desk.stage.trace(again["id"])["edges"]
    assert {"from": again["id"], "to": repeat["id"], "kind": "causes"} in edges
    desk.goes_on()  # and the ERP heard of the order once: see `open_desk`


# --- the supplier's TA1s ---------------------------------------------------------------------------------------------
def acknowledgements(desk: Desk, order: str) -> dict[str, Any]:
    return {row["kind"]: row["state"] for row in desk.stage.trace(order)["acknowledgements"] if row["of"][:2] != "PR"}


def test_a_ta1_of_what_we_never_sent(desk: Desk) -> None:
    watch = Watch(desk.stage)
    desk.take("ta1-unknown.edi", desk.note("000099999", "A*000"))
    assert watch.one("ack.unknown", "000099999")["context"]["acknowledgement"] == "TA1"


def test_a_ta1_that_accepts_changes_nothing_that_is_awaited(desk: Desk) -> None:
    order, _, interchange = desk.order_again("REQ-TA1-A")
    number = desk.control + 1
    desk.take("ta1-a.edi", desk.note(interchange, "A*000"))
    desk.stage.until(lambda: _heard(desk, order, f"{number:09}"), "the TA1 in the order's thread")
    assert acknowledgements(desk, order)["997"] == "awaited"


def test_a_ta1_that_refuses_fails_all_that_was_in_it(desk: Desk) -> None:
    order, group, interchange = desk.order_again("REQ-TA1-R")
    watch = Watch(desk.stage)
    desk.take("ta1-r.edi", desk.note(interchange, "R*006"))
    found = watch.one("ack.rejected", "interchange")
    assert "interchange: sender id invalid [006]" in found["text"]
    assert acknowledgements(desk, order) == {"997": "negative", "855": "not_expected"}
    desk.take("ta1-r-997.edi", desk.receipt(group, "A"))
    assert [row["code"] for row in watch.expect(2)] == ["ack.rejected", "ack.conflict"]


def _heard(desk: Desk, order: str, control: str) -> bool:
    return any(row["control_ids"].get("interchange") == control for row in desk.stage.trace(order)["messages"])
