"""Finding the segment a compiled path means, from a node; and adding it, with the groups around it, to write to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from channels.formats.hl7v2.access import Spot, Write, reader, writer
from channels.formats.hl7v2.paths import Step, Target
from channels.formats.hl7v2.syntax import Syntax
from channels.formats.hl7v2.tree import HEADERS, Group, NewGroup, Node, Segment
from engine.plugin import Null

Find = Callable[[Node], "Segment | None"]
Make = Callable[[Node], Segment]


def finder(up: int, steps: Sequence[Step], target: Target) -> Find:
    """From a node, up so many scopes, by groups, to a segment.

    A Z segment stands where its sender put it: it is looked for in all of the group, then outward, but never in
    another repetition of a group we are in.
    """

    name, occurrence = target.name, target.occurrence

    def first(node: Node) -> Segment | None:
        found = node.at.index[name]
        return found[0] if found else None

    def find(node: Node) -> Segment | None:
        group = enter(outward(node, up).at, steps)
        if group is None or target.by is not None:
            return pick(group, target)
        found = group.index[name]
        return found[occurrence] if occurrence < len(found) else None

    def find_local(node: Node) -> Segment | None:
        inner = outward(node, up)
        found = pick(enter(inner.at, steps), target)
        place = inner.outer if not steps else None
        while place and found is None:
            around = _outside_loops(place.at) if isinstance(place.at, Group) else ()
            found = next(islice(_matching(around, target), target.occurrence, None), None)
            place = place.outer
        return found

    if is_direct(up, steps, target):
        return first
    return find_local if is_local(target.name) else find


def maker(up: int, steps: Sequence[Step], target: Target) -> Make:
    """As `finder`, but never further outward, and what is not there is added where the structure places it."""

    def make(node: Node) -> Segment:
        group = outward(node, up).at
        found = pick(enter(group, steps), target)
        while found is None:
            add_segment(ensure(group, steps), target, syntax_of(node))
            found = pick(enter(group, steps), target)
        return found

    return make


def own_segment(up: int) -> Make:
    """The segment that a loop over segments stands at, so many scopes up."""

    def find(node: Node) -> Segment:
        segment: Segment = outward(node, up).at
        return segment

    return find


def outward(node: Node, up: int) -> Node:
    for _ in range(up):
        if node.outer:
            node = node.outer
    return node


def enter(at: object, steps: Iterable[Step]) -> Group | None:
    """The group that steps lead to; None when the message has it not."""
    for step in steps:
        found = at.index[step.name] if isinstance(at, Group) else ()
        if step.occurrence >= len(found):
            return None
        at = found[step.occurrence]
    return at if isinstance(at, Group) else None


def ensure(group: Group, steps: Iterable[Step]) -> Group:
    """The group that steps lead to, added where it is not there."""
    for step in steps:
        while len(group.index[step.name]) <= step.occurrence:
            add_group(group, step.name)
        group = group.index[step.name][step.occurrence]
    return group


def add_group(group: Group, name: str) -> Group:
    element = group.definition.element(name)
    if element is None or element.group is None:
        raise LookupError(f"{name} is not a group of {group.definition.name or 'the message'}")
    made = NewGroup(element.group)
    group.insert(name, made)
    return made


def add_segment(group: Group, target: Target, syntax: Syntax) -> Segment:
    """A new segment; one that is chosen by a value gets that value."""
    segment = Segment(target.name, syntax)
    if target.name not in HEADERS:
        segment.values = [target.name]
    if target.by:
        field, component, value = target.by
        writer(Spot(field, component=component))(segment, value)
    group.insert(target.name, segment)
    return segment


def pick(group: Group | None, target: Target) -> Segment | None:
    return next(islice(candidates(group, target), target.occurrence, None), None) if group else None


def candidates(group: Group, target: Target) -> Iterator[Segment]:
    """The segments with a target's name, and its value where it is chosen by one."""
    return _matching(group.segments() if is_local(target.name) else group.index[target.name], target)


def _matching(segments: Iterable[Segment], target: Target) -> Iterator[Segment]:
    if target.by is None:
        return (segment for segment in segments if segment.id == target.name)
    field, component, value = target.by
    read = reader(Spot(field, component=component))
    return (segment for segment in segments if segment.id == target.name and read(segment) == value)


def _outside_loops(group: Group) -> Iterator[Segment]:
    """The segments of a group that stand in none of its repeating groups."""
    for child in group.children:
        if isinstance(child, Segment):
            yield child
            continue
        element = group.definition.element(child.definition.name)
        if element is None or not element.repeats:
            yield from _outside_loops(child)


def is_local(name: str) -> bool:
    """Whether a segment is the sender's own: no structure says where it stands."""
    return name.startswith("Z")


def syntax_of(node: Node) -> Syntax:
    while node.outer:
        node = node.outer
    syntax: Syntax = node.syntax  # type: ignore[attr-defined]  # the outermost node is a Message
    return syntax


# --- most places are in the first segment of its name in the group a node is at ---------------------------------------
def is_direct(up: int, steps: Sequence[Step], target: Target) -> bool:
    return not (up or steps or target.occurrence or target.by or is_local(target.name))


def direct_put(target: Target, write: Write) -> Callable[[Node, str | Null], None]:
    name = target.name

    def put(node: Node, value: str | Null) -> None:
        found = node.at.index[name]
        write(found[0] if found else add_segment(node.at, target, syntax_of(node)), value)

    return put
