"""A partner's guide: what it narrows of the standard, place by place, and what of a set breaks it. Pure.

A guide only narrows. It is judged on the tree that the standard's judgement has made, in the same codes of AK304 and
AK403, and each fault names the line of the guide that asks for it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from channels.formats.x12.access import Conditions, meets
from channels.formats.x12.elements import EXCLUDED, MISSING, NOT_IN_LIST, TOO_LONG, TOO_SHORT, ElementFault
from channels.formats.x12.grammar import Composite, Element, Place, Release, Slot, TransactionSet
from channels.formats.x12.grammar import Loop as LoopGrammar
from channels.formats.x12.match import HAS_ELEMENT_FAULTS, LOOP_TOO_OFTEN, MOST_FAULTS, TOO_OFTEN, SegmentFault
from channels.formats.x12.match import MISSING as SEGMENT_MISSING
from channels.formats.x12.path_words import definition_of, nearest, read_element, read_segment, spell
from channels.formats.x12.separators import Elements, simple_values
from channels.formats.x12.tree import Group, place_of
from engine.plugin import Narrowing, PathError

UNEXPECTED = "2"  # AK304 for a segment that the standard has and the guide has not


@dataclass(frozen=True, slots=True)
class _Segments:
    """A rule on the segments at a place, or the loops they open, that meet conditions."""

    place: Place
    conditions: Conditions
    rule: Narrowing

    @property
    def name(self) -> str:
        return spell(self.place.segment.id, self.conditions)


@dataclass(frozen=True, slots=True)
class _Elements:
    """A rule on one element of the segments at a place. component: 0 for the whole element."""

    place: Place
    conditions: Conditions
    position: int
    component: int
    of: Element | Composite
    rule: Narrowing


@dataclass(slots=True)
class _Rules:
    """What holds in one loop, and in those of its inner loops that meet conditions."""

    segments: list[_Segments] = field(default_factory=list)
    elements: list[_Elements] = field(default_factory=list)
    inner: dict[tuple[int, Conditions], _Rules] = field(default_factory=dict)


class X12Guide:
    """The rules for one set of one release. type: its ST01."""

    def __init__(self, header: Mapping[str, str]) -> None:
        self.definition: TransactionSet = definition_of(header)
        self._rules = _Rules()
        self._told: list[Narrowing] = []

    def __eq__(self, other: object) -> bool:
        """By what they say: a reload tells a partner whose guide has changed."""
        return isinstance(other, X12Guide) and (self.definition, self._told) == (other.definition, other._told)

    __hash__ = None  # type: ignore[assignment]  # rules are still added to it

    @property
    def type(self) -> str:
        return self.definition.id

    @property
    def release(self) -> Release:
        return self.definition.release

    def add(self, rule: Narrowing) -> None:
        """Raises PathError for a place the set does not have, and for what would not narrow it."""
        *outer, last = rule.path.split("/")
        rules, loop = self._rules, self.definition.root
        for step in outer:
            place, conditions = read_segment(loop, step)
            if not place.opens:
                raise PathError(f"'{step}' opens no loop in '{rule.path}'", nearest(step, _openers(loop)))
            rules, loop = rules.inner.setdefault((place.index, conditions), _Rules()), place.loop
        if (found := read_element(loop, last)) is not None:
            place, conditions, position, component = found
            slot = place.segment.slots[position - 1]
            of = slot.of.components[component - 1].of if component and isinstance(slot.of, Composite) else slot.of
            _check_element(rule, slot, of)
            rules.elements.append(_Elements(place, conditions, position, component, of, rule))
        else:
            place, conditions = read_segment(loop, last)
            _check_segment(rule, place, conditions, opens=loop.opener and place.index == 0)
            rules.segments.append(_Segments(place, conditions, rule))
        self._told.append(rule)

    def judge(self, root: Group, body: Sequence[Elements], known: Sequence[SegmentFault]) -> list[SegmentFault]:
        """The faults that the standard finds with a set, and what breaks the guide besides, in order of position.

        body: its segments without ST and SE.
        """
        judging = _Judging({id(segment): position for position, segment in enumerate(body, 2)})
        judging.judge(self._rules, root)
        return _merged(known, [*judging.told()])


def _merged(known: Sequence[SegmentFault], found: Sequence[SegmentFault]) -> list[SegmentFault]:
    """Each thing once, the standard's word first; a segment with faults of both kinds in its elements is told once."""
    merged = {(fault.position, fault.id, fault.code): fault for fault in found}
    for fault in known:
        key = (fault.position, fault.id, fault.code)
        merged[key] = _joined(fault, merged[key]) if key in merged else fault
    return sorted(merged.values(), key=lambda fault: fault.position)[:MOST_FAULTS]


