"""Listeners and connections: what all kinds share is fitted here, the rest to the kind's own declared options.

Nothing is opened: ports and folders are checked as words. A folder may not leave the data root, and one port has one
listener.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from engine.options import ListenerOptions, Options
from engine.plugin import Kind
from engine.positions import Mark, Tree
from engine.site.fit import fit, report_unknown
from engine.site.loading import Loading
from engine.site.model import ConnectionConfig, ListenerConfig, RetryPolicy
from engine.site.shapes import ConnectionEntry, ListenerEntry

_PLACES: Final = ("send", "fetch", "connect", "url")
_EVERYWHERE: Final = frozenset({"", "*", "0.0.0.0", "::", "[::]"})


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection, and its options as a listener's when it fetches."""

    config: ConnectionConfig
    entry: ConnectionEntry
    mark: Mark
    fetch: ListenerOptions | None = None

    @property
    def sends(self) -> bool:
        """False for one that only fetches: a folder without `send:`."""
        return getattr(self.config.options, "send", True) is not None

    def places(self) -> frozenset[str]:
        """Where it leads, whatever it is called: folders, addresses, URLs."""
        told = {**dict(self.config.options), **(dict(self.fetch) if self.fetch else {})}
        found = (told.get(name) for name in _PLACES)
        return frozenset(
            os.path.abspath(one) if isinstance(one, Path) else str(one).rstrip("/") for one in found if one
        )

    def listener(self, partner: str, owner: str, usage: str, carries: tuple[str, ...] = ()) -> ListenerConfig | None:
        """carries: the partners that share it, where there are several."""
        if self.fetch is None:
            return None
        entry = self.entry
        return ListenerConfig(
            self.config.name,
            self.config.kind,
            entry.format,
            partner,
            entry.owner or owner,
            self.fetch,
            usage,
            entry.limits,
            entry.format_options,
            entry.runbook,
            carries,
        )


def read_listener(tree: Tree, mark: Mark, loading: Loading) -> tuple[ListenerEntry, ListenerOptions] | None:
    """One entry of config/channels.yaml. Its partner is looked up by the caller."""
    shared, own = _divide(tree, mark, ListenerEntry)
    kind = _kind(tree.get("kind"), loading)
    entry = fit(ListenerEntry, shared, loading.findings)
    if kind is None:
        return None
    if kind.listener_options is None:
        loading.error("CFG312", f"the kind '{kind.name}' has no listener", _mark_of(tree, "kind"))
        return None
    options = fit(kind.listener_options, own, loading.findings, known=ListenerEntry.model_fields)
    if entry is None or options is None:
        return None
    check_format(entry.format, _mark_of(tree, "format"), loading)
    _check_places(options, own, loading)
    return entry, options


def read_connection(name: str, tree: Tree, mark: Mark, loading: Loading) -> Connection | None:
    """One entry of config/connections.yaml."""
    shared, own = _divide(tree, mark, ConnectionEntry)
    kind = _kind(tree.get("kind"), loading)
    entry = fit(ConnectionEntry, shared, loading.findings)
    return _connection(name, entry, kind, own, mark, loading) if kind and entry else None


def read_inline(name: str, tree: Tree, mark: Mark, loading: Loading) -> Connection | None:
    """A partner's own connection: `{KIND: {options}}`, with what all connections share beside the kind."""
    shared, rest = _divide(tree, mark, ConnectionEntry)
    kinds = [key for key, _ in rest.items()]
    if len(kinds) != 1 or tree.get("kind") is not None:
        text = "a connection names one kind with its options: {folder: {send: ..., fetch: ...}}"
        loading.error("CFG103" if not kinds else "CFG105", text, mark, f"kinds: {', '.join(loading.registry.kinds())}")
        return None
    word = kinds[0]
    where = rest.keys[word]
    kind = _kind(Tree(word, where), loading)
    named = {"kind": Tree(word, where), **dict(shared.items())}
    entry = fit(ConnectionEntry, Tree(named, mark, {"kind": where, **shared.keys}), loading.findings)
    own = rest.get(word)
    if kind is None or entry is None or own is None:
        return None
    if own.kind != "mapping":
        loading.error("CFG104", f"{word} must be a mapping of its options", where)
        return None
    return _connection(name, entry, kind, Tree(own.value, where, own.keys), mark, loading)


