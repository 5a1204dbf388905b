"""What a supplier's agreements change of what it is answered, by the real daemon: 999s, faults that only warn, groups
that stand whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.bad_kit import Watch
from tests.functional.x12_desk import Desk, open_desk

pytestmark = pytest.mark.xdist_group("x12_agreed")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    agreed = {
        '"997": {direction: both}': '"997": {direction: both}\n  "999": {direction: both}\n  "TA1": {direction: in}',
        "mapping: x12_855}": "mapping: x12_855, group: whole}",
        "crosswalks: {unit: acme": 'tolerate: {AK403: ["4"], AK502: ["4"]}\ncrosswalks: {unit: acme',
        '"997": 4h': '"TA1": 1h, "999": 4h',
    }
    with open_desk(tmp_path_factory.mktemp("x12_agreed"), agreed) as found:
        yield found


def states(desk: Desk, order: str) -> dict[str, str]:
    """Of what is awaited for our order."""
    return {row["kind"]: row["state"] for row in desk.stage.trace(order)["acknowledgements"] if row["of"][:2] != "PR"}


def modern(raw: bytes) -> bytes:
    return raw.replace(b"*X*004010~", b"*X*005010~")


def answered(desk: Desk, raw: bytes, type: str) -> list[str]:
    """Give a file; the segments from AK1 to AK9 of our answer to its group."""
    number = desk.control
    desk.take(f"case-{number}.edi", raw)
    found: list[str] = []

    def there() -> bool:
        found[:] = [text for text in desk.answers(type) if f"~AK1*PR*{number}" in text]
        return bool(found)

    desk.stage.until(there, f"our {type}")
    (text,) = found
    return text[text.index("AK1") : text.index("~SE*")].split("~")


def test_a_group_of_005010_gets_a_999_and_one_of_004010_a_997(desk: Desk) -> None:
    raw = modern(desk.answer())
    assert answered(desk, raw, "999") == [f"AK1*PR*{desk.control}*005010", "AK2*855*0001", "IK5*A", "AK9*A*1*1*1"]
    raw = desk.answer()
    assert answered(desk, raw, "997") == [f"AK1*PR*{desk.control}", "AK2*855*0001", "AK5*A", "AK9*A*1*1*1"]
    assert any(f"*{desk.control}*X*004010~" in text or "*X*004010~" in text for text in desk.answers("997"))
    desk.goes_on()


def test_a_999_says_what_is_wrong_and_where(desk: Desk) -> None:
    watch = Watch(desk.stage)
    raw = modern(desk.answer(reaches=False)).replace(b"PO1*1*1*BX", b"PO1*1**BX")
    assert answered(desk, raw, "999")[2:-2] == [
        "IK3*PO1*3*PO1*8",
        f"CTX*BAK03>{desk.order}",
        "IK4*2*380*2",
        "CTX*SITUATIONAL TRIGGER*PO1*3*PO1*3",
    ]
    watch.one("x12.element", "ST[1]/PO1[1]/PO102")


def test_a_fault_that_only_warns_goes_on(desk: Desk) -> None:
    """To the ERP: `Desk.expected` counts this one."""
    raw = desk.answer().replace(b"SE*6*", b"SE*66*")
    assert answered(desk, raw, "997")[1:] == ["AK2*855*0001", "AK5*E*4", "AK9*E*1*1*1"]
    desk.goes_on()
    rows = [row for row in desk.messages() if "x12.tolerated ST[1]" in row["warnings"]]
    assert len(rows) == 1


def test_a_group_that_stands_whole_or_not_at_all(desk: Desk) -> None:
    watch = Watch(desk.stage)
    raw = desk.answer(reaches=False)
    start, end = raw.index(b"ST*855"), raw.index(b"GE*1")
    second = raw[start:end].replace(b"*0001~", b"*0002~").replace(b"CTT*1", b"ZQX*1")
    both = raw[:end] + second + raw[end:].replace(b"GE*1", b"GE*2")
    assert answered(desk, both, "997")[1:] == [
        "AK2*855*0002", "AK3*ZQX*5*ACK*1", "AK5*R*5", "AK9*R*2*2*0"
    ]  # fmt: skip
    found = watch.expect(2)
    assert [(row["code"], row["place"]) for row in found] == [
        ("x12.group", "GS[1]"),
        ("x12.structure", "ST[2]/PO1[1]/ACK[1]/ZQX"),
    ]


def test_a_999_settles_what_awaits_one(desk: Desk) -> None:
    order, group, _ = desk.order_again("REQ-999")
    assert states(desk, order)["999"] == "awaited"
    desk.take("accepting.edi", desk.receipt(group, "E", type="999"))
    desk.stage.until(lambda: states(desk, order)["999"] == "positive", "the 850 acknowledged")


def test_a_997_settles_what_awaits_a_999(desk: Desk) -> None:
    order, group, _ = desk.order_again("REQ-997")
    watch = Watch(desk.stage)
    desk.take("rejecting.edi", desk.receipt(group, "R"))
    assert watch.one("ack.rejected", f"PO/{group}/0001")["context"]["acknowledgement"] == "997"
    assert states(desk, order) == {"TA1": "not_expected", "999": "negative", "855": "not_expected"}


@pytest.mark.parametrize("verdict", ["A*000", "E*022"])
def test_a_ta1_settles_what_awaits_one(desk: Desk, verdict: str) -> None:
    order, _, interchange = desk.order_again(f"REQ-TA1-{verdict[0]}")
    desk.take(f"ta1-{verdict[0]}.edi", desk.note(interchange, verdict))
    desk.stage.until(lambda: states(desk, order)["TA1"] == "positive", "the TA1")
    assert states(desk, order) == {"TA1": "positive", "999": "awaited", "855": "awaited"}


def test_a_ta1_that_refuses_and_one_that_contradicts_it(desk: Desk) -> None:
    order, _, interchange = desk.order_again("REQ-TA1-R")
    watch = Watch(desk.stage)
    desk.take("ta1-no.edi", desk.note(interchange, "R*023"))
    assert "premature end of file [023]" in watch.one("ack.rejected", "interchange")["text"]
    assert states(desk, order) == {"TA1": "negative", "999": "not_expected", "855": "not_expected"}
    desk.take("ta1-yes.edi", desk.note(interchange, "A*000"))
    assert [row["code"] for row in watch.expect(2)] == ["ack.rejected", "ack.conflict"]
    assert states(desk, order)["TA1"] == "negative"
