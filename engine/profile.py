"""What a format must know of a sender, from the site. Pure."""

from __future__ import annotations

from engine.plugin import Profile
from engine.site.model import FUNCTIONAL, ListenerConfig, Partner, Site


def profile_for(
    partner: Partner, *, site: Site | None = None, listener: ListenerConfig | None = None, type: str = ""
) -> Profile:
    """What a format must know of a sender to read its messages. site: tells whose names are other partners'."""
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
        strangers=_strangers(partner, site) if site else frozenset(),
        limits=listener.limits if listener else {},
        options=listener.format_options if listener else {},
        tolerates=partner.tolerates,
        whole=frozenset(agreement.type for agreement in incoming if agreement.group == "whole"),
        answers={agreement.type: agreement.release for agreement in outgoing if agreement.type in FUNCTIONAL},
        guides={a.type: a.guide for a in partner.agreements if a.direction == "in" and a.guide is not None},
    )


def _strangers(partner: Partner, site: Site) -> frozenset[str]:
    """Interchange identities of other partners: who uses one of them here is not who it says."""
    own = partner.identity.theirs.get("isa", "").rstrip()
    return frozenset(one.identity.theirs.get("isa", "").rstrip() for one in site.partners.values()) - {"", own}
