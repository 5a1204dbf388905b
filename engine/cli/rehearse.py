"""`hilum run --dry-run`: everything a start needs, looked at and left as it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import HilumError, Unavailable
from engine.home import SOCKET, STORE, home
from engine.site.model import Site


class Check(NamedTuple):
    """One thing a start needs. code: of what is wrong with it, as `hilum explain` knows it; empty when nothing is."""

    what: str
    name: str
    code: str
    text: str

    def as_data(self) -> dict[str, Any]:
        return {"check": self.what, "name": self.name, "result": "FAILED" if self.code else "ok", "code": self.code,
                "text": self.text}  # fmt: skip


def rehearse(environ: Mapping[str, str] = os.environ) -> list[Check]:
    """What `hilum run` would find. Raises ConfigError for a site, or a log level, that cannot be used."""
    from engine import daemon, wiring

    daemon.level(environ)
    site = wiring.load(environ)
    found = [Check("site", site.name, "", f"version {site.version[:12]}, its secrets and references resolve")]
    running = _running(home(environ))
    found += [running or _store(home(environ)), *_folders(site, home(environ))]
    for name, config in site.listeners.items():
        listen = getattr(config.options, "listen", "")
        if listen:
            found.append(_address(name, config.kind, listen))
    return found


def _running(folder: Path) -> Check | None:
    from engine import control

    try:
        told = control.ask(folder / SOCKET, "status")
    except Unavailable:
        return None
    return Check("store", str(folder / STORE), "store.locked", f"a daemon runs here already (process {told['pid']})")


def _store(folder: Path) -> Check:
    from engine.store.sqlite import open_reader

    file = folder / STORE
    if not file.exists():
        return Check("store", str(file), "", "there is none yet; it would be made")

    async def look() -> int:
        reader = await open_reader(file)
        try:
            return int((await reader.stats())["received"])
        finally:
            await reader.close()

    try:
        return Check("store", str(file), "", f"its schema is known; {asyncio.run(look()):,} messages were received")
    except HilumError as error:
        return Check("store", str(file), error.code, error.text)


def _folders(site: Site, base: Path) -> Iterator[Check]:
    """Folders that would be written to: HILUM_HOME, and those that listeners and connections exchange files in."""
    named = [("home", "HILUM_HOME", base)]
    named += [("listener", name, value) for name, value in _paths(site.listeners)]
    named += [("connection", name, value) for name, value in _paths(site.connections)]
    for what, name, folder in named:
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
        text = "can be written to" if there == folder.absolute() else f"would be made in {there}"
        if usable:
            yield Check(what, name, "", f"{folder}: {text}")
        else:
            code = "store.write" if what == "home" else "folder.write"
            yield Check(what, name, code, f"{folder}: {there} cannot be written to by this user")


def _paths(parts: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    for name, part in parts.items():
        yield from ((name, value) for _, value in part.options if isinstance(value, Path))


def _address(name: str, kind: str, listen: str) -> Check:
    from engine import wiring

    trouble = wiring.why_not_bound(listen)
    return Check("listener", name, f"{kind}.listen" if trouble else "", f"{listen}: {trouble or 'free'}")
