"""Which partners a document goes to. Pure; what is constant for a site is worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from canonical import Document
from engine.errors import Refused
from engine.site.model import Agreement, Partner, Route, Site

# The rule by which what came as test traffic stays away from live partners.
TEST_RULE: Final = "test_traffic"


@dataclass(frozen=True, slots=True)
class Stop:
    """One destination of a document: who gets it, under which agreement, by which route."""

    partner: Partner
    agreement: Agreement
    route: Route


class Plan(NamedTuple):
    """stops: where it goes. rule: the route that drops it by intent. refusals: why it cannot go somewhere it should."""

    stops: list[Stop]
    refusals: list[Refused]
    rule: str = ""


class Router:
    """The routes of one site, by the type of document they are for, each with all the stops it may lead to."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._routes: dict[str, list[tuple[Route, Mapping[str, Stop]]]] = {}
        for rule in site.routes:
            self._routes.setdefault(rule.document, []).append((rule, _stops(rule, site)))

    def route(self, document: Document, source: str, *, test: bool = False) -> Plan:
        """All routes that match are taken; a matching `drop` route ends the search.

        test: it came as test traffic. Then it goes to partners in tests alone, and the rule says what was kept back.
        """
        stops: list[Stop] = []
        refusals: list[Refused] = []
        for rule, known in self._routes.get(document.TYPE, ()):
            if (rule.source and rule.source != source) or not (rule.when is None or rule.when(document)):
                continue
            if rule.filter:
                return Plan([], [], rule.name)
            for name in _targets(rule, document):
                stop = known.get(name)
                if stop is not None:
                    stops.append(stop)
                else:
                    refusals.append(_refusal(rule, name, self._site))
        if not stops and not refusals and not document.CONSUMED:
            text = f"no route takes a {document.TYPE} from {source}"
            refusals.append(Refused("route.none", text, hint="add a route for it in config/routes.yaml"))
        if test:
            kept = [stop for stop in stops if stop.partner.status != "live"]
            return Plan(kept, refusals, TEST_RULE if len(kept) < len(stops) else "")
        return Plan(stops, refusals)


def lane_key(stop: Stop, document: Document, sender: str) -> str:
    """The ordering key of a delivery lane: the document's own number unless the route orders by something else."""
    order_by = stop.route.order_by
    if order_by == "sender":
        return sender
    value = getattr(document, order_by, None) if order_by else None
    return str(value) if value is not None else f"{document.TYPE}:{document.reference}"


def _targets(rule: Route, document: Document) -> tuple[str, ...]:
    if not rule.to_field:
        return rule.to
    return (str(getattr(document, rule.to_field, None) or ""),)


def _stops(rule: Route, site: Site) -> dict[str, Stop]:
    """By partner name: every partner that the route may name and that takes its documents."""
    stops = {}
    for name in site.partners if rule.to_field else rule.to:
        partner = site.partners.get(name)
        agreement = partner.outgoing(rule.document) if partner else None
        if partner and agreement and partner.status != "draft":
            stops[name] = Stop(partner, agreement, rule)
    return stops


def _refusal(rule: Route, name: str, site: Site) -> Refused:
    """Why a route cannot lead to the partner it names."""
    partner = site.partners.get(name)
    if partner is None:
        told = f"the {rule.to_field} of the {rule.document} is no partner of this site"
        return Refused("route.partner", told, place=rule.to_field, hint="check the supplier crosswalk and partners/")
    drafted = partner.outgoing(rule.document) is not None
    why = "is a draft" if drafted else f"has no agreement for a {rule.document} sent to it"
    return Refused("route.partner", f"partner {name} {why}", hint=f"see partners/{name}.yaml")
