"""What is wrong inside one segment: its elements against the grammar, in the codes of AK403. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from channels.formats.x12.grammar import Composite, Element, Segment, Slot
from channels.formats.x12.separators import Elements, Repeats
from channels.formats.x12.syntax import Rule
from channels.formats.x12.values import BAD_CHARACTER, is_date

MISSING: Final = "1"
CONDITION: Final = "2"
TOO_MANY: Final = "3"
TOO_SHORT: Final = "4"
TOO_LONG: Final = "5"
CHARACTER: Final = "6"
NOT_IN_LIST: Final = "7"
BAD_DATE: Final = "8"
BAD_TIME: Final = "9"
EXCLUDED: Final = "10"
TOO_MANY_REPETITIONS: Final = "12"
TOO_MANY_COMPONENTS: Final = "13"

# Binary data, behind its length.
BINARY: Final = frozenset({"BIN", "BDS"})
_LONGEST_LENGTH: Final = 15  # digits
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_REMEMBERED: Final = 200  # ways to fill a segment that are known to be right

_BAD: Final = re.compile(f"[{BAD_CHARACTER}]")


@dataclass(frozen=True, slots=True)
class ElementFault:
    """position, component: 1-based, component 0 when the whole element is meant. number, name: of the data element.

    code: AK403. value: what stands there, for the copy in AK404 and nothing else. repetition: as component.
    trigger: position of the element that makes this one required or forbidden, 0 when none does.
    rule: the line of the partner's guide that it breaks.
    """

    position: int
    code: str
    component: int = 0
    number: str = ""
    name: str = ""
    value: str = ""
    repetition: int = 0
    trigger: int = 0
    rule: str = ""


def check(segment: Elements, definition: Segment, reserved: Mapping[str, str] = NOTHING) -> list[ElementFault]:
    """All faults of a segment's elements, in order. reserved: separators no value may hold, each with its AK403."""
    return [] if _is_sound(segment, definition, reserved) else _faults(segment, definition, reserved)


def check_binary(segment: Elements, definition: Segment, size: Callable[[], int]) -> ElementFault | None:
    """What is wrong with the length that binary data claims. size: characters of the set; it can claim no more.

    The claim is compared, never acted upon: what follows is read as segments.
    """
    position = len(definition.slots) - 1
    of = definition.slots[position - 1].of
    told = segment[position] if position < len(segment) else ""
    code = MISSING if not told else "" if re.fullmatch("[0-9]+", told) else CHARACTER
    if not code and (len(told) > _LONGEST_LENGTH or int(told) > size()):
        code = TOO_LONG
    return ElementFault(position, code, 0, of.number, of.name, told) if code else None


def _is_sound(segment: Elements, definition: Segment, reserved: Mapping[str, str]) -> bool:
    """Whether it is plain that nothing is wrong, as with most segments; what is repeated is never plain."""
    if len(segment) > len(definition.tests) + 1:
        return False
    present = 0
    for value, (bit, good) in zip(segment[1:], definition.tests, strict=False):
        if value:
            if not good(value):
                return False
            present |= bit
    if reserved:
        whole = map("".join, segment) if definition.parted else segment
        text = "".join(whole)
        for mark in reserved:
            if mark in text:
                return False
    return present in definition.complete or _is_complete(present, definition)


def _is_complete(present: int, definition: Segment) -> bool:
    """Whether these positions may be filled and no others: segments of a kind mostly fill the same."""
    if not present or definition.required & ~present:
        return False
    if any(present & rule.all not in rule.good for rule in definition.rules):
        return False
    if len(definition.complete) < _REMEMBERED:
        definition.complete.add(present)
    return True


def _faults(segment: Elements, definition: Segment, reserved: Mapping[str, str]) -> list[ElementFault]:
    slots = definition.slots
    faults: list[ElementFault] = []
    present = 0
    for position in range(1, len(segment)):
        value = segment[position]
        if not value:
            continue
        present |= 1 << position
        if position > len(slots):
            faults.append(ElementFault(position, TOO_MANY, value=value))
        else:
            faults += _check_slot(value, position, slots[position - 1], reserved)
    absent = definition.required & ~present or (2 if not present else 0)
    if absent:
        faults += [_about(definition, at, MISSING) for at in range(1, len(slots) + 1) if absent >> at & 1]
    for rule in definition.rules:
        if present & rule.all not in rule.good:
            faults += [_about(definition, at, code, _trigger(rule, present)) for at, code in _blamed(rule, present)]
    return sorted(_once(faults), key=lambda fault: (fault.position, fault.repetition, fault.component))


