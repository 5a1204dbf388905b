"""Sends planned deliveries until their receiver has them, and settles every attempt.

Each connection has up to `in_flight` workers; a worker takes one lane at a time and sends its deliveries in order, and
ends when no lane waits. What a receiver answered is committed behind the next send of the same lane, never before it is
known. After a failure the rest of the lane goes back to the store, so nothing overtakes its head.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import time
from collections.abc import Callable, Mapping

from engine import ids, logs, retry
from engine.business_time import due
from engine.errors import HilumError, Rejected, Unavailable
from engine.message import Delivery
from engine.pipeline import UNREAD_REPLY
from engine.plugin import Outbound, Sender, Sent
from engine.settling import DEFECT, Settler
from engine.site.model import ConnectionConfig, Partner, RetryPolicy, Site
from engine.store.contract import Attempt, Incoming, NewException, Outcome, Store, Work
from engine.supervise import forever, once

_PULL = 512
_GRACE = 4.0  # seconds that stopping leaves to what is on its way

Lane = list[Work]


class Courier:
    """The workers of one connection."""

    def __init__(
        self, config: ConnectionConfig, sender: Sender, store: Store, settler: Settler, site: Callable[[], Site]
    ) -> None:
        self._config = config
        self._sender = sender
        self._store = store
        self._settler = settler
        self._site = site
        self._part = f"courier {config.name}"
        self._lanes: list[tuple[int, int, Lane]] = []  # a heap
        self._workers: set[asyncio.Task[None]] = set()
        self._sending = 0
        self._stopping = False
        self._quiet = asyncio.Event()

    def take(self, lane: Lane) -> None:
        heapq.heappush(self._lanes, (lane[0].priority, lane[0].id, lane))
        if len(self._workers) < self._config.in_flight:
            worker = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(worker)

    async def stop(self) -> None:
        """Begin nothing more and let what is on its way end; after `_GRACE` it is cut off, a possible duplicate."""
        self._stopping = True
        if self._sending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await self._quiet.wait()
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for _, _, lane in self._lanes:
            await self._store.release(lane)
        await self._sender.close()

    async def _work(self) -> None:
        """Lane after lane. A worker counts until the moment it has found none: none comes in between."""
        try:
            while self._lanes:
                _, _, lane = heapq.heappop(self._lanes)
                await once(self._part, self._send_lane, lane)
        finally:
            self._workers.discard(asyncio.current_task())

    async def _send_lane(self, lane: Lane) -> None:
        for position, work in enumerate(lane):
            if self._settler.full:
                await self._settler.room()
            if self._stopping:
                await self._store.release(lane[position:])
                return
            outcome = await self._attempt(work)
            self._settler.put(outcome)
            if outcome.status == "retry":
                await self._store.release(lane[position + 1 :])
                return

    async def _attempt(self, work: Work) -> Outcome:
        assert work.delivery is not None
        self._sending += 1
        started, clock = ids.now(), time.perf_counter()
        try:
            sent = await self._sender.send(Outbound(work.delivery, work.message))
        except HilumError as error:
            return self._failed(work, error, started, clock)
        except Exception as error:
            logs.failure("defect", error, delivery=work.delivery.uid)
            broken = Unavailable(DEFECT, f"Hilum itself failed while sending ({type(error).__name__})")
            return self._failed(work, broken, started, clock)
        finally:
            self._sending -= 1
            if self._stopping and not self._sending:
                self._quiet.set()
        attempt = Attempt(started, _ms(clock), "delivered", sent.code)
        logs.debug("delivered", delivery=work.delivery.uid, connection=self._config.name, code=sent.code)
        reply = self._reply(work, sent) if sent.reply else None
        site = self._site()
        return Outcome(work, attempt=attempt, reply=reply, site=site.version, dues=_dues(work.delivery, site))

    def _failed(self, work: Work, error: HilumError, started: int, clock: float) -> Outcome:
        delivery = work.delivery
        assert delivery is not None
        attempt = Attempt(started, _ms(clock), retry.outcome_of(error), error.code, _told(error))
        number = delivery.attempts + 1
        decision = retry.decide(
            error, attempt=number, policy=self._config.retry, now=ids.now(), since=delivery.created_at,
            jitter=random.random(),
        )  # fmt: skip
        logs.info("failed", delivery=delivery.uid, connection=self._config.name, code=error.code, attempt=number)
        if isinstance(decision, retry.Again):
            return Outcome(work, status="retry", at=decision.at, attempt=attempt)
        found = _dead(work, error, decision)
        reply = None
        if isinstance(error, Rejected) and error.reply:
            reply = self._reply(work, Sent("", error.reply), read=False)
        return Outcome(
            work, status="dead", attempt=attempt, exceptions=(found,), reply=reply, site=self._site().version
        )

    def _reply(self, work: Work, sent: Sent, *, read: bool = True) -> Incoming | None:
        """The receiver's answer as a message of its own, read under the agreement's `reply` type."""
        assert work.delivery is not None
        if not sent.reply:
            return None
        site, partner = self._site(), work.delivery.destination
        known = site.partners.get(partner)
        type, format = _reply_type(known, work.delivery.type) if read and known else (UNREAD_REPLY, "json")
        return Incoming(
            raw=sent.reply,
            channel=self._config.name,
            partner=partner,
            format=format,
            type=type,
            sender=partner,
            site=site.version,
            lane=f"{self._config.name}/{work.delivery.lane}",
            priority=work.priority,
        )


class Deliveries:
    """Claims due deliveries and hands each lane to its connection's courier."""

    def __init__(
        self,
        store: Store,
        site: Callable[[], Site],
        senders: Mapping[str, tuple[ConnectionConfig, Sender]],
    ) -> None:
        self._store = store
        self._site = site
        self._settler = Settler(store)
        self._couriers: dict[str, Courier] = {}
        self.add(senders)
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, senders: Mapping[str, tuple[ConnectionConfig, Sender]]) -> None:
        """Connections that are there from now on."""
        for name, (config, sender) in senders.items():
            self._couriers[name] = Courier(config, sender, self._store, self._settler, self._site)

    async def start(self) -> None:
        parts = {"deliveries": self._claim, "settle": self._settler.run}
        self._tasks = [asyncio.create_task(forever(name, round)) for name, round in parts.items()]

    async def stop(self) -> None:
        self._tasks[0].cancel()
        await asyncio.gather(*(courier.stop() for courier in self._couriers.values()))
        self._tasks[1].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._settler.drain()

    async def _claim(self) -> None:
        for _, works in await self._store.pull("deliver", _PULL, wait=1.0):
            assert works[0].delivery is not None
            courier = self._couriers.get(works[0].delivery.connection)
            if courier is not None:
                courier.take(works)
            else:
                await self._put_off(works)

    async def _put_off(self, works: Lane) -> None:
        """A change of the site has left these without a connection; those behind the first may have one."""
        assert works[0].delivery is not None
        name = works[0].delivery.connection
        gone = Unavailable("delivery.connection", f"connection {name} is not in the running site")
        now = ids.now()
        attempt = Attempt(now, 0, "transient", gone.code, gone.text)
        later = now + RetryPolicy().most
        await self._settler.room()
        self._settler.put(Outcome(works[0], status="retry", at=later, attempt=attempt))
        await self._store.release(works[1:])


