"""Orders that another engine sent before us, as the ERP tells them: kept as sent, so that day-one answers find them.

The file is read as the ERP's own message would be, by its mapping and code tables; orders of other suppliers in it are
left alone.
"""

from __future__ import annotations

from collections.abc import Callable

from canonical import PurchaseOrder
from engine.draft import keys_of
from engine.errors import Refused
from engine.onboarding.desk import Desk
from engine.planner import Formats
from engine.profile import profile_for
from engine.site.model import Agreement, Partner, Site
from engine.store.contract import NewDocument, TakenOver


def read_orders(
    raw: bytes, site: Site, partner: str, formats: Formats, new_id: Callable[[], str], now: int
) -> tuple[list[TakenOver], int, list[Refused]]:
    """What a file holds for a partner, how many orders in it are for others, and what could not be read."""
    source = _source(site)
    ordering = site.partners[partner].outgoing(PurchaseOrder.TYPE)
    if source is None or ordering is None:
        text = "no partner sends us purchase orders" if source is None else f"{partner} is sent no purchase orders"
        return [], 0, [Refused("route.none", text, hint="see `documents:` of the partners")]
    teller, agreement = source
    context = Desk(site, teller.name, formats, now).planner.moment(teller.name, now // 1_000_000).context
    format, mapping = formats(agreement.format), site.mappings[agreement.mapping]
    found: list[PurchaseOrder] = []
    problems: list[Refused] = []
    try:
        parts = format.open(raw, profile_for(teller, type=agreement.type)).parts
    except Refused as refusal:
        return [], 0, [refusal]
    for part in parts:
        result = mapping.read(part.node, context) if not part.refusals else None
        problems += part.refusals if result is None else result.problems
        found += [one for one in (result.documents if result else ()) if isinstance(one, PurchaseOrder)]
    mine = [_taken(one, ordering, new_id()) for one in found if one.supplier == partner]
    return mine, len(found) - len(mine), problems


def _source(site: Site) -> tuple[Partner, Agreement] | None:
    """Who tells us of purchase orders, and under which agreement."""
    for partner in site.partners.values():
        for agreement in partner.agreements:
            if agreement.direction == "in" and agreement.document == PurchaseOrder.TYPE:
                return partner, agreement
    return None


def _taken(order: PurchaseOrder, ordering: Agreement, uid: str) -> TakenOver:
    document = NewDocument(order.TYPE, order.reference, order.summary(), order.to_json())
    return TakenOver(document, ordering.partner, ordering.connection, ordering.format, ordering.type, uid,
                     tuple(keys_of(order, ordering.partner)))  # fmt: skip
