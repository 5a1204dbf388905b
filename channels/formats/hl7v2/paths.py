"""The words of a path, and where in a structure they lead.

`[GROUP[n]/]SEG[n]-F(r).C.S`: groups may be left out where the segment leads to one place; `SEG[2=X]` takes the segment
whose field 2 is X, `PID-3[5=MR]` the repetition whose component 5 is MR. A field without component is its first
component, a component without subcomponent its first subcomponent, as v2.5.1 ch. 2.8 reads older and newer messages.
Canonical spelling: only groups that repeat are named, with their number; the first segment and repetition carry none;
`.1` is written unless the standard gives the field one simple value; `../` leads out of a loop's scope.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from channels.formats.hl7v2.access import Spot
from channels.formats.hl7v2.definitions import SEGMENTS, is_simple
from channels.formats.hl7v2.grammar import GroupDefinition
from engine.plugin import PathError

_GROUP = re.compile(r"([A-Z][A-Z0-9_]*)(?:[(\[](\d+)[)\]])?")
_SEGMENT = (
    r"(?P<segment>[A-Z][A-Z0-9]{2})"
    r"(?:[(\[](?P<occurrence>\d+)[)\]]|\[(?P<by>\d+)(?:\.(?P<by_part>\d+))?=(?P<value>[^\]]*)\])?"
)
_SPOT = (
    r"-(?P<field>\d+)(?:\((?P<repetition>\d+)\)|\[(?P<chosen>\d+)=(?P<is>[^\]]*)\])?"
    r"(?:\.(?P<component>\d+)(?:\.(?P<subcomponent>\d+))?)?"
)
_VALUE = re.compile(f"(?:{_SEGMENT})?{_SPOT}")
_FIELD = re.compile(rf"(?:{_SEGMENT})?-\d+")
_PART = re.compile(r"\.(?P<component>\d+)(?:\.(?P<subcomponent>\d+))?")
_BARE = re.compile(_SEGMENT)


@dataclass(frozen=True, slots=True)
class Step:
    """Into the n-th (from 0) of the groups with a name."""

    name: str
    occurrence: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A segment as a path names it. by: (field, component from 0, value) it is chosen by."""

    name: str
    occurrence: int = 0
    by: tuple[int, int, str] | None = None

    def __str__(self) -> str:
        if self.by:
            field, component, value = self.by
            return f"{self.name}[{field}{f'.{component + 1}' if component else ''}={value}]"
        return f"{self.name}[{self.occurrence + 1}]" if self.occurrence else self.name


@dataclass(frozen=True, slots=True)
class Path:
    """A path's parts. target None: the scope's own segment; spot None: a loop over segments or groups."""

    groups: tuple[Step, ...] = ()
    target: Target | None = None
    spot: Spot | None = None


def read_path(text: str) -> Path:
    """Read a field's path. Raises PathError."""
    *names, last = text.split("/")
    found = _PART.fullmatch(last) if not names else None
    if found:
        return Path(spot=_spot(found, 0))
    found = _VALUE.fullmatch(last)
    if not found or (names and not found["segment"]):
        raise PathError(f"'{text}' is not a field: one is written like RQD-2.1, PID-3(2).4 or ORDER/NTE(2)-3")
    number = _count(found["field"], text)
    if found["segment"]:
        check_field(found["segment"], number)
    return Path(_steps(names, text), _target(found, text) if found["segment"] else None, _spot(found, number))


def read_loop(text: str) -> Path:
    """Read a loop's path: a group, a segment, or a field whose repetitions are meant. Raises PathError."""
    *names, last = text.split("/")
    if _FIELD.fullmatch(last):
        return read_path(text)
    if _VALUE.fullmatch(last) or _PART.fullmatch(last):
        raise PathError(f"'{text}' is one value: a loop over repetitions names the field only, like PID-3")
    found = _BARE.fullmatch(last)
    if found and not found["occurrence"]:
        return Path(_steps(names, text), _target(found, text))
    return Path(_steps([*names, last], text))


