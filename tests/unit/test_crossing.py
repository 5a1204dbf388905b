"""What a daemon and its worker tell each other comes over whole, and is plain data or nothing."""

from __future__ import annotations

import os
import pickle
from typing import Any

import pytest

from engine.crossing import LENGTH, answer, answered, asked, frame, question, unframe
from engine.message import Key, Message
from engine.store.contract import NewException, Outcome, Work
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
    bare = Outcome(WORK, state="filtered", site="v")
    assert repr(answered(WORK, over(answer(bare)), "v")) == repr(bare)


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("exit 0",)


@pytest.mark.parametrize("value", [Command(), MESSAGE, len, RuntimeError("x")])
def test_nothing_else_is_made_from_a_frame(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError):
        over([value])
