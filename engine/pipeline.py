"""A stored message to its outcome, in two pure steps.

`read` parses and maps: documents, what is wrong, and what else must be known (needs). `plan` takes those facts, routes,
renders and returns one `Outcome` for the store to commit. Time and ids are arguments; nothing here reads or writes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from canonical import DOCUMENTS, ApplicationAdvice, Document, OrderChange
from engine import advising, business, correlate
from engine.business import REPEAT_RULE, Judged, Known, Read
from engine.draft import Draft, words
from engine.errors import Refused
from engine.mapping import Context
from engine.message import Key, Message
from engine.planner import Planner
from engine.plugin import Answer, Opened, Part, Receipt
from engine.router import Plan, Stop
from engine.site.model import Agreement, Route
from engine.store.contract import Outcome, Work
from engine.store.records import Awaited, AwaitedNeed, DeliveryRecord, DocumentNeed, StoredDocument

# A receiver's answer that no agreement reads is kept and goes no further, by this rule.
UNREAD_REPLY = "reply"
UNREAD_RULE = "reply without agreement"

_UNOPENED = Opened()
_ADVICE = Route("advice", ApplicationAdvice.TYPE)  # no route leads to the one whose document it speaks of


class Facts(NamedTuple):
    """What the store knows of what a reading needs."""

    awaited: Mapping[AwaitedNeed, Sequence[Awaited]] = MappingProxyType({})
    documents: Known = MappingProxyType({})


class Reading(NamedTuple):
    """What a message holds. needs, lookups: what the store must tell. keys: of documents that could not be read whole.
    rule: what filters it unread. warnings: what was tolerated in it."""

    problems: list[Refused]
    opened: Opened
    documents: list[Read]
    needs: list[AwaitedNeed]
    lookups: list[DocumentNeed]
    keys: list[Key]
    warnings: list[str]
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

    def advised(self, type: str) -> bool:
        return any(row.document is not None and row.delivery.type == type for row in self.deliveries)

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
        return unread(Refused("route.partner", f"partner {message.partner} is no longer in the site"))
    if message.type == UNREAD_REPLY:
        return unread(rule=UNREAD_RULE)
    profile = planner.profile(partner.name, message.channel, message.type)
    format = planner.format(message.format)
    refused = refusals(message, planner) if again else ()
    if refused:
        return unread(*refused)
    try:
        opened = format.open(message.body, profile)
    except Refused as refusal:
        return unread(refusal)
    return read_opened(opened, message, planner)


def read_opened(opened: Opened, message: Message, planner: Planner) -> Reading:
    """Map what a message holds, or a portion of it. Its partner is one of the site."""
    partner = message.partner
    needs = [need for receipt in opened.receipts for need in _receipt_needs(partner, receipt, planner)]
    reading = Reading([*opened.problems], opened, [], needs, [], [], [*opened.warnings])
    _, context = planner.moment(partner, message.at // 1_000_000)  # a replay reads the same document
    for part in opened.parts:
        _read_part(part, reading, partner, planner, context)
    if len(needs) > 1:
        needs[:] = dict.fromkeys(needs)
    return reading


def refusals(message: Message, planner: Planner) -> Sequence[Refused]:
    """What the door would refuse a message for, as the site is now."""
    profile = planner.profile(message.partner, message.channel, message.type)
    return [unit.refusal for unit in planner.format(message.format).split(message.body, profile) if unit.refusal]


def unread(*problems: Refused, rule: str = "") -> Reading:
    """Of a message that nothing can be read of, or nothing is to be."""
    return Reading(list(problems), _UNOPENED, [], [], [], [], [], rule)


def _read_part(part: Part, reading: Reading, partner: str, planner: Planner, context: Context) -> None:
    if part.refusals:
        reading.problems.extend(part.refusals)
        return
    agreement = planner.incoming.get((partner, part.type))
    if agreement is None:
        text = f"partner {partner} has no agreement to send us {part.type or 'this'}"
        hint = f"see partners/{partner}.yaml"
        reading.problems.append(Refused("route.none", text, place=part.place, hint=hint))
        return
    mapping = planner.site.mappings[agreement.mapping]
    result = mapping.read(part.node, context)
    if result.problems:
        reading.problems.extend(result.problems)
        reading.keys.extend([Key(kind, value) for kind, value in result.keys])
    if result.warnings:
        reading.warnings.extend([_placed(warning, part.place) for warning in result.warnings])
    for document, place in zip(result.documents, result.places, strict=True):
        locate = partial(_located, partial(mapping.locate, part.node, context, place), part.place)
        _read_document(document, place, part, agreement, reading, locate)


def _placed(warning: str, outer: str) -> str:
    """`CODE PLACE` with the place of the part it is of before its own."""
    code, _, place = warning.partition(" ")
    return f"{code} {outer}/{place}" if outer and place else warning


def _located(within: Callable[[str], str], outer: str, pointer: str) -> str:
    """The place in the message of what a document has at a pointer. within: the same in its part."""
    return "/".join(filter(None, (outer, within(pointer))))


def _read_document(
    document: Document, place: str, part: Part, agreement: Agreement, reading: Reading, locate: Callable[[str], str]
) -> None:
    whole = f"{part.place}/{place}" if part.place and place else part.place or place
    found = Read(document, agreement, whole, document.answers(), (part.group, part.control_id), locate)
    reading.documents.append(found)
    if found.answers is not None:
        reading.needs.append(_answer_need(agreement, found.answers))
    if isinstance(document, ApplicationAdvice):
        reading.needs.extend(advising.needs(document, agreement.partner))
    reading.lookups.extend(business.lookups(found))


def _receipt_needs(partner: str, receipt: Receipt, planner: Planner) -> list[AwaitedNeed]:
    """A receipt may speak of a whole group, or of all that a message carried."""
    peers = planner.peers[partner]
    if receipt.whole:
        return [AwaitedNeed(peer, "", receipt.ref, control=True) for peer in peers]
    kinds = [kind for kind in (receipt.kind, receipt.also) if kind]
    return [AwaitedNeed(peer, kind, receipt.ref, below=True) for kind in kinds for peer in peers]


def _answer_need(agreement: Agreement, answered: tuple[str, str]) -> AwaitedNeed:
    """What does not say which change of an order it answers, answers all of them (`4501/1`)."""
    kind, number = answered
    return AwaitedNeed(agreement.partner, agreement.type, number, below=kind == OrderChange.TYPE)


# --- plan ------------------------------------------------------------------------------------------------------------
def plan(
    work: Work, reading: Reading, facts: Facts, planner: Planner, *, now: int, before: Before = NOTHING
) -> Outcome:
    """Decide everything that follows from a message, and has not followed from it before. now: us."""
    opened, rules = reading.opened, [reading.rule] if reading.rule else []
    draft, settlement = Draft(work, planner, now, reading.keys), correlate.Settlement()
    for problem in reading.problems:
        draft.refuse(problem, {key.kind: key.value for key in reading.keys[:1]})
    for receipt in opened.receipts:
        _settle_receipt(receipt, facts, draft, settlement)
    for position, found in enumerate(reading.documents):
        if _settle(found, facts, draft, settlement):
            earlier = [one.document for one in reading.documents[:position]] if found.document.REPEATED else ()
            kept = bool(before.documents) and before.document(found) is not None
            judged = business.judge(found, facts.documents, earlier, seq=work.message.seq, kept=kept)
            settlement.edges += judged.edges
            rules.extend(_plan_document(found, judged, draft, before))
    for answer in opened.answers:
        if not before.answered(answer.type):
            plan_answer(answer, draft)
    draft.exceptions.extend(settlement.exceptions)
    return Outcome(
        work,
        "done",
        0,
        _state(draft, rules),
        ", ".join(dict.fromkeys(rules)) if rules else "",
        tuple(draft.documents),
        tuple(draft.messages),
        tuple(dict.fromkeys(draft.keys)),
        tuple(dict.fromkeys(settlement.edges)) if settlement.edges else (),
        tuple(draft.exceptions),
        tuple(settlement.settles),
        site=planner.site.version,
        warnings=_unsaid(reading.warnings, work.message) if reading.warnings else (),
        known=tuple(filter(None, [business.newest(found, facts.documents) for found in reading.documents]))
        if reading.lookups
        else (),
    )


def plan_again(
    work: Work, document: StoredDocument, destination: str, replaces: int, planner: Planner, *, now: int
) -> Outcome:
    """Render a stored document once more for one destination: what a person asks for after a fix. now: us."""
    model = DOCUMENTS[document.type].from_json(document.body)
    draft = Draft(work, planner, now)
    routed = _routed(model, work.message, planner)
    for refusal in routed.refusals:
        draft.refuse(refusal)
    stops = [stop for stop in routed.stops if stop.partner.name == destination]
    if not stops and not routed.refusals:
        draft.refuse(Refused("route.none", f"no route sends this {document.type} to {destination} any more"))
    for stop in stops:
        draft.send(model, draft.keys_of(model), stop, stored=document.id, replaces=replaces)
    return Outcome(
        work,
        state="exception" if draft.exceptions else "processed",
        messages=tuple(draft.messages),
        exceptions=tuple(draft.exceptions),
        site=planner.site.version,
    )


def _settle_receipt(receipt: Receipt, facts: Facts, draft: Draft, settlement: correlate.Settlement) -> None:
    message = draft.work.message
    rows = [row for need in _receipt_needs(message.partner, receipt, draft.planner) for row in facts.awaited[need]]
    settle = correlate.settle_interchange if receipt.whole else correlate.settle_receipt
    settlement.add(settle(receipt, rows, by=message.seq, partner=message.partner))


def _settle(found: Read, facts: Facts, draft: Draft, settlement: correlate.Settlement) -> bool:
    """Settle what the document answers; False when it answers something we never sent, and so may not go on."""
    document, seq, partner = found.document, draft.work.message.seq, found.agreement.partner
    if isinstance(document, ApplicationAdvice):
        settlement.add(advising.settle(document, facts.awaited, facts.documents, by=seq, partner=partner))
    if found.answers is None:
        return True
    kind, number = found.answers
    rows = facts.awaited[_answer_need(found.agreement, found.answers)]
    if rows:
        settlement.add(correlate.settle_answer(found.agreement.type, _status(document), rows, by=seq))
        return True
    sent = business.sent(facts.documents.get(DocumentNeed(kind, number, partner), ()))
    if sent is not None and sent.sent is not None:  # nobody waits for an answer to it, and this is one
        settlement.edges.append((sent.sent, seq, "acknowledges"))
        return True
    text = f"{found.agreement.type} answers {kind.replace('_', ' ')} {number}, which we never sent"
    draft.refuse(
        Refused("ack.unknown", text, place=found.place, hint="ask the partner which order it means"), words(document)
    )
    draft.keys += draft.keys_of(document)
    return False


def _status(document: Document) -> str:
    return str(getattr(document, "status", ""))


def _plan_document(found: Read, judged: Judged, draft: Draft, before: Before) -> Sequence[str]:
    """Keep it and send it wherever it must go. Returns the rule that drops it, if one does."""
    document, keys = found.document, draft.keys_of(found.document)
    draft.keys.extend(keys)
    if judged.refusals:
        _refuse_document(found, judged.refusals, draft, before)
        return ()
    if judged.repeats:
        return (REPEAT_RULE,)
    stored = before.document(found) if before.documents else None
    position = draft.keep(document, found.place) if stored is None else None
    routed = _routed(document, draft.work.message, draft.planner)
    for refusal in routed.refusals:
        draft.refuse(refusal, words(document))
    for stop in routed.stops:
        if stored is None:
            draft.send(document, keys, stop, position=position)
        elif not before.went(stored.id, stop.partner.name):
            draft.send(document, keys, stop, stored=stored.id)
    return (routed.rule,) if routed.rule else ()


def _refuse_document(found: Read, refusals: Sequence[Refused], draft: Draft, before: Before) -> None:
    """What breaks a business rule: a person is told, and the partner too where its agreement asks for that."""
    for refusal in refusals:
        draft.refuse(refusal, words(found.document))
    asked, partner = found.agreement.advice, draft.planner.site.partners[found.agreement.partner]
    agreement = partner.outgoing_type(asked) if asked else None
    if agreement is None or before.advised(asked):
        return
    _, context = draft.planner.moment(partner.name, draft.now // 1_000_000)
    number = f"{draft.work.message.id}-{len(draft.messages) + 1}"
    advice = advising.advice(found, refusals, number, context.today or dt.date.min)
    draft.keys += (keys := draft.keys_of(advice))
    draft.send(advice, keys, Stop(partner, agreement, _ADVICE), position=draft.keep(advice, found.place))


def _routed(document: Document, message: Message, planner: Planner) -> Plan:
    test = planner.is_test(message.partner, message.channel)
    return planner.router.route(document, message.partner, test=test)


def plan_answer(answer: Answer, draft: Draft) -> None:
    """Our acknowledgement (997, TA1) of what came in, where the partner's agreements ask for one."""
    partner = draft.planner.site.partners[draft.work.message.partner]
    agreement = partner.outgoing_type(answer.type)
    if agreement is not None:
        draft.answer(answer.nodes, agreement, partner)


def _unsaid(warnings: Sequence[str], message: Message) -> tuple[str, ...]:
    """What reading the whole message has shown beside its envelope's warnings."""
    return tuple([code for code in dict.fromkeys(warnings) if code not in message.warnings])


def _state(draft: Draft, rules: Sequence[str]) -> str:
    """An exception of a delivery is none of the message it is sent for."""
    for found in draft.exceptions:
        if found.new_delivery is None and found.delivery is None:
            return "exception"
    return "filtered" if rules and not draft.messages else "processed"
