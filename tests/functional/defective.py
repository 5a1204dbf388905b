"""The daemon with one defect swapped in, by name: `python -m tests.functional.defective DEFECT`. Only tests run this.

answers_early: the sender is answered before the bytes are committed; those of the last messages are in memory only.
judges_nothing: a message's header is taken whatever it says.
forgets_keys:  every attempt of a delivery goes out under another Idempotency-Key.
renumbers:     an interchange number is taken from memory instead of from the commit, so a restart uses it again.
skips:         interchange numbers are reserved in memory two at a time, so a restart leaves one out.
"""

from __future__ import annotations

import itertools
import sys
import uuid
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from channels.formats.hl7v2 import envelope
from channels.http_sender import HttpSender
from channels.simulate.requisitions import DIALECTS
from engine import intake
from engine.cli import main
from engine.plugin import Outbound, Sent, Verdict
from engine.store.transaction import Transaction


def answers_early() -> None:
    """Twice as many are held back as there are hospitals, so that half of them or more have had their answer."""
    whole = intake.Reception.accept
    numbers, unstored = itertools.count(1), deque[Callable[[], Awaitable[list[Verdict]]]]()

    async def answer_first(self: intake.Reception, *raws: bytes, type: str = "", control_id: str = "") -> list[Verdict]:
        unstored.append(partial(whole, self, *raws, type=type, control_id=control_id))
        if len(unstored) > 2 * len(DIALECTS):
            await unstored.popleft()()
        profile = self._profile(self._site(), type)
        units = [unit for raw in raws for unit in self._format.split(raw, profile)]
        return [Verdict("accepted", "M0", next(numbers), unit.facts, unit.refusal) for unit in units]

    intake.Reception.accept = answer_first  # type: ignore[method-assign]


def judges_nothing() -> None:
    envelope.judge = lambda header, profile: None  # type: ignore[assignment]


def forgets_keys() -> None:
    whole = HttpSender.send

    async def send_under_another(self: HttpSender, out: Outbound) -> Sent:
        other = out.delivery._replace(uid=uuid.uuid4().hex)
        return await whole(self, Outbound(other, out.message))

    HttpSender.send = send_under_another  # type: ignore[method-assign]


def renumbers() -> None:
    numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
    Transaction.control_number = lambda self, counter: next(numbers[counter])  # type: ignore[method-assign]


def skips() -> None:
    whole = Transaction.control_number
    begun: set[str] = set()

    def reserved(self: Transaction, counter: str) -> int:
        if counter not in begun and self.count("control", counter):
            whole(self, counter)
        begun.add(counter)
        return whole(self, counter)

    Transaction.control_number = reserved  # type: ignore[method-assign]


DEFECTS: dict[str, Callable[[], None]] = {
    "answers_early": answers_early,
    "judges_nothing": judges_nothing,
    "forgets_keys": forgets_keys,
    "renumbers": renumbers,
    "skips": skips,
}

if __name__ == "__main__":
    DEFECTS[sys.argv[1]]()
    main(["run"])