def check_field(segment: str, number: int) -> None:
    """Raises PathError for a field the standard does not define; Z segments may have any."""
    if segment.startswith("Z"):
        return
    fields = SEGMENTS.get(segment)
    if fields is None:
        return
    if not 1 <= number <= len(fields):
        raise PathError(f"{segment} has fields 1 to {len(fields)}", [f"{segment}-{len(fields)}"])


def route(definition: GroupDefinition, names: Sequence[str]) -> tuple[str, ...] | None:
    """The groups that lead to the last of the names by way of the others, the shallowest and first; None: no way."""
    found: list[str] = []
    for name in names:
        way = _descend(definition, name)
        if way is None:
            return None
        for group in way:
            definition = group
            found.append(group.name)
    return tuple(found)


def unknown(word: str, known: Iterable[str], what: str) -> PathError:
    return PathError(f"{what} has no {word}", difflib.get_close_matches(word, sorted(set(known)), n=3, cutoff=0.4))


def group_names(definition: GroupDefinition) -> set[str]:
    inner = [element.group for element in definition.elements if element.group]
    return {group.name for group in inner}.union(*(group_names(group) for group in inner))


def spell_spot(segment: str, spot: Spot) -> str:
    """`-3(2).1` in canonical spelling."""
    text = f"-{spot.field}"
    if spot.chosen:
        text += f"[{spot.chosen[0] + 1}={spot.chosen[1]}]"
    elif spot.repetition:
        text += f"({spot.repetition + 1})"
    return text + spell_part(spot, is_simple(segment, spot.field))


def spell_part(spot: Spot, simple: bool = False) -> str:
    if spot.subcomponent:
        return f".{spot.component + 1}.{spot.subcomponent + 1}"
    return "" if simple and not spot.component else f".{spot.component + 1}"


def spell_groups(definition: GroupDefinition, steps: Sequence[Step], last: str) -> str:
    """The groups before a segment (or group) in canonical spelling: `ORDER[1]/`, mostly nothing."""
    text, pending = "", []
    scope = current = definition
    for step in steps:
        element = current.element(step.name)
        if element is None or element.group is None:
            break
        pending.append(step.name)
        current = element.group
        if element.repeats:
            shown = [step.name] if route(scope, [step.name]) == tuple(pending) else pending
            text += f"{'/'.join(shown)}[{step.occurrence + 1}]/"
            scope, pending = current, []
    if pending and route(scope, [last]) != tuple(pending):
        text += "/".join(pending) + "/"
    return text


def _descend(definition: GroupDefinition, name: str) -> list[GroupDefinition] | None:
    """Groups to enter for a name: the group itself, or those around the segment."""
    element = definition.element(name)
    if element:
        return [element.group] if element.group else []
    level: list[list[GroupDefinition]] = [[found.group] for found in definition.groups() if found.group]
    while level:
        for way in level:
            element = way[-1].element(name)
            if element:
                return [*way, element.group] if element.group else way
        level = [[*way, found.group] for way in level for found in way[-1].groups() if found.group]
    return None


def _steps(names: Sequence[str], text: str) -> tuple[Step, ...]:
    found = []
    for name in names:
        matched = _GROUP.fullmatch(name)
        if not matched:
            raise PathError(f"'{text}' is not a path: a group is written like ORDER or ORDER(2)")
        found.append(Step(matched[1], _count(matched[2] or "1", text) - 1))
    return tuple(found)


def _target(found: re.Match[str], text: str) -> Target:
    if found["by"]:
        part = _count(found["by_part"] or "1", text) - 1
        check_field(found["segment"], int(found["by"]))
        return Target(found["segment"], by=(_count(found["by"], text), part, found["value"]))
    return Target(found["segment"], _count(found["occurrence"] or "1", text) - 1)


def _spot(found: re.Match[str], number: int) -> Spot:
    parts = found.groupdict()
    chosen = (_count(parts["chosen"], found[0]) - 1, parts["is"]) if parts.get("chosen") else None
    repetition, component, subcomponent = (
        _count(parts.get(name) or "1", found[0]) - 1 for name in ("repetition", "component", "subcomponent")
    )
    return Spot(number, repetition, component, subcomponent, chosen)


def _count(digits: str, text: str) -> int:
    if not 1 <= int(digits) <= 100_000:
        raise PathError(f"'{text}' counts from 1")
    return int(digits)
