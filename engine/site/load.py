"""A folder of YAML -> one immutable `Site`, or every mistake of every file at once. Opens no port, and makes no folder
but that of large tables, when it is asked to keep them.

The order is that of what refers to what: mappings, tables and guides, connections, partners, listeners, routes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.errors import ConfigError
from engine.plugin import Claiming, Registry
from engine.positions import Finding, Findings, Mark, Tree
from engine.site.apart import check_identities, check_traffic
from engine.site.bulk import Bulk, sweep
from engine.site.endpoints import Connection, check_ports, read_connection, read_listener
from engine.site.fit import fit, place_of
from engine.site.guides import read_guides
from engine.site.loading import Loading
from engine.site.mappings import Mappings
from engine.site.model import ConnectionConfig, ListenerConfig, Site
from engine.site.partners import Described, Shelf, read_partner
from engine.site.routes import Parties, read_routes
from engine.site.shapes import ChannelsFile, ConnectionsFile, EngineFile, PartnerFile
from engine.site.shelf import read_tables
from engine.site.source import Source, read_source, unpack
from engine.site.templates import extend


class SiteError(ConfigError):
    """The site cannot be used; `findings` says all that is wrong with it, in files below `root`."""

    def __init__(self, findings: Findings, root: Path) -> None:
        worst = next(finding for finding in findings.found if finding.severity == "error")
        more = f" (and {findings.errors - 1} more)" if findings.errors > 1 else ""
        super().__init__(worst.code, worst.text + more, place=str(worst.mark), hint=worst.hint)
        self.findings = findings
        self.root = root


def load_site(
    root: Path, registry: Registry, environ: Mapping[str, str], *, examples: bool = False, keep: bool = False
) -> tuple[Site | None, Findings]:
    """The site at `root`, and everything worth saying about it. None when there is an error.

    examples: also run each mapping's examples and round trips, unless the partners or tables they need are broken.
    keep: large tables in the data root, for a daemon and whoever loads the site's snapshot.
    """
    findings = Findings()
    source = read_source(root, findings)
    site = _build(source, registry, environ, findings, keep=keep)
    if site is not None and keep:
        used = {content.sha256 for content in source.files.values() if isinstance(content, Bulk)}
        sweep(data_root(environ), used, time.time())
    if site is not None and examples and not _lame(findings):
        from engine.site.samples import check_examples

        check_examples(root, site, registry, findings)
    return _judged(site, findings)


def _lame(findings: Findings) -> bool:
    """Whether examples would fail for want of a partner or table that has mistakes of its own."""
    needed = ("partners/", "config/crosswalks/")
    return any(found.severity == "error" and found.mark.file.startswith(needed) for found in findings.found)


def require_site(root: Path, registry: Registry, environ: Mapping[str, str], *, keep: bool = False) -> Site:
    """The site at `root`, as `load_site` gives it. Raises SiteError."""
    site, findings = load_site(root, registry, environ, keep=keep)
    if site is None:
        raise SiteError(findings, root)
    return site


def load_snapshot(snapshot: bytes, registry: Registry, environ: Mapping[str, str]) -> tuple[Site | None, Findings]:
    """A site again as it was, from what `Site.snapshot` kept; its references are those of today. It was judged when it
    was loaded, so of its mappings it has those alone that partners use."""
    findings = Findings()
    return _judged(_build(unpack(snapshot), registry, environ, findings, judged=True), findings)


def judge_source(source: Source, registry: Registry, environ: Mapping[str, str]) -> tuple[Site | None, Findings]:
    """As `load_site`, of files that need not be in any folder yet."""
    findings = Findings()
    return _judged(_build(source, registry, environ, findings), findings)


def data_root(environ: Mapping[str, str]) -> Path:
    """Where everything lies that Hilum writes: HILUM_HOME, or ./var."""
    return Path(environ.get("HILUM_HOME") or "./var")


def _judged(site: Site | None, findings: Findings) -> tuple[Site | None, Findings]:
    findings.found = list(dict.fromkeys(findings.found))  # a template's mistake is each of its partners' mistake
    findings.found.sort(key=_order)
    return (None if findings.errors else site), findings


def _order(finding: Finding) -> tuple[str, int, int]:
    return finding.mark.file, finding.mark.line, finding.mark.column


def _build(
    source: Source,
    registry: Registry,
    environ: Mapping[str, str],
    findings: Findings,
    *,
    keep: bool = False,
    judged: bool = False,
) -> Site | None:
    loading = Loading(findings, registry, environ, data_root(environ))
    engine = _engine(source, loading)
    mappings = Mappings(source, loading)
    if not judged:
        mappings.compile_all()
    connections, connection_names = _connections(source, loading)
    tables = read_tables(source, loading.home, findings, keep=keep)
    zone = ZoneInfo(engine.zone) if engine else ZoneInfo("UTC")
    guides, guide_names = read_guides(source, loading)
    shelf = Shelf(mappings, mappings.names, tables, connections, connection_names, zone, guides, guide_names)
    described, partner_names = _partners(source, shelf, loading)
    check_identities(described, loading)
    check_traffic(described, loading)
    _check_fetching(connections, described, loading)
    listeners = _listeners(source, described, partner_names, loading)
    partners = {name: one.partner for name, one in described.items()}
    routes_tree = _config(source, "routes", loading)
    if routes_tree is None and "config/routes.yaml" not in source.files:
        text = "the site has no config/routes.yaml: no document would go anywhere"
        findings.error("CFG109", text, Mark("config/routes.yaml"), "write one, if need be with an empty list")
    routes = read_routes(routes_tree, Parties(partners, partner_names), loading) if routes_tree else ()
    if engine is None:
        return None
    return Site(
        source.version,
        engine.name,
        source.root,
        zone,
        partners,
        listeners,
        _all_connections(connections, described),
        routes,
        mappings.compiled,
        source.snapshot(),
        {"owner": engine.owner, "logs": engine.logs.model_dump()},
    )


def _config(source: Source, name: str, loading: Loading) -> Tree | None:
    path = f"config/{name}.yaml"
    content = source.held(path)
    return None if content is None else loading.tree(name, path, content)


def _engine(source: Source, loading: Loading) -> EngineFile | None:
    if "config/engine.yaml" not in source.files:
        hint = "name the site's folder by HILUM_SITE, or make one with `hilum init`"
        loading.error("CFG109", "there is no site here: it has no config/engine.yaml", Mark("config/engine.yaml"), hint)
        return None
    tree = _config(source, "engine", loading)
    return fit(EngineFile, tree, loading.findings) if tree else None


def _connections(source: Source, loading: Loading) -> tuple[dict[str, Connection], frozenset[str]]:
    tree = _config(source, "connections", loading)
    entries = tree.get("connections") if tree else None
    if tree is None or fit(ConnectionsFile, tree, loading.findings) is None or entries is None:
        return {}, frozenset()
    read = {name: read_connection(name, entry, entries.keys[name], loading) for name, entry in entries.items()}
    return {name: connection for name, connection in read.items() if connection}, frozenset(read)


def _partners(source: Source, shelf: Shelf, loading: Loading) -> tuple[dict[str, Described], frozenset[str]]:
    templates = {}
    for name, path, content in source.named("partners/templates"):
        if tree := loading.tree("partner", path, content):
            templates[f"templates/{name}"] = tree
            _check_template(tree, loading)
    described, names = {}, set()
    for name, path, content in source.named("partners"):
        names.add(name)
        tree = loading.tree("partner", path, content)
        whole = extend(tree, templates, loading) if tree else None
        if whole and (one := read_partner(name, whole, shelf, loading)):
            described[name] = one
    return described, frozenset(names)


def _check_template(tree: Tree, loading: Loading) -> None:
    """A template may leave out what its partners bring, and nothing else is forgiven."""
    own = Findings()
    fit(PartnerFile, tree, own)
    loading.findings.found += [finding for finding in own.found if finding.code != "CFG103"]


# --- ways in and out -------------------------------------------------------------------------------------------------
def _listeners(
    source: Source, described: Mapping[str, Described], partner_names: Set[str], loading: Loading
) -> dict[str, ListenerConfig]:
    """Those of config/channels.yaml, and each connection that fetches."""
    listeners, listening = {}, []
    tree = _config(source, "channels", loading)
    entries = tree.get("listeners") if tree else None
    if tree and entries and fit(ChannelsFile, tree, loading.findings):
        for name, entry in entries.items():
            if config := _listener(name, entry, entries.keys[name], described, partner_names, loading):
                listeners[name] = config
                listen = entry.get("listen")
                if listen and isinstance(listen.value, str):
                    listening.append((name, listen.value, listen.mark))
    check_ports(listening, loading)
    for connection, sharing in _fetching(described, loading):
        name = connection.config.name
        if name in listeners and entries:
            text = f"the connection '{name}' fetches under this name; call the listener something else"
            loading.error("CFG315", text, entries.keys[name])
        partner = sharing[0].partner
        carries = tuple(one.partner.name for one in sharing) if len(sharing) > 1 else ()
        if fetching := connection.listener(partner.name, partner.owner, partner.identity.usage, carries):
            listeners[name] = fetching
    return listeners


def _listener(
    name: str,
    tree: Tree,
    mark: Mark,
    described: Mapping[str, Described],
    partner_names: Set[str],
    loading: Loading,
) -> ListenerConfig | None:
    read = read_listener(tree, mark, loading)
    if read is None:
        return None
    entry, options = read
    where = tree.get("partner")
    if not loading.known("CFG303", "partner", entry.partner, partner_names, where.mark if where else mark):
        return None
    one = described.get(entry.partner)
    usage = entry.usage or (one.partner.identity.usage if one else "P")
    if one and entry.usage == "P" and one.partner.status != "live":
        text = f"partner '{entry.partner}' is {one.partner.status}, so its traffic is test traffic (T, D)"
        loading.error("CFG319", text, place_of(tree, ["usage"]), "remove `usage`, or bring the partner live")
    if one and one.partner.status == "draft":
        return None  # checked, and not opened: a draft has no traffic
    return ListenerConfig(
        name,
        entry.kind,
        entry.format,
        entry.partner,
        entry.owner,
        options,
        usage,
        entry.limits,
        entry.format_options,
        entry.runbook,
    )


def _fetching(described: Mapping[str, Described], loading: Loading) -> Iterator[tuple[Connection, list[Described]]]:
    """Connections that fetch, each with its partners: several where their messages tell whose they are (CFG317)."""
    sharing: dict[str, tuple[Connection, list[Described]]] = {}
    for one in described.values():
        if one.connection is None or one.connection.fetch is None or one.partner.status == "draft":
            continue
        connection, known = sharing.setdefault(one.connection.config.name, (one.connection, []))
        if known and not isinstance(loading.registry.format(connection.entry.format), Claiming):
            text = f"the connection '{connection.config.name}' fetches for partner '{known[0].partner.name}' already"
            loading.error("CFG317", text, one.place(one.block, "connection"), "give each partner a folder of its own")
        known.append(one)
    for connection, known in sharing.values():
        for one in known if len(known) > 1 else ():
            if not one.partner.identity.theirs.get("isa"):
                text = f"the connection '{connection.config.name}' is shared, and nothing tells whose a message is"
                place = one.place(one.block, "identity")
                loading.error("CFG317", text, place, "say who the partner is: theirs: {isa: ..., gs: ...}")
        yield connection, known


def _check_fetching(named: Mapping[str, Connection], described: Mapping[str, Described], loading: Loading) -> None:
    used = {one.connection.config.name for one in described.values() if one.connection}
    for name, connection in named.items():
        if connection.fetch is not None and name not in used:
            text = f"the connection '{name}' fetches, but is no partner's: nothing would be taken from it"
            loading.error("CFG318", text, connection.mark, "name it as a partner's connection, or remove `fetch`")


def _all_connections(
    named: Mapping[str, Connection], described: Mapping[str, Described]
) -> dict[str, ConnectionConfig]:
    used = [one for one in described.values() if one.connection and one.partner.status != "draft"]
    inline = {one.connection.config.name: one.connection for one in used if one.connection}
    return {name: connection.config for name, connection in {**named, **inline}.items()}
