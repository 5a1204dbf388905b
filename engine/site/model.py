"""The site as the engine uses it: immutable, resolved, checked. `engine.site.load` makes it from YAML."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from engine.business_time import Calendar
from engine.options import ListenerOptions, Options
from engine.plugin import Guide
from engine.site.crosswalks import Search

if TYPE_CHECKING:
    from canonical import Document
    from engine.mapping import Mapping as CompiledMapping

Words = Mapping[str, str] | Search


# Answers that say whether an interchange or its sets were read: formats read and write them, no mapping does.
FUNCTIONAL: Final = frozenset({"997", "999", "TA1"})


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """What translates between a partner's words and the enterprise's: one code table, or several, the first that knows.

    inward: partner's word -> enterprise's word. outward: enterprise's word -> partner's word.
    on_miss: exception | skip | pass | default (then `default` / `default_out` are used).
    source: files the tables come from, for messages about misses. dated: rows begin and end; see `on`.
    columns: further keys that its words are asked by.
    """

    name: str
    inward: Words
    outward: Words
    on_miss: str = "exception"
    default: str = ""
    default_out: str = ""
    source: str = ""
    tables: tuple[str, ...] = ()
    dated: bool = False
    columns: tuple[str, ...] = ()

    def on(self, day: str) -> Crosswalk:
        """As it is on a day (ISO 8601)."""
        if not self.dated:
            return self
        words = [replace(one, day=day) if isinstance(one, Search) else one for one in (self.inward, self.outward)]
        return replace(self, inward=words[0], outward=words[1])


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes to whom: `ours` and `theirs` by identity kind (`isa: "ZZ:NORTH"`, `gs`, `hl7: "APP|FACILITY"`)."""

    ours: Mapping[str, str] = field(default_factory=dict)
    theirs: Mapping[str, str] = field(default_factory=dict)
    usage: str = "P"


@dataclass(frozen=True, slots=True)
class Batch:
    """How documents wait for each other, to go in one message: until they are `count`, or the oldest `every` us old."""

    count: int
    every: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """One document type in one direction with one partner.

    type: the partner's word (`850`, `OMS^O05`, `purchase_orders`); the key in the partner's `documents:`.
    expect: (acknowledgement kind, microseconds) awaited after a delivery.
    reply: the type under which an answer's body on the same connection is read.
    options: the sender's words for this document (`path: /requisitions`).
    group: `whole` when a functional group with a bad set of this type is refused whole. release: of our 997s.
    guide: what the partner narrows of it. second_opinion: who else judges it, `pyx12`.
    """

    partner: str
    type: str
    direction: str  # in | out
    mapping: str = ""  # empty: functional acknowledgements, which no mapping reads or writes
    document: str = ""
    connection: str = ""
    format: str = ""
    expect: tuple[tuple[str, int], ...] = ()
    reply: str = ""
    advice: str = ""  # the type in which the sender is told that a document breaks business rules; empty: it is not
    options: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    release: str = ""
    guide: Guide | None = None
    batch: Batch | None = None
    second_opinion: str = ""


@dataclass(frozen=True, slots=True)
class Partner:
    name: str
    status: str  # draft | testing | live
    owner: str
    identity: Identity
    zone: ZoneInfo
    agreements: tuple[Agreement, ...]
    crosswalks: Mapping[str, Crosswalk]  # by the name mappings use: `unit`, `item`
    envelope: Mapping[str, str] = field(default_factory=dict)  # separators, versions
    charset: str = ""
    title: str = ""
    runbook: str = ""
    contacts: Mapping[str, str] = field(default_factory=dict)
    dated: bool = False  # whether any crosswalk is
    calendar: Calendar | None = None  # its business time; None: all time counts
    tolerates: frozenset[str] = frozenset()  # faults that only warn: `AK502 4`

    def incoming(self, type: str) -> Agreement | None:
        return next((a for a in self.agreements if a.direction == "in" and a.type == type), None)

    def outgoing(self, document: str) -> Agreement | None:
        """The agreement under which a canonical document type is sent to this partner."""
        return next((a for a in self.agreements if a.direction == "out" and a.document == document), None)

    def crosswalks_on(self, day: dt.date) -> Mapping[str, Crosswalk]:
        if not self.dated:
            return self.crosswalks
        told = day.isoformat()
        return {name: crosswalk.on(told) for name, crosswalk in self.crosswalks.items()}

    def outgoing_type(self, type: str) -> Agreement | None:
        return next((a for a in self.agreements if a.direction == "out" and a.type == type), None)


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """One way in. A connection that fetches appears here too, under its connection's name."""

    name: str
    kind: str
    format: str
    partner: str
    owner: str
    options: ListenerOptions
    usage: str = "P"
    limits: Mapping[str, int] = field(default_factory=dict)
    format_options: Mapping[str, str] = field(default_factory=dict)
    runbook: str = ""
    carries: tuple[str, ...] = ()  # partners that share it, where there are several; `partner` is then the first

    @property
    def parties(self) -> tuple[str, ...]:
        return self.carries or (self.partner,)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Times in microseconds. attempts 0: until the deadline."""

    first: int = 1_000_000
    factor: float = 2.0
    most: int = 300_000_000
    jitter: float = 0.2
    attempts: int = 0
    deadline: int = 86_400_000_000


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    name: str
    kind: str
    options: Options
    owner: str = ""
    in_flight: int = 8
    retry: RetryPolicy = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Route:
    """Documents of a type go to partners. to: partner names; to_field: a document field that names the partner.

    order_by: field whose value is the delivery lane; empty: the document's own number; `sender`: the sender's order.
    """

    name: str
    document: str
    to: tuple[str, ...] = ()
    to_field: str = ""
    source: str = ""  # partner it must come from; empty: any
    when: Callable[[Document], bool] | None = None
    filter: bool = False  # matching documents go nowhere, by intent: `drop: true`
    order_by: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    version: str  # SHA-256 of sorted paths and bytes
    name: str
    root: str
    zone: ZoneInfo
    partners: Mapping[str, Partner]
    listeners: Mapping[str, ListenerConfig]
    connections: Mapping[str, ConnectionConfig]
    routes: tuple[Route, ...]
    mappings: Mapping[str, CompiledMapping]
    snapshot: bytes = b""  # the YAML as it was, for the store
    settings: Mapping[str, Any] = field(default_factory=dict)
