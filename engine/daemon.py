"""The daemon: start, reload, stop. Senders and pipeline run before the first listener takes a byte.

SIGTERM and SIGINT drain: listeners stop first, then what is in hand is committed. SIGHUP reloads the site: it is read,
checked and compiled whole before it replaces the old one; a bad site changes nothing. What is sent during the
start takes effect when that is done.
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
from typing import Any, NamedTuple

from engine import logs, signals, wiring, worklist
from engine.control import ControlServer
from engine.errors import ConfigError, HilumError, Unavailable
from engine.home import SOCKET, home
from engine.positions import Findings
from engine.site.changes import changes, door_changes, file_changes
from engine.site.diagnostics import finding_data
from engine.site.load import load_site
from engine.site.model import Site
from engine.site.reference import site_root
from engine.site.source import read_source, unpack
from engine.store.contract import Store, TakenOver

_SWITCH = 0.0002  # seconds: the writer thread gets the interpreter back sooner from a busy loop

_KEPT = "a running daemon keeps its doors: restart it to take this in"
_COLLECT = (700, 10, 10)  # Python's own thresholds, after a start that makes much and drops little


class Running(NamedTuple):
    """What runs, and what stops it in order."""

    engine: wiring.Engine
    stack: contextlib.AsyncExitStack


class Daemon:
    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._home = home(environ)
        self._site: Site = wiring.load(environ, keep=True)
        self._stopping = asyncio.Event()
        self._running: Running | None = None
        self._reloading = asyncio.Lock()
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
            self._running = Running(engine, running)
            await _start(running, engine.workers)
            await _start(running, engine.dispatch)
            await _start(running, engine.deliveries)
            await _start(running, engine.opinions)
            await _start(running, control)
            for listener in engine.listeners.values():
                await _start(running, listener)
            self._listen_to_signals(store)
            _collect_from_here()
            logs.info("ready", site=self._site.version[:12], listeners=",".join(engine.listeners), pid=os.getpid())
            await self._stopping.wait()
            signals.hold()  # the event loop takes its handlers along when it closes
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
        signals.release()

    async def _reload_quietly(self, store: Store) -> None:
        with contextlib.suppress(HilumError):
            await self.reload(store)

    async def reload(self, store: Store) -> dict[str, Any]:
        """Swap the site whole, and open the doors that are new. Raises HilumError, and the old site goes on, when the
        new one is wrong or a door cannot be opened."""
        async with self._reloading:
            return await self._reload(store)

    async def _reload(self, store: Store) -> dict[str, Any]:
        try:
            fresh = await asyncio.to_thread(wiring.load, self._environ, keep=True)
            _same_doors(self._site, fresh)
        except ConfigError as error:
            logs.warning("reload_refused", code=error.code, place=error.place)
            raise
        await store.keep_site(fresh.version, fresh.snapshot)
        before, self._site = self._site, fresh
        try:
            opened = await self._open(before, fresh)
        except HilumError as error:
            self._site = before
            logs.warning("reload_refused", code=error.code, place=error.place)
            raise
        logs.info("reloaded", site=fresh.version[:12], opened=",".join(opened))
        return {"site": fresh.version, "opened": opened}

    async def _open(self, before: Site, fresh: Site) -> list[str]:
        """Open the doors that the site has not had before, all or none. Raises Unavailable."""
        if self._running is None:
            return []
        engine, stack = self._running
        listeners = engine.doors.listeners(fresh, before.listeners)
        senders = engine.doors.senders(fresh, before.connections)
        async with contextlib.AsyncExitStack() as opening:
            for listener in listeners.values():
                await _start(opening, listener)
            stack.push_async_callback(opening.pop_all().aclose)
        engine.deliveries.add(senders)
        return sorted({*listeners, *senders})

    async def plan_reload(self) -> dict[str, Any]:
        """What a reload would do now; nothing is changed. would: take, refuse, or nothing when nothing differs."""
        return await asyncio.to_thread(_plan, self._site, self._environ)

    def _commands(self, store: Store) -> dict[str, Callable[[dict[str, Any]], Awaitable[Any]]]:
        """What the control socket answers; `who` is filled in by it from the peer's user."""

        async def status(_: dict[str, Any]) -> dict[str, Any]:
            stats = await store.stats()
            facts = {"pid": os.getpid(), "site": self._site.version, "name": self._site.name}
            facts |= await _readiness(store, stats["deliveries"]["retrying"])
            return facts | {"up": round(time.time() - self._started, 1), "store": stats}

        async def stop(_: dict[str, Any]) -> dict[str, Any]:
            self._stopping.set()
            return {"stopping": True}

        async def reload(asked: dict[str, Any]) -> dict[str, Any]:
            return await (self.plan_reload() if asked.get("dry_run") else self.reload(store))

        async def replay(asked: dict[str, Any]) -> dict[str, Any]:
            force = bool(asked.get("force"))
            return await worklist.replay(store, asked["names"], reason=asked["reason"], who=asked["who"], force=force)

        async def resolve(asked: dict[str, Any]) -> dict[str, Any]:
            return await worklist.resolve(store, asked["names"], reason=asked["reason"], who=asked["who"])

        async def seed(asked: dict[str, Any]) -> dict[str, Any]:
            return await store.seed(asked["counters"], reason=asked["reason"], who=asked["who"])

        async def take_over(asked: dict[str, Any]) -> dict[str, Any]:
            orders = [TakenOver.of(one) for one in asked["orders"]]
            return {"kept": await store.take_over(orders, reason=asked["reason"], who=asked["who"])}

        known = {
            "take_over": take_over,
            "status": status,
            "stop": stop,
            "reload": reload,
            "replay": replay,
            "resolve": resolve,
        }
        return known | {"seed": seed}


