"""The outcome of one message as it grows: what is kept, what goes out, and what a person must see. Pure.

What cannot be written for its receiver is no failure of the message it comes from: it becomes a delivery that is born
dead, with its exceptions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from canonical import Document
from engine.errors import Refused
from engine.mapping import Context
from engine.message import Key
from engine.planner import Planner
from engine.plugin import Envelope, Enveloped, Format, Node, TemplateKey
from engine.router import Stop, lane_key
from engine.site.model import Agreement, Partner
from engine.store.contract import Expectation, NewDocument, NewException, NewMessage, Work

NO_WORDS: Mapping[str, str] = MappingProxyType({})

_UNWRITTEN = Enveloped((), ())

# Bytes for a receiver and no problems; or what is wrong, each with its place.
_Rendered = tuple[Enveloped, Sequence[Refused]]


@dataclass(slots=True)
class Draft:
    """now: us."""

    work: Work
    planner: Planner
    now: int
    documents: list[NewDocument] = field(default_factory=list)
    messages: list[NewMessage] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    exceptions: list[NewException] = field(default_factory=list)

    def refuse(self, refusal: Refused, told: Mapping[str, str] = NO_WORDS) -> None:
        """An exception of the message itself. told: the document's words, where there is one: its type and number."""
        message = self.work.message
        context = {"partner": message.partner, "channel": message.channel, "type": message.type}
        context |= {"control_id": message.control_id, "status": refusal.status, "hint": refusal.hint}
        known = {name: value for name, value in {**context, **told}.items() if value}
        self.exceptions.append(NewException(refusal.code, refusal.text, refusal.place, known))

    def keep(self, document: Document, place: str) -> int:
        """Returns the document's position in the outcome."""
        self.documents.append(
            NewDocument(document.TYPE, document.reference, document.summary(), document.to_json(), place)
        )
        return len(self.documents) - 1

    def send(
        self,
        document: Document,
        keys: Sequence[tuple[str, str]],
        stop: Stop,
        *,
        position: int | None = None,
        stored: int | None = None,
        replaces: int | None = None,
    ) -> None:
        """One delivery of a document: the one at `position` of the outcome, or the one with the id `stored`.

        keys: the document's own.
        """
        agreement, partner = stop.agreement, stop.partner
        uid = self.planner.new_id()
        rendered, problems = self._render(document, agreement, partner, uid)
        if problems:
            self._born_dead(problems, agreement, words(document))
        known = [TemplateKey(kind, (value.encode(),)) for kind, value in keys]
        self.messages.append(
            NewMessage(
                uid=uid,
                body=rendered.body,
                destination=partner.name,
                connection=agreement.connection,
                channel=agreement.connection,
                format=agreement.format,
                type=agreement.type,
                lane=f"{partner.name}/{lane_key(stop, document, self.work.message.sender)}",
                control_id=rendered.control_id,
                keys=(*known, *rendered.keys),
                document=position,
                stored_document=stored,
                state="dead" if problems else "planned",
                priority=document.priority(),
                options=agreement.options,
                expect=() if problems else _expectations(agreement, document, rendered),
                replaces=replaces,
            )
        )

    def answer(self, answers: Sequence[Node], agreement: Agreement, partner: Partner) -> None:
        """One delivery of our functional acknowledgements (997) of this message, made by its format."""
        message, uid = self.work.message, self.planner.new_id()
        format, at = self.planner.format(message.format), _local(self.now, partner)
        rendered, problems = _envelop(answers, agreement.type, partner, format, uid, at)
        if problems:
            self._born_dead(problems, agreement, NO_WORDS)
        self.messages.append(
            NewMessage(
                uid=uid,
                body=rendered.body,
                destination=partner.name,
                connection=agreement.connection,
                channel=agreement.connection,
                format=message.format,
                type=agreement.type,
                lane=f"{partner.name}/{agreement.type}:{message.seq}",
                control_id=rendered.control_id,
                keys=rendered.keys,
                state="dead" if problems else "planned",
                options=agreement.options,
            )
        )

    def _born_dead(self, problems: Sequence[Refused], agreement: Agreement, told: Mapping[str, str]) -> None:
        """The exceptions of the delivery that is drafted next."""
        for problem in problems:
            text = f"the {agreement.type} for {agreement.partner} could not be written: {problem.text}"
            context = {"partner": agreement.partner, **told, "cause": problem.code, "type": agreement.type}
            found = NewException("delivery.render", text, problem.place, context, new_delivery=len(self.messages))
            self.exceptions.append(found)

    def _render(self, document: Document, agreement: Agreement, partner: Partner, uid: str) -> _Rendered:
        """A document in its receiver's words and envelope."""
        mapping, at = self.planner.site.mappings[agreement.mapping], _local(self.now, partner)
        written = mapping.write(document, Context(partner.zone, partner.crosswalks, at.date()))
        if written.problems:
            return _UNWRITTEN, written.problems
        kind = mapping.header.get("message") or agreement.type
        return _envelop([written.node], kind, partner, self.planner.format(agreement.format), uid, at)


def words(document: Document) -> dict[str, str]:
    return {"document": document.TYPE, "number": document.reference}


def _envelop(
    nodes: Sequence[Node], kind: str, partner: Partner, format: Format, uid: str, at: dt.datetime
) -> _Rendered:
    identity = partner.identity
    envelope = Envelope(kind, uid, at, identity.usage, identity.ours, identity.theirs, partner.envelope)
    try:
        return format.envelop(nodes, envelope), ()
    except Refused as refusal:
        return _UNWRITTEN, (refusal,)


def _expectations(agreement: Agreement, document: Document, rendered: Enveloped) -> tuple[Expectation, ...]:
    """A receiver answers what its envelope said, or else the document's own number."""
    if not agreement.expect:
        return ()
    own = (document.reference.encode(),)
    return tuple([Expectation(kind, rendered.refs.get(kind, own), within) for kind, within in agreement.expect])


def _local(now: int, partner: Partner) -> dt.datetime:
    return dt.datetime.fromtimestamp(now / 1_000_000, partner.zone)
