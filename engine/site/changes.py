"""What tells two sites apart, part by part: what a reload would take in, and the doors that it would refuse to move.

Only names are told, never values: one of them may be a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from engine.positions import Findings
from engine.site.model import Agreement, ListenerConfig, Site
from engine.site.source import Content, unpack
from engine.site.yaml import read_tree

DOORS = frozenset({"listener", "connection"})
_USES = frozenset({"extends", "use"})

Files = Mapping[str, Content]


@dataclass(frozen=True, slots=True)
class Change:
    """what: file, site, listener, connection, partner, mapping or route. how: added, changed, gone or moved.

    fields: which of its settings differ, where that can be told.
    """

    what: str
    name: str
    how: str
    fields: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """A running daemon keeps its sockets and folders as they are, and opens those that are new."""
        return self.what in DOORS and self.how != "added"

    def as_data(self) -> dict[str, Any]:
        return {"change": self.how, "what": self.what, "name": self.name, "fields": list(self.fields),
                "refused": self.refused}  # fmt: skip


def changes(old: Site, new: Site) -> list[Change]:
    """Everything that differs, files first."""
    before, after = unpack(old.snapshot).files, unpack(new.snapshot).files
    found = [*file_changes(before, after), *_settings(old, new), *door_changes(old, new)]
    found += _parts("partner", old.partners, new.partners)
    found += _parts("mapping", mapping_trees(before), mapping_trees(after))
    found += _parts("route", _routes(before), _routes(after))
    order = _same_order(list(_routes(before)), list(_routes(after)))
    return found if order else [*found, Change("route", "(their order)", "moved")]


def file_changes(before: Files, after: Files) -> list[Change]:
    """By path; also when the files make no site."""
    return list(_parts("file", before, after))


def door_changes(old: Site, new: Site) -> list[Change]:
    """Listeners and connections that differ."""
    shared = {name for site in (old, new) for name, config in site.listeners.items() if config.carries}
    before, after = ({name: _door(config, name in shared) for name, config in site.listeners.items()}
                     for site in (old, new))  # fmt: skip
    found = [*_parts("listener", before, after)]
    return [*found, *_parts("connection", old.connections, new.connections)]


def _door(config: ListenerConfig, shared: bool) -> ListenerConfig:
    """Whose messages come by a door that is shared moves no door."""
    return replace(config, carries=(), partner="", owner="") if shared else config


def _parts(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        if name not in after:
            yield Change(what, name, "gone")
        elif name not in before:
            yield Change(what, name, "added")
        elif before[name] != after[name]:
            yield Change(what, name, "changed", tuple(_differing(before[name], after[name])))


def _settings(old: Site, new: Site) -> Iterator[Change]:
    before, after = ({"name": site.name, "zone": site.zone, **site.settings} for site in (old, new))
    if before != after:
        yield Change("site", new.name, "changed", tuple(_differing(before, after)))


def _differing(before: Any, after: Any, depth: int = 2) -> Iterator[str]:
    """Names of what differs inside, as far as parts have names: `crosswalks.unit`, `options.listen`."""
    known, fresh = _named(before), _named(after)
    for name in sorted({*known, *fresh}):
        if known.get(name) != fresh.get(name):
            deeper = [*_differing(known.get(name), fresh.get(name), depth - 1)] if depth > 1 else []
            yield from [f"{name}.{one}" for one in deeper] or [name]


def _named(part: Any) -> Mapping[str, Any]:
    if isinstance(part, Mapping):
        return part
    if isinstance(part, tuple) and part and isinstance(part[0], Agreement):
        return {agreement.type: agreement for agreement in part}
    if is_dataclass(part):
        return {field.name: getattr(part, field.name) for field in fields(part)}
    return getattr(part, "__dict__", {})


# --- from the files, for what is compiled cannot be compared ---------------------------------------------------------
def mapping_trees(files: Files) -> dict[str, Any]:
    """Each mapping with all that it draws on."""
    plain = {name: tree for path in files if (name := _within(path, "mappings/")) and (tree := _plain(files, path))}
    return {name: {one: plain[one] for one in sorted(_drawn(name, plain, set()))} for name in plain}


def _drawn(name: str, plain: Mapping[str, Any], seen: set[str]) -> set[str]:
    if name in plain and name not in seen:
        seen.add(name)
        for word in _words(plain[name]):
            _drawn(word, plain, seen)
    return seen


def _words(tree: Any) -> Iterator[str]:
    """Names of other mappings: `extends: base`, `use: base.block`."""
    if isinstance(tree, Mapping):
        for key, child in tree.items():
            if key in _USES and isinstance(child, str):
                yield child.partition(".")[0]
            yield from _words(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _words(child)


def _routes(files: Files) -> dict[str, Any]:
    tree = _plain(files, "config/routes.yaml")
    return {route["name"]: route for route in tree["routes"]} if tree else {}


def _same_order(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether those that stay keep their order: a route that drops ends the search."""
    return [name for name in before if name in after] == [name for name in after if name in before]


def _within(path: str, folder: str) -> str:
    name = path.removeprefix(folder)
    return name.removesuffix(".yaml") if name != path and "/" not in name else ""


def _plain(files: Files, path: str) -> Any:
    content = files.get(path)
    tree = read_tree(content, path, Findings()) if isinstance(content, bytes) else None
    return tree.plain() if tree else None
