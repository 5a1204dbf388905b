"""997s and 999s: built from our judgement of a received group, and read as receipts for groups we sent. Pure.

A group of acknowledgements is never answered (X12.5: no 997 for a 997). A 997 is written in the release of the group,
or in the one that is agreed; a 999 is for groups of 005010, where one is agreed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from channels.formats.x12.elements import (
    CHARACTER,
    EXCLUDED,
    NOT_IN_LIST,
    TOO_MANY_COMPONENTS,
    TOO_MANY_REPETITIONS,
    ElementFault,
)
from channels.formats.x12.grammar import BASE, Release, release
from channels.formats.x12.groups import ACKNOWLEDGEMENTS, NUMBERED, GroupVerdict, SetVerdict, element
from channels.formats.x12.match import SegmentFault
from channels.formats.x12.separators import Elements
from channels.formats.x12.standard.codes import GROUP_FAULTS
from channels.formats.x12.tree import Group
from channels.formats.x12.words import element_words, segment_words, set_words
from engine.plugin import Receipt

KIND: Final = "997"
IMPLEMENTATION: Final = "999"
_POSITIVE: Final = frozenset("AE")
_MOST_CODES: Final = 5
_LONGEST_COPY: Final = 99
# Values that hold what may not be repeated.
_NOT_COPIED: Final = frozenset({CHARACTER, TOO_MANY_REPETITIONS, TOO_MANY_COMPONENTS})
# Too many repetitions and too many components are too many elements to 004010.
_OLDER: Final = {TOO_MANY_REPETITIONS: "3", TOO_MANY_COMPONENTS: "3"}

# What a 999 calls a fault against a guide, where it has a code of its own for it.
_GUIDED_SET: Final = {"5": "I5"}
_GUIDED_SEGMENT: Final = {"2": "I4"}
_GUIDED_ELEMENT: Final = {EXCLUDED: "I10", NOT_IN_LIST: "I6"}


class Reply(NamedTuple):
    """An acknowledgement of one group. root: its tree. release: the one it is written in."""

    type: str
    release: str
    root: Group


# --- ours ------------------------------------------------------------------------------------------------------------
def answer(verdict: GroupVerdict, wanted: Mapping[str, str]) -> Reply | None:
    """For a received group; None when it must not or cannot have one. wanted: see Profile.answers."""
    named = re.fullmatch(r"[A-Z]{2}", verdict.kind) and re.fullmatch(r"[0-9]{1,9}", verdict.control)
    if verdict.kind == ACKNOWLEDGEMENTS or not named:
        return None
    spoken = verdict.release or release(BASE)
    assert spoken is not None
    detailed = IMPLEMENTATION in wanted and spoken.transaction_set(IMPLEMENTATION) is not None
    type = IMPLEMENTATION if detailed else KIND
    spoken = release(wanted.get(type, "")) or spoken
    return Reply(type, spoken.name, _Notes(spoken, type).of(verdict))


class _Notes:
    """Writes one acknowledgement. 004010 has no place for GS08, ST03 and repetitions; a 999 has other segment ids."""

    def __init__(self, spoken: Release, type: str) -> None:
        definition = spoken.transaction_set(type)
        assert definition is not None
        self._root = Group(definition.root)
        self._newer = spoken.name > BASE
        self._detailed = type == IMPLEMENTATION
        self._prefix = "IK" if self._detailed else "AK"

    def of(self, verdict: GroupVerdict) -> Group:
        root = self._root
        root.append("AK1", verdict.kind, verdict.control, *self._version(verdict.version))
        for one in verdict.sets:
            if not (verdict.refused and one.accepted) and re.fullmatch(r"[0-9A-Z]{3}", one.id):
                self._set(one)
        included = verdict.included if re.fullmatch(r"[0-9]{1,6}", verdict.included) else str(len(verdict.sets))
        counts = (included, str(len(verdict.sets)), str(verdict.accepted))
        root.append("AK9", verdict.status, *counts, *verdict.codes[:_MOST_CODES])
        return root

    def _version(self, text: str) -> list[str]:
        """GS08 or ST03, where this release has a place for it."""
        return [text] if self._newer and re.fullmatch(r"[A-Za-z0-9]{1,12}", text) else []

    def _set(self, one: SetVerdict) -> None:
        control = re.sub(r"[^A-Za-z0-9]", "", one.control)[:9].rjust(4, "0")
        response = self._root.append("AK2", one.id, control, *self._version(one.version))
        for fault in one.faults:
            self._segment(response, fault, one)
        guided = all(fault.rule for fault in one.faults)
        codes = [self._code(code, _GUIDED_SET, guided) for code in one.codes[:_MOST_CODES]]
        response.append(f"{self._prefix}5", one.status, *codes)

    def _segment(self, response: Group, fault: SegmentFault, one: SetVerdict) -> None:
        id = re.sub(r"[^A-Za-z0-9]", "", fault.id)[:3]
        if len(id) < 2 or fault.position > 999_999:
            return
        code = self._code(fault.code, _GUIDED_SEGMENT, fault.rule)
        note = response.append(f"{self._prefix}3", id, str(fault.position), fault.loop, code)
        if self._detailed and one.number:
            note.append("CTX", [NUMBERED[one.id], one.number])
        for found in fault.elements[:99]:
            if found.position <= 99:
                self._element(note, found, fault)

    def _element(self, note: Group, found: ElementFault, fault: SegmentFault) -> None:
        inner = note.append(f"{self._prefix}4", *self._element_note(found))
        if self._detailed and found.trigger:
            inner.append(
                "CTX", ["SITUATIONAL TRIGGER"], fault.id, str(fault.position), fault.loop, [str(found.trigger)]
            )

    def _element_note(self, found: ElementFault) -> Iterator[str | list[str]]:
        place = [str(found.position), str(found.component or ""), str(found.repetition or "")]
        yield place[: 3 if self._newer else 2]
        yield found.number if found.number.isdecimal() else ""
        code = self._code(found.code, _GUIDED_ELEMENT, found.rule)
        yield code if self._newer else _OLDER.get(code, code)
        yield "" if found.code in _NOT_COPIED else found.value[:_LONGEST_COPY].strip()

    def _code(self, code: str, guided: Mapping[str, str], rule: object) -> str:
        """rule: whether it is a guide that is broken."""
        return guided.get(code, code) if self._detailed and rule else code


# --- theirs ----------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Told:
    """What a 997 says of one set. code: AK501."""

    control: str
    code: str = ""
    details: list[str] = field(default_factory=list)


def receipts(body: Sequence[Elements], kind: str = KIND) -> list[Receipt]:
    """What the segments of a 997 or 999 say, set by set; of the whole group when it lists no set.

    A rejected group rejects every set in it, whatever is said of them one by one.
    """
    about = next((segment for segment in body if segment[0] == "AK1"), None)
    whole = next((segment for segment in body if segment[0] == "AK9"), None)
    if about is None or whole is None:
        return []
    group = f"{element(about, 1)}/{element(about, 2).lstrip('0') or '0'}"
    verdict = element(whole, 1)
    faults = tuple(f"group: {GROUP_FAULTS.get(code, 'fault')} [{code}]" for code in whole[5:] if code)
    also = IMPLEMENTATION if kind == KIND else KIND
    found = [_receipt(kind, f"{group}/{told.control}", told, verdict, faults, also) for told in _told(body)]
    return found or [Receipt(kind, group, verdict in _POSITIVE, verdict, faults, also=also)]


def _receipt(kind: str, ref: str, told: _Told, group: str, faults: tuple[str, ...], also: str) -> Receipt:
    code = group if group not in _POSITIVE | {"P"} else told.code
    details = (*told.details, *(() if code in _POSITIVE else faults))
    return Receipt(kind, ref, code in _POSITIVE, code, details, also=also)


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
