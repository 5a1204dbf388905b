"""What reading and planning take that is constant for a site: made once per site, used for every message. Pure."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from canonical import Document
from engine.errors import Refused
from engine.mapping import Context, Mapping
from engine.plugin import Envelope, Enveloped, Format, Gathering, Node, Profile
from engine.profile import profile_for
from engine.router import Router
from engine.site.model import Agreement, Partner, Site

_PROFILES = 256  # kept at once: a sender may invent types
_MOMENTS = 256

Formats = Callable[[str], Format]
# Bytes for a receiver and no problems; or what is wrong, each with its place.
Rendered = tuple[Enveloped, Sequence[Refused]]

_UNWRITTEN = Enveloped((), ())


class Moment(NamedTuple):
    """A second as a partner's clock shows it: what the envelopes and mappings of that partner are told of the time."""

    at: dt.datetime
    context: Context


class Way:
    """How what goes out under one agreement is written: in its receiver's words and envelope."""

    __slots__ = ("_envelop", "_format", "_kind", "_mapping", "_rest")

    def __init__(self, agreement: Agreement, partner: Partner, mapping: Mapping | None, format: Format) -> None:
        self._mapping = mapping
        self._envelop = format.envelop
        self._format = format
        self._kind = (mapping.header.get("message") if mapping else None) or agreement.type
        identity = partner.identity
        self._rest = (identity.usage, identity.ours, identity.theirs, partner.envelope, agreement.guide)

    def render(self, document: Document, uid: str, moment: Moment, *, waits: bool = False) -> Rendered:
        """waits: for others to go with, so that it gets no envelope yet."""
        assert self._mapping is not None
        written, put = self._mapping.write(document, moment.context), self._single if waits else self.envelop
        return (_UNWRITTEN, written.problems) if written.problems else put([written.node], uid, moment)

    def envelop(self, nodes: Sequence[Node], uid: str, moment: Moment) -> Rendered:
        try:
            return self._envelop(nodes, self.envelope(uid, moment)), ()
        except Refused as refusal:
            return _UNWRITTEN, (refusal,)

    def envelope(self, uid: str, moment: Moment) -> Envelope:
        return Envelope(self._kind, uid, moment.at, *self._rest)

    def _single(self, nodes: Sequence[Node], uid: str, moment: Moment) -> Rendered:
        assert isinstance(self._format, Gathering)
        try:
            return Enveloped((self._format.single(nodes[0], self.envelope(uid, moment)),), ()), ()
        except Refused as refusal:
            return _UNWRITTEN, (refusal,)


class Planner:
    """The site, its formats by name, its routes and a source of ids.

    incoming: the agreements under which a partner sends us what a mapping reads; ways: those under which it gets what
    a mapping writes; both by the partner's name and the type.
    """

    def __init__(self, site: Site, formats: Formats, new_id: Callable[[], str]) -> None:
        self.site = site
        self.new_id = new_id
        self.router = Router(site)
        self.format: Formats = functools.cache(formats)
        self.profile = functools.lru_cache(_PROFILES)(self._profile)
        self.moment = functools.lru_cache(_MOMENTS)(self._moment)
        self.is_test = functools.cache(self._is_test)
        self.peers = _peers(site)
        self.incoming: dict[tuple[str, str], Agreement] = {}
        self.ways: dict[tuple[str, str], Way] = {}
        for partner in site.partners.values():
            for agreement in partner.agreements:
                mapping, key = site.mappings.get(agreement.mapping), (partner.name, agreement.type)
                if mapping is not None and agreement.direction == "in":
                    self.incoming.setdefault(key, agreement)
                elif mapping is not None:
                    self.ways.setdefault(key, Way(agreement, partner, mapping, self.format(agreement.format)))

    def _profile(self, partner: str, channel: str, type: str) -> Profile:
        """As `profile_for`; partner and channel by name."""
        listener = self.site.listeners.get(channel)
        return profile_for(self.site.partners[partner], site=self.site, listener=listener, type=type)

    def _is_test(self, partner: str, channel: str) -> bool:
        """Whether what comes from a partner by a channel is test traffic: it has the usage of the door it came by."""
        listener, sender = self.site.listeners.get(channel), self.site.partners[partner]
        return (listener.usage if listener else sender.identity.usage) != "P" or sender.status != "live"

    def _moment(self, partner: str, second: int) -> Moment:
        """Of a partner, by its name; second: since the Unix epoch, UTC."""
        found = self.site.partners[partner]
        at = dt.datetime.fromtimestamp(second, found.zone)
        return Moment(at, Context(found.zone, found.crosswalks_on(at.date()), at.date()))


def _peers(site: Site) -> dict[str, tuple[str, ...]]:
    """By partner, whose deliveries an acknowledgement from it may speak of: its own, and those of partners that share
    both its connection and its interchange identity, since an acknowledgement names no party that tells them apart."""
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in site.partners}
    for listener in site.listeners.values():
        for name in listener.carries:
            isa = site.partners[name].identity.theirs.get("isa")
            same = (other for other in listener.carries if site.partners[other].identity.theirs.get("isa") == isa)
            found[name] = tuple(same)
    return found
