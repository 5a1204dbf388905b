"""Opening the store for verbs: read-only for looking, the daemon or the store's lock for acting."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from engine.errors import Unavailable

if TYPE_CHECKING:
    from engine.store.reader import Reader

T = TypeVar("T")


def at_once(looking: Coroutine[Any, Any, T]) -> T:
    """Run what only reads from `reader()`: it never waits, so it needs no event loop, which takes long to load."""
    try:
        looking.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    looking.close()
    raise RuntimeError("a verb that only looks has waited for something")


@asynccontextmanager
async def reader() -> AsyncIterator[Reader]:
    """The store, read-only, beside a running daemon or without one. Raises Unavailable when there is none yet."""
    from engine.store.reader import open_reader

    store = await open_reader(_store_here(), threads=0)
    try:
        yield store
    finally:
        await store.close()


def _store_here() -> str:
    from engine.home import store_file

    path = store_file()
    if not os.path.exists(path):
        hint = "set HILUM_HOME to where the daemon runs, or start it once: hilum run"
        raise Unavailable("store.absent", "there is no store here", place=path, hint=hint)
    return path


def act(do: str, **fields: Any) -> Any:
    """Ask the daemon; when none runs, take the store's lock and do it here."""
    from engine import control
    from engine.home import SOCKET, home

    try:
        return control.ask(home() / SOCKET, do, **fields)
    except Unavailable as absent:
        if absent.code != "control.absent":
            raise
    import asyncio

    return asyncio.run(_act_alone(do, **fields))


async def _act_alone(do: str, **fields: Any) -> Any:
    import getpass

    from engine import wiring, worklist
    from engine.home import home

    store = wiring.make_store(home())
    await store.open()
    try:
        if do == "seed":
            return await store.seed(fields["counters"], reason=fields["reason"], who=getpass.getuser())
        if do == "take_over":
            orders = fields["orders"]
            return {"kept": await store.take_over(orders, reason=fields["reason"], who=getpass.getuser())}
        verb = {"replay": worklist.replay, "resolve": worklist.resolve}[do]
        return await verb(store, fields.pop("names"), who=getpass.getuser(), **fields)
    finally:
        await store.close()
