"""Work in memory: what may be claimed, what is claimed, and what is being committed just now.

A cache of the work table, changed only in the loop's thread and only by what has been committed. Claims live as long
as the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any

from engine.errors import Unavailable
from engine.message import Delivery, Message
from engine.store import reading
from engine.store.backlog import Backlog
from engine.store.contract import NewException, Outcome, Work
from engine.store.lanes import Item
from engine.store.pulling import NEVER, Loaded, due_deadlines, load_items, work_page
from engine.store.transaction import Effects

KINDS = ("process", "deliver")
DEADLINE = "deadline"
ASIDE = "aside"  # claimed by nobody
Lanes = list[tuple[str, list[Work]]]


class Claims:
    """able: whether what becomes of work could be recorded now; nothing is given out while it could not.
    refuse: keeps the outcome of work whose bytes have been altered. last, most, memory: see Backlog.
    """

    def __init__(
        self,
        *,
        read: Callable[..., Awaitable[Any]],
        clock: Callable[[], int],
        able: Callable[[], bool],
        refuse: Callable[[Sequence[Outcome]], Awaitable[Any]],
        last: int,
        most: int,
        memory: int,
    ) -> None:
        self._read = read
        self._clock = clock
        self._able = able
        self._refuse = refuse
        self._backlogs = {kind: Backlog(last=last, most=most, memory=memory // 2) for kind in KINDS}
        self._given: dict[str, dict[int, Work]] = {kind: {} for kind in (*KINDS, DEADLINE)}  # claimed, by kind and id
        self._next_check = 0  # no deadline is due before
        self._committing: set[tuple[str, int]] = set()
        self._replacing: set[int] = set()  # deliveries that commits under way replace ...
        self._replaced = 0  # ... and how many such commits have ended
        self._waiting: dict[str, set[asyncio.Future[None]]] = {kind: set() for kind in (*KINDS, DEADLINE)}
        self._shut = False

    # --- what a commit changes ---
    def apply(self, effects: Effects) -> None:
        for kind, ids in effects.done.items():
            given = self._given[kind]
            for id in ids:
                given.pop(id, None)
            if kind != DEADLINE:
                self._backlogs[kind].done(ids)
        for id, step in effects.steps:
            self._backlogs["process"].lanes.go_on(id, step)
        for kind, id, at in effects.postponed:
            self._given[kind].pop(id, None)
            self._backlogs[kind].postpone(id, at)
        for kind, items in effects.added.items():
            self._backlogs[kind].offer(items)
        if effects.next_check is not None:
            self._next_check = min(self._next_check, effects.next_check)
            self.wake([DEADLINE])
        self.wake({*effects.added, *effects.done, *[kind for kind, _, _ in effects.postponed]})

    def wake(self, kinds: Iterable[str] = (*KINDS, DEADLINE)) -> None:
        """Let everyone who waits for work of these kinds look again."""
        for kind in kinds:
            waiting, self._waiting[kind] = self._waiting[kind], set()
            for future in waiting:
                _wake(future)

    def shut(self) -> None:
        """Nobody need wait for work any more."""
        self._shut = True
        self.wake()

    # --- committing ---
    def begin(self, works: Iterable[Work]) -> list[bool]:
        """Whether each is claimed and nobody commits it just now; then it is being committed from here on."""
        committing, given, mine = self._committing, self._given, list[bool]()
        for work in works:
            known = work.kind, work.id
            mine.append(work.kind == ASIDE or (given[work.kind].get(work.id) is work and known not in committing))
            if mine[-1]:
                committing.add(known)
        return mine

    def end(self, works: Iterable[Work]) -> None:
        """The commit of these is through, or has failed."""
        self._committing.difference_update([(work.kind, work.id) for work in works])

    def release(self, works: Sequence[Work]) -> None:
        """What is not claimed any more, or just being committed, is left as it is."""
        for work in works:
            if (work.kind, work.id) in self._committing or not self._is_claimed(work):
                continue
            del self._given[work.kind][work.id]
            if work.kind == DEADLINE:
                self._next_check = 0
            else:
                self._backlogs[work.kind].release(work.id, work.message, work.delivery)
        self.wake({work.kind for work in works})

    def withhold(self, deliveries: Collection[int]) -> tuple[list[Item], set[int]]:
        """Keep deliveries that are to be replaced from being claimed; returns (those kept back, those under way).

        Until `give_back` no page of deliveries is taken in: it might hold some of them.
        """
        self._replacing.update(deliveries)
        lanes, withheld, sending = self._backlogs["deliver"].lanes, list[Item](), set[int]()
        for id in deliveries:
            item = lanes.of_subject(id)
            if item is not None and lanes.is_claimed(item.id):
                sending.add(id)
            elif item is not None:
                lanes.withhold(item)
                withheld.append(item)
        return withheld, sending

    def give_back(self, deliveries: Collection[int], withheld: Iterable[Item]) -> None:
        """The commit that replaces them is through, or has failed."""
        self._replacing.difference_update(deliveries)
        self._replaced += bool(deliveries)
        for item in withheld:
            self._backlogs["deliver"].lanes.release(item.id)
        if deliveries:
            self.wake(["deliver"])

    def sending(self) -> list[int]:
        """Deliveries claimed and not settled: they may be on their way."""
        return [item.subject for item in self._backlogs["deliver"].lanes.claimed_items()]

    def _is_claimed(self, work: Work) -> bool:
        """A claim is the very piece that was given out: the same work, claimed again since, is somebody else's."""
        return self._given[work.kind].get(work.id) is work

    # --- claiming ---
    async def pull(self, kind: str, limit: int, wait: float, lanes: int, bytes: int) -> Lanes:
        until = time.monotonic() + wait
        while True:
            found = await self._pull_now(kind, limit, lanes, bytes) if self._able() else []
            left = until - time.monotonic()
            if found or left <= 0 or self._shut:
                return found
            await self._pause(kind, left)

    async def _pull_now(self, kind: str, limit: int, lanes: int, bytes: int) -> Lanes:
        if kind == DEADLINE:
            return await self._pull_deadlines(limit)
        backlog = self._backlogs[kind]
        await self._load(kind, backlog)
        await self._read_ahead(kind, backlog)
        if not self._able():
            return []  # what is in doubt since then may be done
        claimed = backlog.lanes.claim(limit, self._clock(), lanes)
        try:
            works = await self._works(kind, claimed, bytes)
        except BaseException:
            for _, lane in claimed:
                for item in lane:
                    self._given[kind].pop(item.id, None)
                    backlog.lanes.release(item.id)
            self.wake([kind])
            raise
        whole = [(name, [works[item.id] for item in lane if item.id in works]) for name, lane in claimed]
        return [(name, lane) for name, lane in whole if lane]

    async def _works(self, kind: str, claimed: Sequence[tuple[str, list[Item]]], bytes: int) -> dict[int, Work]:
        """Claimed pieces with all they need, by id. What is beyond so many bytes goes back; those whose bytes are
        altered become exceptions instead.
        """
        backlog = self._backlogs[kind]
        missing = [item for _, lane in claimed for item in lane if item.message is None]
        loaded = await self._read(load_items, kind, missing, bytes) if missing else {}
        works: dict[int, Work] = {}
        altered: list[Work] = []
        left, beyond = bytes, list[Item]()
        for _, lane in claimed:
            for position, item in enumerate(lane):
                message, delivery, corrupt = loaded.get(item.id) or (item.message, item.delivery, False)
                if message is None or (message.size > left and works):
                    beyond += lane[position:]  # never one behind it, for the sake of the order
                    break
                left -= message.size
                backlog.take(item)
                work = _work(kind, item, message, delivery)
                if corrupt:
                    altered.append(work)
                else:
                    works[item.id] = work
        self._given[kind].update(works)
        if altered:
            self._given[kind].update((work.id, work) for work in altered)
            await self._refuse([_refusal(work) for work in altered])
        if beyond:
            for item in beyond:
                backlog.lanes.release(item.id)
            self.wake([kind])
        return works

    async def _load(self, kind: str, backlog: Backlog) -> None:
        """Bring more of a long backlog into memory."""
        while asked := backlog.room():
            after, last, replaced = backlog.horizon, backlog.last, self._replaced
            page = await self._read(work_page, kind, after, asked)
            replacing = kind == "deliver" and (self._replacing or replaced != self._replaced)
            if after == backlog.horizon and not replacing:  # nobody has loaded or taken back any of it meanwhile
                backlog.admit(page, asked=asked, last=last)

    async def _read_ahead(self, kind: str, backlog: Backlog) -> None:
        """Read the messages of what is next, as far as memory allows."""
        items, most = backlog.ahead()
        if not items:
            return
        loaded: dict[int, Loaded] = {}
        try:
            with contextlib.suppress(Unavailable):  # whoever claims them is told what is wrong
                loaded = await self._read(load_items, kind, items, most)
        finally:
            backlog.keep(items, loaded)

    async def _pull_deadlines(self, limit: int) -> Lanes:
        now = self._clock()
        if now < self._next_check:
            return []
        self._next_check = NEVER  # commits that end while we read may bring it forward
        try:
            due, next_check = await self._read(due_deadlines, now, limit, frozenset(self._given[DEADLINE]))
        except BaseException:
            self._next_check = 0
            raise
        fresh = [work for work in due if work.id not in self._given[DEADLINE]]
        self._given[DEADLINE].update((work.id, work) for work in fresh)
        self._next_check = min(self._next_check, next_check)
        return [(work.lane, [work]) for work in fresh]

    async def _pause(self, kind: str, left: float) -> None:
        """Until something has been committed, something falls due, or the time is up."""
        due = self._next_check if kind == DEADLINE else self._backlogs[kind].lanes.next_due()
        if due is not None and self._able():
            left = min(left, max(0.001, (due - self._clock()) / 1e6))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(left, _wake, future)
        self._waiting[kind].add(future)
        try:
            await future
        finally:
            timer.cancel()
            self._waiting[kind].discard(future)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _work(kind: str, item: Item, message: Message, delivery: Delivery | None) -> Work:
    return Work(item.id, kind, item.lane, item.priority, item.due_at, item.subject, message, delivery, item.step)


def _refusal(work: Work) -> Outcome:
    """Altered bytes are never served: a person must see to it, and the lane goes on."""
    error = reading.corrupt(work.message.seq)
    found = NewException(error.code, error.text, context={"partner": work.message.partner, "type": work.message.type})
    return Outcome(work, status="dead", state="exception", exceptions=(found,))
