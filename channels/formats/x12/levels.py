"""Hierarchical levels: the HL segments of a ship notice (856) as the tree their parent pointers make, and back. Pure.

Reading takes any arrangement of shipment, order, tare, pack and item, and shows an order above its tares and packs;
where there is no order level, the nearest PRF stands for one. Writing numbers the levels and names their parents. What
points nowhere, back to itself or against the order of levels is refused at its place, in time linear in their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Final, NamedTuple

from channels.formats.x12.grammar import Loop, Place
from channels.formats.x12.separators import Elements
from channels.formats.x12.tree import Group
from engine.errors import Refused

HL: Final = "HL"
SHIPMENT: Final = "S"
ORDER: Final = "O"

# From the outside in, as levels mostly come, and what may stand right above each. Kits, components and other codes may
# stand below anything.
_RANK: Final = {code: rank for rank, code in enumerate("SOTPI")}
_ABOVE: Final = {"S": "", "O": "STP", "T": "SOI", "P": "SOTPI", "I": "SOTPI"}
_MOST_DEEP: Final = 12


class Level(Group):
    """One HL loop in its tree. code: HL03. name: as people name it, `HL[S]` or `HL[5]`. above: None at the top."""

    __slots__ = ("above", "below", "code", "name")

    def __init__(self, root: LevelledSet, code: str, above: Level | None, name: str) -> None:
        super().__init__(root.place.loop, root)
        self.code = code
        self.name = name
        self.above = above
        self.below: list[Level] = []
        (root.tops if above is None else above.below).append(self)


class LevelledSet(Group):
    """A whole set with HL loops.

    tops: the levels with nothing above; of a set that was read, filled by `arrange`, and its `at` stays as it came.
    """

    __slots__ = ("arranged", "place", "tops")

    def __init__(self, loop: Loop, place: Place) -> None:
        super().__init__(loop)
        self.place = place
        self.tops: list[Level] = []
        self.arranged = False

    def arrange(self) -> None:
        """Make the tree of what was read. Raises Refused (`x12.hl_tree`) when the HL segments are none."""
        if not self.arranged:
            _arrange(self)
            self.arranged = True

    def new_level(self, code: str, above: Level | None, segment: Elements) -> Level:
        """A level to write into."""
        self.arranged = True
        entries = self.at.setdefault(self.place.index, [])
        level = Level(self, code, above, f"{HL}[{len(entries) + 1}]")
        level.at[0] = [segment]
        entries.append(level)
        return level

    def number(self) -> None:
        """Put what was written in order, outside in, and say HL01, HL02 and HL04. What was read stays as it came."""
        entries = self.at.get(self.place.index, [])
        if not entries or not all(isinstance(entry, Level) for entry in entries):
            return
        shipment = next((level for level in self.tops if level.code == SHIPMENT), None)
        loose = [level for level in self.tops if shipment is not None and level.code != SHIPMENT]
        if shipment is not None and loose:
            shipment.below += loose
            self.tops = [level for level in self.tops if level.code == SHIPMENT]
            for level in loose:
                level.above = shipment
        ordered = [*inside(self.tops)]
        numbers = {id(level): str(number) for number, level in enumerate(ordered, 1)}
        for level in ordered:
            parent = numbers[id(level.above)] if level.above is not None else ""
            level.at[0] = [[HL, numbers[id(level)], parent, level.code, "1" if level.below else "0"]]
        self.at[self.place.index] = [*ordered]

    def names(self) -> list[str]:
        """How people name each HL loop, in the order of the set: `HL[S]` where one is of the kind, else `HL[5]`."""
        codes = [_element(level, 3) for level in _loops(self)]
        counted = Counter(codes)
        return [f"{HL}[{code if counted[code] == 1 else number}]" for number, code in enumerate(codes, 1)]


def tree_of(root: Loop) -> Group:
    """A new tree for a set; one with levels when the set has any."""
    index = root.index.get(HL)
    return Group(root) if index is None else LevelledSet(root, root.places[index])


def inside(levels: Sequence[Level]) -> Iterator[Level]:
    """All levels at any depth, each before what is below it."""
    for level in levels:
        yield level
        yield from inside(level.below)


# --- parents ---------------------------------------------------------------------------------------------------------
def _loops(root: LevelledSet) -> list[Group]:
    return [entry for entry in root.at.get(root.place.index, ()) if isinstance(entry, Group)]


def _element(level: Group, position: int) -> str:
    segment = level.at[0][0]
    return str(segment[position]) if isinstance(segment, list) and position < len(segment) else ""


def _parents(levels: Sequence[Group]) -> list[int | None]:
    """The position of each level's parent, which comes before it; None at the top."""
    codes = [_element(level, 3) for level in levels]
    ids = [_element(level, 1).lstrip("0") for level in levels]
    known: dict[str, int] = {}
    parents: list[int | None] = []
    depths: list[int] = []
    for position, (id, code) in enumerate(zip(ids, codes, strict=True)):
        if id in known:
            raise _refused(position, 1, f"level number {id} is used twice")
        named = _element(levels[position], 2).lstrip("0")
        above = known.get(named) if named else _enclosing(position, codes, parents)
        if named and above is None:
            wrong = "comes after it or is itself" if named in ids else "does not exist"
            raise _refused(position, 2, f"the level above, {named}, {wrong}")
        if above is not None and codes[above] not in _ABOVE.get(code, codes[above]):
            raise _refused(position, 3, f"a level {code} cannot stand below a level {codes[above]}")
        depth = 0 if above is None else depths[above] + 1
        if depth > _MOST_DEEP:
            raise _refused(position, 2, f"levels are more than {_MOST_DEEP} deep")
        known[id] = position
        parents.append(above)
        depths.append(depth)
    return parents


