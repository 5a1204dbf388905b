"""What a listener of the site would say of some bytes, and what would become of them: the same functions, no store.

Not judged, for it takes the store: whether the message was there before, and whether what an answer answers was sent.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine import ids, pipeline, wiring
from engine.errors import Refused
from engine.message import Message, Unit
from engine.planner import Planner
from engine.site.model import ListenerConfig, Site
from engine.switchboard import Switchboard


def listener_of(kind: str, fits: Callable[[ListenerConfig], bool]) -> tuple[Site, ListenerConfig | None]:
    """The site, and its listener of this kind that fits. Raises ConfigError when the site is wrong."""
    site = wiring.load(os.environ)
    found = [config for config in site.listeners.values() if config.kind == kind and fits(config)]
    return site, found[0] if found else None


def judge(site: Site, listener: ListenerConfig, raw: bytes, type: str = "") -> list[dict[str, Any]]:
    """One row for each message found in the bytes; `code` is empty unless the listener would refuse it.

    type: as the way in tells it, where the bytes do not. documents, problems: what reading it would yield; problems
    become exceptions, of which the sender hears only when the listener answers after processing.
    """
    planner = Planner(site, wiring.registry().format, ids.new_id)
    format = planner.format(listener.format)
    if listener.carries:
        sorted_ = Switchboard(site, listener, format).sort(raw)
        return [_row(unit, planner, replace(listener, partner=whose), type) for whose, unit in sorted_]
    profile = planner.profile(listener.partner, listener.name, type)
    return [_row(unit, planner, listener, type) for unit in format.split(raw, profile)]


def refusal_of(refusal: Refused) -> dict[str, str]:
    return {"code": refusal.code, "place": refusal.place, "text": refusal.text}


def _row(unit: Unit, planner: Planner, listener: ListenerConfig, type: str) -> dict[str, Any]:
    facts = unit.facts
    row: dict[str, Any] = {
        "type": facts.type or type, "control_id": facts.control_id, "sender": facts.sender, "size": len(unit.raw),
        "warnings": list(facts.warnings), "code": "", "place": "", "text": "", "documents": [], "receipts": [],
        "problems": [],
    }  # fmt: skip
    if unit.refusal is not None:
        return row | refusal_of(unit.refusal)
    reading = pipeline.read(_message(unit, planner.site, listener, row["type"]), planner)
    row["documents"] = [f"{found.document.TYPE} {found.document.summary()}" for found in reading.documents]
    row["receipts"] = [f"{found.kind} {found.code} of {found.ref}" for found in reading.opened.receipts]
    row["problems"] = [refusal_of(problem) for problem in reading.problems]
    row["warnings"] += [code for code in reading.warnings if code not in row["warnings"]]
    return row


def _message(unit: Unit, site: Site, listener: ListenerConfig, type: str) -> Message:
    facts, digest = unit.facts, hashlib.sha256(unit.raw).digest()
    return Message(
        0, "in", listener.name, listener.partner, listener.format, type, facts.control_id, facts.sender, ids.now(),
        len(unit.raw), digest, unit.raw, site=site.version,
    )  # fmt: skip
