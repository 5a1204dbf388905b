"""A stored message to its outcome, in two pure steps.

`read` parses and maps: documents, what is wrong, and what else must be known (needs). `plan` takes those facts, routes,
renders and returns one `Outcome` for the store to commit. Time and ids are arguments; nothing here reads or writes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from canonical import DOCUMENTS, Document
from engine import correlate, router
from engine.errors import Refused
from engine.mapping import Context
from engine.message import Key, Message
from engine.plugin import Envelope, Enveloped, Format, Opened, Part, Receipt, TemplateKey
from engine.profile import profile_for
from engine.site.model import Agreement, Partner, Site
from engine.store.contract import Expectation, NewDocument, NewException, NewMessage, Outcome, Work
from engine.store.records import Awaited, AwaitedNeed, DeliveryRecord, StoredDocument

# A receiver's answer that no agreement reads is kept and goes no further, by this rule.
UNREAD_REPLY = "reply"
UNREAD_RULE = "reply without agreement"

_NO_WORDS: Mapping[str, str] = MappingProxyType({})

Formats = Callable[[str], Format]
Facts = Mapping[AwaitedNeed, Sequence[Awaited]]


@dataclass(frozen=True, slots=True)
class Read:
    """One document found in a message, and under which agreement. place: the part it came from."""

    document: Document
    agreement: Agreement
    place: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    documents: tuple[Read, ...] = ()
    problems: tuple[Refused, ...] = ()
    opened: Opened = field(default_factory=Opened)
    needs: tuple[AwaitedNeed, ...] = ()
    rule: str = ""
    keys: tuple[Key, ...] = ()  # of documents that could not be read whole


@dataclass(slots=True)
class _Draft:
    """The outcome as it grows while documents are planned."""

    documents: list[NewDocument] = field(default_factory=list)
    messages: list[NewMessage] = field(default_factory=list)
    keys: dict[Key, None] = field(default_factory=dict)
    exceptions: list[NewException] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Planner:
    """What planning one message takes: the message, the site, the formats, the time (us) and a source of ids."""

    message: Message
    site: Site
    formats: Formats
    now: int
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier runs made of a message: a replay adds only what is missing."""

    documents: tuple[StoredDocument, ...] = ()
    deliveries: tuple[DeliveryRecord, ...] = ()

    def document(self, found: Read) -> StoredDocument | None:
        key = (found.document.TYPE, found.document.reference, found.place)
        return next((row for row in self.documents if (row.type, row.number, row.place) == key), None)

    def went(self, document: int, destination: str) -> bool:
        return any(row.document == document and row.delivery.destination == destination for row in self.deliveries)

    def answered(self, type: str) -> bool:
        return any(row.document is None and row.delivery.type == type for row in self.deliveries)


NOTHING = Before()


# --- read ------------------------------------------------------------------------------------------------------------
def read(message: Message, site: Site, formats: Formats, *, again: bool = False) -> Reading:
    """Parse and map. Never raises for what a message holds: what is wrong with it is in `problems`.

    again: a person had it run again; what its envelope was refused for at the door must be over, too.
    """
    partner = site.partners.get(message.partner)
    if partner is None:
        return Reading(problems=(Refused("route.partner", f"partner {message.partner} is no longer in the site"),))
    if message.type == UNREAD_REPLY:
        return Reading(rule=UNREAD_RULE)
    listener = site.listeners.get(message.channel)
    profile = profile_for(partner, listener=listener, type=message.type)
    format = formats(message.format)
    refused = [unit.refusal for unit in format.split(message.body, profile) if unit.refusal] if again else []
    if refused:
        return Reading(problems=tuple(refused))
    try:
        opened = format.open(message.body, profile)
    except Refused as refusal:
        return Reading(problems=(refusal,))
    context = _context(partner, message.at)
    documents: list[Read] = []
    problems = list(opened.problems)
    keys: list[Key] = []
    for part in opened.parts:
        found, wrong, known = _read_part(part, partner, site, context)
        documents += found
        problems += wrong
        keys += known
    needs = [_receipt_need(partner.name, receipt) for receipt in opened.receipts]
    needs += [need for found in documents if (need := _answer_need(found, partner)) is not None]
    return Reading(tuple(documents), tuple(problems), opened, tuple(dict.fromkeys(needs)), keys=tuple(keys))