def _enclosing(position: int, codes: Sequence[str], parents: Sequence[int | None]) -> int | None:
    """The parent of a level that names none: the last open level of a kind further out, where that is without doubt.

    It is in doubt when a level that is passed over could be the parent too, and no level of its own kind is open.
    """
    if position == 0:
        return None
    code = codes[position]
    open_levels: list[int] = []
    at: int | None = position - 1
    while at is not None:
        open_levels.append(at)
        at = parents[at]
    if code in _RANK and all(codes[level] in _RANK for level in open_levels):
        further = next((level for level in open_levels if _RANK[codes[level]] < _RANK[code]), None)
        passed = open_levels if further is None else open_levels[: open_levels.index(further)]
        if code in {codes[level] for level in open_levels} or not any(codes[level] in _ABOVE[code] for level in passed):
            return further
    raise _refused(position, 2, "the level names none above it, and which one is meant is in doubt")


def _refused(position: int, element: int, text: str) -> Refused:
    hint = "the partner must send the notice again, each HL02 naming the HL01 of a level before it"
    return Refused("x12.hl_tree", text, place=f"{HL}[{position + 1}]/{HL}{element:02d}", hint=hint)


# --- the tree that is shown ------------------------------------------------------------------------------------------
class _Step(NamedTuple):
    """One level on the way to an innermost one. key: what makes it the same as another below the same level."""

    key: Hashable
    code: str
    name: str
    at: dict[int, list[Elements | Group]]


def _arrange(root: LevelledSet) -> None:
    """An order is shown right below its shipment; a tare or pack that holds several orders, in each of them."""
    loops = _loops(root)
    parents = _parents(loops)
    steps = [
        _Step(position, _element(loop, 3), name, loop.at)
        for position, (loop, name) in enumerate(zip(loops, root.names(), strict=True))
    ]
    shown: dict[tuple[int, Hashable], Level] = {}
    outer = set(parents)
    for position in range(len(loops)):
        if position in outer:
            continue
        above: Level | None = None
        for step in _way(position, steps, parents, root.place.loop):
            level = shown.get((id(above), step.key))
            if level is None:
                level = shown[id(above), step.key] = Level(root, step.code, above, step.name)
                level.at = step.at
            above = level


def _way(position: int, steps: Sequence[_Step], parents: Sequence[int | None], loop: Loop) -> list[_Step]:
    """From the top to an innermost level, the order moved out to its shipment, or one put there that has none."""
    way: list[_Step] = []
    at: int | None = position
    while at is not None:
        way.insert(0, steps[at])
        at = parents[at]
    first = next((number for number, step in enumerate(way) if step.code != SHIPMENT), None)
    if first is not None:
        order = next((number for number, step in enumerate(way) if step.code == ORDER), None)
        way.insert(first, _implied(way, loop) if order is None else _moved(way.pop(order), moved=order > first))
    return way


def _moved(step: _Step, *, moved: bool) -> _Step:
    """An order that is told again in each of its packs is one order, where it is told alike."""
    if not moved:
        return step
    segments = (entry for index, entries in sorted(step.at.items()) if index for entry in entries)
    return step._replace(key=repr([_plain(entry) for entry in segments]))


def _plain(entry: Elements | Group) -> list[Elements]:
    return [segment for _, segment in entry.walk()] if isinstance(entry, Group) else [entry]


def _implied(way: Sequence[_Step], loop: Loop) -> _Step:
    """The order that the nearest PRF names; one without a PRF when there is none."""
    index = loop.index["PRF"]
    holder = next((step for step in reversed(way) if index in step.at), way[0])
    at: dict[int, list[Elements | Group]] = {0: [[HL, "", "", ORDER]]}
    if index in holder.at:
        at[index] = holder.at[index]
    return _Step(tuple(holder.at[index][0]) if index in at else (), ORDER, holder.name, at)  # type: ignore[arg-type]
