"""JSON trees as mappings address them: nodes, paths, loops. Places are JSON pointers (RFC 6901).

Paths: `quantity.value`, `identifier[system=udi].value`, `.` (the node itself), `$.requisition` (from the root).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from engine.errors import Refused
from engine.plugin import NULL, Null, PathError

_STEP: Final = re.compile(r"([A-Za-z_][\w-]*)(?:\[([A-Za-z_][\w-]*)=([^\[\]]+)\])?", re.ASCII)


@dataclass(slots=True)
class JsonNode:
    """A value with its root. holder and key: where it stands, when a list holds it."""

    value: Any
    root: dict[str, Any]
    holder: list[Any] | None = None
    key: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """One key; with a selector, the entry of that key's list whose `by` is `equals`."""

    key: str
    by: str = ""
    equals: str = ""

    @property
    def pointer(self) -> str:
        return f"/{self.key}[{self.by}={self.equals}]" if self.by else f"/{self.key}"

    def down(self, value: Any) -> Any:
        found = value.get(self.key) if isinstance(value, dict) else None
        if not self.by or not isinstance(found, list):
            return None if self.by else found
        return next((entry for entry in found if isinstance(entry, dict) and entry.get(self.by) == self.equals), None)

    def make(self, value: dict[str, Any]) -> dict[str, Any]:
        """What is below this step, made where it is missing."""
        found = self.down(value)
        if isinstance(found, dict):
            return found
        made: dict[str, Any] = {}
        if self.by:
            made[self.by] = self.equals
            value.setdefault(self.key, []).append(made)
        else:
            value[self.key] = made
        return made


@dataclass(frozen=True, slots=True)
class _Path:
    """Steps from a node, or from the root."""

    steps: tuple[_Step, ...]
    rooted: bool = False

    @property
    def pointer(self) -> str:
        return ("$" if self.rooted else "") + "".join(step.pointer for step in self.steps)

    def find(self, node: JsonNode) -> Any:
        value = node.root if self.rooted else node.value
        for step in self.steps:
            value = step.down(value)
            if value is None:
                return None
        return value


def _path(text: str) -> _Path:
    rooted = text.startswith("$.")
    rest = text[2:] if rooted else text
    if rest == "." and not rooted:
        return _Path(())
    steps = []
    for word in _words(rest):
        found = _STEP.fullmatch(word)
        if found is None:
            raise PathError(f"'{text}' is no path: keys with dots between them, like quantity.value", ())
        steps.append(_Step(found[1], found[2] or "", found[3] or ""))
    return _Path(tuple(steps), rooted)


def _words(text: str) -> list[str]:
    """Split at dots that stand outside of brackets."""
    return re.split(r"\.(?![^\[]*\])", text)


@dataclass(frozen=True, slots=True)
class JsonField:
    _path: _Path
    path: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self._path.pointer)

    def get(self, node: JsonNode) -> str | Null | None:
        """Raises Refused where an object or array stands."""
        *before, last = self._path.steps or (None,)
        value = _Path(tuple(before), self._path.rooted).find(node) if before else self._start(node)
        if last is None:
            found = value
        elif isinstance(value, dict) and not last.by and last.key in value:
            found = value[last.key]
            if found is None:
                return NULL
        else:
            found = last.down(value)
        if isinstance(found, dict | list):
            raise Refused("json.type", "a text or number is expected here", place=self.path, status="422")
        return NULL if found is None and last is None else (None if found is None else str(found))

    def put(self, node: JsonNode, value: str | Null) -> None:
        steps = self._path.steps
        if not steps:
            assert node.holder is not None
            node.holder[node.key] = value
            return
        holder = self._start(node)
        for step in steps[:-1]:
            holder = step.make(holder)
        holder[steps[-1].key] = value

    def _start(self, node: JsonNode) -> Any:
        return node.root if self._path.rooted else node.value


@dataclass(frozen=True, slots=True)
class JsonLoop:
    _path: _Path
    path: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self._path.pointer)

    @property
    def scope(self) -> JsonScope:
        return JsonScope()

    def nodes(self, node: JsonNode) -> list[JsonNode]:
        """Raises Refused where something else than an array stands."""
        found = self._path.find(node)
        if found is None:
            return []
        if not isinstance(found, list):
            raise Refused("json.type", "an array is expected here", place=self.path, status="422")
        return [JsonNode(entry, node.root, found, position) for position, entry in enumerate(found)]

    def absent(self, node: JsonNode) -> bool:
        """Whether there is no list at all, as against an empty one."""
        return self._path.find(node) is None

    def new(self, node: JsonNode) -> JsonNode:
        holder = node.root if self._path.rooted else node.value
        for step in self._path.steps[:-1]:
            holder = step.make(holder)
        entries = holder.setdefault(self._path.steps[-1].key, [])
        entries.append({})
        return JsonNode(entries[-1], node.root, entries, len(entries) - 1)

    def place(self, node: JsonNode, position: int) -> str:
        return f"{self.path}/{position}"


@dataclass(frozen=True, slots=True)
class JsonScope:
    """JSON has no schema of its own: every well-formed path is known."""

    def field(self, path: str) -> JsonField:
        found = _path(path)
        if found.steps and found.steps[-1].by:
            raise PathError(f"'{path}' ends at an object: name the key inside it", (f"{path}.value",))
        return JsonField(found)

    def loop(self, path: str) -> JsonLoop:
        found = _path(path)
        if not found.steps or found.steps[-1].by:
            raise PathError(f"'{path}' is no array: name the key that holds it", ())
        return JsonLoop(found)


@dataclass(frozen=True, slots=True)
class JsonStructure:
    type: str = ""

    @property
    def scope(self) -> JsonScope:
        return JsonScope()

    def blank(self) -> JsonNode:
        root: dict[str, Any] = {}
        return JsonNode(root, root)

    def leaves(self, node: JsonNode) -> Iterable[tuple[str, str]]:
        return _leaves(node.value, "")


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{place}/{key}")
    elif isinstance(value, list):
        for position, child in enumerate(value):
            yield from _leaves(child, f"{place}/{position}")
    elif isinstance(value, str):
        yield place, str(value)
