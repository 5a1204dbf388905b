"""The daemon: start, reload, stop. Senders and pipeline run before the first listener takes a byte.

SIGTERM and SIGINT drain: listeners stop first, then what is in hand is committed. SIGHUP reloads the site: it is read,
checked and compiled whole before it replaces the old one; a bad site changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine import logs, wiring, worklist
from engine.control import ControlServer
from engine.errors import ConfigError, HilumError, Unavailable
from engine.home import SOCKET, home
from engine.site.model import Site
from engine.store.contract import Store

_SWITCH = 0.0002  # seconds: the writer thread gets the interpreter back sooner from a busy loop

_COLLECT = (700, 10, 10)  # Python's own thresholds, after a start that makes much and drops little


class Daemon:
    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._home = home(environ)
        self._site: Site = wiring.load(environ)
        self._stopping = asyncio.Event()
        self._started = time.time()

    @property
    def site(self) -> Site:
        return self._site

    async def run(self) -> None:
        """Run until a signal says stop. Raises HilumError when it cannot start."""
        sys.setswitchinterval(_SWITCH)
        store = wiring.make_store(self._home)
        await store.open()
        try:
            await self._serve(store)
        finally:
            await store.close()

    async def _serve(self, store: Store) -> None:
        await store.keep_site(self._site.version, self._site.snapshot)
        engine = wiring.assemble(store, lambda: self._site, self._environ)
        control = ControlServer(self._home / SOCKET, self._commands(store))
        async with contextlib.AsyncExitStack() as running:
            await _start(running, engine.workers)
            await _start(running, engine.dispatch)
            await _start(running, engine.deliveries)
            await _start(running, control)
            for listener in engine.listeners.values():
                await _start(running, listener)
            self._listen_to_signals(store)
            _collect_from_here()
            logs.info("ready", site=self._site.version[:12], listeners=",".join(engine.listeners), pid=os.getpid())
            await self._stopping.wait()
            logs.info("stopping", pid=os.getpid())

    def _listen_to_signals(self, store: Store) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        reloads: set[asyncio.Task[object]] = set()

        def reload() -> None:
            task: asyncio.Task[object] = asyncio.ensure_future(self._reload_quietly(store))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)

    async def _reload_quietly(self, store: Store) -> None:
        with contextlib.suppress(HilumError):
            await self.reload(store)

    async def reload(self, store: Store) -> dict[str, Any]:
        """Swap the site whole. Raises ConfigError, and the old site goes on, when the new one is wrong."""
        try:
            fresh = await asyncio.to_thread(wiring.load, self._environ)
            _same_doors(self._site, fresh)
        except ConfigError as error:
            logs.warning("reload_refused", code=error.code, place=error.place)
            raise
        await store.keep_site(fresh.version, fresh.snapshot)
        self._site = fresh
        logs.info("reloaded", site=fresh.version[:12])
        return {"site": fresh.version}

    def _commands(self, store: Store) -> dict[str, Callable[[dict[str, Any]], Awaitable[Any]]]:
        """What the control socket answers; `who` is filled in by it from the peer's user."""

        async def status(_: dict[str, Any]) -> dict[str, Any]:
            facts = {"pid": os.getpid(), "site": self._site.version, "name": self._site.name}
            facts |= await _readiness(store)
            return facts | {"up": round(time.time() - self._started, 1), "store": await store.stats()}

        async def stop(_: dict[str, Any]) -> dict[str, Any]:
            self._stopping.set()
            return {"stopping": True}

        async def reload(_: dict[str, Any]) -> dict[str, Any]:
            return await self.reload(store)

        async def replay(asked: dict[str, Any]) -> dict[str, Any]:
            force = bool(asked.get("force"))
            return await worklist.replay(store, asked["names"], reason=asked["reason"], who=asked["who"], force=force)

        async def resolve(asked: dict[str, Any]) -> dict[str, Any]:
            return await worklist.resolve(store, asked["names"], reason=asked["reason"], who=asked["who"])

        return {"status": status, "stop": stop, "reload": reload, "replay": replay, "resolve": resolve}


async def _readiness(store: Store) -> dict[str, Any]:
    """ready: whether what comes in can be kept, so that listeners answer it. trouble: the code of what hinders it."""
    try:
        await store.health()
    except Unavailable as failure:
        return {"ready": False, "trouble": failure.code}
    return {"ready": True, "trouble": ""}


def _same_doors(old: Site, new: Site) -> None:
    """Sockets and folders are opened at start; a reload that would move them is refused, by name."""
    for what, before, after in (
        ("listener", old.listeners, new.listeners),
        ("connection", old.connections, new.connections),
    ):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                text = f"{what} {name} changed; a running daemon keeps its doors: restart it to take this in"
                raise ConfigError("CFG190", text, place=name)


def _collect_from_here() -> None:
    """Modules and site live as long as the process: the garbage collector need not walk them again and again."""
    gc.freeze()
    gc.set_threshold(*_COLLECT)


async def _start(running: contextlib.AsyncExitStack, part: Any) -> None:
    await part.start()
    running.push_async_callback(part.stop)


def _level(environ: Mapping[str, str], default: str) -> str:
    """HILUM_LOG, or else the site's word. Raises ConfigError for a level that is none."""
    level = (environ.get("HILUM_LOG") or default).upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ConfigError("CFG114", "HILUM_LOG is no log level", hint="use DEBUG, INFO, WARNING or ERROR")
    return level


def main(environ: Mapping[str, str] = os.environ) -> None:
    """Run the daemon on uvloop where there is one. Raises ConfigError or Unavailable when it cannot start."""
    logs.configure(_level(environ, "INFO"))
    daemon = Daemon(environ)
    logs.configure(_level(environ, daemon.site.settings.get("logs", {}).get("level", "INFO")))
    try:
        import uvloop
    except ImportError:
        asyncio.run(daemon.run())
    else:
        uvloop.run(daemon.run())
