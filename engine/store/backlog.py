"""The waiting work of one kind, of any length: the oldest part in memory, the rest left in the work table.

Work is loaded in the order of its ids, so lanes keep their order; priority overtakes among what is loaded. The
messages of the oldest pieces are in memory too: read one by one when they are claimed they cost several times more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from engine.message import Delivery, Message
from engine.store.contract import LARGE
from engine.store.lanes import Item, Lanes
from engine.store.pulling import Loaded

ITEM = 1_000  # bytes an item takes besides its message's body, about
AHEAD = 512  # pieces whose messages are read at a time


class Backlog:
    """most: items in memory, not counting those of lanes that wait for time: a receiver that is down must not keep
    the others' work out. memory: bytes of messages kept until they are claimed.
    """

    def __init__(self, *, last: int, most: int = 20_000, memory: int = 6 << 20) -> None:
        self.lanes = Lanes()
        self._most = most
        self._memory = memory
        self._kept = 0
        self._bare: deque[Item] = deque()  # came without their messages; some may have been claimed since
        self._reading: set[int] = set()  # ids of those whose messages are being read ahead, if nothing befalls them
        self.horizon = 0  # every piece up to this id is in `lanes`, or done
        self._last = last  # the newest piece known to stand in the work table

    @property
    def complete(self) -> bool:
        return self.horizon >= self._last

    def room(self) -> int:
        """How many pieces may be loaded now; none until half of the room is free."""
        free = self._most - self.lanes.moving
        return free if not self.complete and free * 2 >= self._most else 0

    @property
    def last(self) -> int:
        return self._last

    def offer(self, items: Iterable[Item]) -> None:
        """Pieces just committed; called in the order of ids."""
        lanes = self.lanes
        for item in items:
            if item.id <= self.horizon:
                continue  # a page read meanwhile has brought it
            whole = self.horizon >= self._last
            self._last = item.id
            if whole and lanes.moving < self._most:
                self.horizon = item.id
                if not self._keep(item):
                    self._bare.append(item)
                lanes.add(item)
        self._tidy()

    def admit(self, page: Sequence[Item], *, asked: int, last: int) -> None:
        """Take a page read from the work table. last: what `last` was when the reading began."""
        for item in page:
            self.lanes.add(item)
        self._bare.extend(page)
        self._tidy()
        if page:
            self.horizon = max(self.horizon, page[-1].id)
        if len(page) < asked:
            self.horizon = max(self.horizon, last)

    def ahead(self) -> tuple[list[Item], int]:
        """The oldest pieces whose messages are to be read now, and how many bytes of them; none until half of the
        memory is free. They are given back by `keep`."""
        items, free = list[Item](), self._memory - self._kept
        most = min(AHEAD, free // (2 * ITEM))
        while self._bare and free * 2 > self._memory and len(items) < most:
            item = self._bare.popleft()
            if item.message is None and self.lanes.moves(item):
                items.append(item)
        self._reading.update([item.id for item in items])
        return items, free - ITEM * len(items)

    def keep(self, asked: Sequence[Item], loaded: Mapping[int, Loaded]) -> None:
        """What was read ahead, or nothing. Some pieces may have been claimed or done meanwhile; what was not read, for
        it would not fit, is read the next time."""
        self._bare.extendleft([item for item in reversed(asked) if item.id not in loaded])
        for item in asked:
            message, delivery, corrupt = loaded.get(item.id) or (None, None, False)
            usable = item.id in self._reading and not corrupt and item.message is None
            if usable and self.lanes.moves(item):
                item.message, item.delivery = message, delivery
                self._keep(item)
        self._reading.difference_update([item.id for item in asked])

    def take(self, item: Item) -> tuple[Message | None, Delivery | None]:
        """What is kept in memory for a claimed piece; it is the claimer's from now on."""
        kept = item.message, item.delivery
        self._forget(item)
        return kept

    def release(self, id: int, message: Message, delivery: Delivery | None) -> None:
        item = self.lanes.release(id)
        if item is not None and item.message is None:
            item.message, item.delivery = message, delivery
            self._keep(item)

    def postpone(self, id: int, at: int) -> None:
        """Due later; what is kept of it in memory tells of the time before."""
        self._reading.discard(id)
        item = self.lanes.postpone(id, at)
        if item is not None:
            self._forget(item)

    def done(self, ids: Iterable[int]) -> None:
        for id in ids:
            item = self.lanes.done(id)
            if item is not None:
                self._forget(item)

    def _tidy(self) -> None:
        """As long as memory is full nobody else takes out of `_bare` what is done."""
        if len(self._bare) > 2 * len(self.lanes) + AHEAD:
            self._bare = deque([item for item in self._bare if item in self.lanes])

    def _keep(self, item: Item) -> bool:
        """Whether its message stays in memory."""
        if item.message is None:
            return False
        size = ITEM + item.message.size
        if self._kept + size > self._memory or (item.message.size > LARGE and item.delivery is None):
            item.message = item.delivery = None
            return False
        self._kept += size
        return True

    def _forget(self, item: Item) -> None:
        if item.message is not None:
            self._kept -= ITEM + item.message.size
            item.message = item.delivery = None
