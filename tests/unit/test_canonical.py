"""What no order may hold, whoever wrote it, and what a document tells of itself."""

from __future__ import annotations

from typing import Any

import pytest

from canonical import PurchaseOrder, Requisition


def _line(number: str = "1", value: str = "2", **more: Any) -> dict[str, Any]:
    return {"number": number, "item": {"ids": []}, "quantity": {"value": value, "unit": "BX"}, **more}


def _order(*lines: dict[str, Any]) -> PurchaseOrder:
    return PurchaseOrder.from_fields({"number": "4501", "supplier": "acme", "lines": lines})


def _requisition(*lines: dict[str, Any], **more: Any) -> Requisition:
    return Requisition.from_fields({"number": "REQ-1", "lines": lines, **more})


@pytest.mark.parametrize("make", [_order, _requisition])
@pytest.mark.parametrize(
    "lines",
    [(), (_line(value="0"),), (_line(value="-3"),), (_line(price="-0.01"),), (_line("1"), _line("1"))],
    ids=["no line", "zero", "negative", "negative price", "one number twice"],
)
def test_unsound_lines_are_told(make: Any, lines: tuple[dict[str, Any], ...]) -> None:
    assert len(make(*lines).problems()) == 1


@pytest.mark.parametrize("make", [_order, _requisition])
def test_sound_lines_are_not(make: Any) -> None:
    assert make(_line("1"), _line("2", price="0")).problems() == ()


def test_a_summary_says_what_is_not_usual() -> None:
    assert _requisition(_line()).summary() == "REQ-1  1 line"
    assert _requisition(_line(), action="cancel", priority_code="stat").summary() == "REQ-1 STAT CANCEL  1 line"


def test_what_could_be_read_of_a_broken_document_names_it() -> None:
    assert Requisition.keys_of({"number": "REQ-1", "lines": [{}]}) == (("requisition", "REQ-1"),)
    assert Requisition.keys_of({"lines": []}) == ()
