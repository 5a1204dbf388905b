"""What a daemon and its worker tell each other comes over whole, and is plain data or nothing."""

from __future__ import annotations

import os
import pickle
from typing import Any

import pytest

from engine.crossing import LENGTH, Asks, Found, answer, answered, asked, asks, facts, frame, question, told, unframe
from engine.message import Key, Message
from engine.store.contract import NewException, Outcome, Settle, Work
from engine.store.records import Awaited, AwaitedNeed, DocumentNeed, KnownDocument
from tests.store_kit import order, processed

BODY = b"MSH|\x00\xff"
MESSAGE = Message(7, "in", "ehr_mllp", "ehr", "hl7v2", "OMS^O05", "C-1", "OR-3", 5, 6, b"", BODY, warnings=("w",))
WORK = Work(3, "process", "lane", 5, 4, 7, MESSAGE)


def over(value: Any) -> Any:
    return unframe(frame(value)[LENGTH.size :])


def test_a_question_holds_the_message() -> None:
    assert repr(asked(over(question(WORK))).message) == repr(MESSAGE)


def test_an_answer_holds_all_that_was_decided() -> None:
    """Control numbers to come, expected answers and exceptions among it; every record is of its own type again."""
    found = NewException("delivery.render", "no unit", "PO1[1]", {"partner": "acme"}, new_delivery=0)
    outcome = processed(WORK, 1, 2, rule="r", exceptions=(found,), keys=(Key("lot", "L", "acme"),), warnings=("w",))
    outcome = outcome._replace(messages=(*outcome.messages, order(3, body=(), keys=(), expect=(), state="dead")))
    assert repr(answered(WORK, over(answer(outcome)), outcome.site)) == repr(outcome)
    settled = outcome._replace(edges=((7, 3, "settles"),), settles=(Settle(4, "positive", "awaited", "A"),))
    settled = settled._replace(known=(("purchase_order", "PO-1", 4),))
    assert repr(answered(WORK, over(answer(settled)), outcome.site)) == repr(settled)
    bare = Outcome(WORK, state="filtered", site="v")
    assert repr(answered(WORK, over(answer(bare)), "v")) == repr(bare)


def test_what_is_asked_and_told_comes_over_whole() -> None:
    needs = (AwaitedNeed("acme", "997", "PO/1", below=True), AwaitedNeed("acme", "855", "PO-1"))
    lookups = (DocumentNeed("purchase_order", "PO-1", "acme"),)
    assert repr(answered(WORK, over(asks(needs, lookups)), "v")) == repr(Asks(needs, lookups))
    awaited = [(Awaited(1, 2, 3, "acme", "997", "PO/1/0001", "awaited", due_at=5),), ()]
    found = Found(awaited, [(KnownDocument(4, 3, "erp", "{}", sent=3),)])
    assert repr(told(over(facts(WORK, found)))) == repr((7, found))
    assert answered(WORK, over(None), "v") is None


def test_a_step_comes_over() -> None:
    work = WORK._replace(step="[65536, 0]")
    assert asked(over(question(work))).step == work.step
    outcome = Outcome(WORK, status="more", step="[70000, 0]", site="v")
    assert repr(answered(WORK, over(answer(outcome)), "v")) == repr(outcome)


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("exit 0",)


@pytest.mark.parametrize("value", [Command(), MESSAGE, len, RuntimeError("x")])
def test_nothing_else_is_made_from_a_frame(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError):
        over([value])