def _read_part(
    part: Part, partner: Partner, site: Site, context: Context
) -> tuple[list[Read], list[Refused], list[Key]]:
    if part.refusals:
        return [], list(part.refusals), []
    agreement = partner.incoming(part.type)
    if agreement is None or not agreement.mapping:
        text = f"partner {partner.name} has no agreement to send us {part.type or 'this'}"
        return [], [Refused("route.none", text, place=part.place, hint=f"see partners/{partner.name}.yaml")], []
    result = site.mappings[agreement.mapping].read(part.node, context)
    found, wrong = [], list(result.problems)
    for document, place in zip(result.documents, result.places, strict=True):
        broken = [Refused("map.document", problem, place=place or part.place) for problem in document.problems()]
        wrong += broken
        if not broken:
            found.append(Read(document, agreement, "/".join(filter(None, (part.place, place)))))
    return found, wrong, [Key(kind, value) for kind, value in result.keys]


def _context(partner: Partner, at: int) -> Context:
    """at: when the message was received; a replay on another day reads the same document."""
    today = dt.datetime.fromtimestamp(at / 1_000_000, partner.zone).date()
    return Context(partner.zone, partner.crosswalks, today)


def _receipt_need(partner: str, receipt: Receipt) -> AwaitedNeed:
    """A receipt may speak of a whole group."""
    return AwaitedNeed(partner, receipt.kind, receipt.ref, below=True)


def _answer_need(found: Read, partner: Partner) -> AwaitedNeed | None:
    answered = found.document.answers()
    return AwaitedNeed(partner.name, found.agreement.type, answered[1]) if answered else None


# --- plan ------------------------------------------------------------------------------------------------------------
def plan(work: Work, reading: Reading, facts: Facts, planner: Planner, *, before: Before = NOTHING) -> Outcome:
    """Decide everything that follows from a message, and has not followed from it before."""
    told = {key.kind: key.value for key in reading.keys[:1]}
    draft = _Draft(
        keys=dict.fromkeys(reading.keys),
        exceptions=[_exception(problem, planner.message, told) for problem in reading.problems],
    )
    settlement = correlate.Settlement()
    for receipt in reading.opened.receipts:
        rows = facts[_receipt_need(planner.message.partner, receipt)]
        settlement.add(correlate.settle_receipt(receipt, rows, by=planner.message.seq, partner=planner.message.partner))
    for found in reading.documents:
        if _settle_answered(found, facts, planner, settlement, draft):
            _plan_document(found, planner, draft, before)
    if not before.answered(reading.opened.answer_type):
        _plan_answers(reading.opened, planner, draft)
    exceptions = (*draft.exceptions, *settlement.exceptions)
    return Outcome(
        work,
        state=_state(reading, draft, exceptions),
        rule=reading.rule or ", ".join(dict.fromkeys(draft.rules)),
        documents=tuple(draft.documents),
        messages=tuple(draft.messages),
        keys=tuple(draft.keys),
        edges=tuple(dict.fromkeys(settlement.edges)),
        exceptions=exceptions,
        settles=tuple(settlement.settles),
        site=planner.site.version,
        warnings=tuple(code for code in dict.fromkeys(reading.opened.warnings) if code not in planner.message.warnings),
    )


