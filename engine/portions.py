"""A large message through the pipeline in portions, each of them kept before the next is looked at. Pure.

So neither memory nor the event loop sees more of it at a time than a window of its bytes. What has to be remembered
from one portion to the next stands in the step of its work, as JSON, and a crash goes on with the portion it fell into.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from engine import pipeline
from engine.errors import Refused
from engine.message import Message
from engine.pipeline import Reading
from engine.planner import Planner
from engine.plugin import Format, Opened, Portion, Portioned
from engine.store.contract import NewException, Outcome

LARGE: Final = 128 << 10  # bytes of a message that is taken in portions, where its format can
WIDER: Final = 4  # times, when a single part of a message is longer than its format's window
MOST_WARNINGS: Final = 100  # of a message


class Progress(NamedTuple):
    """How far a message has come. offset: of its bytes. again: a person had it run again. state: the format's.

    went: whether anything went on, not dropped by a rule. rules: those that dropped something. first: what was wrong
    with it first: code, text, place and status. warnings: to be kept when it is done.
    """

    offset: int = 0
    again: bool = False
    state: str = ""
    went: bool = False
    rules: tuple[str, ...] = ()
    first: tuple[str, str, str, str] | None = None
    warnings: tuple[str, ...] = ()


def may(message: Message, format: Format) -> bool:
    """Whether a message is taken in portions."""
    return message.size > LARGE and isinstance(format, Portioned)


def progress(step: str) -> Progress:
    """From the step of process work."""
    if not step.startswith("["):
        return Progress(again=step == "replay")
    offset, again, state, went, rules, first, warnings = json.loads(step)
    return Progress(offset, again, state, went, tuple(rules), tuple(first) if first else None, tuple(warnings))


def window(message: Message, at: Progress, planner: Planner) -> int:
    """Bytes that the next portion would best see."""
    format = planner.format(message.format)
    assert isinstance(format, Portioned)
    return format.window(at.state)


def read(message: Message, at: Progress, planner: Planner) -> tuple[Reading, Portion] | None:
    """The next portion, read. message: as stored, but its body is the window that begins at the offset.

    None when the window is too narrow for its format.
    """
    format = planner.format(message.format)
    assert isinstance(format, Portioned)
    profile = planner.profile(message.partner, message.channel, message.type)
    body = message.body
    try:
        last = at.offset + len(body) >= message.size
        portion = format.open_portion(body, at.offset, at.state, profile, last=last)
    except Refused as refusal:
        portion = Portion(Opened(problems=(refusal,)), message.size, "", done=True)
    return None if portion is None else (pipeline.read_opened(portion.opened, message, planner), portion)


def outcome(planned: Outcome, portion: Portion, at: Progress) -> Outcome:
    """What was planned of a portion as what is to be kept: the work goes on, or the message has come to its state."""
    rules = tuple(dict.fromkeys([*at.rules, *filter(None, planned.rule.split(", "))]))
    went = at.went or bool(planned.messages)
    first = at.first or _first(planned.exceptions)
    warnings = tuple(dict.fromkeys([*at.warnings, *planned.warnings]))[:MOST_WARNINGS]
    if not portion.done:
        so_far = Progress(portion.at, at.again, portion.state, went, rules, first, warnings)
        return planned._replace(status="more", state="", rule="", warnings=(), step=json.dumps(so_far))
    state = "exception" if first else "filtered" if rules and not went else "processed"
    return planned._replace(state=state, rule=", ".join(rules), warnings=warnings)


def refusal(outcome: Outcome) -> Refused | None:
    """What the sender is told who waits for it; of a portion, also what was wrong with those before."""
    first = progress(outcome.work.step).first or _first(outcome.exceptions)
    return Refused(first[0], first[1], place=first[2], status=first[3]) if first else None


def _first(exceptions: Sequence[NewException]) -> tuple[str, str, str, str] | None:
    """An exception of a delivery is none of the message it is sent for."""
    for found in exceptions:
        if found.new_delivery is None and found.delivery is None:
            return found.code, found.text, found.place, found.context.get("status", "")
    return None
