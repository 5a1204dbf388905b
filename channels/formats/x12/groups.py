"""An interchange's segments to groups and sets, each judged: what our 997 says, and what may be mapped. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from channels.formats.x12.grammar import GROUPS, Release, release
from channels.formats.x12.match import SegmentFault, match
from channels.formats.x12.separators import Elements, Separators
from channels.formats.x12.tree import Group

ACKNOWLEDGEMENTS: Final = "FA"


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

    counted: the segment that CTT01 counts.
    """

    id: str
    control: str
    codes: tuple[str, ...]
    faults: tuple[SegmentFault, ...] = ()
    root: Group | None = None
    counted: str = ""

    @property
    def accepted(self) -> bool:
        return not self.codes


@dataclass(frozen=True, slots=True)
class GroupVerdict:
    """kind: GS01. control: GS06. included: GE01 as it came. codes: AK905. release: of GS08, when we speak it."""

    kind: str
    control: str
    included: str
    codes: tuple[str, ...]
    sets: tuple[SetVerdict, ...]
    release: Release | None = None

    @property
    def accepted(self) -> int:
        return 0 if self.codes else sum(verdict.accepted for verdict in self.sets)

    @property
    def status(self) -> str:
        """AK901: A, P or R."""
        if self.codes or (self.sets and not self.accepted):
            return "R"
        return "A" if self.accepted == len(self.sets) else "P"


def judge_groups(
    groups: Sequence[RawGroup], separators: Separators, accepts: frozenset[str] = frozenset()
) -> list[GroupVerdict]:
    """accepts: the sets this sender has an agreement for; empty takes all we speak."""
    verdicts = []
    judged = judge_envelopes([(group.start, group.trailer, len(group.sets)) for group in groups])
    for group, verdict in zip(groups, judged, strict=True):
        counted = Counter(element(one.start, 2) for one in group.sets)
        twice = {control for control, count in counted.items() if count > 1}
        sets = tuple([judge_set(one, verdict, twice, separators, accepts) for one in group.sets])
        verdicts.append(replace(verdict, sets=sets))
    return verdicts


def judge_envelopes(envelopes: Iterable[tuple[Elements, Elements | None, int]]) -> list[GroupVerdict]:
    """Each group of an interchange by its GS, its GE and the number of sets between them; the sets still unjudged."""
    seen: set[str] = set()
    verdicts = []
    for start, trailer, sets in envelopes:
        verdicts.append(_judge_envelope(start, trailer, sets, seen))
        seen.add(_number(element(start, 6)))
    return verdicts


def element(segment: Elements | None, position: int) -> str:
    """A simple element of an envelope segment; empty when it is not there."""
    return str(segment[position]) if segment is not None and position < len(segment) else ""


def _number(text: str) -> str:
    """A numeric control number for comparison: leading zeros do not count."""
    return text.lstrip("0") or "0"


def _judge_envelope(start: Elements, trailer: Elements | None, sets: int, seen: set[str]) -> GroupVerdict:
    kind, control, spoken = element(start, 1), element(start, 6), release(element(start, 8))
    codes = [] if kind in GROUPS.values() else ["1"]
    if spoken is None:
        codes.append("2")
    codes += _judge_trailer(trailer, control, sets)
    if not re.fullmatch(r"[0-9]{1,9}", control):
        codes.append("6")
    elif _number(control) in seen:
        codes.append("19")
    return GroupVerdict(kind, control, element(trailer, 1), tuple(codes), (), spoken)


def _judge_trailer(trailer: Elements | None, control: str, sets: int) -> list[str]:
    if trailer is None:
        return ["3"]
    codes = ["4"] if _number(element(trailer, 2)) != _number(control) else []
    counted = element(trailer, 1)
    if not re.fullmatch(r"[0-9]{1,6}", counted) or int(counted) != sets:
        codes.append("5")
    return codes


def judge_set(
    one: RawSet, group: GroupVerdict, twice: Collection[str], separators: Separators, accepts: frozenset[str]
) -> SetVerdict:
    """twice: the set control numbers that stand more than once in the group."""
    id, control, kind = element(one.start, 1), element(one.start, 2), group.kind
    readable = group.release if kind in GROUPS.values() else None
    definition = readable.transaction_set(id) if readable else None
    codes = _judge_id(id, kind, accepts, readable) + _judge_set_trailer(one, control)
    if not re.fullmatch(r"[ -~]{4,9}", control):
        codes.append("7")
    elif control in twice:
        codes.append("23")
    if definition is None or definition.group != kind:
        return SetVerdict(id, control, tuple(codes))
    root, faults = match(one.body, definition, separators)
    if faults:
        codes.append("5")
    return SetVerdict(id, control, tuple(codes), tuple(faults), root, definition.counted)


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
