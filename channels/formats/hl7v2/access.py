"""Reading and writing one value of a segment, as functions compiled once per path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from channels.formats.hl7v2.syntax import Syntax
from channels.formats.hl7v2.tree import Segment
from engine.errors import Refused
from engine.plugin import NULL, Null, Value

Read = Callable[[Segment], Value]
Write = Callable[[Segment, "str | Null"], None]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place inside a segment; all but the field counted from 0.

    chosen: instead of an index, the repetition whose component has a value: `PID-3[5=MR]` is (4, "MR").
    """

    field: int
    repetition: int = 0
    component: int = 0
    subcomponent: int = 0
    chosen: tuple[int, str] | None = None


def reader(spot: Spot) -> Read:
    """Read a value: unescaped, NULL for `""` (of the whole field too), None when empty or not there."""
    number, repetition, chosen = spot.field, spot.repetition, spot.chosen
    first = spot == Spot(number)
    value_of = part_reader(spot)

    def read(segment: Segment) -> Value:
        fields = segment.values or segment.fields
        if number >= len(fields):
            return None
        text = fields[number]
        if first and text.isalnum():  # most values: no separator is a letter or a digit
            return text
        if segment.syntax.repetition in text or repetition or chosen:
            text = _repetition(segment, text, repetition, chosen)
        return value_of(segment.syntax, text) if text else None

    return read


def part_reader(spot: Spot) -> Callable[[Syntax, str], Value]:
    """Read a value from the text of one repetition."""
    component, subcomponent = spot.component, spot.subcomponent

    def read(syntax: Syntax, text: str) -> Value:
        if text == '""':
            return NULL
        if component or syntax.component in text:
            parts = text.split(syntax.component, component + 1)
            text = parts[component] if component < len(parts) else ""
        if subcomponent or syntax.subcomponent in text:
            text = text if text == '""' else _part(text, syntax.subcomponent, subcomponent)
        if text == '""':
            return NULL
        return syntax.decode(text) if syntax.escape in text else text or None

    return read


def verbatim(number: int) -> Read:
    """Read MSH-1 or MSH-2, which hold separators and are never split."""

    def read(segment: Segment) -> Value:
        fields = segment.fields
        return fields[number] or None if number < len(fields) else None

    return read


def writer(spot: Spot) -> Write:
    """Write a value, escaped; what is missing before it is added empty. Raises Refused (`hl7.value`)."""
    number, component, subcomponent = spot.field, spot.component, spot.subcomponent
    somewhere = bool(spot.repetition or spot.chosen)

    def write(segment: Segment, value: str | Null) -> None:
        syntax = segment.syntax
        text = syntax.encode(value) if isinstance(value, str) else '""'
        fields = segment.values or segment.fields
        if number >= len(fields):
            fields += [""] * (number + 1 - len(fields))
        if somewhere or fields[number]:
            text = _replaced(segment, fields[number], spot, text)
        elif component or subcomponent:
            text = syntax.component * component + syntax.subcomponent * subcomponent + text
        fields[number] = text
        segment.text = None

    return write


def refuse_write(segment: Segment, value: str | Null) -> None:
    raise Refused("hl7.value", "the separators are written by the envelope, not by a mapping", place=f"{segment.id}-2")


def _part(text: str, mark: str, index: int) -> str:
    parts = text.split(mark, index + 1)
    return parts[index] if index < len(parts) else ""


def _repetition(segment: Segment, text: str, index: int, chosen: tuple[int, str] | None) -> str:
    mark = segment.syntax.repetition
    if chosen is None:
        return _part(text, mark, index)
    return next((found for found in text.split(mark) if _is(segment, found, *chosen)), "")


def _is(segment: Segment, repetition: str, component: int, value: str) -> bool:
    return segment.syntax.decode(_part(repetition, segment.syntax.component, component)) == value


def _replaced(segment: Segment, old: str, spot: Spot, text: str) -> str:
    syntax, index = segment.syntax, spot.repetition
    if not (index or spot.chosen or syntax.repetition in old):
        return _repeated(old, spot, text, syntax)
    repetitions = old.split(syntax.repetition)
    if spot.chosen is not None:
        index = _choose(segment, repetitions, *spot.chosen)
    _set(repetitions, index, _repeated(_at(repetitions, index), spot, text, syntax))
    return syntax.repetition.join(repetitions)


def _repeated(old: str, spot: Spot, text: str, syntax: Syntax) -> str:
    """One repetition with another text at the spot's component and subcomponent."""
    components = ("" if old == '""' else old).split(syntax.component)
    current = _at(components, spot.component)
    if spot.subcomponent or syntax.subcomponent in current:
        subcomponents = current.split(syntax.subcomponent)
        _set(subcomponents, spot.subcomponent, text)
        text = syntax.subcomponent.join(subcomponents)
    _set(components, spot.component, text)
    return syntax.component.join(components)


def _choose(segment: Segment, repetitions: list[str], component: int, value: str) -> int:
    """Index of the repetition with that component; an empty first one, or a new one, is made to have it."""
    for index, found in enumerate(repetitions):
        if _is(segment, found, component, value):
            return index
    index = 0 if repetitions == [""] else len(repetitions)
    parts = [""] * component + [segment.syntax.encode(value)]
    _set(repetitions, index, segment.syntax.component.join(parts))
    return index


def _at(parts: list[str], index: int) -> str:
    return parts[index] if index < len(parts) else ""


def _set(parts: list[str], index: int, text: str) -> None:
    if index >= len(parts):
        parts += [""] * (index + 1 - len(parts))
    parts[index] = text