def _check_slot(value: Any, position: int, slot: Slot, reserved: Mapping[str, str]) -> Iterator[ElementFault]:
    of = slot.of
    if isinstance(value, Repeats):
        for number, one in enumerate(value, 1):
            found = _check_slot(one, position, slot, reserved)
            yield from (dataclasses.replace(fault, repetition=number) for fault in found)
        if len(value) > slot.most:
            yield ElementFault(position, TOO_MANY_REPETITIONS, 0, of.number, of.name)
    elif isinstance(of, Composite):
        yield from _check_composite(value, position, of, reserved)
    elif code := fault_of(value, of, reserved):
        yield ElementFault(position, code, 0, of.number, of.name, value)


def _about(definition: Segment, position: int, code: str, trigger: int = 0) -> ElementFault:
    of = definition.slots[position - 1].of
    return ElementFault(position, code, 0, of.number, of.name, trigger=trigger)


def _trigger(rule: Rule, present: int) -> int:
    """The first element that is there of those a broken rule relates."""
    return next((position for position in rule.positions if present >> position & 1), 0)


def _once(faults: list[ElementFault]) -> list[ElementFault]:
    """The first fault of each position: two rules may blame the same one."""
    return list({(fault.position, fault.repetition, fault.component): fault for fault in reversed(faults)}.values())


def fault_of(value: str, element: Element, reserved: Mapping[str, str] = NOTHING) -> str:
    """The AK403 code of one value; empty when it is good."""
    if element.pattern.fullmatch(value) is None:
        return _diagnose(value, element)
    for mark, code in reserved.items():
        if mark in value:
            return code
    if element.codes and value not in element.codes:
        return NOT_IN_LIST
    if element.kind == "DT" and not is_date(value):
        return BAD_DATE
    return ""


def _diagnose(value: str, element: Element) -> str:
    """Why a value does not match its element's pattern."""
    if _BAD.search(value):
        return CHARACTER
    if element.kind in {"DT", "TM"}:
        return BAD_DATE if element.kind == "DT" else BAD_TIME
    numeric = element.kind == "R" or element.kind.startswith("N")
    if numeric and not re.fullmatch(r"-?[0-9]+" if element.kind != "R" else r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)", value):
        return CHARACTER
    length = len(re.sub(r"[-.]", "", value)) if numeric else len(value)
    return TOO_SHORT if length < element.least else TOO_LONG


def _check_composite(
    value: list[str], position: int, composite: Composite, reserved: Mapping[str, str]
) -> Iterator[ElementFault]:
    for number, slot in enumerate(composite.components, 1):
        part = value[number - 1] if number <= len(value) else ""
        assert isinstance(slot.of, Element)
        code = (fault_of(part, slot.of, reserved) if part else MISSING) if part or slot.required else ""
        if code:
            yield ElementFault(position, code, number, slot.of.number, slot.of.name, part)
    if any(value[len(composite.components) :]):
        yield ElementFault(position, composite.excess, 0, composite.number, composite.name)
    present = sum(1 << at for at, part in enumerate(value, 1) if part)
    for rule in composite.rules:
        if present & rule.all not in rule.good:
            for number, code in _blamed(rule, present):
                of = composite.components[number - 1].of
                yield ElementFault(position, code, number, of.number, of.name)


def _blamed(rule: Rule, present: int) -> Iterator[tuple[int, str]]:
    """Positions that a broken rule makes wrong, each with its code. present: bits 1 << position."""
    there = [position for position in rule.positions if present >> position & 1]
    absent = [position for position in rule.positions if position not in there]
    if rule.kind == "E":
        yield there[1], EXCLUDED
    elif rule.kind in {"P", "C"}:
        yield from ((position, CONDITION) for position in absent)
    else:
        yield absent[0], CONDITION
