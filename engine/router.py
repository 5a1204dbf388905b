"""Which partners a document goes to. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from canonical import Document
from engine.errors import Refused
from engine.site.model import Agreement, Partner, Route, Site


@dataclass(frozen=True, slots=True)
class Stop:
    """One destination of a document: who gets it, under which agreement, by which route."""

    partner: Partner
    agreement: Agreement
    route: Route


@dataclass(frozen=True, slots=True)
class Plan:
    """stops: where it goes. rule: the route that drops it by intent. refusals: why it cannot go somewhere it should."""

    stops: tuple[Stop, ...] = ()
    rule: str = ""
    refusals: tuple[Refused, ...] = ()


def route(document: Document, source: str, site: Site) -> Plan:
    """All routes that match are taken; a matching `drop` route ends the search."""
    stops: list[Stop] = []
    refusals: list[Refused] = []
    for rule in site.routes:
        if not _matches(rule, document, source):
            continue
        if rule.filter:
            return Plan(rule=rule.name)
        for name in _targets(rule, document):
            try:
                stops.append(_stop(rule, name, document, site))
            except Refused as refusal:
                refusals.append(refusal)
    if not stops and not refusals:
        text = f"no route takes a {document.TYPE} from {source}"
        refusals.append(Refused("route.none", text, hint="add a route for it in config/routes.yaml"))
    return Plan(tuple(stops), "", tuple(refusals))


def lane_key(stop: Stop, document: Document, sender: str) -> str:
    """The ordering key of a delivery lane: the document's own number unless the route orders by something else."""
    order_by = stop.route.order_by
    if order_by == "sender":
        return sender
    value = getattr(document, order_by, None) if order_by else None
    return str(value) if value is not None else f"{document.TYPE}:{document.reference}"


def _matches(rule: Route, document: Document, source: str) -> bool:
    if rule.document != document.TYPE or (rule.source and rule.source != source):
        return False
    return rule.when is None or rule.when(document)


def _targets(rule: Route, document: Document) -> tuple[str, ...]:
    if not rule.to_field:
        return rule.to
    return (str(getattr(document, rule.to_field, None) or ""),)


def _stop(rule: Route, name: str, document: Document, site: Site) -> Stop:
    partner = site.partners.get(name)
    if partner is None:
        told = f"the {rule.to_field} of the {document.TYPE} is no partner of this site"
        raise Refused("route.partner", told, place=rule.to_field, hint="check the supplier crosswalk and partners/")
    agreement = partner.outgoing(document.TYPE)
    if agreement is None or partner.status == "draft":
        why = "is a draft" if agreement else f"has no agreement for a {document.TYPE} sent to it"
        raise Refused("route.partner", f"partner {name} {why}", hint=f"see partners/{name}.yaml")
    return Stop(partner, agreement, rule)
