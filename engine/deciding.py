"""One piece of process work to its outcome, with all that the store must tell for that. Commits nothing.

A message of some size is decided in portions (`engine.portions`), by the worker process when there is one: the event
loop would stand still while it is parsed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from engine import answering, gathering, ids, logs, pipeline, portions
from engine.crossing import Asks, Found, facts_of
from engine.errors import Refused, Unavailable
from engine.message import Key
from engine.pipeline import Reading
from engine.planner import Planner
from engine.plugin import Format
from engine.site.model import Site
from engine.store.contract import NewException, Outcome, Store, Work
from engine.store.records import DeliveryRecord, Thread

_THREAD = 5_000  # messages of a thread looked through for what a replayed message has caused before
DEFECT = "internal.defect"


class Beside(Protocol):
    """Who decides in our stead, outside the event loop; None for what is left to us.

    busy: what it is asked now would wait a while for what it was asked before.
    """

    async def outcomes(self, works: Sequence[Work]) -> list[Outcome | Asks | None]: ...
    async def concluded(self, works: Sequence[Work], found: Sequence[Found]) -> list[Outcome | None]: ...
    def busy(self) -> bool: ...


class Deciding:
    """turn: held while the event loop is used for long."""

    def __init__(
        self,
        store: Store,
        site: Callable[[], Site],
        formats: Callable[[str], Format],
        turn: asyncio.Lock,
        beside: Beside | None,
    ) -> None:
        self._store = store
        self._site = site
        self._formats = formats
        self._turn = turn
        self._beside = beside
        self._planner = Planner(site(), formats, ids.new_id)

    async def beside(self, works: Sequence[Work]) -> list[Outcome | None]:
        """What is decided in our stead; where that takes facts, they are fetched."""
        if self._beside is None:
            return [None] * len(works)
        found = await self._beside.outcomes(works)
        decided = [answer if isinstance(answer, Outcome) else None for answer in found]
        asking = [(at, answer) for at, answer in enumerate(found) if isinstance(answer, Asks)]
        if asking:
            told = await self._found([asks for _, asks in asking])
            concluded = await self._beside.concluded([works[at] for at, _ in asking], told)
            for (at, _), outcome in zip(asking, concluded, strict=True):
                decided[at] = outcome
        return decided

    async def _found(self, asking: Sequence[Asks]) -> list[Found]:
        """All that is asked, in at most two questions to the store."""
        needs = [need for asks in asking for need in asks.needs]
        lookups = [need for asks in asking for need in asks.lookups]
        awaited = iter(await self._store.facts(needs) if needs else ())
        documents = iter(await self._store.known(lookups) if lookups else ())
        return [Found([next(awaited) for _ in asks.needs], [next(documents) for _ in asks.lookups]) for asks in asking]

    async def decide(self, work: Work) -> Outcome:
        """The pipeline around one message. A defect of ours becomes an exception, never a lost message."""
        try:
            return await self._plan(work)
        except Unavailable:
            raise
        except Exception as error:
            logs.failure("defect", error, message=work.message.id)
            return self.failed(work, error)

    def failed(self, work: Work, error: Exception) -> Outcome:
        text = f"Hilum itself failed on this message ({type(error).__name__}); the bytes are kept"
        context = {"partner": work.message.partner, "channel": work.message.channel}
        found = NewException(DEFECT, text, "", context)
        return Outcome(work, state="exception", exceptions=(found,), site=self._site().version)

    def _present(self) -> Planner:
        """The planner of the site as it is now."""
        site = self._site()
        if self._planner.site is not site:
            self._planner = Planner(site, self._formats, ids.new_id)
        return self._planner

    async def _plan(self, work: Work) -> Outcome:
        planner, now = self._present(), ids.now()
        if work.step.startswith("resend:"):
            return await self._plan_again(work, planner, now)
        if work.step == "answer:duplicate":
            return answering.answer_again(work, await self._answers_before(work), planner, now=now)
        if work.step.startswith("answer:"):
            whole = work if work.message.body else _with(work, await self._store.body(work.subject))
            return answering.answer(whole, planner, now=now)._replace(work=work)
        if work.step.startswith(gathering.STEP):
            return await self._gather(work, planner, now)
        again = work.step == "replay"
        reading = pipeline.read(work.message, planner, again=again)
        return await self._planned(work, reading, planner, again=again)

    async def _planned(self, work: Work, reading: Reading, planner: Planner, *, again: bool) -> Outcome:
        (found,) = await self._found([Asks(tuple(reading.needs), tuple(reading.lookups))])
        facts = facts_of(reading, found)
        before = await self._before(work.subject) if again else pipeline.NOTHING
        return pipeline.plan(work, reading, facts, planner, now=ids.now(), before=before)

    async def _before(self, seq: int) -> pipeline.Before:
        """What earlier runs made of a message."""
        thread = await self._store.thread([seq], limit=_THREAD)
        documents = tuple(row for row in thread.documents if row.message == seq)
        return pipeline.Before(documents, _caused(thread, seq))

    async def _answers_before(self, work: Work) -> list[answering.Sent]:
        """What the first of a duplicate's kind was answered; what is still on its way to the sender needs no repeat."""
        first = work.message.duplicate_of
        if first is None:
            return []
        thread = await self._store.thread([first], limit=_THREAD)
        answers = [row.delivery for row in _caused(thread, first) if row.document is None]
        told = {delivery.message for delivery in answers if delivery.state == "delivered"}
        keys: dict[int, list[Key]] = {}
        for seq, key in thread.keys:
            keys.setdefault(seq, []).append(key)
        return [
            answering.Sent(row._replace(body=await self._store.body(row.seq)), tuple(keys.get(row.seq, ())))
            for row in thread.messages
            if row.seq in told
        ]

    async def _gather(self, work: Work, planner: Planner, now: int) -> Outcome:
        """Let those go that have waited for each other, when it is time."""
        lane = work.step.removeprefix(gathering.STEP)
        agreement = gathering.agreed(lane, planner)
        waiting = await self._store.gathering(lane, gathering.most(agreement))
        if not waiting:
            return Outcome(work)
        at = gathering.goes_at(waiting, agreement, now)
        if at > now:
            return Outcome(work, status="retry", at=at)
        bodies = [await self._store.body(one.message) for one in waiting]
        rows = await self._store.documents([one.document for one in waiting if one.document is not None])
        return gathering.carry(work, waiting, bodies, {row.id: row for row in rows}, planner, now=now)

    async def _plan_again(self, work: Work, planner: Planner, now: int) -> Outcome:
        record = await self._store.delivery(int(work.step.partition(":")[2]))
        rows = await self._store.documents([record.document]) if record and record.document else []
        if record is None or not rows:
            refusal = Refused("route.none", "there is no document to send again")
            return Outcome(work, state="exception", exceptions=(NewException(refusal.code, refusal.text),))
        return pipeline.plan_again(work, rows[0], record.delivery.destination, record.delivery.id, planner, now=now)

    # --- large messages ---
    def is_large(self, work: Work) -> bool:
        """Whether its bytes are taken in portions, or are still to be read."""
        message = work.message
        if message.size <= portions.LARGE or work.step.startswith(("resend:", "answer:", gathering.STEP)):
            return False
        return not message.body or self._may_portion(work)

    def _may_portion(self, work: Work) -> bool:
        message, planner = work.message, self._present()
        return message.partner in planner.site.partners and portions.may(message, planner.format(message.format))

    async def large(self, work: Work) -> Outcome:
        """What follows from the next portion of a message; from all of it where its format knows none."""
        message = work.message
        try:
            if self._may_portion(work):
                return (await self._portion(work, self._present()))._replace(work=work)
            whole = _with(work, await self._store.body(message.seq))
            async with self._turn:
                return (await self.decide(whole))._replace(work=work)
        except Unavailable as failure:
            if failure.code != "store.corrupt":
                raise
            found = NewException(failure.code, failure.text, context={"partner": message.partner, "type": message.type})
            return Outcome(work, status="dead", state="exception", exceptions=(found,))
        except Exception as error:
            logs.failure("defect", error, message=message.id)
            return self.failed(work, error)

    async def _portion(self, work: Work, planner: Planner) -> Outcome:
        at = portions.progress(work.step)
        wide = portions.window(work.message, at, planner)
        if at.again and not at.offset and (refused := await self._refusals(work, planner)):
            return await self._planned(work, pipeline.unread(*refused), planner, again=True)
        while True:
            seen = _with(work, await self._window(work, at.offset, wide))
            if not at.again and (outcome := (await self.beside([seen]))[0]) is not None:
                return outcome
            async with self._turn:
                found = portions.read(seen.message, at, planner)
                if found is not None:
                    reading, portion = found
                    planned = await self._planned(work, reading, planner, again=at.again)
                    return portions.outcome(planned, portion, at)
            wide *= portions.WIDER

    async def _window(self, work: Work, start: int, length: int) -> bytes:
        body = work.message.body
        return body[start : start + length] if body else await self._store.window(work.subject, start, length)

    async def _refusals(self, work: Work, planner: Planner) -> Sequence[Refused]:
        """What the door would say to all of it."""
        body = work.message.body or await self._store.body(work.subject)
        return pipeline.refusals(work.message._replace(body=body), planner)


def _caused(thread: Thread, seq: int) -> tuple[DeliveryRecord, ...]:
    """The deliveries that a message led to."""
    caused = {edge.target for edge in thread.edges if edge.source == seq and edge.kind == "causes"}
    return tuple(row for row in thread.deliveries if row.delivery.message in caused)


def _with(work: Work, body: bytes) -> Work:
    return work._replace(message=work.message._replace(body=body))