def _joined(one: SegmentFault, other: SegmentFault) -> SegmentFault:
    told = dict(zip(other.elements, other.element_places, strict=True))
    said = {(fault.position, fault.component) for fault in one.elements}
    told = {fault: place for fault, place in told.items() if (fault.position, fault.component) not in said}
    told |= dict(zip(one.elements, one.element_places, strict=True))
    ordered = sorted(told, key=lambda fault: (fault.position, fault.repetition, fault.component))
    return dataclasses.replace(one, elements=tuple(ordered), element_places=tuple(told[fault] for fault in ordered))


# --- what narrows ----------------------------------------------------------------------------------------------------
def _openers(loop: LoopGrammar) -> list[str]:
    return [place.segment.id for place in loop.places if place.opens]


def _check_segment(rule: Narrowing, place: Place, conditions: Conditions, *, opens: bool) -> None:
    if rule.codes or rule.least or rule.longest:
        raise PathError(f"'{rule.path}' is a segment: `codes` and `length` are for elements", (f"{rule.path}01",))
    if opens:
        raise PathError(f"'{rule.path}': {place.segment.id} opens this loop and is always there")
    if rule.use == "never" and place.required and not conditions:
        raise PathError(f"'{rule.path}': the standard demands this segment")
    if place.most and rule.most > place.most:
        raise PathError(f"'{rule.path}': the standard allows {place.most} and no more")


def _check_element(rule: Narrowing, slot: Slot, of: Element | Composite) -> None:
    if rule.most:
        raise PathError(f"'{rule.path}' is an element: `most` is for segments and loops")
    if rule.use == "never" and slot.required:
        raise PathError(f"'{rule.path}': the standard demands this element")
    if isinstance(of, Composite):
        if rule.codes or rule.longest:
            raise PathError(f"'{rule.path}' is a composite: name its component", (f"{rule.path}-1",))
        return
    if rule.longest and (rule.longest > of.most or rule.least > rule.longest):
        raise PathError(f"'{rule.path}': the standard has a length of {of.least} to {of.most}")
    wrong = [code for code in rule.codes if not of.good(code)]
    if wrong:
        raise PathError(f"'{rule.path}': the standard has no code '{wrong[0]}' here", nearest(wrong[0], of.codes))


