"""The outcome of one message as it grows: what is kept, what goes out, and what a person must see. Pure.

What cannot be written for its receiver is no failure of the message it comes from: it becomes a delivery that is born
dead, with its exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from canonical import Document
from engine.errors import Refused
from engine.message import NUMBERED_BY_PARTNER, Key, Message
from engine.planner import Planner, Way
from engine.plugin import Enveloped, Node, TemplateKey
from engine.router import Stop, lane_key
from engine.site.model import Agreement, Partner
from engine.store.contract import Expectation, NewDocument, NewException, NewMessage, Work

# These find the message that tells them; what is written of it is found from there.
_DETAILS = frozenset({"sscc", "lot", "serial"})
NO_WORDS: Mapping[str, str] = MappingProxyType({})


class Draft:
    """now: us. keys: those known before."""

    __slots__ = ("documents", "exceptions", "keys", "messages", "now", "planner", "work")

    def __init__(self, work: Work, planner: Planner, now: int, keys: Sequence[Key] = ()) -> None:
        self.work = work
        self.planner = planner
        self.now = now
        self.documents: list[NewDocument] = []
        self.messages: list[NewMessage] = []
        self.keys = [*keys]
        self.exceptions: list[NewException] = []

    def refuse(self, refusal: Refused, told: Mapping[str, str] = NO_WORDS) -> None:
        """An exception of the message itself. told: the document's words, where there is one: its type and number."""
        message = self.work.message
        context = {"partner": message.partner, "channel": message.channel, "type": message.type}
        context |= {"control_id": message.control_id, "status": refusal.status, "hint": refusal.hint}
        known = {name: value for name, value in {**context, **refusal.context, **told}.items() if value}
        self.exceptions.append(NewException(refusal.code, refusal.text, refusal.place, known))

    def keys_of(self, document: Document) -> list[Key]:
        return keys_of(document, self.work.message.partner)

    def keep(self, document: Document, place: str) -> int:
        """Returns the document's position in the outcome."""
        self.documents.append(
            NewDocument(document.TYPE, document.reference, document.summary(), document.to_json(), place)
        )
        return len(self.documents) - 1

    def send(
        self,
        document: Document,
        keys: Sequence[Key],
        stop: Stop,
        *,
        position: int | None = None,
        stored: int | None = None,
        replaces: int | None = None,
    ) -> None:
        """One delivery of a document: the one at `position` of the outcome, or the one with the id `stored`.

        keys: the document's own.
        """
        agreement, partner, planner = stop.agreement, stop.partner.name, self.planner
        waits = agreement.batch is not None
        uid = planner.new_id()
        moment = planner.moment(partner, self.now // 1_000_000)
        rendered, problems = planner.ways[partner, agreement.type].render(document, uid, moment, waits=waits)
        if problems:
            self._born_dead(problems, agreement, words(document))
        known = [TemplateKey(kind, (value.encode(),), scope) for kind, value, scope in keys if kind not in _DETAILS]
        self.messages.append(
            NewMessage(
                uid,
                rendered.body,
                partner,
                agreement.connection,
                agreement.connection,
                agreement.format,
                agreement.type,
                f"{partner}/{agreement.type if waits else lane_key(stop, document, self.work.message.sender)}",
                rendered.control_id,
                (*known, *rendered.keys),
                position,
                stored,
                "dead" if problems else "gathering" if waits else "planned",
                document.priority(),
                agreement.options,
                _expectations(agreement, document, rendered) if agreement.expect and not problems and not waits else (),
                replaces,
            )
        )

    def answer(self, answers: Sequence[Node], agreement: Agreement, partner: Partner) -> None:
        """One delivery of our functional acknowledgements (997) of this message, made by its format."""
        message, planner = self.work.message, self.planner
        uid, way = planner.new_id(), Way(agreement, partner, None, planner.format(message.format))
        rendered, problems = way.envelop(answers, uid, planner.moment(partner.name, self.now // 1_000_000))
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

    def repeat(self, sent: Message, keys: Sequence[Key], agreement: Agreement) -> None:
        """One delivery of a message that went out before, in the same bytes."""
        self.messages.append(
            NewMessage(
                uid=self.planner.new_id(),
                body=(sent.body,),
                destination=agreement.partner,
                connection=agreement.connection,
                channel=agreement.connection,
                format=sent.format,
                type=sent.type,
                lane=f"{agreement.partner}/{sent.type}:{self.work.message.seq}",
                control_id=(sent.control_id.encode(),),
                keys=tuple(TemplateKey(key.kind, (key.value.encode(),), key.scope) for key in keys),
                options=agreement.options,
            )
        )

    def _born_dead(self, problems: Sequence[Refused], agreement: Agreement, told: Mapping[str, str]) -> None:
        """The exceptions of the delivery that is drafted next."""
        for problem in problems:
            text = f"the {agreement.type} for {agreement.partner} could not be written: {problem.text}"
            context = {"partner": agreement.partner, **told, "cause": problem.code, "type": agreement.type}
            context |= problem.context
            found = NewException("delivery.render", text, problem.place, context, new_delivery=len(self.messages))
            self.exceptions.append(found)


def keys_of(document: Document, partner: str) -> list[Key]:
    """What it can be found by. Numbers that its sender gives are told apart by whose they are."""
    owner = document.numbered_by(partner)
    return [Key(kind, value, owner if kind in NUMBERED_BY_PARTNER else "") for kind, value in document.business_keys()]


def words(document: Document) -> dict[str, str]:
    return {"document": document.TYPE, "number": document.reference}


def _expectations(agreement: Agreement, document: Document, rendered: Enveloped) -> tuple[Expectation, ...]:
    """A receiver answers what its envelope said, or else the document's own number."""
    own = (document.reference.encode(),)
    return tuple([Expectation(kind, rendered.refs.get(kind, own), within) for kind, within in agreement.expect])
