"""Where all connections of an MLLP listener hand in what they have read, and get the answers to it.

What is read in one turn of the event loop goes to the intake by one call, so that it shares a commit. A message is
answered when it is stored, or, with `answer: processed`, when the pipeline has judged it; a broken frame is kept and
never answered.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import secrets
from collections.abc import Callable
from typing import Protocol

from channels.formats.hl7v2.header import Header, read_header
from channels.options import PlainListenerOptions
from channels.wire import hl7_ack
from channels.wire.mllp import END, START, Broken, Event
from engine import logs
from engine.errors import Refused, Unavailable
from engine.plugin import Intake, Verdict


class Asker(Protocol):
    """A connection that has handed something in."""

    def flush(self) -> None:
        """Some of its slots are filled."""
        ...


class Slot:
    """The place of one answer among a connection's answers. answer: None closes the connection instead."""

    __slots__ = ("answer", "asker", "event", "ready")

    def __init__(self, asker: Asker, event: Event) -> None:
        self.asker = asker
        self.event = event
        self.answer: bytes | None = b""
        self.ready = False

    def fill(self, answer: bytes | None) -> None:
        self.answer = answer
        self.ready = True


def ack_ids() -> Callable[[], str]:
    """Control ids for our acknowledgements: 20 characters, unique by 48 random bits per listener and a counter."""
    start, numbers = secrets.token_hex(6).upper(), map(str, itertools.count(10_000_000))
    return map(start.__add__, numbers).__next__


class Desk:
    """Stores what all connections have read in one turn of the loop by one call, then fills their answers' slots."""

    def __init__(
        self, name: str, intake: Intake, options: PlainListenerOptions, now: Callable[[], dt.datetime],
        ids: Callable[[], str],
    ) -> None:  # fmt: skip
        self._name = name
        self._intake = intake
        self._wait = options.answer == "processed"
        self._nak = options.on_overload == "nak"
        self._now = now
        self._ids = ids
        self._waiting: list[Slot] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, asker: Asker, events: list[Event]) -> list[Slot]:
        """Called by each connection that has read something; all of a turn go to the intake together.

        The task's first step is in the loop's next turn, when all that could be read in this one has been.
        """
        waiting = self._waiting
        if not waiting:
            task = asyncio.get_running_loop().create_task(self._serve())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        slots = []
        for event in events:
            slot = Slot(asker, event)
            slots.append(slot)
            waiting.append(slot)
        return slots

    async def _serve(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            whole = [slot for slot in batch if type(slot.event) is bytes]
            if whole:
                await self._accept(whole, [slot.event for slot in whole])  # type: ignore[misc]
            if len(whole) < len(batch):
                await self._keep_all(batch)
        except Exception as error:
            logs.failure("defect", error, channel=self._name)
            for slot in batch:
                if not slot.ready:
                    slot.fill(None)
        told: Asker | None = None
        for slot in batch:
            if slot.asker is not told:
                told = slot.asker
                told.flush()

    async def _accept(self, slots: list[Slot], payloads: list[bytes]) -> None:
        try:
            verdicts = await self._intake.accept(*payloads)
        except Unavailable:
            for slot, payload in zip(slots, payloads, strict=True):
                slot.fill(self._overloaded(payload))
            return
        if self._wait:
            await asyncio.gather(*map(self._answer_later, slots, payloads, verdicts))
            return
        time = self._time()
        for slot, payload, verdict in zip(slots, payloads, verdicts, strict=True):
            slot.answer = self._answer(payload, verdict.facts.context, verdict.refusal, time)
            slot.ready = True

    async def _answer_later(self, slot: Slot, payload: bytes, verdict: Verdict) -> None:
        """`answer: processed`: each message waits for its own verdict, whatever it was read together with."""
        try:
            refusal = verdict.refusal or await self._intake.processed(verdict)
            slot.fill(self._answer(payload, verdict.facts.context, refusal, self._time()))
        except Unavailable:
            slot.fill(self._overloaded(payload))
        slot.asker.flush()

    def _answer(self, payload: bytes, header: object, refusal: Refused | None, time: str) -> bytes:
        """header: what the format has read of it already, if it is HL7's."""
        known = header if isinstance(header, Header) else read_header(payload)
        answer = hl7_ack.acknowledge(known, refusal, self._ids, time)
        return START + answer + END if answer else b""

    def _time(self) -> str:
        return hl7_ack.timestamp(self._now())

    async def _keep_all(self, batch: list[Slot]) -> None:
        for slot in batch:
            if isinstance(slot.event, Broken):
                slot.fill(await self._keep(slot.event))

    async def _keep(self, broken: Broken) -> bytes | None:
        """A broken frame is kept and never answered: its sender must not think it arrived, nor that it was judged."""
        try:
            await self._intake.refuse(broken.raw, broken.refusal)
        except Unavailable:
            return None
        return None if broken.fatal else b""

    def _overloaded(self, payload: bytes) -> bytes | None:
        if not self._nak:
            return None
        text = "the message could not be stored, send it again later"
        refusal = Refused("store.unavailable", text, status=hl7_ack.SYSTEM_ERROR, reject=True)
        return self._answer(payload, None, refusal, self._time())