def plan_again(work: Work, document: StoredDocument, destination: str, replaces: int, planner: Planner) -> Outcome:
    """Render a stored document once more for one destination: what a person asks for after a fix."""
    model = DOCUMENTS[document.type].from_json(document.body)
    draft = _Draft()
    routed = router.route(model, planner.message.partner, planner.site)
    draft.exceptions += [_exception(refusal, planner.message) for refusal in routed.refusals]
    stops = [stop for stop in routed.stops if stop.partner.name == destination]
    if not stops and not routed.refusals:
        text = f"no route sends this {document.type} to {destination} any more"
        draft.exceptions.append(_exception(Refused("route.none", text), planner.message))
    for stop in stops:
        draft.messages.append(_message(stop, model, planner, draft, stored_document=document.id, replaces=replaces))
    state = "exception" if draft.exceptions else "processed"
    return Outcome(
        work, state=state, messages=tuple(draft.messages), exceptions=tuple(draft.exceptions), site=planner.site.version
    )


def _settle_answered(
    found: Read, facts: Facts, planner: Planner, settlement: correlate.Settlement, draft: _Draft
) -> bool:
    """Settle what the document answers; False when it answers something we never sent, and so may not go on."""
    answered = found.document.answers()
    if answered is None:
        return True
    rows = facts[AwaitedNeed(planner.message.partner, found.agreement.type, answered[1])]
    if not rows:
        text = f"{found.agreement.type} answers {answered[0].replace('_', ' ')} {answered[1]}, which we never sent"
        refusal = Refused("ack.unknown", text, place=found.place, hint="ask the partner which order it means")
        draft.exceptions.append(_exception(refusal, planner.message, _words(found.document)))
        draft.keys |= dict.fromkeys(Key(kind, value) for kind, value in found.document.business_keys())
        return False
    code = str(getattr(found.document, "status", ""))
    settlement.add(correlate.settle_answer(found.agreement.type, code, rows, by=planner.message.seq))
    return True


def _plan_document(found: Read, planner: Planner, draft: _Draft, before: Before) -> None:
    document, stored = found.document, before.document(found)
    position = len(draft.documents) if stored is None else None
    if stored is None:
        draft.documents.append(
            NewDocument(document.TYPE, document.reference, document.summary(), document.to_json(), found.place)
        )
    draft.keys |= dict.fromkeys(Key(kind, value) for kind, value in document.business_keys())
    routed = router.route(document, planner.message.partner, planner.site)
    if routed.rule:
        draft.rules.append(routed.rule)
    draft.exceptions += [_exception(refusal, planner.message, _words(document)) for refusal in routed.refusals]
    for stop in routed.stops:
        if stored is None or not before.went(stored.id, stop.partner.name):
            kept = stored.id if stored else None
            draft.messages.append(_message(stop, document, planner, draft, document_at=position, stored_document=kept))


def _message(
    stop: router.Stop,
    document: Document,
    planner: Planner,
    draft: _Draft,
    *,
    document_at: int | None = None,
    stored_document: int | None = None,
    replaces: int | None = None,
) -> NewMessage:
    """One outbound message; born dead, with its exceptions, when it cannot be rendered."""
    agreement, partner = stop.agreement, stop.partner
    uid = planner.new_id()
    rendered: Enveloped | None = None
    try:
        rendered = _render(document, agreement, partner, planner, uid)
    except Unrenderable as failure:
        context = {"partner": partner.name, "document": document.TYPE, "number": document.reference}
        _unrendered(failure, agreement, context, draft)
    keys = tuple(TemplateKey(kind, (value.encode(),)) for kind, value in document.business_keys())
    return NewMessage(
        uid=uid,
        body=rendered.body if rendered else (),
        destination=partner.name,
        connection=agreement.connection,
        channel=agreement.connection,
        format=agreement.format,
        type=agreement.type,
        lane=f"{partner.name}/{router.lane_key(stop, document, planner.message.sender)}",
        control_id=rendered.control_id if rendered else (),
        keys=keys + (rendered.keys if rendered else ()),
        document=document_at,
        stored_document=stored_document,
        state="planned" if rendered else "dead",
        priority=document.priority(),
        options=agreement.options,
        expect=_expectations(agreement, document, rendered) if rendered else (),
        replaces=replaces,
    )


