"""partners/NAME.yaml -> partners: identities, agreements, code tables and the connection each is reached by.

`live` partners use their `live:` block, `testing` ones their `test:` block, so test traffic has no way to a live
destination. A draft is checked as far as it is written, and nothing is sent to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from engine.plugin import Guide
from engine.positions import Mark, Tree, did_you_mean
from engine.site.crosswalks import Table, directions
from engine.site.endpoints import Connection, read_inline
from engine.site.fit import fit, place_of
from engine.site.loading import Loading
from engine.site.model import FUNCTIONAL, Agreement, Batch, Crosswalk, Identity, Partner
from engine.site.shapes import AgreementEntry, CrosswalkUse, PartnerFile, Side

if TYPE_CHECKING:
    from engine.mapping import Mapping as CompiledMapping

_BLOCKS: Final = {"live": "live", "testing": "test", "draft": "test"}


@dataclass(frozen=True, slots=True)
class Shelf:
    """What partners refer to. mapping_names, guide_names: also of those that are wrong, which are findings already."""

    mappings: Mapping[str, CompiledMapping]
    mapping_names: frozenset[str]
    tables: Mapping[str, Table]
    connections: Mapping[str, Connection]
    connection_names: frozenset[str]
    zone: ZoneInfo
    guides: Mapping[str, Guide]
    guide_names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Described:
    """A partner with what the rest of loading needs: its tree for places, its block, and how it is reached."""

    partner: Partner
    tree: Tree
    block: str
    connection: Connection | None = None
    ways: Mapping[str, Connection] = field(default_factory=dict)  # of both blocks

    def place(self, *path: str) -> Mark:
        return place_of(self.tree, path)


def read_partner(name: str, tree: Tree, shelf: Shelf, loading: Loading) -> Described | None:
    file = fit(PartnerFile, tree, loading.findings)
    if file is None:
        return None
    if file.name != name:
        text = f"the partner is called '{file.name}' in a file called {name}.yaml"
        loading.error("CFG311", text, place_of(tree, ["name"]), "use one name for both")
    return _Reading(name, tree, file, shelf, loading).described()


@dataclass(frozen=True, slots=True)
class _Reading:
    """One partner while it is read."""

    name: str
    tree: Tree
    file: PartnerFile
    shelf: Shelf
    loading: Loading

    def described(self) -> Described:
        block = _BLOCKS[self.file.status]
        self._check_block(block)
        blocks = {"live": self.file.live or Side(), "test": self.file.test or Side()}
        identities = {name: self._identity(name, side) for name, side in blocks.items()}
        connections = {name: self._connection(name, side) for name, side in blocks.items()}
        named, connection = connections[block]
        agreements = tuple(self._agreements(named, connection))
        self._check_promises(agreements)
        partner = Partner(
            self.name,
            self.file.status,
            self.file.owner,
            identities[block],
            ZoneInfo(self.file.calendar.zone) if self.file.calendar else self.shelf.zone,
            agreements,
            crosswalks := dict(self._crosswalks()),
            self.file.envelope,
            self.file.charset,
            self.file.title,
            self.file.runbook,
            self.file.contacts,
            any(crosswalk.dated for crosswalk in crosswalks.values()),
            self.file.calendar.business_time() if self.file.calendar else None,
            frozenset(f"{place} {code}" for place, codes in self.file.tolerate for code in codes),
        )
        ways = {name: way for name, (_, way) in connections.items() if way}
        return Described(partner, self.tree, block, connection, ways)

    def _place(self, *path: str) -> Mark:
        return place_of(self.tree, path)

    def _check_block(self, block: str) -> None:
        if self.tree.get(block) is None and self.file.status != "draft":
            self.loading.error(
                "CFG103", f"the key '{block}' is missing", self._place("status"), f"status needs {block}:"
            )

    def _identity(self, block: str, side: Side) -> Identity:
        usage = side.identity.usage or ("P" if block == "live" else "T")
        if (usage == "P") != (block == "live"):
            text = f"usage {usage} may not stand under {block}:"
            hint = "production traffic (P) is live, test traffic (T, D) is test"
            self.loading.error("CFG319", text, self._place(block, "identity", "usage"), hint)
        return Identity(side.identity.ours, side.identity.theirs, usage)

    def _connection(self, block: str, side: Side) -> tuple[str, Connection | None]:
        """The name of the partner's connection, and itself where it could be read."""
        tree = (self.tree.get(block) or Tree(None, self.tree.mark)).get("connection")
        if tree is None or side.connection is None:
            return "", None
        mark = self._place(block, "connection")
        if isinstance(tree.value, str):
            known = self.loading.known("CFG305", "connection", tree.value, self.shelf.connection_names, mark)
            return (tree.value, self.shelf.connections.get(tree.value)) if known else (tree.value, None)
        if self.name in self.shelf.connection_names:
            text = f"config/connections.yaml has a connection '{self.name}' already, which this one would be called"
            self.loading.error("CFG315", text, mark)
        return self.name, read_inline(self.name, tree, mark, self.loading)

    def _agreements(self, named: str, connection: Connection | None) -> Iterator[Agreement]:
        """named, connection: the partner's own, which each agreement may replace by another."""
        for type, entry in self.file.documents.items():
            mapping = self._mapping(type, entry)
            name = self._own_connection(type, entry) or named
            used = connection if name == named else self.shelf.connections.get(name)
            directions = ("in", "out") if entry.direction == "both" else (entry.direction,)
            guide = self._guide(type, entry)
            self._check_opinion(type, entry)
            if mapping:
                self._check_mapping(type, mapping, directions)
            if "out" in directions:
                self._check_way_out(type, name, used)
            for direction in directions:
                out = direction == "out"
                yield Agreement(
                    self.name,
                    type,
                    direction,
                    entry.mapping,
                    mapping.document if mapping else "",
                    name if out else "",
                    mapping.format if mapping else (used.entry.format if used else "x12"),
                    tuple(entry.expect.items()) if out else (),
                    entry.reply if out else "",
                    "" if out else entry.advice,
                    entry.send if out else {},
                    entry.group if not out else "",
                    entry.release if out else "",
                    guide,
                    self._batch(type, entry, mapping) if out else None,
                    entry.second_opinion,
                )

    def _batch(self, type: str, entry: AgreementEntry, mapping: CompiledMapping | None) -> Batch | None:
        if entry.batch is None:
            return None
        if mapping is None or mapping.format != "x12":
            text = f"{type} cannot wait for others: only X12 sets that a mapping writes go together"
            self.loading.error("CFG327", text, self._place("documents", type, "batch"))
        return Batch(entry.batch.count, entry.batch.every)

    def _check_way_out(self, type: str, name: str, used: Connection | None) -> None:
        lacking = not name or (used is not None and not used.sends)
        if lacking and self.file.status != "draft":
            text = f"{type} goes out, but the partner has no connection to send it by"
            self.loading.error("CFG316", text, self._place("documents", type))

    def _own_connection(self, type: str, entry: AgreementEntry) -> str:
        if entry.connection:
            mark = self._place("documents", type, "connection")
            self.loading.known("CFG305", "connection", entry.connection, self.shelf.connection_names, mark)
        return entry.connection

    def _mapping(self, type: str, entry: AgreementEntry) -> CompiledMapping | None:
        if not entry.mapping:
            if type not in FUNCTIONAL:
                text = f"{type} names no mapping; only {', '.join(sorted(FUNCTIONAL))} can do without"
                self.loading.error("CFG313", text, self._place("documents", type))
            return None
        mark = self._place("documents", type, "mapping")
        if not self.loading.known("CFG304", "mapping", entry.mapping, self.shelf.mapping_names, mark):
            return None
        return self.shelf.mappings.get(entry.mapping)

    def _check_opinion(self, type: str, entry: AgreementEntry) -> None:
        if entry.second_opinion and find_spec(entry.second_opinion) is None:
            text, mark = f"{entry.second_opinion} is not installed", self._place("documents", type, "second_opinion")
            self.loading.error("CFG353", text, mark, f"install it: pip install 'hilum[{entry.second_opinion}]'")

    def _guide(self, type: str, entry: AgreementEntry) -> Guide | None:
        """The guide of an agreement, which must be for its message type."""
        name = entry.guide.removeprefix("guides/")
        mark = self._place("documents", type, "guide")
        if not name or not self.loading.known("CFG351", "guide", name, self.shelf.guide_names, mark):
            return None
        guide = self.shelf.guides.get(name)
        if guide is not None and guide.type != type:
            self.loading.error("CFG352", f"guide {name} is for {guide.type}, not for {type}", mark)
        return guide

    def _check_mapping(self, type: str, mapping: CompiledMapping, directions: tuple[str, ...]) -> None:
        """A mapping must go the agreement's way, be for its message type, and find its tables with the partner."""
        mark = self._place("documents", type, "mapping")
        able = {"in": mapping.reads, "out": mapping.writes}
        for direction in directions:
            if not able[direction]:
                text = f"mapping {mapping.name} does not {'read' if direction == 'in' else 'write'} documents"
                self.loading.error("CFG314", text, mark)
        if mapping.type and mapping.type != type:
            text = f"mapping {mapping.name} is for {mapping.type}, not for {type}"
            self.loading.error("CFG325", text, mark)
        self._check_keys(mapping, mark)
        for name in sorted(mapping.crosswalks - set(self.file.crosswalks)):
            text = f"mapping {mapping.name} needs a crosswalk '{name}', which the partner has not"
            self.loading.error("CFG324", text, mark, did_you_mean(name, self.file.crosswalks))

    def _check_keys(self, mapping: CompiledMapping, mark: Mark) -> None:
        """A row for one item is never found by a mapping that does not say which item it is (CFG409)."""
        for name in sorted(mapping.crosswalks & set(self.file.crosswalks)):
            for table in (self.shelf.tables.get(one) for one in self.file.crosswalks[name].use):
                for column in sorted({*(table.columns if table else ())} - mapping.beside.get(name, frozenset())):
                    text = f"mapping {mapping.name} asks crosswalk '{name}' without '{column}', which it has rows for"
                    hint = f"add `by: {{{column}: ...}}` there; until then only rows with no {column} hold"
                    self.loading.findings.warn("CFG409", text, mark, hint)

    def _check_promises(self, agreements: tuple[Agreement, ...]) -> None:
        incoming = {agreement.type for agreement in agreements if agreement.direction == "in"}
        outgoing = {agreement.type for agreement in agreements if agreement.direction == "out"}
        sent: dict[str, str] = {}
        for agreement in agreements:
            if agreement.reply:
                mark = self._place("documents", agreement.type, "reply")
                self.loading.known("CFG308", "agreement with direction: in", agreement.reply, incoming, mark)
            if agreement.advice:
                mark = self._place("documents", agreement.type, "advice")
                self.loading.known("CFG326", "agreement with direction: out", agreement.advice, outgoing, mark)
            for kind, _ in agreement.expect:
                mark = self._place("documents", agreement.type, "expect", kind, "[key]")
                self.loading.known("CFG322", "agreement with direction: in", kind, incoming, mark)
            if agreement.direction == "out" and agreement.document:
                other = sent.setdefault(agreement.document, agreement.type)
                if other != agreement.type:
                    text = f"a {agreement.document} already goes out as {other}"
                    self.loading.error("CFG321", text, self._place("documents", agreement.type))

    def _crosswalks(self) -> Iterator[tuple[str, Crosswalk]]:
        for name, use in self.file.crosswalks.items():
            mark = self._place("crosswalks", name)
            self._check_default(name, use)
            known = [self.loading.known("CFG401", "table of config/crosswalks", one, self.shelf.tables, mark)
                     for one in use.use]  # fmt: skip
            if all(known):
                yield name, self._crosswalk(name, use, tuple(self.shelf.tables[one] for one in use.use))

    def _crosswalk(self, name: str, use: CrosswalkUse, tables: tuple[Table, ...]) -> Crosswalk:
        inward, outward = directions(tables)
        return Crosswalk(
            name,
            inward,
            outward,
            use.on_miss,
            use.default,
            use.default_out,
            ", ".join(table.file for table in tables),
            tuple(use.use),
            any(table.dated for table in tables),
            tuple(dict.fromkeys(column for table in tables for column in table.columns)),
        )

    def _check_default(self, name: str, use: CrosswalkUse) -> None:
        if use.on_miss == "default" and not (use.default or use.default_out):
            mark = self._place("crosswalks", name, "on_miss")
            self.loading.error("CFG103", "on_miss: default needs the key 'default' or 'default_out'", mark)
