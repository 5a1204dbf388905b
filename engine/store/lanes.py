"""Lanes of one kind of work: which piece may be claimed next. Pure, in memory; the work table is the truth behind it.

In order inside a lane, by priority then age across lanes. Lower priority numbers go first. A lane with claimed work, or
whose head is not due, gives nothing. An urgent piece pulls its whole lane forward; it never overtakes inside it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from engine.message import Delivery, Message

LOOK_AHEAD = 64  # how far into a lane an urgent piece is seen when the lane comes free


@dataclass(slots=True)
class Item:
    """One piece of work. message and delivery are kept while memory allows; otherwise read when claimed."""

    id: int
    lane: str
    priority: int
    due_at: int
    subject: int
    step: str = ""
    message: Message | None = None
    delivery: Delivery | None = None


@dataclass(slots=True)
class _Lane:
    name: str
    items: deque[Item] = field(default_factory=deque)
    claimed: int = 0
    rank: int | None = None  # the priority it stands in the queue with; None when it does not stand there
    waiting: bool = False  # for its head to fall due
    mixed: bool = False  # whether its pieces may differ in priority


class Lanes:
    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._items: dict[int, Item] = {}
        self._claimed: set[int] = set()
        self._ready: list[tuple[int, int, str]] = []  # (priority, id of head, lane); entries may be stale
        self._timers: list[tuple[int, str]] = []  # (due_at, lane); entries may be stale
        self._parked = 0  # items of lanes that wait for their head to fall due

    def __len__(self) -> int:
        return len(self._items)

    @property
    def moving(self) -> int:
        """Items of lanes that do not wait for time."""
        return len(self._items) - self._parked

    def add(self, item: Item) -> None:
        lane = self._lanes.get(item.lane)
        if lane is None:
            lane = self._lanes[item.lane] = _Lane(item.lane)
        item.lane = lane.name  # one text for all of them
        lane.items.append(item)
        lane.mixed = lane.mixed or item.priority != lane.items[0].priority
        self._items[item.id] = item
        self._parked += lane.waiting
        if lane.claimed == 0 and not lane.waiting and (lane.rank is None or item.priority < lane.rank):
            self._enqueue(item.lane, lane)

    def claim(self, limit: int, now: int, most: int) -> list[tuple[str, list[Item]]]:
        """Up to `limit` due items, the lanes sharing it evenly. most: lanes."""
        self._wake(now)
        lanes: list[tuple[str, _Lane]] = []
        while self._ready and len(lanes) < min(limit, most):
            _, _, name = heapq.heappop(self._ready)
            lane = self._lanes.get(name)
            if lane is None or lane.rank is None or lane.claimed:
                continue
            lane.rank = None
            if lane.items[0].due_at > now:
                lane.waiting = True
                self._parked += len(lane.items)
                heapq.heappush(self._timers, (lane.items[0].due_at, name))
                continue
            lanes.append((name, lane))
        claimed: list[tuple[str, list[Item]]] = []
        for position, (name, lane) in enumerate(lanes):
            share = -(-limit // (len(lanes) - position))
            items = self._take(lane, share, now)
            limit -= len(items)
            claimed.append((name, items))
        return claimed

    def is_claimed(self, id: int) -> bool:
        return id in self._claimed

    def done(self, id: int) -> Item | None:
        """Forget a piece; its lane goes on when nothing else of it is claimed."""
        item = self._items.pop(id, None)
        if item is None:
            return None
        lane = self._lanes[item.lane]
        self._parked -= lane.waiting
        if lane.items[0] is item:
            lane.items.popleft()
        else:
            lane.items.remove(item)
        self._unclaim(item, lane)
        return item

    def postpone(self, id: int, at: int) -> Item | None:
        """Keep a piece at its place in the lane, due later."""
        item = self._items.get(id)
        if item is not None:
            item.due_at = at
            self._unclaim(item, self._lanes[item.lane])
        return item

    def go_on(self, id: int, step: str) -> None:
        """A piece is at another step now."""
        item = self._items.get(id)
        if item is not None:
            item.step = step

    def release(self, id: int) -> Item | None:
        item = self._items.get(id)
        if item is not None:
            self._unclaim(item, self._lanes[item.lane])
        return item

    def __contains__(self, item: Item) -> bool:
        return self._items.get(item.id) is item

    def moves(self, item: Item) -> bool:
        """Whether a piece waits for nothing but its turn."""
        return item in self and item.id not in self._claimed and not self._lanes[item.lane].waiting

    def of_subject(self, subject: int) -> Item | None:
        """The piece about a subject, by looking through all of them."""
        return next((item for item in self._items.values() if item.subject == subject), None)

    def withhold(self, item: Item) -> None:
        """Claim one piece out of turn, so that nobody else does while it is taken back."""
        self._claimed.add(item.id)
        self._lanes[item.lane].claimed += 1

    def next_due(self) -> int | None:
        """When the next postponed head falls due; None when nothing waits for time."""
        return self._timers[0][0] if self._timers else None

    def claimed_items(self) -> Iterable[Item]:
        return [self._items[id] for id in self._claimed]

    def _take(self, lane: _Lane, share: int, now: int) -> list[Item]:
        items: list[Item] = []
        for item in islice(lane.items, share):
            if item.due_at > now:
                break
            items.append(item)
        lane.claimed = len(items)
        self._claimed.update([item.id for item in items])
        return items

    def _unclaim(self, item: Item, lane: _Lane) -> None:
        if item.id in self._claimed:
            self._claimed.remove(item.id)
            lane.claimed -= 1
        if lane.claimed == 0:
            if lane.items:
                self._enqueue(item.lane, lane)
            else:
                self._lanes.pop(item.lane, None)

    def _enqueue(self, name: str, lane: _Lane) -> None:
        if lane.waiting:
            lane.waiting = False
            self._parked -= len(lane.items)
        head = lane.items[0]
        lane.rank = min([item.priority for item in islice(lane.items, LOOK_AHEAD)]) if lane.mixed else head.priority
        heapq.heappush(self._ready, (lane.rank, head.id, name))

    def _wake(self, now: int) -> None:
        while self._timers and self._timers[0][0] <= now:
            _, name = heapq.heappop(self._timers)
            lane = self._lanes.get(name)
            if lane is not None and lane.waiting:
                self._enqueue(name, lane)
