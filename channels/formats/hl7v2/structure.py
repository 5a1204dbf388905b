"""What a mapping may address in one message type: scopes, fields and loops, compiled once from paths.

Every scope has a node of its own, so "so many scopes up" means the same at compile time and at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from channels.formats.hl7v2.access import Read, Spot, Write, part_reader, reader, refuse_write, verbatim, writer
from channels.formats.hl7v2.filling import Put, Slot, fillable, filler
from channels.formats.hl7v2.gather import Gather, Place, Way, gatherer
from channels.formats.hl7v2.grammar import FLAT, GroupDefinition
from channels.formats.hl7v2.locate import (
    Find,
    Make,
    add_group,
    add_segment,
    candidates,
    direct_put,
    finder,
    is_direct,
    is_local,
    maker,
    outward,
    own_segment,
    syntax_of,
)
from channels.formats.hl7v2.paths import (
    Path,
    Step,
    Target,
    check_field,
    group_names,
    read_loop,
    read_path,
    route,
    spell_groups,
    spell_part,
    spell_spot,
    unknown,
)
from channels.formats.hl7v2.tree import Node, Repetition
from engine.plugin import Fill, Null, PathError, Value, Want

_SEPARATOR_HOLDERS = frozenset({"MSH", "FHS", "BHS"})


class SegmentField:
    """One compiled place in a segment: `get` and `put` of the plugin contract. slot: where it can be filled in."""

    __slots__ = ("get", "path", "place", "put", "slot")

    def __init__(self, path: str, place: Place, put: Put, slot: Slot | None) -> None:
        self.path = path
        self.place = place
        self.get = _get(place.find, place.read)
        self.put = put
        self.slot = slot


class PartField:
    """A part of the repetition that a loop over repetitions stands at: `.1`, `.4.2`."""

    __slots__ = ("_read", "_spot", "path")
    place = None  # it is in no segment that others are in

    def __init__(self, spot: Spot) -> None:
        self.path = spell_part(spot)
        self._spot = spot
        self._read: Callable[..., Value] = part_reader(spot)

    def get(self, node: Node) -> Value:
        text = node.at.text
        return self._read(node.at.segment.syntax, text) if text else None

    def put(self, node: Node, value: str | Null) -> None:
        at: Repetition = node.at
        spot = Spot(at.number, at.index, self._spot.component, self._spot.subcomponent)
        writer(spot)(at.segment, value)


class MessageScope:
    """The paths of one level: of a group (the whole message too), of a segment, or of one field's repetitions.

    A group's scope has a definition; the others have the segment's name, and the last the field's number besides.
    """

    def __init__(
        self, outer: MessageScope | None, definition: GroupDefinition | None, segment: str = "", number: int = 0
    ) -> None:
        self.outer = outer
        self.definition = definition
        self.segment = segment
        self.number = number

    def field(self, path: str) -> SegmentField | PartField:
        """Compile a field's path. Raises PathError."""
        parsed = read_path(path)
        if parsed.spot and not parsed.spot.field:
            if not self.number:
                raise PathError(f"'{path}' is a part of a repetition, and no loop over repetitions is around it")
            return PartField(parsed.spot)
        up, scope, steps, target = self._locate(self._whole(parsed, path), path)
        if not target or not parsed.spot:
            raise PathError(f"'{path}' holds no value of its own: name a segment and a field")
        spelled = _spell_target(up, scope, steps, target) + spell_spot(target.name, parsed.spot)
        find, make = _locators(up, scope, steps, target)
        spot = parsed.spot
        read, write = reader(spot), writer(spot)
        if target.name in _SEPARATOR_HOLDERS and spot.field <= 2:
            read, write = verbatim(spot.field), refuse_write
        put = _put(make, write)
        if scope.definition is not None and is_direct(up, steps, target):
            put = direct_put(target, write)
        place = Place(Way(up, steps, target if scope.definition else None), spot, find, read)
        return SegmentField(spelled, place, put, _slot(up, scope, steps, target, spot))

    def gather(self, wants: Sequence[Want], count: int) -> Gather:
        """See `plugin.Scope`."""
        return gatherer(wants, count)

    def filler(self, fields: Sequence[tuple[int, SegmentField | PartField]]) -> tuple[int, Fill]:
        """See `plugin.Scope`."""
        count = fillable(field.slot if isinstance(field, SegmentField) else None for _, field in fields)
        known = [(number, field.slot, field.put) for number, field in fields[:count] if isinstance(field, SegmentField)]
        return count, filler([(number, slot, put) for number, slot, put in known if slot is not None])

    def loop(self, path: str) -> NodeLoop | RepetitionLoop:
        """Compile a loop's path. Raises PathError."""
        parsed = self._whole(read_loop(path), path)
        up, scope, steps, target = self._locate(parsed, path)
        if parsed.spot and target:
            find, make = _locators(up, scope, steps, target)
            spelled = _spell_target(up, scope, steps, target)
            return RepetitionLoop(spelled, self, target.name, parsed.spot.field, find, make)
        if any(step.occurrence for step in steps):
            raise PathError(f"'{path}' names one group; a loop goes over all of them")
        return NodeLoop(up, scope, steps, target)

    def _whole(self, path: Path, text: str) -> Path:
        """A path with the segment it leaves out, which is the scope's own."""
        if path.target or path.groups:
            return path
        if not self.segment or self.number or not path.spot:
            raise PathError(f"'{text}' names no segment, and no loop over segments is around it")
        check_field(self.segment, path.spot.field)
        return Path((), Target(self.segment), path.spot)

    def _locate(self, path: Path, text: str) -> tuple[int, MessageScope, tuple[Step, ...], Target | None]:
        """How many scopes up, and from there by which groups, a path leads. Raises PathError."""
        scope: MessageScope | None = self
        up = 0
        while scope:
            if scope.number and path.spot and path.target == Target(scope.segment) and path.spot.field == scope.number:
                raise PathError(f"inside a loop over {scope.segment}-{scope.number} its parts are .1, .2 and so on")
            steps = scope._way(path)
            if steps is not None:
                return up, scope, steps, path.target
            scope, up = scope.outer, up + 1
        raise self._nowhere(path, text)

    def _way(self, path: Path) -> tuple[Step, ...] | None:
        """The groups that lead from here to what a path names; None when it is not below here."""
        if self.definition is None:
            here = not path.groups and not self.number and path.target == Target(self.segment)
            return () if here else None
        names = [step.name for step in path.groups]
        if path.target and not (self.definition is FLAT or is_local(path.target.name)):
            names.append(path.target.name)
        found = route(self.definition, names)
        if found is None or not {step.name for step in path.groups} <= set(found):
            return None
        given = {step.name: step.occurrence for step in path.groups}
        return tuple(Step(name, given.get(name, 0)) for name in found)

    def _nowhere(self, path: Path, text: str) -> PathError:
        root = self
        while root.outer:
            root = root.outer
        definition = root.definition or FLAT
        groups = group_names(definition)
        words = [step.name for step in path.groups if step.name not in groups]
        if path.target and path.target.name not in definition.known:
            words.append(path.target.name)
        if words:
            return unknown(words[0], groups | definition.known, "the message's structure")
        return PathError(f"'{text}' leads nowhere from here")


