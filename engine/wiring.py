"""Puts the parts together: the one module that knows kinds, formats, store and site. Used by CLI and daemon alike."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import channels
from engine.delivery import Deliveries
from engine.dispatch import Dispatch
from engine.errors import Refused
from engine.home import STORE, home
from engine.intake import Reception, Verdicts
from engine.opinions import Opinions
from engine.plugin import Listener, Registry, Sender
from engine.site.load import require_site
from engine.site.model import ConnectionConfig, ListenerConfig, Site
from engine.site.reference import site_root
from engine.store.contract import Store
from engine.store.sqlite import SqliteStore
from engine.workers import Workers


def registry() -> Registry:
    return channels.registry()


def load(environ: Mapping[str, str] = os.environ, *, keep: bool = False) -> Site:
    """The site that HILUM_SITE names. keep: its large tables in the data root. Raises ConfigError with its findings."""
    return require_site(site_root(environ), registry(), environ, keep=keep)


def make_store(folder: Path) -> SqliteStore:
    folder.mkdir(parents=True, exist_ok=True)
    return SqliteStore(folder / STORE)


class Doors:
    """Makes the ways in and out that a site names; opens none of them."""

    def __init__(self, store: Store, site: Callable[[], Site], verdicts: Verdicts) -> None:
        self._store, self._site, self._verdicts, self._known = store, site, verdicts, registry()

    def senders(self, site: Site, but: Collection[str] = ()) -> dict[str, tuple[ConnectionConfig, Sender]]:
        """but: names that have theirs already."""
        wanted = {name: config for name, config in site.connections.items() if name not in but}
        return {name: (config, _sender(self._known, config)) for name, config in wanted.items()
                if _sends(self._known, config)}  # fmt: skip

    def listeners(self, site: Site, but: Collection[str] = ()) -> dict[str, Listener]:
        wanted = {name: config for name, config in site.listeners.items() if name not in but}
        return {name: _listener(self._known, config, self._reception(config)) for name, config in wanted.items()}

    def _reception(self, config: ListenerConfig) -> Reception:
        return Reception(config, self._site, self._known.format(config.format), self._store, self._verdicts)


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything a running daemon is made of."""

    workers: Workers
    dispatch: Dispatch
    deliveries: Deliveries
    opinions: Opinions
    listeners: Mapping[str, Listener]
    doors: Doors


def assemble(store: Store, site: Callable[[], Site], environ: Mapping[str, str] = os.environ) -> Engine:
    """Build all parts for the site as it is now; `site` is asked again for every message, so a reload takes effect."""
    known, verdicts, workers = registry(), Verdicts(), Workers(site, environ)
    doors, now = Doors(store, site, verdicts), site()
    return Engine(
        workers=workers,
        dispatch=Dispatch(store, site, known.format, verdicts, workers),
        deliveries=Deliveries(store, site, doors.senders(now)),
        opinions=Opinions(store, site, home(environ), environ),
        listeners=doors.listeners(now),
        doors=doors,
    )


def _sends(known: Registry, config: ConnectionConfig) -> bool:
    return known.kind(config.kind).make_sender is not None


def _sender(known: Registry, config: ConnectionConfig) -> Sender:
    make: Any = known.kind(config.kind).make_sender
    sender: Sender = make(config.name, config.options)
    return sender


def _listener(known: Registry, config: ListenerConfig, intake: Reception) -> Listener:
    make: Any = known.kind(config.kind).make_listener
    listener: Listener = make(config.name, config.options, intake)
    return listener


def why_not_bound(listen: str) -> str:
    """Why a listener could not have `host:port` now, in words; empty when it could."""
    from channels.probe import why_not_bound

    return why_not_bound(listen)


def reach(config: ConnectionConfig) -> tuple[bool, str] | None:
    """Whether a connection leads anywhere now, in words, without sending; None where that cannot be tried."""
    from channels import probe

    return probe.reach(config.options)


def frame_mllp(raw: bytes) -> bytes:
    from channels.wire.mllp import frame

    return frame(raw)


def broken_mllp(framed: bytes, options: Any) -> Refused | None:
    """Why a listener with these options would not take these bytes for one frame; None when it would."""
    from channels.wire.mllp import Broken, Framer

    events = Framer(max_frame=options.max_frame, lenient_end=options.lenient_end).feed(framed)
    return next((event.refusal for event in events if isinstance(event, Broken)), None)


async def exchange_mllp(address: str, raw: bytes) -> bytes:
    """Send one HL7 v2 message to `host:port` by MLLP and return the answer's bytes. Raises OSError."""
    from channels.wire.mllp import frame

    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(frame(raw))
        answer = await reader.readuntil(b"\x1c\r")
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the connection was closed without an answer") from error
    finally:
        writer.close()
    return answer.strip(b"\x0b\x1c\r")
