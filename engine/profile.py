"""What a format must know of a sender, from the site. Pure."""

from __future__ import annotations

from engine.plugin import Profile
from engine.site.model import ListenerConfig, Partner


def profile_for(partner: Partner, *, listener: ListenerConfig | None = None, type: str = "") -> Profile:
    """What a format must know of a sender to read its messages."""
    types = frozenset(a.type for a in partner.agreements if a.direction == "in")
    return Profile(
        partner=partner.name,
        type=type,
        accepts=types,
        usage=listener.usage if listener else partner.identity.usage,
        charset=partner.charset,
        ours=partner.identity.ours,
        theirs=partner.identity.theirs,
        limits=listener.limits if listener else {},
        options=listener.format_options if listener else {},
    )
