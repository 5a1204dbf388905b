"""Faults in plain words, ours and those a partner's 997 tells us. Pure; never a value from a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from channels.formats.x12.elements import ElementFault
from channels.formats.x12.grammar import RELEASES, Composite, release
from channels.formats.x12.groups import SetVerdict
from channels.formats.x12.match import SegmentFault
from channels.formats.x12.separators import shown
from channels.formats.x12.standard.codes import ELEMENT_FAULTS, SEGMENT_FAULTS, SET_FAULTS
from engine.errors import Refused

TOLERATED: Final = "x12.tolerated"
_MOST_TOLD: Final = 5


def segment_words(id: str, position: str, code: str) -> str:
    """`segment 4 REF: segment out of order [7]`."""
    return f"segment {shown(position)} {shown(id)}: {_gloss(SEGMENT_FAULTS, code)}"


def element_words(id: str, position: str, element: str, component: str, code: str) -> str:
    """`segment 4 PO1, element 3 (unit): code value not in the list [7]`."""
    name = element_name(id, element, component)
    where = f"element {shown(element)}" + (f" component {shown(component)}" if component else "")
    where += f" ({name})" if name else ""
    return f"segment {shown(position)} {shown(id)}, {where}: {_gloss(ELEMENT_FAULTS, code)}"


def set_words(code: str) -> str:
    return f"set: {_gloss(SET_FAULTS, code)}"


def element_name(id: str, element: str, component: str = "") -> str:
    """Our name for an element, by segment and 1-based position; empty when the standard has none there."""
    releases = filter(None, map(release, RELEASES))
    definition = next((known.segments[id] for known in releases if id in known.segments), None)
    if definition is None or not element.isdecimal() or not 0 < int(element) <= len(definition.slots):
        return ""
    of = definition.slots[int(element) - 1].of
    if isinstance(of, Composite) and component.isdecimal() and 0 < int(component) <= len(of.components):
        of = of.components[int(component) - 1].of
    return of.name


def _gloss(table: Mapping[str, str], code: str) -> str:
    return f"{table.get(code, 'fault')} [{shown(code)}]"


# --- our own judgement -----------------------------------------------------------------------------------------------
def fault_words(fault: SegmentFault) -> list[str]:
    """One sentence for each thing wrong with a segment."""
    if not fault.elements:
        return [segment_words(fault.id, str(fault.position), fault.code) + _asked_by(fault.rule)]
    return [_found_words(fault, found) + _asked_by(found.rule) for found in fault.elements]


def _found_words(fault: SegmentFault, found: ElementFault) -> str:
    position, component = str(found.position), str(found.component or "")
    return element_words(fault.id, str(fault.position), position, component, found.code)


def _asked_by(rule: str) -> str:
    """The line of the partner's guide behind a fault."""
    return f" by {rule}" if rule else ""


def tolerated_places(verdict: SetVerdict, place: str) -> list[str]:
    """Warnings of faults that only warn, each with its place."""
    found = [inner for fault in verdict.faults for inner in fault.element_places or (fault.place,)]
    inner = [f"{TOLERATED} {place}/{one}" for one in found[:_MOST_TOLD]]
    return inner if verdict.codes == ("5",) else [f"{TOLERATED} {place}", *inner]


def refusal(verdict: SetVerdict, place: str) -> Refused:
    """Why a set may not be mapped: the first fault's place, and the first few faults. status: AK502."""
    told = [words for fault in verdict.faults for words in fault_words(fault)]
    told = [set_words(code) for code in verdict.codes if code != "5"] + told
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    text = f"the {shown(verdict.id) if verdict.id else 'set'} is refused: {'; '.join(told[:_MOST_TOLD])}{more}"
    hint = "our 997 tells the partner; it must send a corrected set"
    if verdict.codes[0] != "5":
        return Refused("x12.set", text, place=place, hint=hint, status=verdict.codes[0])
    first = verdict.faults[0]
    code = "x12.element" if first.elements else "x12.structure"
    inner = first.element_places[0] if first.elements else first.place
    return Refused(code, text, place=f"{place}/{inner}", hint=hint, status=verdict.codes[0])
