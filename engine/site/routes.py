"""config/routes.yaml -> routes, with their conditions compiled and every name in them looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from canonical import DOCUMENTS
from engine.mapping import compile_expression
from engine.positions import Mark, Tree
from engine.site.fit import fit, place_of
from engine.site.loading import Loading
from engine.site.model import Partner, Route
from engine.site.shapes import ByField, RouteEntry, RoutesFile


@dataclass(frozen=True, slots=True)
class Parties:
    """names: also of those partners whose own files have mistakes; routes to them say nothing more."""

    partners: Mapping[str, Partner]
    names: Set[str]


def read_routes(tree: Tree, parties: Parties, loading: Loading) -> tuple[Route, ...]:
    file = fit(RoutesFile, tree, loading.findings)
    if file is None:
        return ()
    seen: dict[str, Mark] = {}
    routes = []
    for position, entry in enumerate(file.routes):
        where = _Where(tree, position)
        if entry.name in seen:
            text = f"a route is called '{entry.name}' already ({seen[entry.name]})"
            loading.error("CFG315", text, where.of("name"))
        seen[entry.name] = where.of("name")
        routes += [_route(entry, where, parties, loading)]
    return tuple(route for route in routes if route)


class _Where:
    """Places of one route."""

    def __init__(self, tree: Tree, position: int) -> None:
        self._tree = tree
        self._path = ("routes", str(position))

    def of(self, *path: str) -> Mark:
        return place_of(self._tree, [*self._path, *path])


def _route(entry: RouteEntry, where: _Where, parties: Parties, loading: Loading) -> Route | None:
    if not loading.known("CFG306", "document type", entry.document, DOCUMENTS, where.of("document")):
        return None
    model = DOCUMENTS[entry.document]
    by_field = entry.to.field if isinstance(entry.to, ByField) else ""
    named = () if isinstance(entry.to, ByField) else tuple(entry.to)
    if bool(entry.to) == entry.drop:
        loading.error("CFG105", "a route either goes `to` partners or says `drop: true`", where.of("name"))
    for position, name in enumerate(named):
        _check_destination(name, entry, parties, where.of("to", str(position)), loading)
    for field, mark in _fields_named(entry, by_field, where):
        loading.known("CFG323", f"field of {entry.document}", field, model.model_fields, mark)
    if entry.source:
        loading.known("CFG303", "partner", entry.source, parties.names, where.of("from"))
    when = compile_expression(entry.when, where.of("when"), loading.findings, model) if entry.when else None
    return Route(entry.name, entry.document, named, by_field, entry.source, when, entry.drop, entry.order_by)


def _fields_named(entry: RouteEntry, by_field: str, where: _Where) -> Iterator[tuple[str, Mark]]:
    if by_field:
        yield by_field, where.of("to", "field")
    if entry.order_by and entry.order_by != "sender":
        yield entry.order_by, where.of("order_by")


def _check_destination(name: str, entry: RouteEntry, parties: Parties, mark: Mark, loading: Loading) -> None:
    partner = parties.partners.get(name)
    if not loading.known("CFG303", "partner", name, parties.names, mark) or partner is None:
        return
    if partner.outgoing(entry.document) is None:
        text = f"partner '{name}' has no agreement to be sent a {entry.document}"
        loading.error("CFG307", text, mark, f"add one with direction: out to partners/{name}.yaml")
