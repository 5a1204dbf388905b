"""Deliveries that wait for each other and go in one message, as an agreement's `batch:` says. Pure.

Each stays a delivery of its own, with its own answers to await; what carries them is one more message and delivery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from engine.errors import Refused
from engine.planner import Planner, Way
from engine.plugin import Gathering
from engine.site.model import Agreement
from engine.store.contract import GATHERED, Carried, Expectation, NewException, NewMessage, Outcome, Work
from engine.store.records import StoredDocument, Waiting

STEP: Final = "gather:"
MOST: Final = 1_000  # where the agreement has changed and says nothing of it any more


def agreed(lane: str, planner: Planner) -> Agreement | None:
    """The agreement that those who wait in a lane go out under, as the site is now."""
    name, _, type = lane.partition("/")
    partner = planner.site.partners.get(name)
    return partner.outgoing_type(type) if partner else None


def most(agreement: Agreement | None) -> int:
    return agreement.batch.count if agreement and agreement.batch else MOST


def goes_at(waiting: Sequence[Waiting], agreement: Agreement | None, now: int) -> int:
    """When the oldest go: at once when they are enough, or when nothing says that they wait."""
    batch = agreement.batch if agreement else None
    return now if batch is None or len(waiting) >= batch.count else waiting[0].since + batch.every


def carry(
    work: Work,
    waiting: Sequence[Waiting],
    bodies: Sequence[bytes],
    documents: Mapping[int, StoredDocument],
    planner: Planner,
    *,
    now: int,
) -> Outcome:
    """One message with all of them, and its delivery."""
    lane = work.step.removeprefix(STEP)
    agreement = agreed(lane, planner)
    try:
        if agreement is None:
            raise Refused("route.none", "no agreement sends this any more", hint="add it again, then replay")
        message = _message(lane, agreement, waiting, bodies, documents, planner, now)
    except Refused as problem:
        return _failed(work, lane, waiting, problem, planner)
    return Outcome(work, messages=(message,), site=planner.site.version)


def _message(
    lane: str,
    agreement: Agreement,
    waiting: Sequence[Waiting],
    bodies: Sequence[bytes],
    documents: Mapping[int, StoredDocument],
    planner: Planner,
    now: int,
) -> NewMessage:
    partner, format, uid = planner.site.partners[agreement.partner], planner.format(agreement.format), planner.new_id()
    if not isinstance(format, Gathering):
        raise Refused("route.none", f"{agreement.format} carries one message at a time")
    way = Way(agreement, partner, planner.site.mappings.get(agreement.mapping), format)
    written, refs = format.gather(bodies, way.envelope(uid, planner.moment(partner.name, now // 1_000_000)))
    carries = []
    for one, known in zip(waiting, refs, strict=True):
        own = (documents[one.document].number.encode(),) if one.document else ()
        expect = [Expectation(kind, known.get(kind, own), within) for kind, within in agreement.expect]
        carries.append(Carried(one.delivery, tuple(expect)))
    return NewMessage(
        uid=uid,
        body=written.body,
        destination=partner.name,
        connection=agreement.connection,
        channel=agreement.connection,
        format=agreement.format,
        type=agreement.type,
        lane=GATHERED + lane,
        control_id=written.control_id,
        keys=written.keys,
        options=agreement.options,
        carries=tuple(carries),
    )


def _failed(work: Work, lane: str, waiting: Sequence[Waiting], problem: Refused, planner: Planner) -> Outcome:
    """Each of them fails by itself, to be written anew by itself."""
    name, _, type = lane.partition("/")
    text = f"the {type} for {name} could not be put together with others: {problem.text}"
    context = {"partner": name, "type": type, "cause": problem.code, "hint": problem.hint}
    found = [NewException("delivery.render", text, problem.place, context, delivery=one.delivery) for one in waiting]
    dead = NewMessage(
        uid=planner.new_id(), body=(), destination=name, connection="", channel="", format=work.message.format,
        type=type, lane=GATHERED + lane, state="dead", carries=tuple(Carried(one.delivery) for one in waiting),
    )  # fmt: skip
    return Outcome(work, messages=(dead,), exceptions=tuple(found), site=planner.site.version)
