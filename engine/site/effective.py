"""A partner as its files make it: its own keys over what it extends, every value with the place it was written at.

References stay as they are written, so that no secret is ever read here, let alone shown. What a partner's certificate
is for, its fingerprint, is taken from the same tree.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.plugin import Registry
from engine.positions import Findings, Mark, Tree
from engine.secrets import MASK, Secret
from engine.site.bulk import Bulk
from engine.site.changes import mapping_trees
from engine.site.loading import Loading
from engine.site.source import Source
from engine.site.templates import extend
from engine.site.yaml import read_tree

SIDES: Final = ("live", "test")
# What says who is told, or how far a partner has come, and changes nothing of what it is sent.
_FOR_PEOPLE: Final = frozenset({"apiVersion", "extends", "status", "title", "owner", "runbook", "contacts"})
_SECRET_WORD: Final = re.compile(r"pass(word|phrase|wd)?$|secret|token|private|credential|(^|_)key$")
_USER_OF_URL: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_REFERENCE_ALONE: Final = re.compile(r"\$\{(?:env:[A-Za-z_][A-Za-z0-9_]*|file:/[^{}]*)\}")


class Setting(NamedTuple):
    """One effective value. key: `live.identity.theirs.isa`. place: `file:line`, or `default` where no file says it."""

    key: str
    value: str
    place: str


def partner_names(source: Source) -> list[str]:
    return [name for name, _, _ in source.named("partners")]


def effective_tree(
    source: Source, name: str, registry: Registry, folder: str = "partners", templates: Mapping[str, Tree] | None = None
) -> Tree | None:
    """The partner's whole tree; None when there is no such file, or it cannot be read as far as that.

    templates: as `_templates` reads them, where many partners are asked for.
    """
    found = Loading(Findings(), registry, {}, Path())
    own = _tree(source, f"{folder}/{name}.yaml")
    known = _templates(source) if templates is None else templates
    return extend(own, known, found) if own is not None and own.kind == "mapping" else None


def _templates(source: Source) -> dict[str, Tree]:
    found = {f"templates/{name}": _tree(source, path) for name, path, _ in source.named("partners/templates")}
    return {name: tree for name, tree in found.items() if tree is not None}


def settings(source: Source, name: str, registry: Registry) -> list[Setting]:
    """Every value that counts for a partner, that of a connection it names included. Secrets are masked."""
    tree = effective_tree(source, name, registry)
    if tree is None:
        return []
    told = [Setting(".".join(path), _shown(path, leaf, registry), _line(leaf.mark)) for path, leaf in _leaves(tree)]
    return sorted([*told, *_named_connections(source, tree, registry), *_defaults(source, tree)], key=_group)


def fingerprint(source: Source, name: str, registry: Registry) -> str:
    """As `fingerprints`, of one partner."""
    return fingerprints(source, [name], registry)[name]


def fingerprints(source: Source, names: Collection[str], registry: Registry) -> dict[str, str]:
    """SHA-256 of all that decides what is said to a partner and how it is read: its effective configuration less what
    is for people, the mappings of its agreements with what they draw on, their guides, and its code tables.

    Of another partner's file it holds nothing. Empty where there is no such partner.
    """
    mappings, templates = mapping_trees(source.files), _templates(source)
    trees = {name: effective_tree(source, name, registry, templates=templates) for name in names}
    return {name: _fingerprint(source, tree, mappings) for name, tree in trees.items()}


def _fingerprint(source: Source, tree: Tree | None, mappings: Mapping[str, Any]) -> str:
    if tree is None or not isinstance(tree.value, dict):
        return ""
    plain: Any = tree.plain()
    told = {key: value for key, value in plain.items() if key not in _FOR_PEOPLE}
    used = sorted({word for path, word in _words(plain) if path[-1] == "mapping"})
    tables = sorted({word for path, word in _words(plain) if path[0] == "crosswalks" and path[-1] in {path[1], "use"}})
    guides = sorted({word for path, word in _words(plain) if path[-1] == "guide"})
    whole = {
        "partner": told,
        "mappings": {word: mappings.get(word) for word in used},
        "tables": {word: _digest(source, f"config/crosswalks/{word}.csv") for word in tables},
        "guides": {word: _guide(source, word) for word in guides},
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


# --- values ----------------------------------------------------------------------------------------------------------
def _leaves(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tree]]:
    if isinstance(tree.value, dict):
        for key, child in tree.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(tree.value, list):
        for position, child in enumerate(tree.value):
            yield from _leaves(child, (*path, str(position)))
    else:
        yield path, tree


def _shown(path: tuple[str, ...], leaf: Tree, registry: Registry) -> str:
    text = leaf.value if isinstance(leaf.value, str) else ""
    if _REFERENCE_ALONE.fullmatch(text):
        return text  # it says where the secret is, not what
    return MASK if text and _holds_secret(path, registry) else _USER_OF_URL.sub(MASK, text)


def _holds_secret(path: tuple[str, ...], registry: Registry) -> bool:
    """By what the kind declares, and by its name: a misspelt key must not show what was meant for another."""
    if len(path) < 4 or path[1] != "connection":
        return False
    if _SECRET_WORD.search(path[-1]):
        return True
    kind = registry.kind(path[2]) if path[2] in registry.kinds() else None
    models = [kind.sender_options, kind.listener_options] if kind else []
    fields = [model.model_fields[path[3]] for model in models if model and path[3] in model.model_fields]
    return any(_is_secret(field.annotation) for field in fields)


def _is_secret(annotation: Any) -> bool:
    return annotation is Secret or any(_is_secret(part) for part in typing.get_args(annotation))


def _named_connections(source: Source, tree: Tree, registry: Registry) -> Iterator[Setting]:
    entries = _at(_tree(source, "config/connections.yaml"), "connections")
    for side in SIDES:
        named = _at(tree, side, "connection")
        entry = entries.get(named.value) if entries and named and isinstance(named.value, str) else None
        kind = _at(entry, "kind")
        for path, leaf in _leaves(entry) if entry else ():
            word = str(kind.value) if kind else ""
            shown = _shown((side, "connection", word, *path), leaf, registry)
            yield Setting(".".join((side, "connection", str(named and named.value), *path)), shown, _line(leaf.mark))


def _defaults(source: Source, tree: Tree) -> Iterator[Setting]:
    """What no key of the partner says, and counts all the same."""
    for side, usage in zip(SIDES, "PT", strict=True):
        if tree.get(side) and not _at(tree, side, "identity", "usage"):
            yield Setting(f"{side}.identity.usage", usage, "default")
    if not _at(tree, "calendar", "zone"):
        zone = _at(_tree(source, "config/engine.yaml"), "zone")
        yield Setting("calendar.zone", str(zone.value) if zone else "UTC", _line(zone.mark) if zone else "default")
    for name, use in (tree.get("crosswalks") or Tree(None, tree.mark)).items():
        if not _at(use, "on_miss"):
            yield Setting(f"crosswalks.{name}.on_miss", "exception", "default")


def _at(tree: Tree | None, *path: str) -> Tree | None:
    for key in path:
        tree = tree.get(key) if tree else None
    return tree


def _line(mark: Mark) -> str:
    return f"{mark.file}:{mark.line}"


def _group(setting: Setting) -> tuple[int, str]:
    """The order files have: who it is, how it is reached, what is exchanged, the rest."""
    first = setting.key.partition(".")[0]
    order = ("apiVersion", "name", "extends", "title", "status", "owner", "runbook", "contacts", *SIDES, "documents")
    return (order.index(first) if first in order else len(order), setting.key)


# --- the fingerprint -------------------------------------------------------------------------------------------------
def _words(plain: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(plain, Mapping):
        for key, child in plain.items():
            yield from _words(child, (*path, key))
    elif isinstance(plain, list):
        for child in plain:
            yield from _words(child, path)
    elif isinstance(plain, str) and path:
        yield path, plain


def _digest(source: Source, path: str) -> str:
    content = source.files.get(path, b"")
    if isinstance(content, Bulk):
        return content.sha256
    return hashlib.sha256(content).hexdigest() if path in source.files else ""


def _guide(source: Source, word: str) -> str:
    """A guide by its name, with or without its folder."""
    return _digest(source, f"guides/{word.removeprefix('guides/').removesuffix('.yaml')}.yaml")


def _tree(source: Source, path: str) -> Tree | None:
    content = source.held(path)
    return None if content is None else read_tree(content, path, Findings())