class NodeLoop:
    """A loop over groups or segments; with several groups on the way, over all there are in all of them."""

    def __init__(self, up: int, scope: MessageScope, steps: tuple[Step, ...], target: Target | None) -> None:
        self._up, self._scope, self._steps, self._target = up, scope, steps, target
        self._names = [step.name for step in steps]
        self._only = steps[0].name if len(steps) == 1 and not (up or target) else ""  # what most loops are: over groups
        last = target.name if target else ""
        names = "/".join(step.name for step in steps)
        definition = scope.definition
        if definition and target and route(definition, [last]) == tuple(step.name for step in steps):
            names = ""
        self.path = "../" * up + "/".join(word for word in (names, str(target or "")) if word)

    @cached_property
    def scope(self) -> MessageScope:
        inner = self._scope
        for step in self._steps:
            element = inner.definition.element(step.name) if inner.definition else None
            inner = MessageScope(inner, element.group if element else FLAT)
        return MessageScope(inner, None, self._target.name) if self._target else inner

    def nodes(self, node: Node) -> Sequence[Node]:
        if self._only:
            return [Node(group, node) for group in node.at.index[self._only]]
        found = [outward(node, self._up)]
        for name in self._names:
            found = [Node(group, outer) for outer in found for group in outer.at.index[name]]
        if self._target:
            found = [Node(segment, outer) for outer in found for segment in candidates(outer.at, self._target)]
        return found

    def new(self, node: Node) -> Node:
        """A new group or segment, in the last of the groups around it."""
        outer = outward(node, self._up)
        steps = self._steps if self._target else self._steps[:-1]
        for step in steps:
            found = outer.at.index[step.name]
            outer = Node(found[-1] if found else add_group(outer.at, step.name), outer)
        if self._target:
            return Node(add_segment(outer.at, self._target, syntax_of(node)), outer)
        return Node(add_group(outer.at, self._steps[-1].name), outer)

    def place(self, node: Node, position: int) -> str:
        """`ORDER[2]`, `ORDER[1]/TIMING[2]`, `NTE[2]`; the first segment carries no number."""
        start = outward(node, self._up)
        found = self.nodes(node)[position]
        names: list[str] = []
        while found is not start and found.outer:
            names.insert(0, self._name(found, last=not names))
            found = found.outer
        return "../" * self._up + "/".join(name for name in names if name)

    def _name(self, node: Node, last: bool) -> str:
        outer = node.outer.at if node.outer else node.at
        if self._target and last:
            count = next(i for i, each in enumerate(candidates(outer, self._target), 1) if each is node.at)
            return f"{self._target.name}[{count}]" if count > 1 else self._target.name
        name: str = node.at.definition.name
        element = outer.definition.element(name)
        if not last and not element.repeats:
            return ""
        count = next(i for i, each in enumerate(outer.index[name], 1) if each is node.at)
        return f"{name}[{count}]"


