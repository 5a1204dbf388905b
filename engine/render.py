"""What goes out: documents and our acknowledgements, written and wrapped for their receiver. Pure.

What cannot be written is no failure of the message it comes from: it becomes a delivery born dead, with its exceptions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from canonical import Document
from engine.errors import Refused
from engine.mapping import Context
from engine.mapping import Mapping as CompiledMapping
from engine.plugin import Envelope, Enveloped, Format, Node
from engine.router import Stop
from engine.site.model import Agreement, Partner
from engine.store.contract import Expectation, NewException

# A receiver's tree and bytes, or what is wrong, each with its place.
Rendered = tuple[Enveloped | None, Sequence[Refused]]


def render(document: Document, stop: Stop, mapping: CompiledMapping, format: Format, uid: str, now: int) -> Rendered:
    """A document in its receiver's words and envelope. now: us."""
    partner = stop.partner
    at = _local(now, partner)
    written = mapping.write(document, Context(partner.zone, partner.crosswalks, at.date()))
    if written.problems:
        return None, written.problems
    return _envelop([written.node], mapping.header.get("message") or stop.agreement.type, partner, format, uid, at)


def render_answers(answers: Sequence[Node], type: str, partner: Partner, format: Format, uid: str, now: int) -> Rendered:
    """Functional acknowledgements that a format has made, in their receiver's envelope. now: us."""
    return _envelop(answers, type, partner, format, uid, _local(now, partner))


def expectations(agreement: Agreement, document: Document, rendered: Enveloped) -> tuple[Expectation, ...]:
    """What the receiver is to answer: it refers to what the envelope says, or else to the document's own number."""
    own = (document.reference.encode(),)
    return tuple([Expectation(kind, rendered.refs.get(kind, own), within) for kind, within in agreement.expect])


def unrendered(
    problems: Sequence[Refused], agreement: Agreement, told: Mapping[str, str], delivery: int
) -> list[NewException]:
    """The exceptions of a delivery born dead. told: its receiver and document. delivery: its position in the outcome."""
    text = f"the {agreement.type} for {agreement.partner} could not be written: "
    return [
        NewException(
            "delivery.render",
            text + problem.text,
            problem.place,
            {**told, "cause": problem.code, "type": agreement.type},
            new_delivery=delivery,
        )
        for problem in problems
    ]


def _envelop(
    nodes: Sequence[Node], type: str, partner: Partner, format: Format, uid: str, at: dt.datetime
) -> Rendered:
    identity = partner.identity
    envelope = Envelope(type, uid, at, identity.usage, identity.ours, identity.theirs, partner.envelope)
    try:
        return format.envelop(nodes, envelope), ()
    except Refused as refusal:
        return None, (refusal,)


def _local(now: int, partner: Partner) -> dt.datetime:
    return dt.datetime.fromtimestamp(now / 1_000_000, partner.zone)
