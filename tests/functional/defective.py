"""The daemon with one defect swapped in, by name: `python -m tests.functional.defective DEFECT`. Only tests run this.

answers_early: the sender is answered before the bytes are committed.
judges_nothing: a message's header is taken whatever it says.
forgets_keys:  every attempt of a delivery goes out under another Idempotency-Key.
renumbers:     an interchange number is taken from memory instead of from the commit, so a restart uses it again.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import uuid
from collections.abc import Callable

from channels.formats.hl7v2 import envelope
from channels.http_sender import HttpSender
from engine import intake
from engine.cli import main
from engine.plugin import Outbound, Sent, Verdict
from engine.store.transaction import Transaction


def answers_early() -> None:
    whole = intake.Reception.accept
    numbers, later = itertools.count(1), set[asyncio.Task[None]]()

    async def answer_first(self: intake.Reception, *raws: bytes, type: str = "", control_id: str = "") -> list[Verdict]:
        async def store_later() -> None:
            await asyncio.sleep(0.05)
            await whole(self, *raws, type=type, control_id=control_id)

        task = asyncio.create_task(store_later())
        later.add(task)
        task.add_done_callback(later.discard)
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
    numbers = itertools.count(1)
    Transaction.control_number = lambda self, counter: next(numbers)  # type: ignore[method-assign]


DEFECTS: dict[str, Callable[[], None]] = {
    "answers_early": answers_early,
    "judges_nothing": judges_nothing,
    "forgets_keys": forgets_keys,
    "renumbers": renumbers,
}

if __name__ == "__main__":
    DEFECTS[sys.argv[1]]()
    main(["run"])