def _connection(
    name: str, entry: ConnectionEntry, kind: Kind, own: Tree, mark: Mark, loading: Loading
) -> Connection | None:
    if kind.sender_options is None:
        loading.error("CFG312", f"the kind '{kind.name}' has no sender", mark)
        return None
    fetches = own.get("fetch") is not None and "fetch" in _fields(kind.listener_options)
    sending, taking = _fields(kind.sender_options), _fields(kind.listener_options) if fetches else frozenset()
    unknown = [key for key, _ in own.items() if key not in sending | taking]
    report_unknown(
        unknown, own, {*sending, *_fields(kind.listener_options), *_fields(ConnectionEntry)}, loading.findings
    )
    check_format(entry.format, mark, loading)
    options = fit(kind.sender_options, _only(own, sending), loading.findings)
    fetch = (
        fit(kind.listener_options, _only(own, taking), loading.findings) if fetches and kind.listener_options else None
    )
    if options is None or (fetches and fetch is None):
        return None
    _check_places(options, own, loading)
    if fetch is not None:
        _check_places(fetch, own, loading)
    config = ConnectionConfig(name, kind.name, options, entry.owner, entry.in_flight, _policy(entry))
    return Connection(config, entry, mark, fetch)


def _policy(entry: ConnectionEntry) -> RetryPolicy:
    return RetryPolicy(**entry.retry.model_dump())


def check_format(name: str, mark: Mark, loading: Loading) -> bool:
    return loading.known("CFG302", "format", name, loading.registry.formats(), mark)


def _kind(word: Tree | None, loading: Loading) -> Kind | None:
    if word is None or not isinstance(word.value, str):
        return None  # the shape says that it is missing
    if not loading.known("CFG301", "kind", word.value, loading.registry.kinds(), word.mark):
        return None
    return loading.registry.kind(word.value)


def _fields(model: type[BaseModel] | None) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in model.model_fields.items()) if model else frozenset()


def _divide(tree: Tree, mark: Mark, shape: type[BaseModel]) -> tuple[Tree, Tree]:
    """The keys that a shape declares, and the rest."""
    if tree.kind != "mapping":
        return Tree(tree.value, mark), Tree({}, mark)
    known = _fields(shape)
    return (
        Tree({key: child for key, child in tree.items() if key in known}, mark, tree.keys),
        Tree({key: child for key, child in tree.items() if key not in known}, mark, tree.keys),
    )


def _only(tree: Tree, keys: Iterable[str]) -> Tree:
    wanted = frozenset(keys)
    return Tree({key: child for key, child in tree.items() if key in wanted}, tree.mark, tree.keys)


def _mark_of(tree: Tree, key: str) -> Mark:
    child = tree.get(key)
    return child.mark if child else tree.mark


# --- places: folders and ports ---------------------------------------------------------------------------------------
def _check_places(options: Options, tree: Tree, loading: Loading) -> None:
    for name, field in type(options).model_fields.items():
        value, written = getattr(options, name), tree.get(name)
        if written is not None and value is not None and _is_path(field.annotation):
            check_folder(Path(value), written.mark, loading)
    listen, written = getattr(options, "listen", None), tree.get("listen")
    if isinstance(listen, str) and written is not None and _port(listen) is None:
        loading.error("CFG105", "listen must be HOST:PORT with a port from 0 to 65535", written.mark)


def _is_path(annotation: Any) -> bool:
    return annotation is Path or any(_is_path(part) for part in typing.get_args(annotation))


def check_folder(path: Path, mark: Mark, loading: Loading) -> None:
    """A folder lies below the data root, with no `..` and no link on the way (CFG206, CFG207)."""
    if ".." in path.parts:
        loading.error("CFG206", "a folder's path may not hold '..'", mark)
        return
    home = Path(os.path.abspath(loading.home))  # not resolve(): the data root itself may be a link
    full = Path(os.path.abspath(path))
    if not full.is_relative_to(home) or full == home:
        hint = 'start it with "${env:HILUM_HOME:-./var}/"'
        loading.error("CFG206", "the folder lies outside the data root (HILUM_HOME)", mark, hint)
        return
    for step in (full, *full.parents):
        if step == home:
            break
        if step.is_symlink():
            loading.error("CFG207", "a folder on this path is a link", mark, "name the real folder")
            break


def _port(listen: str) -> tuple[str, int] | None:
    host, _, port = listen.rpartition(":")
    return (host, int(port)) if host and port.isascii() and port.isdigit() and int(port) <= 65_535 else None


def check_ports(listening: Iterable[tuple[str, str, Mark]], loading: Loading) -> None:
    """No two listeners (name, `host:port`, place) may want one port (CFG309)."""
    taken: list[tuple[str, int, str, Mark]] = []
    for name, listen, mark in listening:
        host, port = _port(listen) or ("", 0)
        for other in _clashes(taken, host, port):
            text = f"listener '{name}' wants port {port}, which '{other[2]}' has ({other[3]})"
            loading.error("CFG309", text, mark, "give one of them another port")
        taken.append((host, port, name, mark))


def _clashes(taken: list[tuple[str, int, str, Mark]], host: str, port: int) -> Iterator[tuple[str, int, str, Mark]]:
    for other in taken[:]:
        same_host = other[0] == host or bool({host, other[0]} & _EVERYWHERE)
        if port and other[1] == port and same_host:
            yield other