async def _readiness(store: Store, retrying: int) -> dict[str, Any]:
    """ready: whether what comes in can be kept, so that listeners answer it. trouble: what hinders anything, in words:
    the code of why nothing can be kept, and how many deliveries have failed and are tried again."""
    trouble = [f"{retrying} {'delivery' if retrying == 1 else 'deliveries'} retrying"] if retrying else []
    try:
        await store.health()
    except Unavailable as failure:
        return {"ready": False, "trouble": ", ".join([failure.code, *trouble])}
    return {"ready": True, "trouble": ", ".join(trouble)}


def _plan(running: Site, environ: Mapping[str, str]) -> dict[str, Any]:
    root = site_root(environ)
    fresh, findings = load_site(root, wiring.registry(), environ)
    if fresh is None:
        found = file_changes(unpack(running.snapshot).files, read_source(root, Findings()).files)
    else:
        found = changes(running, fresh)
    refused = fresh is None or any(change.refused for change in found)
    return {
        "would": "refuse" if refused else "take" if found else "nothing",
        "running": running.version,
        "site": fresh.version if fresh else None,
        "root": str(root.absolute()),
        "changes": [change.as_data() for change in found],
        "findings": [finding_data(one) for one in findings.found],
    }


def _same_doors(old: Site, new: Site) -> None:
    """Sockets and folders stay as they are; a reload that would move or close one is refused, by name."""
    moved = [change for change in door_changes(old, new) if change.refused]
    if moved:
        more = f" (and {len(moved) - 1} more)" if len(moved) > 1 else ""
        text = f"{moved[0].what} {moved[0].name} changed; {_KEPT}{more}"
        raise ConfigError("CFG190", text, place=moved[0].name)


def _collect_from_here() -> None:
    """Modules and site live as long as the process: the garbage collector need not walk them again and again."""
    gc.freeze()
    gc.set_threshold(*_COLLECT)


async def _start(running: contextlib.AsyncExitStack, part: Any) -> None:
    await part.start()
    running.push_async_callback(part.stop)


def level(environ: Mapping[str, str], default: str = "INFO") -> str:
    """HILUM_LOG, or else the site's word. Raises ConfigError for a level that is none."""
    word = (environ.get("HILUM_LOG") or default).upper()
    if word not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ConfigError("CFG114", "HILUM_LOG is no log level", hint="use DEBUG, INFO, WARNING or ERROR")
    return word


def main(environ: Mapping[str, str] = os.environ) -> None:
    """Run the daemon on uvloop where there is one. Raises ConfigError or Unavailable when it cannot start."""
    logs.configure(level(environ))
    daemon = Daemon(environ)
    logs.configure(level(environ, daemon.site.settings.get("logs", {}).get("level", "INFO")))
    try:
        import uvloop
    except ImportError:
        asyncio.run(daemon.run())
    else:
        uvloop.run(daemon.run())
