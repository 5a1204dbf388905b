"""JSON trees as mappings address them: nodes, paths, loops. Places are JSON pointers (RFC 6901).

Paths: `quantity.value`, `identifier[system=udi].value`, `.` (the node itself), `$.requisition` (from the root).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from engine.errors import Refused
from engine.plugin import NULL, Null, PathError, Value

_STEP: Final = re.compile(r"([A-Za-z_][\w-]*)(?:\[([A-Za-z_][\w-]*)=([^\[\]]+)\])?", re.ASCII)
_CONTAINERS: Final = (dict, list)


@dataclass(slots=True)
class JsonNode:
    """A value with its root. holder and key: where it stands, when a list holds it."""

    value: Any
    root: dict[str, Any]
    holder: list[Any] | None = None
    key: int = 0


class _Step(NamedTuple):
    """One key; with a selector, the entry of that key's list whose `by` is `equals`."""

    key: str
    by: str = ""
    equals: str = ""

    @property
    def pointer(self) -> str:
        return f"/{self.key}[{self.by}={self.equals}]" if self.by else f"/{self.key}"


@dataclass(frozen=True, slots=True)
class _Path:
    """Steps from a node, or from the root."""

    steps: tuple[_Step, ...]
    rooted: bool = False

    @property
    def pointer(self) -> str:
        return ("$" if self.rooted else "") + "".join(step.pointer for step in self.steps)

    def start(self, node: JsonNode) -> Any:
        return node.root if self.rooted else node.value


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


# --- steps -----------------------------------------------------------------------------------------------------------
def _down(value: Any, steps: Iterable[_Step]) -> Any:
    """What stands below a value; None when a step finds nothing."""
    for key, by, equals in steps:
        value = value.get(key) if isinstance(value, dict) else None
        if by:
            value = _entry(value, by, equals)
        if value is None:
            return None
    return value


def _entry(found: Any, by: str, equals: str) -> dict[str, Any] | None:
    entries = found if isinstance(found, list) else ()
    return next((entry for entry in entries if isinstance(entry, dict) and entry.get(by) == equals), None)


def _make(value: dict[str, Any], steps: Iterable[_Step]) -> dict[str, Any]:
    """As `_down`, to an object, which is made where it is missing."""
    for key, by, equals in steps:
        found = value.get(key)
        if by:
            found = _entry(found, by, equals)
        if not isinstance(found, dict):
            found = _add(value, key, by, equals)
        value = found
    return value


def _add(value: dict[str, Any], key: str, by: str, equals: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if by:
        made[by] = equals
        value.setdefault(key, []).append(made)
    else:
        value[key] = made
    return made


# --- fields and loops ------------------------------------------------------------------------------------------------
class JsonField:
    """One compiled place: `get` and `put` of the plugin contract.

    `get` raises Refused where an object or array stands.
    """

    __slots__ = ("get", "path", "put")

    def __init__(self, path: _Path) -> None:
        self.path = path.pointer
        self.get: Callable[[JsonNode], Value] = _getter(path) if path.steps else _get_itself
        self.put: Callable[[JsonNode, str | Null], None] = _putter(path) if path.steps else _put_itself


def _getter(path: _Path) -> Callable[[JsonNode], Value]:
    (*before, (key, _, _)), rooted, place = path.steps, path.rooted, path.pointer

    def get(node: JsonNode) -> Value:
        value = node.root if rooted else node.value
        if before:
            value = _down(value, before)
        if not isinstance(value, dict) or key not in value:
            return None
        return _text(value[key], place)

    return get


def _putter(path: _Path) -> Callable[[JsonNode, str | Null], None]:
    (*before, (key, _, _)), rooted = path.steps, path.rooted

    def put(node: JsonNode, value: str | Null) -> None:
        holder = node.root if rooted else node.value
        if before:
            holder = _make(holder, before)
        holder[key] = value

    return put


def _get_itself(node: JsonNode) -> Value:
    return _text(node.value, "")


def _put_itself(node: JsonNode, value: str | Null) -> None:
    assert node.holder is not None
    node.holder[node.key] = value


def _text(found: Any, place: str) -> Value:
    if isinstance(found, _CONTAINERS):
        raise Refused("json.type", "a text or number is expected here", place=place, status="422")
    return NULL if found is None else str(found)


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
        found = self._found(node)
        if found is None:
            return []
        if not isinstance(found, list):
            raise Refused("json.type", "an array is expected here", place=self.path, status="422")
        return [JsonNode(entry, node.root, found, position) for position, entry in enumerate(found)]

    def absent(self, node: JsonNode) -> bool:
        """Whether there is no list at all, as against an empty one."""
        return self._found(node) is None

    def _found(self, node: JsonNode) -> Any:
        return _down(self._path.start(node), self._path.steps)

    def new(self, node: JsonNode) -> JsonNode:
        holder = _make(self._path.start(node), self._path.steps[:-1])
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
