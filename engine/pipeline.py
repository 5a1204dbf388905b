"""A stored message to its outcome, in two pure steps.

`read` parses and maps: documents, what is wrong, and what else must be known (needs). `plan` takes those facts, routes,
renders and returns one `Outcome` for the store to commit. Time and ids are arguments; nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from canonical import DOCUMENTS, Document
from engine import correlate
from engine.draft import Draft, words
from engine.errors import Refused
from engine.mapping import Context
from engine.message import Key, Message
from engine.planner import Planner
from engine.plugin import Answer, Opened, Part, Receipt
from engine.router import Plan
from engine.site.model import Agreement
from engine.store.contract import Outcome, Work
from engine.store.records import Awaited, AwaitedNeed, DeliveryRecord, StoredDocument

# A receiver's answer that no agreement reads is kept and goes no further, by this rule.
UNREAD_REPLY = "reply"
UNREAD_RULE = "reply without agreement"

_UNOPENED = Opened()
_CONFLICT = Refused("dup.conflict", "another message with the same control number came before")

Facts = Mapping[AwaitedNeed, Sequence[Awaited]]


class Read(NamedTuple):
    """One document found in a message, and under which agreement. place: the part it came from. answers: what it
    answers of ours, type and number."""

    document: Document
    agreement: Agreement
    place: str
    answers: tuple[str, str] | None


class Reading(NamedTuple):
    """What a message holds. keys: of documents that could not be read whole. rule: what filters it unread.
    warnings: what was tolerated in it."""

    problems: list[Refused]
    opened: Opened
    documents: list[Read]
    needs: list[AwaitedNeed]
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

    def answered(self, type: str) -> bool:
        return any(row.document is None and row.delivery.type == type for row in self.deliveries)


NOTHING = Before()


class Sent(NamedTuple):
    """A message of ours, with its bytes and keys."""

    message: Message
    keys: tuple[Key, ...]


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
    needs = [need for receipt in opened.receipts for need in _receipt_needs(partner, receipt)]
    reading = Reading([*opened.problems], opened, [], needs, [], [*opened.warnings])
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
    return Reading(list(problems), _UNOPENED, [], [], [], [], rule)


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
    result = planner.site.mappings[agreement.mapping].read(part.node, context)
    if result.problems:
        reading.problems.extend(result.problems)
        reading.keys.extend([Key(kind, value) for kind, value in result.keys])
    if result.warnings:
        reading.warnings.extend([_placed(warning, part.place) for warning in result.warnings])
    for document, place in zip(result.documents, result.places, strict=True):
        _read_document(document, place, part.place, agreement, reading)


def _placed(warning: str, outer: str) -> str:
    """`CODE PLACE` with the place of the part it is of before its own."""
    code, _, place = warning.partition(" ")
    return f"{code} {outer}/{place}" if outer and place else warning


def _read_document(document: Document, place: str, outer: str, agreement: Agreement, reading: Reading) -> None:
    broken = document.problems()
    if broken:
        reading.problems.extend([Refused("map.document", text, place=place or outer) for text in broken])
        return
    whole = f"{outer}/{place}" if outer and place else outer or place
    answers = document.answers()
    reading.documents.append(Read(document, agreement, whole, answers))
    if answers is not None:
        reading.needs.append(_answer_need(agreement, answers[1]))


def _receipt_needs(partner: str, receipt: Receipt) -> list[AwaitedNeed]:
    """A receipt may speak of a whole group, or of all that a message carried."""
    if receipt.whole:
        return [AwaitedNeed(partner, "", receipt.ref, control=True)]
    kinds = filter(None, (receipt.kind, receipt.also))
    return [AwaitedNeed(partner, kind, receipt.ref, below=True) for kind in kinds]


def _answer_need(agreement: Agreement, number: str) -> AwaitedNeed:
    return AwaitedNeed(agreement.partner, agreement.type, number)


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
    for found in reading.documents:
        if found.answers is None or _settle_answered(found, found.answers, facts, draft, settlement):
            rules.extend(_plan_document(found, draft, before))
    for answer in opened.answers:
        if not before.answered(answer.type):
            _plan_answer(answer, draft)
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
        draft.send(model, model.business_keys(), stop, stored=document.id, replaces=replaces)
    return Outcome(
        work,
        state="exception" if draft.exceptions else "processed",
        messages=tuple(draft.messages),
        exceptions=tuple(draft.exceptions),
        site=planner.site.version,
    )


def answer(work: Work, planner: Planner, *, now: int) -> Outcome:
    """What is answered to a message that goes no further: one refused at the door, or in conflict with another."""
    message, draft = work.message, Draft(work, planner, now)
    partner = planner.site.partners.get(message.partner)
    format = planner.format(message.format)
    if partner is not None and format.answer is not None:
        for refusal in refusals(message, planner) if work.step == "answer:refused" else [_CONFLICT]:
            for told in format.answer(message.body, refusal):
                _plan_answer(told, draft)
    return _answered(draft)


def answer_again(work: Work, before: Sequence[Sent], planner: Planner, *, now: int) -> Outcome:
    """A duplicate is told what the first of its kind was told, in the same bytes. before: our answers to that one."""
    draft = Draft(work, planner, now)
    partner = planner.site.partners.get(work.message.partner)
    for sent in before:
        agreement = partner.outgoing_type(sent.message.type) if partner is not None else None
        if agreement is not None:
            draft.repeat(sent.message, sent.keys, agreement)
    return _answered(draft)


def _answered(draft: Draft) -> Outcome:
    found = tuple(draft.messages), tuple(draft.exceptions)
    return Outcome(draft.work, messages=found[0], exceptions=found[1], site=draft.planner.site.version)


def _settle_receipt(receipt: Receipt, facts: Facts, draft: Draft, settlement: correlate.Settlement) -> None:
    message = draft.work.message
    rows = [row for need in _receipt_needs(message.partner, receipt) for row in facts[need]]
    settle = correlate.settle_interchange if receipt.whole else correlate.settle_receipt
    settlement.add(settle(receipt, rows, by=message.seq, partner=message.partner))


def _settle_answered(
    found: Read, answered: tuple[str, str], facts: Facts, draft: Draft, settlement: correlate.Settlement
) -> bool:
    """Settle what the document answers; False when it answers something we never sent, and so may not go on."""
    document, message = found.document, draft.work.message
    rows = facts[_answer_need(found.agreement, answered[1])]
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
    document, keys = found.document, found.document.business_keys()
    stored = before.document(found) if before.documents else None
    position = draft.keep(document, found.place) if stored is None else None
    draft.keys.extend([Key(kind, value) for kind, value in keys])
    routed = _routed(document, draft.work.message, draft.planner)
    for refusal in routed.refusals:
        draft.refuse(refusal, words(document))
    for stop in routed.stops:
        if stored is None:
            draft.send(document, keys, stop, position=position)
        elif not before.went(stored.id, stop.partner.name):
            draft.send(document, keys, stop, stored=stored.id)
    return (routed.rule,) if routed.rule else ()


def _routed(document: Document, message: Message, planner: Planner) -> Plan:
    test = planner.is_test(message.partner, message.channel)
    return planner.router.route(document, message.partner, test=test)


def _plan_answer(answer: Answer, draft: Draft) -> None:
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
