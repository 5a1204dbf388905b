"""A connection that many partners share, such as a mailbox at a hub: which of them each message is from. Pure.

A partner is known by its interchange identity, the application code of its groups, and, where these do not tell it
apart, by a party that is named in the message. What cannot be told is nobody's: it is held, and nothing is answered.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import Refused
from engine.message import Facts, Unit
from engine.plugin import Claiming, Claims, Format, Profile
from engine.profile import profile_for
from engine.site.model import ListenerConfig, Partner, Site


class Switchboard:
    """The partners of one listener of one site."""

    def __init__(self, site: Site, config: ListenerConfig, format: Format) -> None:
        self._config, self._format = config, format
        self._partners = [site.partners[name] for name in config.carries]
        self._profiles = {one.name: profile_for(one, site=site, listener=config) for one in self._partners}
        self._selects = any("n1" in one.identity.theirs for one in self._partners)

    def sort(self, raw: bytes) -> list[tuple[str, Unit]]:
        """Every message found in the bytes, with its partner; the connection's own name for those that have none."""
        return [found for unit in self._format.split(raw, Profile(usage="")) for found in self._sorted(unit)]

    def _sorted(self, unit: Unit) -> list[tuple[str, Unit]]:
        whose = self._whose(unit)
        if isinstance(whose, Partner):
            return [(whose.name, judged) for judged in self._format.split(unit.raw, self._profiles[whose.name])]
        unknown = unit.refusal if unit.refusal is not None and not unit.facts.sender else whose
        return [(self._config.name, Unit(unit.raw, _without_key(unit.facts), unknown))]

    def _whose(self, unit: Unit) -> Partner | Refused:
        sending = [one for one in self._partners if one.identity.theirs.get("isa", "").rstrip() == unit.facts.sender]
        if not sending:
            text = "the sender it names has no agreement to send by this connection"
            hint = "find out who put it there; nothing was answered"
            return Refused("security.sender_spoof", text, place="ISA06", hint=hint)
        assert isinstance(self._format, Claiming)
        told = self._format.claims(unit.raw, parties=self._selects)
        return _one_of(sending, told)


def _one_of(sending: Sequence[Partner], told: Claims) -> Partner | Refused:
    """Of the partners with this interchange identity the one that is meant."""
    by_group = {code: [one for one in sending if one.identity.theirs.get("gs", code) == code] for code in told.groups}
    if any(not found for found in by_group.values()):
        return _nobodys("GS02", "its application code is that of no partner of this connection")
    meant = {one.name: one for found in by_group.values() for one in found} if by_group else {
        one.name: one for one in sending
    }  # fmt: skip
    if not told.acknowledges:  # an acknowledgement names no party: what it answers tells whose it is
        meant = {name: one for name, one in meant.items() if one.identity.theirs.get("n1", "") in {"", *told.parties}}
    if told.acknowledges and meant:
        return meant[min(meant)]
    if len(meant) == 1 and all(meant.keys() & {one.name for one in found} for found in by_group.values()):
        (only,) = meant.values()
        return only
    if not meant:
        return _nobodys("N1", "it names none of the partners that send by this connection")
    return _nobodys("GS02" if len(by_group) > 1 else "N1", "it could be of several partners of this connection")


def _nobodys(place: str, text: str) -> Refused:
    hint = "correct the partners' identities, or have each partner's messages sent apart; then take the file again"
    return Refused("route.partner", text, place=place, hint=hint)


def _without_key(facts: Facts) -> Facts:
    """It is held whenever it comes: its repaired resend is another message."""
    return facts._replace(dedup="")