# --- judging ---------------------------------------------------------------------------------------------------------
class _Judging:
    """One set against a guide. positions: of its segments, by identity."""

    def __init__(self, positions: Mapping[int, int]) -> None:
        self.positions = positions
        self.segments: list[SegmentFault] = []
        self.elements: dict[int, tuple[Group, Elements, list[ElementFault]]] = {}

    def told(self) -> Iterator[SegmentFault]:
        yield from self.segments
        for group, segment, faults in self.elements.values():
            faults = _once(faults)
            places = tuple(place_of(group, segment, fault.position, fault.component) for fault in faults)
            where = place_of(group, segment)
            position = self._position(segment)
            yield SegmentFault(
                segment[0], position, HAS_ELEMENT_FAULTS, where, group.loop.name, tuple(faults), places, faults[0].rule
            )

    @property
    def full(self) -> bool:
        """Whether more faults would help nobody."""
        return len(self.segments) + len(self.elements) >= MOST_FAULTS

    def judge(self, rules: _Rules, group: Group) -> None:
        for one in rules.segments:
            self._count(one, group)
        for two in rules.elements:
            for holder, segment in _at(group, two.place, two.conditions):
                if not self.full and (fault := _fault(two, segment)):
                    self.elements.setdefault(id(segment), (holder, segment, []))[2].append(fault)
        for (index, conditions), inner in rules.inner.items():
            for holder, _ in _at(group, group.loop.places[index], conditions):
                if self.full:
                    return
                self.judge(inner, holder)

    def _count(self, one: _Segments, group: Group) -> None:
        found = list(_at(group, one.place, one.conditions))
        rule, loop = one.rule, group.loop.name
        if rule.use == "required" and not found and not self.full:
            where = "/".join(filter(None, (group.where(), one.name)))
            position = self._where_missing(group, one.place)
            self._tell(SegmentFault(one.place.segment.id, position, SEGMENT_MISSING, where, loop), rule)
        wrong, code = found, UNEXPECTED
        if rule.use != "never":
            wrong = found[rule.most :] if rule.most else []
            code = LOOP_TOO_OFTEN if one.place.opens else TOO_OFTEN
        for holder, segment in wrong[: MOST_FAULTS - len(self.segments)]:
            self._tell(SegmentFault(segment[0], self._position(segment), code, place_of(holder, segment), loop), rule)

    def _tell(self, fault: SegmentFault, rule: Narrowing) -> None:
        self.segments.append(dataclasses.replace(fault, rule=rule.source))

    def _position(self, segment: Elements) -> int:
        return self.positions.get(id(segment), 0)

    def _where_missing(self, group: Group, place: Place) -> int:
        """After the last segment of the loop that may stand before it (X12: where it should have been)."""
        before = [
            self._position(segment)
            for index, entries in group.at.items()
            if index <= place.index
            for entry in entries
            for segment in (_inside(entry) if isinstance(entry, Group) else (entry,))
        ]
        return max(before, default=1) + 1


def _once(faults: list[ElementFault]) -> list[ElementFault]:
    """The first fault of each place: two rules may speak of one."""
    told = {(fault.position, fault.component): fault for fault in reversed(faults)}
    return [told[key] for key in sorted(told)]


def _inside(group: Group) -> list[Elements]:
    return [segment for _, segment in group.walk()]


def _at(group: Group, place: Place, conditions: Conditions) -> Iterator[tuple[Group, Elements]]:
    """The segments at a place that meet conditions, each with the loop it stands in."""
    for entry in group.at.get(place.index, ()):
        holder, segment = (entry, entry.at[0][0]) if isinstance(entry, Group) else (group, entry)
        assert isinstance(segment, list)
        if meets(segment, conditions):
            yield holder, segment


def _fault(one: _Elements, segment: Elements) -> ElementFault | None:
    """What of one element breaks its rule; the first of its repetitions."""
    rule = one.rule
    values = simple_values(segment[one.position]) if one.position < len(segment) else ()
    told = [text for _, component, text in values if text and component in {one.component or component}]
    code, value = "", ""
    if not told:
        code = MISSING if rule.use == "required" else ""
    elif rule.use == "never":
        code, value = EXCLUDED, told[0]
    else:
        code, value = next(((code, text) for text in told if (code := _wrong(text, one.of, rule))), ("", ""))
    if not code:
        return None
    number = one.of.number
    return ElementFault(one.position, code, one.component, number, one.of.name, value, rule=rule.source)


def _wrong(text: str, of: Element | Composite, rule: Narrowing) -> str:
    if rule.codes and text not in rule.codes:
        return NOT_IN_LIST
    numeric = isinstance(of, Element) and (of.kind == "R" or of.kind.startswith("N"))
    length = len(re.sub(r"[-.]", "", text)) if numeric else len(text)
    if rule.longest and length > rule.longest:
        return TOO_LONG
    return TOO_SHORT if length < rule.least else ""
