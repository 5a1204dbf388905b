"""How far a long interchange has been opened, as JSON between two portions. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from channels.formats.x12.elements import ElementFault
from channels.formats.x12.envelope import Header
from channels.formats.x12.groups import ACKNOWLEDGEMENTS, SetVerdict, element
from channels.formats.x12.match import SegmentFault
from channels.formats.x12.separators import Elements, Separators


class Surveyed(NamedTuple):
    """The envelope of one group. sets: how many. twice: set control numbers that stand there more than once."""

    start: Elements
    trailer: Elements | None
    sets: int
    twice: list[str]


@dataclass(slots=True)
class State:
    """What has to be known from one window to the next. Groups and sets are counted from 1.

    begin: where the segments behind ISA begin. controls: of the sets of the group that is surveyed. verdicts: on the
    sets of the group that is read.
    """

    isa: list[str]
    marks: list[str]
    begin: int
    surveyed: bool = False
    groups: list[Surveyed] = field(default_factory=list)
    open: bool = False
    inside: bool = False
    controls: dict[str, int] = field(default_factory=dict)
    strays: int = 0
    segments: int = 0
    heard: list[Elements] = field(default_factory=list)  # TA1s
    warnings: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)  # notes of faults of the envelope that only warn
    group: int = 0
    set: int = 0
    verdicts: list[Any] = field(default_factory=list)

    @property
    def separators(self) -> Separators:
        return Separators(*self.marks)

    @property
    def header(self) -> Header:
        return Header(tuple(self.isa), self.separators, self.begin)

    @property
    def acknowledges(self) -> bool:
        """As `envelope.only_acknowledges`."""
        return all(element(group.start, 1) == ACKNOWLEDGEMENTS for group in self.groups) and bool(
            self.groups or self.heard
        )


def loaded(text: str) -> State:
    state = State(**json.loads(text))
    state.groups = [Surveyed(*group) for group in state.groups]
    return state


def dumped(state: State) -> str:
    return json.dumps({one.name: getattr(state, one.name) for one in dataclasses.fields(state)})


# --- verdicts as plain data ------------------------------------------------------------------------------------------
def note(verdict: SetVerdict, noted: list[Any]) -> None:
    """Without its tree. Faultless sets that are numbered one after the other, as most are, stand as one: with the
    first number and their count."""
    one = verdict
    faults = [dataclasses.astuple(fault) for fault in one.faults]
    plain = [one.id, one.control, 0 if one.codes else 1, one.codes, faults, one.version, one.tolerated, one.number]
    last = noted[-1] if noted else None
    follows = last and last[2] and plain[2] and one.control == _following(last[1], last[2])
    if last and follows and (last[0], last[5:]) == (plain[0], plain[5:]):
        last[2] += 1
    else:
        noted.append(plain)


def _following(control: str, count: int) -> str:
    """The set control number so many further on; empty when there is none."""
    return str(int(control) + count).zfill(len(control)) if control.isascii() and control.isdigit() else ""


def verdicts(plain: list[Any]) -> Iterator[SetVerdict]:
    id, control, count, codes, faults, version, tolerated, number = plain
    found = tuple(map(_fault, faults))
    for position in range(count or 1):
        name = _following(control, position) if position else control
        yield SetVerdict(id, name, tuple(codes), found, version=version, tolerated=tolerated, number=number)


def _fault(plain: list[Any]) -> SegmentFault:
    id, position, code, place, loop, elements, places, rule = plain
    found = tuple([ElementFault(*fault) for fault in elements])
    return SegmentFault(id, position, code, place, loop, found, tuple(places), rule)
