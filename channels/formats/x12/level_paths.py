"""Paths to hierarchical levels: `HL[I]` the items right below, `*/HL[I]` at any depth, `HL[P]/MAN02` the nearest pack.

From the set itself every level is below, and the nearest of a kind is the first. Writing makes the level that a path
leads to from the set (`HL[S]/TD503`); the format puts shipment, orders and the rest in order and numbers them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from channels.formats.x12.levels import HL, Level, LevelledSet, inside
from channels.formats.x12.tree import Group
from engine.errors import Refused
from engine.plugin import Field, Loop, Null, Scope, Value

STEP: Final = re.compile(r"HL\[([A-Z0-9]{1,2})\]/(.+)")
LEVELS: Final = re.compile(r"(\*/)?HL\[([A-Z0-9]{1,2})\]")


@dataclass(frozen=True, slots=True)
class LevelLoop:
    """The levels of a kind below a level. deep: whatever stands between; from the set always."""

    code: str
    deep: bool
    scope: Scope

    @property
    def path(self) -> str:
        return f"{'*/' if self.deep else ''}{HL}[{self.code}]"

    def nodes(self, node: Group) -> Sequence[Level]:
        if isinstance(node, LevelledSet):
            node.arrange()
            return [level for level in inside(node.tops) if level.code == self.code]
        below = node.below if isinstance(node, Level) else ()
        return [level for level in (inside(below) if self.deep else below) if level.code == self.code]

    def new(self, node: Group) -> Level:
        root, above = _root_of(node)
        return root.new_level(self.code, above, [HL, "", "", self.code])

    def place(self, node: Group, position: int) -> str:
        return f"${self.nodes(node)[position].name}"


@dataclass(frozen=True, slots=True)
class NearField:
    """A field of the nearest level of a kind: the level itself or one above it; from the set, the first."""

    code: str
    field: Field

    @property
    def path(self) -> str:
        return f"{HL}[{self.code}]/{self.field.path}"

    def get(self, node: Group) -> Value:
        level = _nearest(node, self.code)
        return None if level is None else self.field.get(level)

    def put(self, node: Group, value: str | Null) -> None:
        if isinstance(value, str) and value:
            self.field.put(_reached(node, self.code), value)


@dataclass(frozen=True, slots=True)
class NearLoop:
    """A loop in the nearest level of a kind: `HL[S]/N1`."""

    code: str
    loop: Loop

    @property
    def path(self) -> str:
        return f"{HL}[{self.code}]/{self.loop.path}"

    @property
    def scope(self) -> Scope:
        return self.loop.scope

    def nodes(self, node: Group) -> Sequence[Group]:
        level = _nearest(node, self.code)
        return () if level is None else self.loop.nodes(level)

    def new(self, node: Group) -> Group:
        made: Group = self.loop.new(_reached(node, self.code))
        return made

    def place(self, node: Group, position: int) -> str:
        level = _reached(node, self.code)
        inner = self.loop.place(level, position)
        return inner if inner.startswith("$") else f"${level.name}/{inner}"


def _root_of(node: Group) -> tuple[LevelledSet, Level | None]:
    """The set, and the level that a node is."""
    if isinstance(node, LevelledSet):
        return node, None
    assert isinstance(node, Level)
    assert isinstance(node.parent, LevelledSet)
    return node.parent, node


def _nearest(node: Group, code: str) -> Level | None:
    root, level = _root_of(node)
    if level is None:
        root.arrange()
        return next((found for found in inside(root.tops) if found.code == code), None)
    while level is not None and level.code != code:
        level = level.above
    return level


def _reached(node: Group, code: str) -> Level:
    """The nearest level to write into. One that is not there yet is made for the set, not for another level."""
    level = _nearest(node, code)
    if level is not None:
        return level
    root, below = _root_of(node)
    if below is not None:
        raise Refused("x12.hl_tree", f"no level {code} stands above this {below.code}", place=f"{HL}[{code}]")
    return root.new_level(code, None, [HL, "", "", code])
