"""A mapping as it is after parsing and before it is compiled: which place feeds which field, and how. Data only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.mapping.beside import Beside
from engine.mapping.codecs import Codec
from engine.mapping.schema import Model, Target
from engine.plugin import Field, Loop, Node, Structure

SourceCondition = Callable[[Node], bool]
RecordCondition = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Codes:
    """A closed table. inward: external -> canonical. outward: canonical -> the first external."""

    inward: Mapping[str, object]
    outward: Mapping[object, str]


@dataclass(frozen=True, slots=True)
class Value:
    """How one value is read, or written, or both.

    fields:  places in order: the first that has a value is read, the first is written; with `join` all are.
    loop:    each repetition gives a part of the value (`join`), one of many values, or the one they all have (`same`).
    by:      what the crosswalk is told beside the word. up: 1 when that stands in the entry around its own.
    default: the canonical value that stands for nothing. const: the canonical value it always has.
    """

    fields: tuple[Field, ...] = ()
    loop: Loop | None = None
    codec: Codec | None = None
    codes: Codes | None = None
    crosswalk: str = ""
    by: tuple[Beside, ...] = ()
    up: int = 0
    on_miss: str = ""
    default: object = None
    const: object = None
    join: str | None = None
    split: str | None = None
    same: bool = False
    source_when: SourceCondition | None = None
    record_when: RecordCondition | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    target: Target
    reading: Value | None
    writing: Value | None

    @property
    def place(self) -> str:
        value = self.reading or self.writing
        if value is None:
            return ""
        return value.loop.path if value.loop else (value.fields[0].path if value.fields else "")


@dataclass(frozen=True, slots=True)
class Group:
    """A record inside a record."""

    target: Target
    parts: tuple[Part, ...]

    @property
    def place(self) -> str:
        return next((part.place for part in self.parts if part.place), "")


@dataclass(frozen=True, slots=True)
class Repeat:
    """A list of records, one per node of a loop."""

    target: Target
    loop: Loop
    parts: tuple[Part, ...]
    reads: bool = True
    writes: bool = True
    source_when: SourceCondition | None = None
    record_when: RecordCondition | None = None

    @property
    def place(self) -> str:
        return self.loop.path


@dataclass(frozen=True, slots=True)
class Slots:
    """A list of records at fixed places, told apart by their constant fields."""

    target: Target
    entries: tuple[Group, ...]
    reads: bool = True
    writes: bool = True

    @property
    def place(self) -> str:
        return next((entry.place for entry in self.entries if entry.place), "")


@dataclass(frozen=True, slots=True)
class Derive:
    """When the record of kind `key` is missing and `source` is there, `crosswalk` gives it (outward; inward back)."""

    key: str
    source: str
    crosswalk: str
    on_miss: str = ""


@dataclass(frozen=True, slots=True)
class Pairs:
    """A list of two-field records in qualifier and value positions, in any order of qualifiers."""

    target: Target
    key: str
    value: str
    places: tuple[tuple[Field, Field], ...]
    codes: Codes
    derive: Derive | None = None
    reads: bool = True
    writes: bool = True

    @property
    def place(self) -> str:
        return self.places[0][1].path if self.places else ""


Part = Leaf | Group | Repeat | Slots | Pairs


@dataclass(frozen=True, slots=True)
class Plan:
    model: Model
    structure: Structure
    parts: tuple[Part, ...]
    each: Loop | None = None
    reads: bool = True
    writes: bool = True
    source_when: SourceCondition | None = None
    crosswalks: frozenset[str] = field(default_factory=frozenset)
    beside: Mapping[str, frozenset[str]] = field(default_factory=dict)
