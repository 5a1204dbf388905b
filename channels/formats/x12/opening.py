"""One stored interchange opened: its sets as parts, its 997s as receipts, and our 997s as answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from channels.formats.x12.charsets import decode
from channels.formats.x12.envelope import Interchange, find_interchange, judge, only_acknowledges, refuse
from channels.formats.x12.findings import Findings
from channels.formats.x12.groups import (
    Content,
    RawGroup,
    arrange,
    judge_groups,
)
from channels.formats.x12.separators import Separators, Tokens, cut
from channels.formats.x12.split import skip_lead
from channels.formats.x12.words import TOLERATED
from engine.errors import Refused
from engine.plugin import Opened, Profile

# Far above what a purchase order needs; a listener's `segments` limit sets another.
MOST_SEGMENTS: Final = 500_000


def open_interchange(raw: bytes, profile: Profile) -> Opened:
    """Parse and judge the bytes of one Unit. Raises Refused when the interchange as a whole is unacceptable."""
    start, warnings = skip_lead(raw)
    if start == len(raw):
        raise Refused("x12.empty", "there is nothing in these bytes")
    if not raw.startswith(b"ISA", start):
        raise Refused("x12.not_isa", "these bytes do not begin with ISA", place="ISA", status="022")
    found = find_interchange(raw, start)
    wrong, warned = judge(found, raw, profile)
    if wrong is not None:
        raise wrong
    tokens = tokenize(raw, found, profile)
    content = arrange(tokens.segments[1:-1])
    findings = Findings(profile.answers, warnings=[*warnings, *found.warnings, *told(warned), *departures(tokens)])
    findings.take_content(content.acknowledgements, _strays(content))
    _judge_sets(content.groups, found, profile, findings)
    assert found.header is not None
    notes = [fault.status for fault in warned]
    return findings.opened(found.header, asks=not only_acknowledges(raw, found), warned=notes)


def _strays(content: Content) -> int:
    return len(content.strays) + sum([len(group.strays) for group in content.groups])


def _judge_sets(groups: Sequence[RawGroup], found: Interchange, profile: Profile, findings: Findings) -> None:
    assert found.header is not None
    number = 0
    verdicts = judge_groups(groups, found.header.separators, profile)
    for position, (group, verdict) in enumerate(zip(groups, verdicts, strict=True), 1):
        for one, raw in zip(verdict.sets, group.sets, strict=True):
            number += 1
            findings.take_set(one, raw.body, number, verdict, position)
        findings.take_group(verdict, position)


def tokenize(raw: bytes, found: Interchange, profile: Profile) -> Tokens:
    """ISA to IEA as segments."""
    assert found.header is not None
    most = profile.limits.get("segments", MOST_SEGMENTS)
    separators = found.header.separators
    if raw.count(separators.segment.encode(), found.start, found.end) > most:
        raise refuse("x12.envelope", "022", "ISA", f"the interchange has more than {most} segments")
    return cut(decoded(raw[found.start : found.end], profile, separators), separators)


def decoded(raw: bytes, profile: Profile, separators: Separators) -> str:
    """In the agreed character set, ASCII when none is; what that lacks stays as lone surrogates."""
    try:
        return decode(raw, profile.charset, separators.all + separators.repetition)
    except LookupError:
        raise refuse("x12.value", "024", "ISA", "the charset agreed with this partner is not known here") from None


def told(warned: Sequence[Refused]) -> list[str]:
    """Faults of the envelope that only warn, as warnings."""
    return [f"{TOLERATED} {fault.place}" for fault in warned]


def departures(tokens: Tokens) -> list[str]:
    """The codes of what was tolerated."""
    met = {"x12.indented": tokens.indented, "x12.wrapped": tokens.wrapped, "x12.empty_segment": tokens.empty}
    return [code for code, there in met.items() if there]
