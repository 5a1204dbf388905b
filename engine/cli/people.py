"""Whom to call at a partner, for verbs that tell of its trouble."""

from __future__ import annotations

import os


def contacts(partner: str) -> dict[str, str]:
    """By role. A site that cannot be read keeps no verb from telling the rest."""
    from engine import wiring
    from engine.positions import Findings
    from engine.site.effective import effective_tree
    from engine.site.reference import site_root
    from engine.site.source import read_source

    tree = effective_tree(read_source(site_root(os.environ), Findings()), partner, wiring.registry())
    told = tree.get("contacts") if tree else None
    return {name: str(one.value) for name, one in told.items() if isinstance(one.value, str)} if told else {}
