"""What follows an order, by hand files through the real daemon: shipped, billed, changed and refused, in one thread."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.functional.x12_desk import Desk, open_desk


def file_of(desk: Desk, kind: str, id: str, *body: str) -> bytes:
    desk.control += 1
    return desk._interchange(kind, id, list(body)).encode()


def shipment(desk: Desk, number: str, order: str, quantity: str = "1") -> bytes:
    return file_of(
        desk, "SH", "856", f"BSN*00*{number}*20261123*0915", "HL*1**S", "TD5**2*ACME*M", "DTM*011*20261123", "HL*2*1*O",
        f"PRF*{order}", "HL*3*2*P", "MAN*GM*00106141411234567897", "HL*4*3*I", "LIN*1*VN*ASX-2201-L*LT*LOT-7A",
        f"SN1**{quantity}*BX**1*BX", "DTM*036*20281130", "CTT*4",
    )  # fmt: skip


def bill(desk: Desk, number: str, order: str, total: str = "1450") -> bytes:
    lines = ("IT1*1*1*BX*12.50**VN*ASX-2201-L", f"TDS*{total}", "SAC*C*D240***200", "CTT*1")
    return file_of(desk, "IN", "810", f"BIG*20261124*{number}**{order}***DI", *lines)


def told(desk: Desk, order: str) -> dict[str, Any]:
    return desk.stage.trace(order)


def exceptions(desk: Desk) -> dict[str, dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(desk.stage.verb("exceptions", "--json").stdout)
    return {row["code"]: row for row in rows}


def heard(desk: Desk, did: str) -> list[dict[str, Any]]:
    return [row["body"] for row in desk.erp.records.where(did=did)]


def test_what_follows_an_order_stands_in_its_thread(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        order = desk.order
        desk.take("997.edi", desk.receipt(desk.group, "A"))
        desk.goes_on()
        desk.take("856.edi", shipment(desk, "SHP-771", order))
        desk.take("810.edi", bill(desk, "INV-88213", order))
        desk.stage.until(lambda: len(heard(desk, "invoice")) == 1, "the invoice in the ERP")
        desk.stage.until(lambda: len(desk.answers()) == 3, "our 997s")
        desk.stage.settled()
        _stands_in_one_thread(desk, order)
        _is_found_by_what_is_in_it(desk, order)
        _is_done_once(desk, order)
        _is_held_where_it_breaks_a_rule(desk, order)


def _stands_in_one_thread(desk: Desk, order: str) -> None:
    (packed,) = heard(desk, "ship_notice")
    item = packed["orders"][0]["packs"][0]["items"][0]
    assert (item["lot"], item["expires_on"], item["shipped"]) == ("LOT-7A", "2028-11-30", {"value": "1", "unit": "BX"})
    assert heard(desk, "invoice")[0]["total"] == "14.50"
    story = desk.stage.verb("trace", order).stdout
    places = [story.index(word) for word in ("850  ", "997  ", "855  ", "856  ", "810  ")]
    assert places == sorted(places)
    assert "SHP-771" in story
    assert f"INV-88213  {order}  1 line  14.50" in story
    assert "complete" in story.splitlines()[0]
    types = {row["type"] for row in told(desk, order)["messages"]}
    assert {"850", "997", "855", "856", "810", "order_acknowledgement", "ship_notice", "invoice"} <= types


def _is_found_by_what_is_in_it(desk: Desk, order: str) -> None:
    for word in ("SHP-771", "INV-88213", "LOT-7A", "106141411234567897"):
        assert order in desk.stage.verb("trace", word).stdout, word


def _is_done_once(desk: Desk, order: str) -> None:
    """The same invoice under another control number has no second effect; nor has the same answer to the order."""
    desk.take("810-again.edi", bill(desk, "INV-88213", order))
    last = desk.answer(reaches=False).replace(b"V-%d" % desk.control, desk.expected[-1].encode())
    desk.take("855-again.edi", last)
    desk.stage.until(lambda: len(desk.answers()) == 5, "our 997s for the repeats")
    desk.stage.settled()
    assert len(heard(desk, "invoice")) == 1
    assert desk.stage.verb("trace", order).stdout.count("repeats M") == 2
    desk.goes_on()  # a later answer that says something else
    assert "updates M" in desk.stage.verb("trace", order).stdout


def _is_held_where_it_breaks_a_rule(desk: Desk, order: str) -> None:
    desk.take("856-unknown.edi", shipment(desk, "SHP-772", "4599999999"))
    desk.take("810-wrong.edi", bill(desk, "INV-88214", order, total="14500"))
    desk.take("810-other.edi", bill(desk, "INV-88213", order, total="1450").replace(b"*12.50*", b"*12.5*"))
    desk.stage.until(lambda: len(desk.answers("824")) == 3, "our 824s")
    found = exceptions(desk)
    assert set(found) == {"match.unknown_order", "match.totals", "match.repeated"}
    assert found["match.unknown_order"]["place"] == "ST[1]/HL[O]/PRF01"
    assert found["match.totals"]["place"] == "ST[1]/TDS01"
    assert "145.00" in found["match.totals"]["text"]
    assert "14.50" in found["match.totals"]["text"]
    advice = "".join(desk.answers("824"))
    assert "~OTI*TR*SI*SHP-772*****" in advice
    assert "~OTI*TR*IV*INV-88214*****" in advice
    assert "*TDS**1~" in advice
    assert "match.totals" in desk.stage.verb("trace", "INV-88214").stdout
    assert len(heard(desk, "invoice")) == 1
    assert len(heard(desk, "ship_notice")) == 1


def test_a_change_is_sent_and_answered_and_an_advice_is_told(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        change = tmp_path / "change.json"
        change.write_text(json.dumps(_change(desk.order)))
        target = f"http://127.0.0.1:{desk.stage.http}/order-changes"
        desk.stage.verb("send", "http", str(change), "--to", target)
        desk.stage.until(lambda: len(desk.answers("860")) == 1, "the 860")
        assert f"~BCH*04*SA*{desk.order}**1*20261121*" in desk.answers("860")[0]
        assert "~POC*1*QI*1*2*BX*12.5**IN*NH-10003*VN*ASX-2201-L~" in desk.answers("860")[0]
        body = (f"BCA*00*AC*{desk.order}**1*20261121", "POC*1*QI*1*2*BX*12.5**VN*ASX-2201-L", "ACK*IA*1*BX", "CTT*1")
        desk.take("865.edi", file_of(desk, "CA", "865", *body))
        desk.stage.until(lambda: len(heard(desk, "acknowledgement")) == 1, "the answer to the change in the ERP")
        (answered,) = heard(desk, "acknowledgement")
        assert (answered["subject"], answered["change"]) == ("change", "1")
        states = {row["kind"]: row["state"] for row in told(desk, desk.order)["acknowledgements"]}
        assert states["865"] == "positive"
        body = ("BGN*11*ADV-1*20261123", f"OTI*TR*PO*{desk.order}", "TED*024*ITEM NOT SOLD TO THIS ACCOUNT*PO1*3*7")
        desk.take("824.edi", file_of(desk, "AG", "824", *body))
        desk.stage.until(lambda: "advice.refused" in exceptions(desk), "the exception")
        assert exceptions(desk)["advice.refused"]["place"] == "PO107"
        story = desk.stage.verb("trace", desk.order).stdout
        assert f"purchase order {desk.order} refused: ITEM NOT SOLD TO THIS ACCOUNT" in story
        assert {row["kind"]: row["state"] for row in told(desk, desk.order)["acknowledgements"]}["855"] == "negative"


def _change(order: str) -> dict[str, Any]:
    line = {
        "number": "1", "change": "quantity_increase", "item": [{"scheme": "buyer_part", "value": "NH-10003"}],
        "quantity": {"value": "1", "unit": "BX"}, "left": "2", "price": "12.5",
    }  # fmt: skip
    told = {"purchase_order": order, "change": "1", "supplier": "ACME", "ordered_on": "2026-11-21"}
    return {**told, "lines": [line]}