def _dues(delivery: Delivery, site: Site) -> tuple[tuple[str, int], ...]:
    """When each answer is due that is promised in business time."""
    partner = site.partners.get(delivery.destination)
    if partner is None or partner.calendar is None:
        return ()
    agreement, now = partner.outgoing_type(delivery.type), ids.now()
    return tuple([(kind, due(now, within, partner.calendar)) for kind, within in agreement.expect]) if agreement else ()


def _reply_type(partner: Partner, sent_type: str) -> tuple[str, str]:
    agreement = partner.outgoing_type(sent_type)
    reading = partner.incoming(agreement.reply) if agreement and agreement.reply else None
    return (reading.type, reading.format) if reading else (UNREAD_REPLY, agreement.format if agreement else "json")


def _dead(work: Work, error: HilumError, decision: retry.Dead) -> NewException:
    delivery = work.delivery
    assert delivery is not None
    context = {"partner": delivery.destination, "connection": delivery.connection, "type": delivery.type}
    context |= {"cause": error.code, "hint": error.hint, **error.context}
    text = f"the {delivery.type} for {delivery.destination} was not delivered, {decision.text}: {error.text}"
    told = {name: value for name, value in context.items() if value}
    return NewException(decision.code, text, error.place or told.get("pointer", ""), told, delivery=delivery.id)


def _told(error: HilumError) -> str:
    """The failure, with the receiver's own reason for it in one line: it is stored and shown, and never logged."""
    words = ": ".join(filter(None, (error.context.get("code"), error.context.get("message"))))
    said = "".join(one if one.isprintable() else " " for one in words)
    return f"{error.text}, saying {said}" if said else error.text


def _ms(clock: float) -> int:
    return round((time.perf_counter() - clock) * 1000)
