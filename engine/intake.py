"""Received bytes become stored messages; only then is there anything to answer. Reads envelopes, never content."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence

from engine import logs
from engine.errors import Refused, Unavailable
from engine.message import Facts, Unit, record
from engine.plugin import Format, Profile, Verdict
from engine.profile import profile_for
from engine.site.model import ListenerConfig, Site
from engine.store.contract import Appended, Incoming, NewException, Store
from engine.switchboard import Switchboard

_PRIORITY = 5
_LIVELY = 0.005  # seconds after a message in which more are expected
_CROWD = 8  # messages


class Verdicts:
    """What intake and pipeline know of each other: who waits for a verdict, and whether messages are arriving.

    Listeners that answer after processing wait here for the pipeline's verdict on a message.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Future[Refused | None]]] = {}
        self._arrived = 0.0
        self._unanswered = 0

    def arrived(self, messages: int) -> None:
        self._arrived = time.monotonic()
        self._unanswered += messages

    def kept(self, messages: int) -> None:
        """So many of those that arrived are stored, or cannot be."""
        self._unanswered -= messages

    def accepting(self) -> bool:
        """Whether senders are being answered right now; the pipeline, which nobody waits for, then takes less."""
        return time.monotonic() - self._arrived < _LIVELY

    def crowded(self) -> bool:
        """Whether many messages wait just now to be stored, and their senders for that."""
        return self._unanswered >= _CROWD

    def expect(self, seq: int) -> asyncio.Future[Refused | None]:
        """Each who waits has a future of their own: the sender of a duplicate waits for the same message."""
        future: asyncio.Future[Refused | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(seq, []).append(future)
        return future

    def forget(self, seq: int, future: asyncio.Future[Refused | None]) -> None:
        waiting = self._waiting.get(seq, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiting.pop(seq, None)

    def waited(self) -> bool:
        """Whether anyone waits for a verdict."""
        return bool(self._waiting)

    def settle(self, seq: int, refusal: Refused | None) -> None:
        for future in self._waiting.pop(seq, ()):
            if not future.done():
                future.set_result(refusal)


class Reception:
    """The intake of one listener (`engine.plugin.Intake`)."""

    def __init__(
        self, config: ListenerConfig, site: Callable[[], Site], format: Format, store: Store, verdicts: Verdicts
    ) -> None:
        self._config = config
        self._site = site
        self._format = format
        self._store = store
        self._verdicts = verdicts
        self._known: tuple[str, dict[str, Profile]] = ("", {})
        self._answered = format.answer is not None
        self._switchboard: Switchboard | None = None

    async def accept(self, *raws: bytes, type: str = "", control_id: str = "") -> list[Verdict]:
        site = self._site()
        if site.version != self._known[0]:
            self._take_up(site)
        if self._switchboard is not None:
            return await self._accept_of_many(site, self._switchboard, raws)
        profile, split = self._profile(site, type), self._format.split
        units = []
        for raw in raws:
            for unit in split(raw, profile):
                known = unit.facts.dedup or unit.refusal
                units.append(unit if known else _identified(unit, type, control_id, self._config.name))
        self._verdicts.arrived(len(units))
        try:
            appended = await self._store.append(self._incoming(units, site.version, self._answered))
        finally:
            self._verdicts.kept(len(units))
        return [_verdict(unit, row) for unit, row in zip(units, appended, strict=True)]

    def _take_up(self, site: Site) -> None:
        """What a new version of the site says of this listener; its socket or folder stays as it is."""
        self._config = site.listeners.get(self._config.name, self._config)
        self._known = (site.version, {})
        self._switchboard = Switchboard(site, self._config, self._format) if self._config.carries else None

    async def _accept_of_many(self, site: Site, switchboard: Switchboard, raws: Sequence[bytes]) -> list[Verdict]:
        """The same by a connection that several partners share."""
        found = [one for raw in raws for one in switchboard.sort(raw)]
        incoming = [row for whose, unit in found
                    for row in self._incoming([unit], site.version, self._answered, whose)]  # fmt: skip
        appended = await self._store.append(incoming)
        return [_verdict(unit, row) for (_, unit), row in zip(found, appended, strict=True)]

    async def refuse(self, raw: bytes, refusal: Refused) -> Verdict:
        unit = Unit(raw, Facts(self._config.format), refusal)
        (row,) = await self._store.append(self._incoming([unit], self._site().version, answered=False))
        return _verdict(unit, row)

    async def processed(self, verdict: Verdict) -> Refused | None:
        seq = verdict.seq
        if verdict.status == "duplicate":
            stored = await self._store.get(seq)
            seq = stored.duplicate_of if stored and stored.duplicate_of is not None else seq
        waiting = self._verdicts.expect(seq)
        try:
            stored = await self._store.get(seq)
            if stored is not None and stored.state != "received" and not waiting.done():
                return await self._told(seq) if stored.state == "exception" else None
            return await waiting
        finally:
            self._verdicts.forget(seq, waiting)

    async def _told(self, seq: int) -> Refused:
        """The refusal of a message that was processed before anyone waited for it."""
        thread = await self._store.thread([seq], limit=1)
        mine = [found for found in thread.exceptions if found.message == seq and found.delivery is None]
        if not mine:
            raise Unavailable("store.read", "the exception of a refused message could not be read")
        found = max(mine, key=lambda row: (row.opened_at, -row.id))  # the first that its last run led to
        return Refused(found.code, found.text, place=found.place, status=found.context.get("status", ""))

    def _profile(self, site: Site, type: str) -> Profile:
        _, known = self._known
        if type not in known:
            partner = site.partners[self._config.partner]
            known[type] = profile_for(partner, site=site, listener=self._config, type=type)
        return known[type]

    def _incoming(self, units: Sequence[Unit], version: str, answered: bool, whose: str = "") -> list[Incoming]:
        """What one turn of the loop brings. whose: the partner, where several share the listener."""
        name, partner, format = self._config.name, whose or self._config.partner, self._config.format
        lanes = f"{name}/"
        incoming = []
        for raw, facts, refusal in units:
            _, kind, control_id, sender, dedup, keys, warnings, _, place = facts
            refused = None
            if refusal is not None:
                refused, dedup = self._exception(refusal, facts, raw, partner), ""
            incoming.append(
                record(Incoming, (
                    raw, name, partner, format, kind, control_id, sender, dedup, keys, warnings, version,
                    lanes + sender, _PRIORITY, refused, place, answered,
                ))
            )  # fmt: skip
        return incoming

    def _exception(self, refusal: Refused, facts: Facts, raw: bytes, partner: str) -> NewException:
        config = self._config
        logs.info("refused", channel=config.name, partner=partner, code=refusal.code, size=len(raw))
        context = {"partner": partner, "channel": config.name, "type": facts.type}
        context |= {"control_id": facts.control_id, "status": refusal.status}
        told = {name: value for name, value in context.items() if value}
        return NewException(refusal.code, refusal.text, refusal.place, told)


def _identified(unit: Unit, type: str, control_id: str, channel: str) -> Unit:
    """A format without an envelope: its id is what the transport gave, or else the bytes' own hash."""
    control_id = unit.facts.control_id or control_id
    known_by = control_id or "sha256:" + hashlib.sha256(unit.raw).hexdigest()
    facts = unit.facts._replace(type=unit.facts.type or type, control_id=control_id, dedup=f"{known_by}\x1f{channel}")
    return unit._replace(facts=facts)


def _verdict(unit: Unit, row: Appended) -> Verdict:
    _, facts, refusal = unit
    seq, status, _ = row
    if refusal is not None:
        status = "refused"
    elif status == "new":
        status = "accepted"
    elif status == "conflict":
        text = "another message with the same control id but other content was received before"
        hint = "the sender must give each message its own id"
        refusal = Refused("dup.conflict", text, place=facts.control_place, hint=hint, status="205")
    return record(Verdict, (status, f"M{seq}", seq, facts, refusal))
