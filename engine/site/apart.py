"""What partners must not have in common: an identity, and a way that is live for one and for tests for another."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from engine.positions import Mark, Tree
from engine.site.loading import Loading
from engine.site.partners import Described


def check_identities(described: Mapping[str, Described], loading: Loading) -> None:
    """No two partners may be taken for each other: neither could be told from the other (CFG310).

    By a connection that they share, an application code or a party named in the message may tell them apart.
    """
    claimed: dict[tuple[str, str], list[tuple[str, Mark]]] = {}
    for name, one in described.items():
        for kind in ("isa", "hl7"):
            value = one.partner.identity.theirs.get(kind)
            if value is None:
                continue
            mark = one.place(one.block, "identity", "theirs", kind)
            known = claimed.setdefault((kind, _folded(value)), [])
            if other := next((other for other in known if not _told_apart(one, described[other[0]])), None):
                text = f"partner '{other[0]}' has the same {kind} identity ({other[1]})"
                loading.error("CFG310", text, mark, "one identity belongs to one partner")
            known.append((name, mark))
        _check_selector(one, loading)


def _told_apart(one: Described, other: Described) -> bool:
    """Whether partners with one interchange identity share a connection, and are told apart by what is inside."""
    if one.connection is None or other.connection is None or one.connection.fetch is None:
        return False
    mine, theirs = one.partner.identity.theirs, other.partner.identity.theirs
    told = any(mine.get(key) and theirs.get(key) and mine[key] != theirs[key] for key in ("gs", "n1"))
    return told and one.connection.config.name == other.connection.config.name


def _check_selector(one: Described, loading: Loading) -> None:
    word = one.partner.identity.theirs.get("n1")
    if word is not None and not re.fullmatch(r"[A-Z0-9]{2,3}:[A-Z0-9]{1,2}:.{1,80}", word):
        mark = one.place(one.block, "identity", "theirs", "n1")
        loading.error("CFG105", "n1 must name a party as N101:N103:N104, such as SE:92:55", mark)


def check_traffic(described: Mapping[str, Described], loading: Loading) -> None:
    """Test traffic never goes by a connection that carries live traffic (CFG320)."""
    uses = [use for one in described.values() for use in _uses(one)]
    live = {name: mark for name, block, mark in uses if block == "live"}
    for name, block, mark in uses:
        if block == "test" and name in live:
            text = f"the connection '{name}' carries live traffic ({live[name]})"
            loading.error("CFG320", text, mark, "give test traffic a connection of its own")
    _check_places(described.values(), loading)


def _check_places(described: Collection[Described], loading: Loading) -> None:
    """The same by where connections lead: two names for one folder or address are one way."""
    live = {place: one for one in described for place in _led_to(one, "live")}
    for one in described:
        for place in sorted(_led_to(one, "test") & live.keys()):
            text = f"test traffic would go where partner '{live[place].partner.name}' has its live traffic"
            loading.error("CFG320", text, one.place("test", "connection"), "give test traffic a place of its own")


def _led_to(one: Described, block: str) -> frozenset[str]:
    way = one.ways.get(block)
    return way.places() if way else frozenset()


def _uses(one: Described) -> Iterator[tuple[str, str, Mark]]:
    """Each named connection a partner goes by, for which block, and where it says so."""
    for block in ("live", "test"):
        named = (one.tree.get(block) or one.tree).get("connection")
        if named and isinstance(named.value, str):
            yield named.value, block, named.mark
    for agreement in one.partner.agreements:
        own = one.tree
        for key in ("documents", agreement.type, "connection"):
            own = own.get(key) or Tree(None, own.mark)
        if isinstance(own.value, str):
            yield own.value, one.block, own.mark


def _folded(identity: str) -> str:
    """Identities as their envelopes carry them: fields padded with blanks are the same."""
    return ":".join(part.strip() for part in identity.split(":"))
