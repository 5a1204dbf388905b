"""A process that accepts and delivers as fast as it can and says on stdout what it has been told is stored.

`python -m tests.functional.appending STORE RUN [--early]`; it is there to be killed. `--early` swaps in the defect that
callers are answered before the commit.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Sequence

from engine.store.contract import Appended, Incoming
from engine.store.sqlite import SqliteStore
from tests.store_kit import claim, delivered, incoming, order, processed

CALLERS = 20


async def main(path: str, run: int) -> None:
    store = SqliteStore(path)
    await store.open()
    print("ready", flush=True)
    callers = [accept(store, run * 1_000_000 + caller * 10_000) for caller in range(CALLERS)]
    await asyncio.gather(*callers, work(store, run))


async def accept(store: SqliteStore, first: int) -> None:
    for number in range(first, first + 10_000):
        sent = incoming(number, sender=f"S{first}", raw=b"%d " % number * 50)
        await store.append([sent])
        sys.stdout.write(f"stored {sent.control_id}\n")
        sys.stdout.flush()


async def work(store: SqliteStore, run: int) -> None:
    """One order for each message, each delivered."""
    while True:
        works = await claim(store, "process", 50, wait=0.01)
        orders = [(order(w.subject, uid=f"{run}-{w.subject}", document=None),) for w in works]
        await store.commit([processed(w, messages=made) for w, made in zip(works, orders, strict=True)])
        sending = await claim(store, "deliver", 50)
        await store.commit([delivered(w) for w in sending])
        for sent in sending:
            sys.stdout.write(f"delivered {sent.message.control_id}\n")
        sys.stdout.flush()


def answer_early() -> None:
    """The defect: whoever appends is answered, and the messages are in memory only until others have come.

    Twice as many are held back as there are callers, so that half of them or more have had their answer."""
    whole = SqliteStore.append
    unstored: deque[Sequence[Incoming]] = deque()

    async def careless(self: SqliteStore, batch: Sequence[Incoming]) -> list[Appended]:
        unstored.append(batch)
        if len(unstored) > 2 * CALLERS:
            await whole(self, unstored.popleft())
        return [Appended(0, "new")] * len(batch)

    SqliteStore.append = careless  # type: ignore[method-assign]


if __name__ == "__main__":
    if "--early" in sys.argv:
        answer_early()
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