class RepetitionLoop:
    """A loop over the repetitions of one field."""

    def __init__(self, segment: str, outer: MessageScope, name: str, number: int, find: Find, make: Make) -> None:
        self.path = f"{segment}-{number}"
        self.scope = MessageScope(outer, None, name, number)
        self._number, self._find, self._make = number, find, make

    def nodes(self, node: Node) -> Sequence[Node]:
        segment = self._find(node)
        if segment is None or self._number >= len(segment.fields) or not segment.fields[self._number]:
            return []
        count = segment.fields[self._number].count(segment.syntax.repetition) + 1
        return [Node(Repetition(segment, self._number, index), node) for index in range(count)]

    def new(self, node: Node) -> Node:
        segment = self._make(node)
        fields = segment.fields
        text = fields[self._number] if self._number < len(fields) else ""
        if not text:
            return Node(Repetition(segment, self._number, 0), node)
        segment.write(self._number, text + segment.syntax.repetition)
        return Node(Repetition(segment, self._number, text.count(segment.syntax.repetition) + 1), node)

    def place(self, node: Node, position: int) -> str:
        """`PID-3(2)`; the first repetition carries no number."""
        return f"{self.path}({position + 1})" if position else self.path


def _get(find: Find, read: Read) -> Callable[[Node], Value]:
    def get(node: Node) -> Value:
        segment = find(node)
        return None if segment is None else read(segment)

    return get


def _put(make: Make, write: Write) -> Put:
    def put(node: Node, value: str | Null) -> None:
        write(make(node), value)

    return put


def _slot(up: int, scope: MessageScope, steps: tuple[Step, ...], target: Target, spot: Spot) -> Slot | None:
    """None for a field that is put: of a segment that stands where a value or its sender says, or has its own rules."""
    known = target == Target(target.name) and not is_local(target.name) and target.name not in _SEPARATOR_HOLDERS
    if up or scope.definition in (None, FLAT) or not known or spot != Spot(spot.field, component=spot.component):
        return None
    return Slot(steps, target.name, spot.field, spot.component)


def _locators(up: int, scope: MessageScope, steps: tuple[Step, ...], target: Target) -> tuple[Find, Make]:
    if scope.definition is None:
        return own_segment(up), own_segment(up)
    return finder(up, steps, target), maker(up, steps, target)


def _spell_target(up: int, scope: MessageScope, steps: tuple[Step, ...], target: Target) -> str:
    """The canonical path of a segment, without a field; nothing for the segment a scope stands at."""
    if scope.definition is None:
        return "../" * up
    return "../" * up + spell_groups(scope.definition, steps, target.name) + str(target)
