"""An interchange's segments to groups and sets, each judged: what our 997 says, and what may be mapped. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from channels.formats.x12.grammar import GROUPS, Release, release
from channels.formats.x12.guide import X12Guide
from channels.formats.x12.match import MOST_FAULTS, SegmentFault, match
from channels.formats.x12.separators import Elements, Separators
from channels.formats.x12.tree import Group
from engine.plugin import Profile

ACKNOWLEDGEMENTS: Final = "FA"
ANYONE: Final = Profile()
# Where the number stands that people know a set by.
NUMBERED: Final = {"850": "BEG03", "855": "BAK03", "856": "BSN02", "810": "BIG02", "860": "BCH03", "865": "BCA03"}


@dataclass(slots=True)
class RawSet:
    """ST to SE as they came. start: ST; trailer: SE, None when it is missing."""

    start: Elements
    body: list[Elements] = field(default_factory=list)
    trailer: Elements | None = None


@dataclass(slots=True)
class RawGroup:
    """GS to GE as they came. strays: segments of the group that stand in no set."""

    start: Elements
    sets: list[RawSet] = field(default_factory=list)
    trailer: Elements | None = None
    strays: list[Elements] = field(default_factory=list)


@dataclass(slots=True)
class Content:
    """What stands between ISA and IEA. strays: segments outside any group."""

    groups: list[RawGroup] = field(default_factory=list)
    acknowledgements: list[Elements] = field(default_factory=list)  # TA1
    strays: list[Elements] = field(default_factory=list)


def arrange(segments: Iterable[Elements]) -> Content:
    """Nest the segments between ISA and IEA; what is not closed simply has no trailer."""
    content = Content()
    group: RawGroup | None = None
    current: RawSet | None = None
    for segment in segments:
        id = segment[0]
        if id == "GS":
            group, current = RawGroup(segment), None
            content.groups.append(group)
        elif group is None:
            (content.acknowledgements if id == "TA1" else content.strays).append(segment)
        elif id == "ST":
            current = RawSet(segment)
            group.sets.append(current)
        elif id == "GE":
            group.trailer = segment
            group = current = None
        elif current is None:
            group.strays.append(segment)
        elif id == "SE":
            current.trailer = segment
            current = None
        else:
            current.body.append(segment)
    return content


# --- judgement -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SetVerdict:
    """codes: AK502, `5` last when segments are at fault. root: None when the set is not one we speak.

    version: ST03. counted: the segment that CTT01 counts. tolerated: all that is wrong with it only warns. number: what
    people know it by, when faults are to be told beside that.
    """

    id: str
    control: str
    codes: tuple[str, ...]
    faults: tuple[SegmentFault, ...] = ()
    root: Group | None = None
    counted: str = ""
    version: str = ""
    tolerated: bool = False
    number: str = ""

    @property
    def accepted(self) -> bool:
        return self.tolerated or not self.codes

    @property
    def status(self) -> str:
        """AK501: A, E or R."""
        return ("E" if self.tolerated else "R") if self.codes else "A"


@dataclass(frozen=True, slots=True)
class GroupVerdict:
    """kind: GS01. control: GS06. included: GE01 as it came. codes: AK905. version: GS08; release: when we speak it.

    tolerated: its codes only warn. whole: it stands only if all its sets do.
    """

    kind: str
    control: str
    included: str
    codes: tuple[str, ...]
    sets: tuple[SetVerdict, ...]
    version: str = ""
    release: Release | None = None
    tolerated: bool = False
    whole: bool = False

    @property
    def refused(self) -> bool:
        """Whether no set of it goes on, whatever is said of them one by one."""
        broken = self.whole and not all(verdict.accepted for verdict in self.sets)
        return broken or (bool(self.codes) and not self.tolerated)

    @property
    def accepted(self) -> int:
        return 0 if self.refused else sum(verdict.accepted for verdict in self.sets)

    @property
    def status(self) -> str:
        """AK901: A, E, P or R."""
        if self.refused or (self.sets and not self.accepted):
            return "R"
        if self.accepted < len(self.sets):
            return "P"
        return "E" if self.codes or any(verdict.codes for verdict in self.sets) else "A"


def judge_groups(groups: Sequence[RawGroup], separators: Separators, profile: Profile = ANYONE) -> list[GroupVerdict]:
    """profile: what is agreed with the sender: the sets it may send, their guides, and which faults only warn."""
    verdicts = []
    judged = judge_envelopes([(group.start, group.trailer, len(group.sets)) for group in groups], profile)
    for group, verdict in zip(groups, judged, strict=True):
        counted = Counter(element(one.start, 2) for one in group.sets)
        twice = {control for control, count in counted.items() if count > 1}
        sets = tuple([judge_set(one, verdict, twice, separators, profile) for one in group.sets])
        verdicts.append(replace(verdict, sets=sets, whole=any(one.id in profile.whole for one in sets)))
    return verdicts


def judge_envelopes(envelopes: Iterable[tuple[Elements, Elements | None, int]], profile: Profile) -> list[GroupVerdict]:
    """Each group of an interchange by its GS, its GE and the number of sets between them; the sets still unjudged."""
    seen: set[str] = set()
    verdicts = []
    for start, trailer, sets in envelopes:
        verdicts.append(_judge_envelope(start, trailer, sets, profile, seen))
        seen.add(_number(element(start, 6)))
    return verdicts


def element(segment: Elements | None, position: int) -> str:
    """A simple element of an envelope segment; empty when it is not there."""
    return str(segment[position]) if segment is not None and position < len(segment) else ""


def _number(text: str) -> str:
    """A numeric control number for comparison: leading zeros do not count."""
    return text.lstrip("0") or "0"


def _judge_envelope(
    start: Elements, trailer: Elements | None, sets: int, profile: Profile, seen: set[str]
) -> GroupVerdict:
    kind, control, version = (element(start, at) for at in (1, 6, 8))
    spoken = release(version)
    codes = [] if kind in GROUPS.values() else ["1"]
    if spoken is None:
        codes.append("2")
    codes += _judge_trailer(trailer, control, sets)
    if not re.fullmatch(r"[0-9]{1,9}", control):
        codes.append("6")
    elif _number(control) in seen:
        codes.append("19")
    tolerated = all(f"AK905 {code}" in profile.tolerates for code in codes)
    return GroupVerdict(kind, control, element(trailer, 1), tuple(codes), (), version, spoken, tolerated)


def _judge_trailer(trailer: Elements | None, control: str, sets: int) -> list[str]:
    if trailer is None:
        return ["3"]
    codes = ["4"] if _number(element(trailer, 2)) != _number(control) else []
    counted = element(trailer, 1)
    if not re.fullmatch(r"[0-9]{1,6}", counted) or int(counted) != sets:
        codes.append("5")
    return codes


def judge_set(
    one: RawSet, group: GroupVerdict, twice: Collection[str], separators: Separators, profile: Profile
) -> SetVerdict:
    """twice: the set control numbers that stand more than once in the group."""
    id, control, version = (element(one.start, at) for at in (1, 2, 3))
    kind = group.kind
    readable = group.release if kind in GROUPS.values() else None
    definition = readable.transaction_set(id) if readable else None
    codes = _judge_id(id, kind, profile.accepts, readable) + _judge_set_trailer(one, control)
    if not re.fullmatch(r"[ -~]{4,9}", control):
        codes.append("7")
    elif control in twice:
        codes.append("23")
    if definition is None or definition.group != kind:
        return SetVerdict(id, control, tuple(codes), version=version)
    root, faults = match(one.body, definition, separators)
    guide = profile.guides.get(id)
    if isinstance(guide, X12Guide):
        if guide.definition is not definition:  # what is agreed is another release
            return SetVerdict(id, control, ("1",), version=version)
        faults = guide.judge(root, one.body, faults)
    tolerated, number = _is_tolerated(codes, faults, profile.tolerates), _number_of(id, root) if faults else ""
    if faults:
        codes.append("5")
    found = tuple(faults)
    return SetVerdict(id, control, tuple(codes), found, root, definition.counted, version, tolerated, number)


def _is_tolerated(codes: Sequence[str], faults: Sequence[SegmentFault], tolerates: frozenset[str]) -> bool:
    """Whether all that is wrong with a set only warns; where faults are too many to be told, some may not."""
    if not tolerates or len(faults) >= MOST_FAULTS:
        return False
    met = {f"AK502 {code}" for code in codes}
    for fault in faults:
        met |= {f"AK403 {found.code}" for found in fault.elements} or {f"AK304 {fault.code}"}
    return met <= tolerates


def _number_of(id: str, root: Group) -> str:
    """What people call a set by, if it can be copied."""
    place = NUMBERED.get(id, "")
    entries = root.at.get(root.loop.index.get(place[:3], -1), ())
    segment = next((entry for entry in entries if isinstance(entry, list)), None)
    text = element(segment, int(place[3:])) if segment else ""
    return text if re.fullmatch(r"[A-Za-z0-9 ._-]{1,35}", text) else ""


def _judge_id(id: str, kind: str, accepts: frozenset[str], readable: Release | None) -> list[str]:
    """`6` when ST01 is no set of this group, `1` when it is one we do not speak or have not agreed to."""
    if not re.fullmatch(r"[0-9A-Z]{3}", id) or (id in GROUPS and GROUPS[id] != kind):
        return ["6"]
    agreed = not accepts or id in accepts or kind == ACKNOWLEDGEMENTS
    spoken = id in (readable.groups if readable else GROUPS)
    return [] if spoken and agreed else ["1"]


def _judge_set_trailer(one: RawSet, control: str) -> list[str]:
    if one.trailer is None:
        return ["2"]
    codes = ["3"] if element(one.trailer, 2) != control else []
    told = element(one.trailer, 1)
    if not re.fullmatch(r"[0-9]{1,10}", told) or int(told) != len(one.body) + 2:
        codes.append("4")
    return codes
