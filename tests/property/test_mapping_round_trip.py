"""Whatever a document holds, what is written of it reads back the same, or is refused: a value is never structure."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import channels
from canonical import Document, PurchaseOrder, Requisition
from engine.errors import Refused
from engine.mapping import Context, Mapping, compile_mapping
from engine.message import Slot
from engine.plugin import Envelope, Profile
from engine.positions import Findings
from engine.site.yaml import read_tree

MAPPINGS = Path(__file__).parents[2] / "mappings"


class Same(dict[str, str]):
    """A table in which every word is its own translation."""

    def get(self, key: str, default: Any = None) -> str:
        return key


class Table:
    inward = outward = Same()
    columns = ()
    on_miss = "exception"
    default = default_out = source = ""


CONTEXT = Context(
    ZoneInfo("America/Chicago"), dict.fromkeys(["item", "unit", "department", "facility", "supplier"], Table())
)
OURS, THEIRS = {"hl7": "A|B", "isa": "ZZ:OURS", "gs": "OURS"}, {"hl7": "C|D", "isa": "ZZ:THEIRS", "gs": "THEIRS"}
AT = dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC)


def compiled(name: str) -> Mapping:
    findings = Findings()
    trees = {path.stem: read_tree(path, str(path), findings) for path in MAPPINGS.glob("*.yaml")}
    known = {one: tree for one, tree in trees.items() if tree is not None}
    format = known[name].get("format")
    assert format is not None
    mapping = compile_mapping(name, known[name], channels.registry().format(str(format.value)), findings, known)
    assert mapping is not None
    return mapping


# Letters of every separator, escape and quote of the formats, besides plain ones.
CODES = st.text("ab1 |^~\\&*:>\"'{}[],#@$\u00e9\u2011", min_size=1, max_size=8).filter(lambda text: text != '""')
AMOUNTS = st.decimals(0, 10**6, places=2)
LINES = st.fixed_dictionaries(
    {
        "number": CODES,
        "item": st.fixed_dictionaries(
            {"ids": CODES.map(lambda code: [{"scheme": "buyer_part", "value": code}])}, optional={"description": CODES}
        ),
        "quantity": st.fixed_dictionaries({"value": AMOUNTS, "unit": CODES}),
    },
    optional={
        "department": CODES,
        "note": CODES,
        "price": AMOUNTS,
        "needed_on": st.dates(dt.date(1950, 1, 1)),
        "substitutes_allowed": st.booleans(),
        "deliver_to": CODES | st.none(),
    },
)
INSTANTS = st.datetimes(dt.datetime(1950, 1, 1), timezones=st.just(dt.UTC)).map(lambda at: at.replace(microsecond=0))
REQUISITIONS = st.fixed_dictionaries(
    {
        "number": CODES,
        "action": st.sampled_from(["new", "cancel", "change"]),
        "lines": st.lists(LINES, min_size=1, max_size=3),
    },
    optional={
        "facility": CODES,
        "requester": CODES,
        "note": CODES,
        "priority_code": st.sampled_from(["stat", "urgent", "routine"]),
        "needed_at": st.datetimes(dt.datetime(1950, 1, 1), timezones=st.just(dt.UTC)).map(
            lambda at: at.replace(microsecond=0)
        ),
    },
)


def again(mapping: Mapping, document: Document) -> Document | None:
    """The document read from the bytes written of it; None when it was refused."""
    written = mapping.write(document, CONTEXT)
    if written.problems:
        return None
    format = channels.registry().format(mapping.format)
    kind = mapping.header.get("message") or mapping.type
    try:
        parts = format.envelop([written.node], Envelope(kind, "X1", AT, "P", OURS, THEIRS, {})).body
    except Refused:
        return None
    raw = b"".join(b"1".zfill(part.width) if isinstance(part, Slot) else part for part in parts)
    opened = format.open(raw, Profile("p", mapping.type, ours=THEIRS, theirs=OURS))
    [part] = opened.parts
    assert part.refusals == ()
    result = mapping.read(part.node, CONTEXT)
    assert result.problems == ()
    [found] = result.documents
    return found


@pytest.mark.parametrize("name", ["erp_requisition", "hl7v2_oms_o05"])
def test_a_requisition_comes_back_as_it_was(name: str) -> None:
    mapping = compiled(name)

    @given(REQUISITIONS)
    def law(fields: dict[str, Any]) -> None:
        document = Requisition.from_fields(fields)
        found = again(mapping, document)
        assert found is not None
        actual = found.model_dump(exclude_unset=True)
        # HL7 says when and by whom a message was made, even if the document does not.
        gained = {"requested_at", "facility"} - set(fields)
        assert {key: actual[key] for key in actual if key not in gained} == document.model_dump(exclude_unset=True)

    law()


SCHEMES = ("buyer_part", "vendor_part")
ORDER_LINES = st.fixed_dictionaries(
    {
        "number": CODES,
        "item": st.fixed_dictionaries(
            {
                "ids": CODES.map(
                    lambda code: [{"scheme": kind, "value": code} for kind in ("buyer_part", "vendor_part")]
                )
            },
            optional={"description": CODES},
        ),
        "quantity": st.fixed_dictionaries({"value": AMOUNTS, "unit": st.sampled_from(["EA", "BX"])}),
    },
    optional={"price": AMOUNTS, "note": CODES, "needed_on": st.dates(dt.date(1950, 1, 1))},
)
ORDERS = st.fixed_dictionaries(
    {
        "number": CODES,
        "supplier": CODES,
        "purpose": st.sampled_from(["original", "change"]),
        "kind": st.sampled_from(["stand_alone", "blanket"]),
        "ordered_on": st.dates(dt.date(1950, 1, 1)),
        "lines": st.lists(ORDER_LINES, min_size=1, max_size=3),
    },
    optional={"note": CODES, "contract": CODES, "department": CODES, "currency": st.just("USD")},
)


def test_a_purchase_order_comes_back_as_it_was_or_is_refused() -> None:
    """X12 cannot escape: a value that holds a separator, or ends in a space, is refused at its place, never changed."""
    mapping = compiled("x12_850")
    outcomes: set[bool] = set()

    @given(ORDERS)
    def law(fields: dict[str, Any]) -> None:
        document = PurchaseOrder.from_fields(fields)
        found = again(mapping, document)
        outcomes.add(found is None)
        assert found is None or found == document

    law()
    assert outcomes == {True, False}
