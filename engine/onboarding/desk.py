"""Our side of a conversation with one partner: the engine's own reading and planning, its state in memory.

What it sends and hears is rendered, judged, mapped, routed and settled by the functions that the daemon runs; only the
store's part (control numbers, duplicates, what is awaited) is kept here, and is gone with it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from canonical import Document, PurchaseOrder
from engine import pipeline
from engine.errors import Refused
from engine.message import Message, Slot, Template, Unit
from engine.planner import Formats, Planner
from engine.plugin import Format
from engine.site.model import Agreement, Site
from engine.store.contract import NewException, NewMessage, Outcome, Work
from engine.store.records import Awaited, AwaitedNeed, DocumentNeed, KnownDocument


class Sent(NamedTuple):
    """raw: the bytes as they would leave; empty when there are problems. refs: by kind, what its answer will name."""

    raw: bytes
    problems: Sequence[Refused] = ()
    refs: Mapping[str, str] = {}


class Heard(NamedTuple):
    """What became of one message. status: accepted, refused, duplicate or conflict.

    settled: (kind, ref, state) of what was awaited. answers: our functional acknowledgements, as bytes. forwarded:
    (partner, type) of what it leads to elsewhere. rule: what filtered it.
    """

    status: str
    documents: tuple[Document, ...] = ()
    exceptions: tuple[NewException, ...] = ()
    settled: tuple[tuple[str, str, str], ...] = ()
    answers: tuple[bytes, ...] = ()
    forwarded: tuple[tuple[str, str], ...] = ()
    rule: str = ""
    receipts: tuple[str, ...] = ()


class Desk:
    """now: us since the Unix epoch, the time of everything that happens here. believes: every order that the partner
    names is taken for one that it got from us."""

    def __init__(self, site: Site, partner: str, formats: Formats, now: int, *, believes: bool = False) -> None:
        self._believes = believes
        ids = (f"CERT{number:06d}" for number in itertools.count(1))
        self.site, self.partner, self.now = site, site.partners[partner], now
        self.planner = Planner(site, formats, ids.__next__)
        self._counters: dict[str, int] = {}
        self._awaited: list[Awaited] = []
        self._documents: dict[tuple[str, str], list[KnownDocument]] = {}
        self._seen: dict[str, bytes] = {}
        self._seqs = itertools.count(1)

    # --- sending -------------------------------------------------------------------------------------------------
    def send(self, document: Document, agreement: Agreement) -> Sent:
        """Write a document for the partner and await what its agreement expects."""
        way = self.planner.ways[self.partner.name, agreement.type]
        moment = self.planner.moment(self.partner.name, self.now // 1_000_000)
        rendered, problems = way.render(document, self.planner.new_id(), moment)
        if problems:
            return Sent(b"", problems)
        numbers: dict[str, int] = {}
        raw = self._filled(rendered.body, numbers)
        refs = {kind: self._filled(template, numbers).decode() for kind, template in rendered.refs.items()}
        refs |= {kind: document.reference for kind, _ in agreement.expect if kind not in refs}
        seq = next(self._seqs)
        self._remember(document.TYPE, document.reference, KnownDocument(0, 0, "", document.to_json(), seq, seq))
        for kind, _ in agreement.expect:
            row = Awaited(len(self._awaited) + 1, seq, seq, self.partner.name, kind, refs[kind], "awaited")
            self._awaited.append(row)
        return Sent(raw, (), refs)

    def counters(self, document: Document, agreement: Agreement) -> list[str]:
        """The names of the counters that number such a document, in the order they stand in it."""
        way = self.planner.ways[self.partner.name, agreement.type]
        rendered, _ = way.render(document, self.planner.new_id(), self.planner.moment(self.partner.name, 0))
        return list(dict.fromkeys(part.counter for part in rendered.body if isinstance(part, Slot)))

    def _filled(self, template: Template, numbers: dict[str, int]) -> bytes:
        """numbers: those given to this message by counter, as the store gives them."""
        parts = []
        for part in template:
            if isinstance(part, Slot):
                if part.counter not in numbers:
                    self._counters[part.counter] = numbers[part.counter] = self._counters.get(part.counter, 0) + 1
                parts.append(str(numbers[part.counter]).zfill(part.width).encode())
            else:
                parts.append(part)
        return b"".join(parts)

    # --- hearing -------------------------------------------------------------------------------------------------
    def hear(self, raw: bytes, type: str = "") -> list[Heard]:
        """Take bytes as the partner's listener would: one result for each message found in them.

        type: as the way in tells it, where the bytes do not.
        """
        listener = self._listener()
        profile = self.planner.profile(self.partner.name, listener, type)
        units = self._format(type).split(raw, profile)
        return [self._take(unit._replace(facts=unit.facts._replace(type=unit.facts.type or type)), listener)
                for unit in units]  # fmt: skip

    def _listener(self) -> str:
        """The door of this partner that takes files; any name serves where it has none yet."""
        names = (name for name, config in self.site.listeners.items() if self.partner.name in config.parties)
        return next(names, self.partner.name)

    def _format(self, type: str) -> Format:
        """That of the agreement about this type, or else the partner's first."""
        agreement = self.partner.incoming(type)
        formats = [agreement.format] if agreement else [a.format for a in self.partner.agreements if a.format]
        return self.planner.format(next(iter(formats), "x12"))

    def _take(self, unit: Unit, channel: str) -> Heard:
        facts = unit.facts
        if unit.refusal is not None:
            return Heard("refused", exceptions=(_told(unit.refusal),))
        known = self._seen.setdefault(facts.dedup, unit.raw) if facts.dedup else unit.raw
        if facts.dedup and known is not unit.raw:
            return Heard("duplicate" if known == unit.raw else "conflict")
        message = Message(
            next(self._seqs), "in", channel, self.partner.name, facts.format, facts.type, facts.control_id,
            facts.sender, self.now, len(unit.raw), hashlib.sha256(unit.raw).digest(), unit.raw, site=self.site.version,
        )  # fmt: skip
        reading = pipeline.read(message, self.planner)
        work = Work(message.seq, "process", channel, 5, self.now, message.seq, message)
        told = {need: self._known(need) for need in reading.lookups}
        facts_known = pipeline.Facts({need: self._rows(need) for need in reading.needs}, told)
        outcome = pipeline.plan(work, reading, facts_known, self.planner, now=self.now)
        for made in outcome.documents:
            self._remember(made.type, made.number, KnownDocument(0, message.seq, self.partner.name, made.body))
        documents = tuple(found.document for found in reading.documents)
        receipts = tuple(f"{one.kind} {one.code} of {one.ref}" for one in reading.opened.receipts)
        return self._settled(outcome, documents, receipts)

    def _known(self, need: DocumentNeed) -> Sequence[KnownDocument]:
        known = self._documents.get((need.type, need.number), ())
        if not known and self._believes and need.type == PurchaseOrder.TYPE:
            return (KnownDocument(0, 0, "", "{}", 0, 0),)
        return known

    def _remember(self, type: str, number: str, row: KnownDocument) -> None:
        self._documents.setdefault((type, number), []).append(row)

    def _rows(self, need: AwaitedNeed) -> list[Awaited]:
        mine = [row for row in self._awaited if row.kind == need.kind]
        return [row for row in mine if row.ref == need.ref or (need.below and row.ref.startswith(f"{need.ref}/"))]

    def _settled(self, outcome: Outcome, documents: tuple[Document, ...], receipts: tuple[str, ...]) -> Heard:
        settled = []
        for settle in outcome.settles:
            row = self._awaited[settle.id - 1]
            self._awaited[settle.id - 1] = row._replace(state=settle.state, code=settle.code)
            settled.append((row.kind, row.ref, settle.state))
        own = [new for new in outcome.messages if new.destination == self.partner.name]
        others = [new for new in outcome.messages if new.destination != self.partner.name]
        return Heard(
            "accepted", documents, outcome.exceptions, tuple(settled), tuple(map(self._bytes, own)),
            tuple((new.destination, new.type) for new in others), outcome.rule, receipts,
        )  # fmt: skip

    def _bytes(self, new: NewMessage) -> bytes:
        return self._filled(new.body, {})


def _told(refusal: Refused) -> NewException:
    return NewException(refusal.code, refusal.text, refusal.place, {"status": refusal.status})
