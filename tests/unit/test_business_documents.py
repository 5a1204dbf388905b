"""The rules of the business documents: what adds up, what must be there, and what it can be found by."""

from __future__ import annotations

from typing import Any

import pytest

from canonical import Invoice, OrderAcknowledgement, OrderChange, Payment, PriceCatalog, ShipNotice
from canonical.types import Problem


def quantity(value: str, unit: str = "EA") -> dict[str, str]:
    return {"value": value, "unit": unit}


def told(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    return [(problem.code, problem.at) for problem in problems]


# --- invoices --------------------------------------------------------------------------------------------------------
def invoice(total: str, *lines: dict[str, Any], **other: Any) -> Invoice:
    fields = {"number": "INV-1", "invoiced_on": "2026-11-21", "purchase_order": "PO-1", "total": total, "lines": lines}
    return Invoice.from_fields(fields | other)


LINE = {"number": "1", "quantity": quantity("3"), "price": "1.25"}


@pytest.mark.parametrize(
    ("total", "lines", "other"),
    [
        ("3.75", [LINE], {}),
        ("3.76", [LINE], {}),  # a cent of rounding for each line
        ("7.52", [LINE, LINE], {}),
        ("4.03", [{**LINE, "taxes": [{"kind": "sales", "amount": "0.28"}]}], {}),
        ("5.75", [LINE], {"adjustments": [{"kind": "charge", "code": "freight", "amount": "2"}]}),
        ("2.75", [LINE], {"adjustments": [{"kind": "allowance", "amount": "1"}]}),
        ("3.75", [LINE], {"adjustments": [{"kind": "allowance", "amount": "1", "method": "bill_back"}]}),
        ("3.75", [LINE], {"adjustments": [{"kind": "charge", "amount": "1", "method": "paid_by_vendor"}]}),
        ("3.75", [LINE], {"adjustments": [{"kind": "none", "amount": "1"}]}),
        ("4.25", [{**LINE, "adjustments": [{"kind": "charge", "amount": "0.5"}]}], {}),
        ("4.00", [LINE], {"taxes": [{"kind": "sales", "amount": "0.25"}]}),
        ("12.35", [{"quantity": quantity("1000"), "price": "1.235", "price_basis": "hundred"}], {}),
        ("12.00", [{"quantity": quantity("24"), "price": "6", "price_basis": "dozen"}], {}),
        ("3.75", [{**LINE, "price_basis": "each"}], {}),
        ("3.75", [{**LINE, "price_basis": "contract"}], {}),
        ("0", [{"quantity": quantity("1"), "price": "0", "price_basis": "no_charge"}], {}),
        ("-3.75", [{"quantity": quantity("-3"), "price": "1.25"}], {"kind": "credit_memo"}),
        ("3.75", [LINE], {"kind": "credit_memo"}),
        ("3.75", [LINE, {"number": "2"}], {}),  # a line of text alone
        ("0", [], {}),
    ],
)
def test_an_invoice_that_adds_up(total: str, lines: list[dict[str, Any]], other: dict[str, Any]) -> None:
    assert invoice(total, *lines, **other).problems() == ()


@pytest.mark.parametrize(
    ("total", "lines", "other", "at"),
    [
        ("375", [LINE], {}, "/total"),  # a decimal point that was forgotten
        ("3.77", [LINE], {}, "/total"),
        ("3.75", [LINE], {"adjustments": [{"kind": "charge", "amount": "2"}]}, "/total"),
        ("3.75", [LINE], {"kind": "credit_memo", "taxes": [{"kind": "sales", "amount": "1"}]}, "/total"),
        ("3.75", [], {}, "/total"),
        (
            "3.75",
            [{"quantity": quantity("3", "BX"), "price": "1.25", "price_basis": "each"}],
            {},
            "/lines/0/price_basis",
        ),
    ],
)
def test_an_invoice_that_does_not(total: str, lines: list[dict[str, Any]], other: dict[str, Any], at: str) -> None:
    assert told(invoice(total, *lines, **other).problems()) == [("match.totals", at)]


def test_the_cents_allowed_for_rounding_have_an_end() -> None:
    lines = [LINE] * 1000
    assert invoice("3751.00", *lines).problems() == ()
    assert invoice("3751.01", *lines).problems() != ()


def test_an_invoice_names_all_its_orders() -> None:
    both = invoice("7.50", LINE, {**LINE, "purchase_order": "PO-2"}, original_invoice="INV-0")
    assert both.concerns() == (("/purchase_order", "PO-1"), ("/lines/1/purchase_order", "PO-2"))
    assert ("invoice", "INV-0") in both.business_keys()
    assert both.summary() == "INV-1  PO-1, PO-2  2 lines  7.50"


# --- ship notices ----------------------------------------------------------------------------------------------------
SSCC = "106141411234567897"
ITEM = {"line": "1", "item": {}, "shipped": quantity("8", "BX"), "ordered": quantity("10", "BX"), "lot": "L-7"}


def notice(*orders: dict[str, Any], **other: Any) -> ShipNotice:
    fields = {"number": "SHP-1", "noticed_on": "2026-11-21", "noticed_at": "09:30", "orders": orders}
    return ShipNotice.from_fields(fields | other)


def pack(*items: dict[str, Any], sscc: str = SSCC) -> dict[str, Any]:
    return {"marks": [{"scheme": "sscc", "value": sscc}], "items": items}


def test_a_ship_notice_is_found_by_what_is_in_it() -> None:
    order = {"purchase_order": "PO-1", "pallets": [{"packs": [pack({**ITEM, "serials": ["S1", "S2"]})]}]}
    found = notice(order)
    assert found.problems() == ()
    assert set(found.business_keys()) == {
        ("shipment", "SHP-1"), ("purchase_order", "PO-1"), ("sscc", SSCC), ("lot", "L-7"), ("serial", "S1"),
        ("serial", "S2"),
    }  # fmt: skip
    assert found.summary() == "SHP-1  PO-1  1 item  1 short"


def test_an_sscc_with_its_prefix_is_the_same_package() -> None:
    order = {"purchase_order": "PO-1", "packs": [pack(ITEM), pack(ITEM, sscc=f"00{SSCC}")]}
    assert told(notice(order).problems()) == [("map.document", "/orders/0/packs/1/marks/0/value")]


def test_what_a_ship_notice_needs() -> None:
    assert told(notice().problems()) == [("map.document", "")]
    assert told(notice({"purchase_order": "PO-1"}).problems()) == [("map.document", "/orders/0/purchase_order")]
    assert notice({"purchase_order": "PO-1"}, purpose="cancellation").problems() == ()
    below = {**ITEM, "shipped": quantity("-1", "BX")}
    assert told(notice({"purchase_order": "PO-1", "items": [below]}).problems()) == [
        ("map.document", "/orders/0/items/0/shipped/value")
    ]


# --- answers to orders -----------------------------------------------------------------------------------------------
def answered(ordered: str, *answers: tuple[str, str | None], unit: str = "BX") -> tuple[Problem, ...]:
    line = {
        "number": "1",
        "quantity": quantity(ordered, "BX"),
        "answers": [
            {"status": status, **({"quantity": quantity(value, unit)} if value else {})} for status, value in answers
        ],
    }
    fields = {"purchase_order": "PO-1", "status": "read_lines", "lines": [line]}
    return OrderAcknowledgement.from_fields(fields).problems()


@pytest.mark.parametrize(
    "answers",
    [
        [("accepted", "10")],
        [("accepted", "6"), ("backordered", "4")],
        [("accepted", "6"), ("backordered", "3"), ("rejected", "1")],
        [("partial", "6")],  # what ships now; the rest is backordered
        [("partial", "6"), ("backordered", "4")],
        [("rejected", None)],
        [("accepted", "6"), ("backordered", None)],  # how many of them cannot be known
        [],
    ],
)
def test_all_that_was_ordered_is_answered(answers: list[tuple[str, str | None]]) -> None:
    assert answered("10", *answers) == ()


@pytest.mark.parametrize(
    "answers",
    [
        [("accepted", "8")],
        [("accepted", "8"), ("backordered", "1")],
        [("accepted", "8"), ("backordered", "3")],
        [("partial", "11")],
    ],
)
def test_what_has_no_answer_is_told(answers: list[tuple[str, str | None]]) -> None:
    [problem] = answered("10", *answers)
    assert (problem.code, problem.at) == ("ack.quantity", "/lines/0/answers/0/quantity/value")
    assert "10 were ordered" in problem.text


def test_another_unit_is_not_counted() -> None:
    assert answered("10", ("accepted", "80"), unit="EA") == ()


def test_an_answer_to_a_change_says_which() -> None:
    fields: dict[str, Any] = {"purchase_order": "PO-1", "status": "accepted", "subject": "change"}
    assert OrderAcknowledgement.from_fields(fields).answers() == ("order_change", "PO-1")
    assert OrderAcknowledgement.from_fields({**fields, "change": "2"}).answers() == ("order_change", "PO-1/2")


# --- changes, payments, catalogues -----------------------------------------------------------------------------------
def test_what_a_change_needs() -> None:
    fields: dict[str, Any] = {"purchase_order": "PO-1", "change": "2", "supplier": "acme"}
    line: dict[str, Any] = {"number": "1", "change": "quantity_decrease", "item": {}}
    assert OrderChange.from_fields({**fields, "purpose": "cancellation"}).problems() == ()
    assert told(OrderChange.from_fields(fields).problems()) == [("map.document", "")]
    assert told(OrderChange.from_fields({**fields, "lines": [line]}).problems()) == [
        ("map.document", "/lines/0/change")
    ]
    good = OrderChange.from_fields({**fields, "lines": [{**line, "quantity": quantity("2", "BX")}]})
    assert good.problems() == ()
    assert good.reference == "PO-1/2"
    assert good.summary() == "PO-1/2  line 1: quantity decrease 2 BX"


def test_a_payment_is_what_it_pays() -> None:
    fields: dict[str, Any] = {"number": "TR-1", "supplier": "acme", "amount": "90", "method": "ach"}
    paid = [{"number": "INV-1", "paid": "100"}, {"number": "CM-1", "paid": "-8"}]
    whole = Payment.from_fields({**fields, "remittances": paid, "deductions": [{"amount": "-2", "reason": "x"}]})
    assert whole.problems() == ()
    assert whole.numbered_by("erp") == "acme"
    assert told(Payment.from_fields({**fields, "remittances": paid}).problems()) == [("match.totals", "/amount")]


def test_a_price_is_not_below_zero() -> None:
    box = {"id": {"scheme": "gtin", "value": "10614141000415"}, "unit": "BX", "quantity": "100"}
    case = {"id": {"scheme": "gtin", "value": "20614141000412"}, "unit": "CA", "quantity": "10"}
    item = {"item": {}, "prices": [{"kind": "contract", "price": "-1"}], "packages": [box, case]}
    catalog = PriceCatalog.from_fields({"number": "CAT-1", "items": [item]})
    assert told(catalog.problems()) == [("map.document", "/items/0/prices/0/price")]
