"""A stored message to its outcome, in two pure steps.

`read` parses and maps: documents, what is wrong, and what else must be known (needs). `plan` takes those facts, routes,
renders and returns one `Outcome` for the store to commit. Time and ids are arguments; nothing here reads or writes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from canonical import DOCUMENTS, Document
from engine import correlate
from engine.draft import Draft, words
from engine.errors import Refused
from engine.mapping import Context
from engine.message import Key, Message
from engine.planner import Planner
from engine.plugin import Opened, Part, Receipt
from engine.site.model import Agreement, Partner
from engine.store.contract import Outcome, Work
from engine.store.records import Awaited, AwaitedNeed, DeliveryRecord, StoredDocument

# A receiver's answer that no agreement reads is kept and goes no further, by this rule.
UNREAD_REPLY = "reply"
UNREAD_RULE = "reply without agreement"

_UNOPENED = Opened()

Facts = Mapping[AwaitedNeed, Sequence[Awaited]]


class Read(NamedTuple):
    """One document found in a message, and under which agreement. place: the part it came from."""

    document: Document
    agreement: Agreement
    place: str = ""


@dataclass(slots=True)
class Reading:
    """What a message holds. keys: of documents that could not be read whole. rule: what filters it unread."""

    problems: list[Refused] = field(default_factory=list)
    opened: Opened = _UNOPENED
    documents: list[Read] = field(default_factory=list)
    needs: list[AwaitedNeed] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    rule: str = ""


class Before(NamedTuple):
    """What earlier runs made of a message: a replay adds only what is missing."""

    documents: tuple[StoredDocument, ...] = ()
    deliveries: tuple[DeliveryRecord, ...] = ()

    def document(self, found: Read) -> StoredDocument | None:
        for row in self.documents:
            if (row.type, row.number, row.place) == (found.document.TYPE, found.document.reference, found.place):
                return row
        return None

    def went(self, document: int, destination: str) -> bool:
        return any(row.document == document and row.delivery.destination == destination for row in self.deliveries)

    def answered(self, type: str) -> bool:
        return any(row.document is None and row.delivery.type == type for row in self.deliveries)


NOTHING = Before()


# --- read ------------------------------------------------------------------------------------------------------------
def read(message: Message, planner: Planner, *, again: bool = False) -> Reading:
    """Parse and map. Never raises for what a message holds: what is wrong with it is in `problems`.

    again: a person had it run again; what its envelope was refused for at the door must be over, too.
    """
    partner = planner.site.partners.get(message.partner)
    if partner is None:
        return Reading([Refused("route.partner", f"partner {message.partner} is no longer in the site")])
    if message.type == UNREAD_REPLY:
        return Reading(rule=UNREAD_RULE)
    profile = planner.profile(partner.name, message.channel, message.type)
    format = planner.format(message.format)
    refused = [unit.refusal for unit in format.split(message.body, profile) if unit.refusal] if again else []
    if refused:
        return Reading(refused)
    try:
        opened = format.open(message.body, profile)
    except Refused as refusal:
        return Reading([refusal])
    reading = Reading(list(opened.problems), opened)
    for receipt in opened.receipts:
        reading.needs.append(_receipt_need(partner.name, receipt))
    today = dt.datetime.fromtimestamp(message.at / 1_000_000, partner.zone).date()  # a replay reads the same document
    context = Context(partner.zone, partner.crosswalks, today)
    for part in opened.parts:
        _read_part(part, reading, partner, planner, context)
    reading.needs = list(dict.fromkeys(reading.needs))
    return reading


def _read_part(part: Part, reading: Reading, partner: Partner, planner: Planner, context: Context) -> None:
    if part.refusals:
        reading.problems += part.refusals
        return
    agreement = planner.incoming(partner.name, part.type)
    if agreement is None:
        text = f"partner {partner.name} has no agreement to send us {part.type or 'this'}"
        hint = f"see partners/{partner.name}.yaml"
        reading.problems.append(Refused("route.none", text, place=part.place, hint=hint))
        return
    result = planner.site.mappings[agreement.mapping].read(part.node, context)
    reading.problems += result.problems
    reading.keys += [Key(kind, value) for kind, value in result.keys]
    for document, place in zip(result.documents, result.places, strict=True):
        broken = document.problems()
        if broken:
            reading.problems += [Refused("map.document", text, place=place or part.place) for text in broken]
            continue
        whole = f"{part.place}/{place}" if part.place and place else part.place or place
        reading.documents.append(Read(document, agreement, whole))
        answered = document.answers()
        if answered is not None:
            reading.needs.append(_answer_need(partner.name, agreement, answered[1]))


def _receipt_need(partner: str, receipt: Receipt) -> AwaitedNeed:
    """A receipt may speak of a whole group."""
    return AwaitedNeed(partner, receipt.kind, receipt.ref, below=True)


def _answer_need(partner: str, agreement: Agreement, number: str) -> AwaitedNeed:
    return AwaitedNeed(partner, agreement.type, number)


# --- plan ------------------------------------------------------------------------------------------------------------
def plan(
    work: Work, reading: Reading, facts: Facts, planner: Planner, *, now: int, before: Before = NOTHING
) -> Outcome:
    """Decide everything that follows from a message, and has not followed from it before. now: us."""
    opened, rules = reading.opened, [reading.rule] if reading.rule else []
    draft, settlement = Draft(work, planner, now, keys=list(reading.keys)), correlate.Settlement()
    for problem in reading.problems:
        draft.refuse(problem, {key.kind: key.value for key in reading.keys[:1]})
    for receipt in opened.receipts:
        _settle_receipt(receipt, facts, draft, settlement)
    for found in reading.documents:
        if _settle_answered(found, facts, draft, settlement):
            rules += _plan_document(found, draft, before)
    if opened.answers and not before.answered(opened.answer_type):
        _plan_answers(opened, draft)
    draft.exceptions += settlement.exceptions
    return Outcome(
        work,
        state=_state(draft, rules),
        rule=", ".join(dict.fromkeys(rules)),
        documents=tuple(draft.documents),
        messages=tuple(draft.messages),
        keys=tuple(dict.fromkeys(draft.keys)),
        edges=tuple(dict.fromkeys(settlement.edges)),
        exceptions=tuple(draft.exceptions),
        settles=tuple(settlement.settles),
        site=planner.site.version,
        warnings=_unsaid(opened.warnings, work.message) if opened.warnings else (),
    )


def plan_again(
    work: Work, document: StoredDocument, destination: str, replaces: int, planner: Planner, *, now: int
) -> Outcome:
    """Render a stored document once more for one destination: what a person asks for after a fix. now: us."""
    model = DOCUMENTS[document.type].from_json(document.body)
    draft = Draft(work, planner, now)
    routed = planner.router.route(model, work.message.partner)
    for refusal in routed.refusals:
        draft.refuse(refusal)
    stops = [stop for stop in routed.stops if stop.partner.name == destination]
    if not stops and not routed.refusals:
        draft.refuse(Refused("route.none", f"no route sends this {document.type} to {destination} any more"))
    for stop in stops:
        draft.send(model, model.business_keys(), stop, stored=document.id, replaces=replaces)
    return Outcome(
        work,
        state="exception" if draft.exceptions else "processed",
        messages=tuple(draft.messages),
        exceptions=tuple(draft.exceptions),
        site=planner.site.version,
    )


def _settle_receipt(receipt: Receipt, facts: Facts, draft: Draft, settlement: correlate.Settlement) -> None:
    message = draft.work.message
    rows = facts[_receipt_need(message.partner, receipt)]
    settlement.add(correlate.settle_receipt(receipt, rows, by=message.seq, partner=message.partner))


def _settle_answered(found: Read, facts: Facts, draft: Draft, settlement: correlate.Settlement) -> bool:
    """Settle what the document answers; False when it answers something we never sent, and so may not go on."""
    document, message = found.document, draft.work.message
    answered = document.answers()
    if answered is None:
        return True
    rows = facts[_answer_need(message.partner, found.agreement, answered[1])]
    if not rows:
        text = f"{found.agreement.type} answers {answered[0].replace('_', ' ')} {answered[1]}, which we never sent"
        hint = "ask the partner which order it means"
        draft.refuse(Refused("ack.unknown", text, place=found.place, hint=hint), words(document))
        draft.keys += [Key(kind, value) for kind, value in document.business_keys()]
        return False
    code = str(getattr(document, "status", ""))
    settlement.add(correlate.settle_answer(found.agreement.type, code, rows, by=message.seq))
    return True


def _plan_document(found: Read, draft: Draft, before: Before) -> Sequence[str]:
    """Keep it and send it wherever it must go. Returns the rule that drops it, if one does."""
    document = found.document
    stored = before.document(found)
    position = draft.keep(document, found.place) if stored is None else None
    keys = document.business_keys()
    draft.keys += [Key(kind, value) for kind, value in keys]
    routed = draft.planner.router.route(document, draft.work.message.partner)
    for refusal in routed.refusals:
        draft.refuse(refusal, words(document))
    for stop in routed.stops:
        if stored is None:
            draft.send(document, keys, stop, position=position)
        elif not before.went(stored.id, stop.partner.name):
            draft.send(document, keys, stop, stored=stored.id)
    return [routed.rule] if routed.rule else []


def _plan_answers(opened: Opened, draft: Draft) -> None:
    """Our functional acknowledgement (997) of what came in, where the partner's agreements ask for one."""
    partner = draft.planner.site.partners[draft.work.message.partner]
    agreement = partner.outgoing_type(opened.answer_type)
    if agreement is not None:
        draft.answer(opened.answers, agreement, partner)


def _unsaid(warnings: Sequence[str], message: Message) -> tuple[str, ...]:
    """What reading the whole message has shown beside its envelope's warnings."""
    return tuple([code for code in dict.fromkeys(warnings) if code not in message.warnings])


def _state(draft: Draft, rules: Sequence[str]) -> str:
    """An exception of a delivery is none of the message it is sent for."""
    for found in draft.exceptions:
        if found.new_delivery is None and found.delivery is None:
            return "exception"
    return "filtered" if rules and not draft.messages else "processed"
