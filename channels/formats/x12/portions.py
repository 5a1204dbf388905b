"""A long interchange opened in portions, which together hold what opening it whole would find. Pure.

It is surveyed first: its envelopes alone, since the trailer of a functional group judges all of its sets. Then the sets
are read, as many at a time as a window holds whole. What is known of those of a group until its 997 can be made stands
in the state, as JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

from channels.formats.x12.envelope import header_faults, read_header, refuse, trailer_faults, weighed
from channels.formats.x12.findings import Findings
from channels.formats.x12.groups import RawSet, element, judge_envelopes, judge_set
from channels.formats.x12.opening import decoded, departures, open_interchange, told
from channels.formats.x12.progress import State, Surveyed, dumped, loaded, note, verdicts
from channels.formats.x12.separators import BLANK_BYTES, Elements, Separators, Tokens, cut
from channels.formats.x12.split import skip_lead
from engine.errors import Refused
from engine.plugin import Opened, Portion, Profile

SURVEYED: Final = 1 << 20  # bytes of a window to survey ...
READ: Final = 32 << 10  # ... and of one to read: tens of milliseconds
_CLOSING: Final = frozenset({"SE", "GE", "GS", "IEA", "TA1", "ISA"})  # behind these no set is open


def window(state: str) -> int:
    """How many bytes the next portion would best see."""
    return READ if state and loaded(state).surveyed else SURVEYED


def open_portion(raw: bytes, at: int, state: str, profile: Profile, *, last: bool) -> Portion | None:
    """As `engine.plugin.Portioned` says."""
    if profile.whole:  # a group must be judged to its end before anything of it goes on
        return Portion(open_interchange(raw, profile), at + len(raw), "", done=True) if last else None
    known = loaded(state) if state else _begun(raw, profile, last)
    if known is None:
        return None
    if not state:
        raw, at = raw[known.begin :], known.begin
    return _read(raw, at, known, profile, last) if known.surveyed else _survey(raw, at, known, profile, last)


def _begun(raw: bytes, profile: Profile, last: bool) -> State | None:
    """From the ISA, which was found whole at the door; the site may have changed since."""
    start, warnings = skip_lead(raw)
    header = read_header(raw, start)
    if isinstance(header, Refused):
        if last:
            raise header
        return None
    wrong, warned = weighed(header_faults(header, profile), profile)
    if wrong is not None:
        raise wrong
    marks = header.separators
    state = State(
        [*header.fields],
        [marks.element, marks.component, marks.segment, marks.repetition],
        start + header.size,
        warnings=[*warnings, *told(warned)],
        warned=[fault.status for fault in warned],
    )
    _cut(raw[start : state.begin], state, profile)  # for what is tolerated of the ISA itself
    return state


# --- windows ---------------------------------------------------------------------------------------------------------
def _cut(raw: bytes, state: State, profile: Profile, *, last: bool = False) -> Tokens:
    """last: blanks behind the IEA may be at its end."""
    marks = state.separators
    tokens = cut(decoded(raw.rstrip(BLANK_BYTES) if last else raw, profile, marks), marks)
    state.warnings = [*dict.fromkeys([*state.warnings, *departures(tokens)])]
    return tokens


def _whole_segments(raw: bytes, mark: bytes) -> int:
    return raw.rfind(mark) + 1


def _whole_sets(raw: bytes, state: State) -> int:
    """Up to where a window holds no set that goes on behind it."""
    mark, pieces = state.separators.segment.encode(), raw.split(state.separators.segment.encode())
    end = len(raw) - len(pieces.pop())
    for piece in reversed(pieces):
        id = _id(piece, state.separators)
        if id in _CLOSING:
            return end
        end -= len(piece) + len(mark)
        if id == "ST":
            return end
    return end


def _id(piece: bytes, separators: Separators) -> str:
    head = piece[:200].translate(None, b"\r\n").lstrip(b" \t")[:4].decode("latin-1")
    return head.partition(separators.element)[0]


# --- the survey ------------------------------------------------------------------------------------------------------
def _survey(raw: bytes, at: int, state: State, profile: Profile, last: bool) -> Portion | None:
    used = len(raw) if last else _whole_segments(raw, state.separators.segment.encode())
    if not used:
        return None
    segments = _cut(raw[:used], state, profile, last=last).segments
    state.segments += len(segments)
    if state.segments > (most := profile.limits.get("segments", state.segments)):
        raise refuse("x12.envelope", "022", "ISA", f"the interchange has more than {most} segments")
    for segment in segments:
        _see(segment, state)
    if not last:
        return Portion(Opened(), at + used, dumped(state))
    for segment in segments[-1:]:
        _judge_trailer(segment, state, profile)
    state.surveyed, state.open, state.controls = True, False, {}
    return Portion(Opened(), state.begin, dumped(state))


def _judge_trailer(segment: Elements, state: State, profile: Profile) -> None:
    """Its faults that only warn; the door has refused it for others."""
    found = trailer_faults([part.strip() for part in segment[1:]], state.header, len(state.groups), len(state.heard))
    _, warned = weighed(found, profile)
    state.warnings += told(warned)
    state.warned += [fault.status for fault in warned]


def _see(segment: Elements, state: State) -> None:
    """One segment of the survey; see `groups.arrange`."""
    id = segment[0]
    if id == "GS":
        state.groups.append(Surveyed(segment, None, 0, []))
        state.open, state.inside, state.controls = True, False, {}
    elif not state.open:
        if id == "TA1":
            state.heard.append(segment)
        elif id != "IEA":
            state.strays += 1
    elif id == "ST":
        _see_set(element(segment, 2), state)
    elif id == "GE":
        state.groups[-1] = state.groups[-1]._replace(trailer=segment)
        state.open = state.inside = False
    elif not state.inside:
        state.strays += id != "IEA"
    elif id == "SE":
        state.inside = False


def _see_set(control: str, state: State) -> None:
    group = state.groups[-1]
    state.inside = True
    state.controls[control] = state.controls.get(control, 0) + 1
    if state.controls[control] == 2:
        group.twice.append(control)
    state.groups[-1] = group._replace(sets=group.sets + 1)


# --- the sets --------------------------------------------------------------------------------------------------------
def _read(raw: bytes, at: int, state: State, profile: Profile, last: bool) -> Portion | None:
    used = len(raw) if last else _whole_sets(raw, state)
    if not used:
        return None
    findings = Findings(profile.answers)
    _Reader(state, profile, findings).take(_cut(raw[:used], state, profile, last=last).segments, last=last)
    if not last:
        return Portion(findings.opened(), at + used, dumped(state))
    findings.take_content(state.heard, state.strays)
    findings.warnings += state.warnings
    opened = findings.opened(state.header, asks=not state.acknowledges, warned=state.warned)
    return Portion(opened, at + used, "", done=True)


class _Reader:
    """The sets of a window, each judged as what it is in its group."""

    def __init__(self, state: State, profile: Profile, findings: Findings) -> None:
        self.state = state
        self.profile = profile
        self.findings = findings
        self.current: RawSet | None = None
        self.judged = judge_envelopes([(one.start, one.trailer, one.sets) for one in state.groups], profile)

    def take(self, segments: Iterable[Elements], *, last: bool) -> None:
        for segment in segments:
            id = segment[0]
            if id == "GS":
                self._end_group()
                self.state.group, self.state.open = self.state.group + 1, True
            elif not self.state.open:
                continue
            elif id == "ST":
                self._end_set()
                self.current = RawSet(segment)
            elif id == "GE":
                self._end_group()
            elif self.current is not None and id == "SE":
                self.current.trailer = segment
                self._end_set()
            elif self.current is not None and id != "IEA":
                self.current.body.append(segment)
        self._end_set()
        if last:
            self._end_group()

    def _end_set(self) -> None:
        if self.current is None:
            return
        state, one, self.current = self.state, self.current, None
        state.set += 1
        group, twice = self.judged[state.group - 1], state.groups[state.group - 1].twice
        verdict = judge_set(one, group, twice, state.separators, self.profile)
        self.findings.take_set(verdict, one.body, state.set, group, state.group)
        note(verdict, state.verdicts)

    def _end_group(self) -> None:
        self._end_set()
        state = self.state
        if state.open:
            group = self.judged[state.group - 1]
            sets = tuple([verdict for plain in state.verdicts for verdict in verdicts(plain)])
            self.findings.take_group(dataclasses.replace(group, sets=sets), state.group)
            state.open, state.verdicts = False, []
