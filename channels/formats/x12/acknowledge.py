"""997s: built from our judgement of a received group, and read as receipts for groups we sent. Pure.

A group of acknowledgements is never answered (X12.5: no 997 for a 997).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from channels.formats.x12.elements import ElementFault
from channels.formats.x12.grammar import BASE, release
from channels.formats.x12.groups import ACKNOWLEDGEMENTS, GroupVerdict, SetVerdict, element
from channels.formats.x12.match import SegmentFault
from channels.formats.x12.separators import Elements
from channels.formats.x12.standard.codes import GROUP_FAULTS
from channels.formats.x12.tree import Group
from channels.formats.x12.words import element_words, segment_words, set_words
from engine.plugin import Receipt

KIND: Final = "997"
_POSITIVE: Final = frozenset("AE")
_MOST_CODES: Final = 5
# What a copied bad value may hold, whatever the separators of the answer will be.
_SAFE: Final = re.compile(r"[A-Za-z0-9 .-]{1,99}")


# --- ours ------------------------------------------------------------------------------------------------------------
def answer(verdict: GroupVerdict) -> Group | None:
    """The 997 for a received group; None when it must not or cannot have one."""
    named = re.fullmatch(r"[A-Z]{2}", verdict.kind) and re.fullmatch(r"[0-9]{1,9}", verdict.control)
    if verdict.kind == ACKNOWLEDGEMENTS or not named:
        return None
    spoken = release(BASE)
    definition = spoken.transaction_set(KIND) if spoken else None
    assert definition is not None
    root = Group(definition.root)
    root.append("AK1", verdict.kind, verdict.control)
    for one in verdict.sets:
        if not (verdict.codes and one.accepted) and re.fullmatch(r"[0-9A-Z]{3}", one.id):
            _answer_set(root, one)
    included = verdict.included if re.fullmatch(r"[0-9]{1,6}", verdict.included) else str(len(verdict.sets))
    counts = (included, str(len(verdict.sets)), str(verdict.accepted))
    root.append("AK9", verdict.status, *counts, *verdict.codes[:_MOST_CODES])
    return root


def _answer_set(root: Group, one: SetVerdict) -> None:
    control = re.sub(r"[^A-Za-z0-9]", "", one.control)[:9].rjust(4, "0")
    response = root.append("AK2", one.id, control)
    for fault in one.faults:
        _answer_segment(response, fault)
    response.append("AK5", "A" if one.accepted else "R", *one.codes[:_MOST_CODES])


def _answer_segment(response: Group, fault: SegmentFault) -> None:
    id = re.sub(r"[^A-Z0-9]", "", fault.id)[:3]
    if len(id) < 2 or fault.position > 999_999:
        return
    note = response.append("AK3", id, str(fault.position), "", fault.code)
    for found in fault.elements[:99]:
        if found.position <= 99:
            note.append("AK4", *_element_note(found))


def _element_note(found: ElementFault) -> Iterator[str | list[str]]:
    yield [str(found.position), str(found.component)] if found.component else [str(found.position)]
    yield found.number if found.number.isdecimal() else ""
    yield found.code
    yield found.value if _SAFE.fullmatch(found.value) and found.value.strip() else ""


# --- theirs ----------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Told:
    """What a 997 says of one set. code: AK501."""

    control: str
    code: str = ""
    details: list[str] = field(default_factory=list)


def receipts(body: Sequence[Elements]) -> list[Receipt]:
    """What the segments of a 997 say, set by set; of the whole group when it lists no set.

    A rejected group rejects every set in it, whatever is said of them one by one.
    """
    about = next((segment for segment in body if segment[0] == "AK1"), None)
    whole = next((segment for segment in body if segment[0] == "AK9"), None)
    if about is None or whole is None:
        return []
    group = f"{element(about, 1)}/{element(about, 2).lstrip('0') or '0'}"
    verdict = element(whole, 1)
    faults = tuple(f"group: {GROUP_FAULTS.get(code, 'fault')} [{code}]" for code in whole[5:] if code)
    found = [_receipt(f"{group}/{told.control}", told, verdict, faults) for told in _told(body)]
    return found or [Receipt(KIND, group, verdict in _POSITIVE, verdict, faults)]


def _receipt(ref: str, told: _Told, group: str, faults: tuple[str, ...]) -> Receipt:
    code = group if group not in _POSITIVE | {"P"} else told.code
    details = (*told.details, *(() if code in _POSITIVE else faults))
    return Receipt(KIND, ref, code in _POSITIVE, code, details)


def _told(body: Sequence[Elements]) -> list[_Told]:
    found: list[_Told] = []
    id = position = ""
    for segment in body:
        name = segment[0].replace("IK", "AK")  # a 999 says it in IK3 to IK5
        if name == "AK2":
            found.append(_Told(element(segment, 2)))
        elif not found:
            continue
        elif name == "AK3":
            id, position = element(segment, 1), element(segment, 2)
            if element(segment, 4) not in {"", "8"}:
                found[-1].details.append(segment_words(id, position, element(segment, 4)))
        elif name == "AK4":
            found[-1].details.append(_element_words(id, position, segment))
        elif name == "AK5":
            found[-1].code = element(segment, 1)
            found[-1].details += [set_words(code) for code in segment[2:] if code and code != "5"]
    return found


def _element_words(id: str, position: str, segment: Elements) -> str:
    where = segment[1] if isinstance(segment[1], list) else [segment[1]]
    component = where[1] if len(where) > 1 else ""
    return element_words(id, position, where[0], component, element(segment, 3))
