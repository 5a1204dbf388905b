"""What is answered to messages that go no further: refused at the door, in conflict, or seen before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.draft import Draft
from engine.errors import Refused
from engine.message import Key, Message
from engine.pipeline import plan_answer, refusals
from engine.planner import Planner
from engine.store.contract import Outcome, Work

_CONFLICT = Refused("dup.conflict", "another message with the same control number came before")


class Sent(NamedTuple):
    """A message of ours, with its bytes and keys."""

    message: Message
    keys: tuple[Key, ...]


def answer(work: Work, planner: Planner, *, now: int) -> Outcome:
    """What is answered to a message that goes no further: one refused at the door, or in conflict with another."""
    message, draft = work.message, Draft(work, planner, now)
    partner = planner.site.partners.get(message.partner)
    format = planner.format(message.format)
    if partner is not None and format.answer is not None:
        for refusal in refusals(message, planner) if work.step == "answer:refused" else [_CONFLICT]:
            for told in format.answer(message.body, refusal):
                plan_answer(told, draft)
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