def _unrendered(failure: Unrenderable, agreement: Agreement, context: Mapping[str, str], draft: _Draft) -> None:
    """The exceptions of the delivery that is drafted next, and is born dead."""
    for problem in failure.problems:
        text = f"the {agreement.type} for {context['partner']} could not be written: {problem.text}"
        told = {**context, "cause": problem.code, "type": agreement.type}
        draft.exceptions.append(
            NewException("delivery.render", text, problem.place, told, new_delivery=len(draft.messages))
        )


class Unrenderable(Exception):
    """A document cannot be written for a receiver; problems: each with its place."""

    def __init__(self, problems: Sequence[Refused]) -> None:
        super().__init__()
        self.problems = tuple(problems)


def _render(document: Document, agreement: Agreement, partner: Partner, planner: Planner, uid: str) -> Enveloped:
    mapping = planner.site.mappings[agreement.mapping]
    written = mapping.write(document, _context(partner, planner.now))
    if written.problems:
        raise Unrenderable(written.problems)
    kind = mapping.header.get("message") or agreement.type
    try:
        return planner.formats(agreement.format).envelop([written.node], _envelope(kind, uid, partner, planner))
    except Refused as refusal:
        raise Unrenderable([refusal]) from refusal


def _envelope(kind: str, uid: str, partner: Partner, planner: Planner) -> Envelope:
    identity = partner.identity
    at = dt.datetime.fromtimestamp(planner.now / 1_000_000, partner.zone)
    return Envelope(kind, uid, at, identity.usage, identity.ours, identity.theirs, partner.envelope)


def _expectations(agreement: Agreement, document: Document, rendered: Enveloped) -> tuple[Expectation, ...]:
    own = (document.reference.encode(),)
    return tuple(Expectation(kind, rendered.refs.get(kind, own), within) for kind, within in agreement.expect)


def _plan_answers(opened: Opened, planner: Planner, draft: _Draft) -> None:
    """Our functional acknowledgement (997) of what came in, where the partner's agreements ask for one."""
    partner = planner.site.partners[planner.message.partner]
    agreement = partner.outgoing_type(opened.answer_type) if opened.answers else None
    if agreement is None:
        return
    uid = planner.new_id()
    rendered: Enveloped | None = None
    try:
        envelope = _envelope(agreement.type, uid, partner, planner)
        rendered = planner.formats(planner.message.format).envelop(opened.answers, envelope)
    except Refused as refusal:
        _unrendered(Unrenderable([refusal]), agreement, {"partner": partner.name}, draft)
    draft.messages.append(
        NewMessage(
            uid=uid,
            body=rendered.body if rendered else (),
            destination=partner.name,
            connection=agreement.connection,
            channel=agreement.connection,
            format=planner.message.format,
            type=agreement.type,
            lane=f"{partner.name}/{agreement.type}:{planner.message.seq}",
            control_id=rendered.control_id if rendered else (),
            keys=rendered.keys if rendered else (),
            state="planned" if rendered else "dead",
            options=agreement.options,
        )
    )


def _words(document: Document) -> dict[str, str]:
    return {"document": document.TYPE, "number": document.reference}


def _state(reading: Reading, draft: _Draft, exceptions: Sequence[NewException]) -> str:
    if any(found.new_delivery is None and found.delivery is None for found in exceptions):
        return "exception"
    if reading.rule or (draft.rules and not draft.messages):
        return "filtered"
    return "processed"


def _exception(refusal: Refused, message: Message, told: Mapping[str, str] = _NO_WORDS) -> NewException:
    """told: the document's words, where there is one: its type and number."""
    context = {"partner": message.partner, "channel": message.channel, "type": message.type}
    context |= {"control_id": message.control_id, "status": refusal.status, "hint": refusal.hint}
    known = {name: value for name, value in {**context, **told}.items() if value}
    return NewException(refusal.code, refusal.text, refusal.place, known)
