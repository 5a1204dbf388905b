"""What reading and planning take that is constant for a site: made once per site, used for every message. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable

from engine.plugin import Format, Profile
from engine.profile import profile_for
from engine.router import Router
from engine.site.model import Agreement, Site

_PROFILES = 256  # kept at once: a sender may invent types

Formats = Callable[[str], Format]


class Planner:
    """The site, its formats by name, its routes and a source of ids."""

    def __init__(self, site: Site, formats: Formats, new_id: Callable[[], str]) -> None:
        self.site = site
        self.new_id = new_id
        self.router = Router(site)
        self.format: Formats = functools.cache(formats)
        self.profile = functools.lru_cache(_PROFILES)(self._profile)
        self._incoming: dict[tuple[str, str], Agreement] = {}
        for partner in site.partners.values():
            for agreement in partner.agreements:
                if agreement.direction == "in":
                    self._incoming.setdefault((partner.name, agreement.type), agreement)

    def incoming(self, partner: str, type: str) -> Agreement | None:
        """The agreement under which a partner sends us messages of a type that a mapping reads."""
        agreement = self._incoming.get((partner, type))
        return agreement if agreement and agreement.mapping else None

    def _profile(self, partner: str, channel: str, type: str) -> Profile:
        """As `profile_for`; partner and channel by name."""
        return profile_for(self.site.partners[partner], listener=self.site.listeners.get(channel), type=type)
