"""A document goes to every partner that a matching route names; where it cannot go, the refusal says why."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from canonical import PurchaseOrder, Requisition
from engine.router import Router, lane_key
from engine.site.model import Agreement, Identity, Partner, Route, Site

ZONE = ZoneInfo("America/Chicago")
WANTED = Requisition.from_fields({
    "number": "R-1", "facility": "LAKE",
    "lines": [{"number": "1", "item": {}, "quantity": {"value": "2", "unit": "BX"}}],
})  # fmt: skip
ORDER = PurchaseOrder.from_fields({
    "number": "PO-1", "supplier": "quill",
    "lines": [{"number": "1", "item": {}, "quantity": {"value": "2", "unit": "BX"}}],
})  # fmt: skip


def partner(name: str, *documents: str, status: str = "live") -> Partner:
    taken = tuple(Agreement(name, document, "out", "m", document, name, "json") for document in documents)
    return Partner(name, status, "desk", Identity(), ZONE, taken, {})


def router(*routes: Route) -> Router:
    known = [
        partner("ward"),
        partner("erp", "requisition", "purchase_order"),
        partner("stock", "requisition"),
        partner("quill", "purchase_order"),
        partner("new", "requisition", status="draft"),
    ]
    return Router(Site("v", "Clinic", "", ZONE, {one.name: one for one in known}, {}, {}, routes, {}))


def test_all_matching_routes_are_taken_in_their_order() -> None:
    found = router(
        Route("one", "requisition", ("stock", "erp")),
        Route("orders", "purchase_order", ("quill",)),
        Route("other", "requisition", ("erp",), source="clinic"),
        Route("never", "requisition", ("erp",), when=lambda _: False),
        Route("again", "requisition", ("erp",), source="ward", when=lambda document: document.reference == "R-1"),
    ).route(WANTED, "ward")
    assert [(stop.route.name, stop.partner.name, stop.agreement.type) for stop in found.stops] == [
        ("one", "stock", "requisition"), ("one", "erp", "requisition"), ("again", "erp", "requisition"),
    ]  # fmt: skip
    assert (found.refusals, found.rule) == ([], "")


def test_a_route_that_drops_ends_the_search_and_takes_back_what_went_before() -> None:
    drop = Route("no_lake", "requisition", filter=True, when=lambda document: document.reference == "R-1")
    found = router(Route("one", "requisition", ("erp",)), drop, Route("two", "requisition", ("stock",)))
    assert found.route(WANTED, "ward") == ([], [], "no_lake")


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("nobody", "the  of the requisition is no partner of this site"),
        ("new", "partner new is a draft"),
        ("quill", "partner quill has no agreement for a requisition sent to it"),
    ],
)
def test_where_it_cannot_go_is_told_and_the_rest_still_goes(to: str, told: str) -> None:
    found = router(Route("one", "requisition", (to, "erp"))).route(WANTED, "ward")
    assert [stop.partner.name for stop in found.stops] == ["erp"]
    assert [(refusal.code, refusal.text) for refusal in found.refusals] == [("route.partner", told)]


def test_a_field_of_the_document_may_name_the_partner() -> None:
    by_supplier = router(Route("orders", "purchase_order", to_field="supplier"))
    assert [stop.partner.name for stop in by_supplier.route(ORDER, "erp").stops] == ["quill"]
    found = by_supplier.route(ORDER.model_copy(update={"supplier": "nobody"}), "erp")
    assert not found.stops
    [refusal] = found.refusals
    assert (refusal.code, refusal.place) == ("route.partner", "supplier")


def test_what_no_route_takes_is_refused() -> None:
    [refusal] = router(Route("orders", "purchase_order", ("quill",))).route(WANTED, "ward").refusals
    assert (refusal.code, refusal.text) == ("route.none", "no route takes a requisition from ward")


@pytest.mark.parametrize(
    ("order_by", "lane"),
    [("", "requisition:R-1"), ("sender", "OR-3"), ("facility", "LAKE"), ("case", "requisition:R-1")],
)
def test_a_lane_is_the_documents_own_unless_its_route_orders_by_something_else(order_by: str, lane: str) -> None:
    [stop] = router(Route("one", "requisition", ("erp",), order_by=order_by)).route(WANTED, "ward").stops
    assert lane_key(stop, WANTED, "OR-3") == lane


def test_test_traffic_reaches_partners_in_tests_alone() -> None:
    known = [partner("ward"), partner("erp", "requisition"), partner("trial", "requisition", status="testing")]
    routes = (Route("both", "requisition", ("erp", "trial")),)
    both = Router(Site("v", "Clinic", "", ZONE, {one.name: one for one in known}, {}, {}, routes, {}))
    assert [stop.partner.name for stop in both.route(WANTED, "ward").stops] == ["erp", "trial"]
    found = both.route(WANTED, "ward", test=True)
    assert ([stop.partner.name for stop in found.stops], found.rule) == (["trial"], "test_traffic")
    alone = router(Route("one", "requisition", ("erp",))).route(WANTED, "ward", test=True)
    assert alone == ([], [], "test_traffic")
