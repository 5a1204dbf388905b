"""What a format must know of a sender, from the site. Pure."""

from __future__ import annotations

from engine.plugin import Profile
from engine.site.model import FUNCTIONAL, ListenerConfig, Partner


def profile_for(partner: Partner, *, listener: ListenerConfig | None = None, type: str = "") -> Profile:
    """What a format must know of a sender to read its messages."""
    incoming = [agreement for agreement in partner.agreements if agreement.direction == "in"]
    outgoing = [agreement for agreement in partner.agreements if agreement.direction == "out"]
    return Profile(
        partner=partner.name,
        type=type,
        accepts=frozenset(agreement.type for agreement in incoming),
        usage=listener.usage if listener else partner.identity.usage,
        charset=partner.charset,
        ours=partner.identity.ours,
        theirs=partner.identity.theirs,
        limits=listener.limits if listener else {},
        options=listener.format_options if listener else {},
        tolerates=partner.tolerates,
        whole=frozenset(agreement.type for agreement in incoming if agreement.group == "whole"),
        answers={agreement.type: agreement.release for agreement in outgoing if agreement.type in FUNCTIONAL},
        guides={a.type: a.guide for a in partner.agreements if a.direction == "in" and a.guide is not None},
    )
