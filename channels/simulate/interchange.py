"""A supplier's own X12 reader and writer: separators from the ISA, groups and sets as plain lists. Pure.

It checks only what it needs to find its way; what a set says is judged in `orderdesk`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

Segment = list[str]


class Malformed(Exception):
    """The bytes are no interchange this supplier can find its way in."""


@dataclass(frozen=True, slots=True)
class Separators:
    element: str = "*"
    component: str = ">"
    segment: str = "~"
    after: str = ""  # written behind each segment terminator


@dataclass(frozen=True, slots=True)
class Identity:
    """isa: `ZZ:NORTHHEALTH`, qualifier and id. gs: application code."""

    isa: str
    gs: str

    @classmethod
    def parse(cls, text: str) -> Identity:
        """`01:081234567/081234567`; without the slash the id serves as GS code too."""
        isa, _, gs = text.partition("/")
        return cls(isa, gs or isa.partition(":")[2])


@dataclass(frozen=True, slots=True)
class Set:
    """One transaction set, ST and SE included. whole: SE is there and its count and control number are right."""

    code: str
    control: str
    segments: tuple[Segment, ...]
    fault: str = ""  # AK502: 2 SE missing, 3 control numbers differ, 4 count wrong


@dataclass(frozen=True, slots=True)
class Group:
    code: str  # GS01
    control: str  # GS06
    sets: tuple[Set, ...]
    declared: str = ""  # GE01


@dataclass(frozen=True, slots=True)
class Interchange:
    sender: str
    receiver: str
    control: str  # ISA13
    usage: str  # ISA15
    groups: tuple[Group, ...]


def read(raw: bytes) -> Interchange:
    """Raises Malformed."""
    try:
        return _read(_text(raw))
    except IndexError:
        raise Malformed("an envelope segment is too short") from None


def _read(text: str) -> Interchange:
    if not text.startswith("ISA") or len(text) < 106:
        raise Malformed("no ISA of 106 characters")
    element, terminator = text[3], text[105]
    segments = [part.strip("\r\n").split(element) for part in text.split(terminator) if part.strip("\r\n ")]
    isa, end = segments[0], segments[-1]
    if len(isa) != 17 or end[0] != "IEA" or end[2:3] != [isa[13]]:
        raise Malformed("ISA and IEA do not belong together")
    sender, receiver = (f"{isa[at]}:{isa[at + 1].rstrip()}" for at in (5, 7))
    return Interchange(sender, receiver, isa[13], isa[15], tuple(_groups(segments[1:-1])))


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _groups(segments: list[Segment]) -> list[Group]:
    groups, inside = [], list[Segment]()
    for segment in segments:
        inside.append(segment)
        if segment[0] == "GE":
            head = inside[0]
            if head[0] != "GS" or head[6] != segment[2]:
                raise Malformed("GS and GE do not belong together")
            groups.append(Group(head[1], head[6], tuple(_sets(inside[1:-1])), segment[1]))
            inside = []
    if inside:
        raise Malformed("a group has no GE")
    return groups


def _sets(segments: list[Segment]) -> list[Set]:
    starts = [at for at, segment in enumerate(segments) if segment[0] == "ST"]
    if segments and starts[:1] != [0]:
        raise Malformed("a group does not start with ST")
    return [_set(segments[start:end]) for start, end in zip(starts, [*starts[1:], len(segments)], strict=True)]


def _set(segments: list[Segment]) -> Set:
    start, end = segments[0], segments[-1]
    fault = ""
    if end[0] != "SE":
        fault = "2"
    elif end[2:3] != start[2:3]:
        fault = "3"
    elif end[1] != str(len(segments)):
        fault = "4"
    return Set(start[1], start[2], tuple(segments), fault)


def write(
    separators: Separators, ours: Identity, theirs: Identity, at: dt.datetime, control: int, code: str,
    sets: Sequence[Sequence[Segment]], usage: str = "P", version: str = "00401", release: str = "004010",
) -> bytes:  # fmt: skip
    """One interchange with one group of sets; each set is its segments without ST and SE, its code in front.

    `sets`: [[["997"], ["AK1", ...], ...]]. The interchange's number serves for the group too.
    """
    body: list[Segment] = []
    for number, (head, *inner) in enumerate(sets, 1):
        body.append(["ST", head[0], f"{number:04d}"])
        body += [_trimmed([_safe(value, separators) for value in segment]) for segment in inner]
        body.append(["SE", str(len(inner) + 2), f"{number:04d}"])
    (our_kind, our_id), (their_kind, their_id) = ours.isa.split(":", 1), theirs.isa.split(":", 1)
    segments = [
        ["ISA", "00", " " * 10, "00", " " * 10, our_kind, f"{our_id:15}", their_kind, f"{their_id:15}", f"{at:%y%m%d}",
         f"{at:%H%M}", "U", version, f"{control:09d}", "0", usage, separators.component],
        ["GS", code, ours.gs, theirs.gs, f"{at:%Y%m%d}", f"{at:%H%M}", str(control), "X", release],
        *body,
        ["GE", str(len(sets)), str(control)],
        ["IEA", "1", f"{control:09d}"],
    ]  # fmt: skip
    end = separators.segment + separators.after
    return "".join(separators.element.join(segment) + end for segment in segments).encode()


def _safe(value: str, separators: Separators) -> str:
    """X12 has no escape: a separator inside a value becomes a space."""
    return value.translate({ord(char): " " for char in (separators.element, separators.component, separators.segment)})


def _trimmed(segment: Segment) -> Segment:
    while len(segment) > 1 and not segment[-1]:
        segment = segment[:-1]
    return segment
