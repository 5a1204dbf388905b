"""One stored interchange opened: its sets as parts, its 997s as receipts, and our 997s as answers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from channels.formats.x12 import acknowledge, ta1
from channels.formats.x12.envelope import Interchange, find_interchange, judge, only_acknowledges, refuse
from channels.formats.x12.groups import (
    ACKNOWLEDGEMENTS,
    Content,
    GroupVerdict,
    RawGroup,
    SetVerdict,
    arrange,
    judge_groups,
)
from channels.formats.x12.levels import LevelledSet
from channels.formats.x12.separators import Elements, Tokens, cut
from channels.formats.x12.split import skip_lead
from channels.formats.x12.standard.codes import GROUP_FAULTS
from channels.formats.x12.tree import Group
from channels.formats.x12.words import refusal
from engine.errors import Refused
from engine.plugin import Answer, Opened, Part, Profile, Receipt

# Far above what a purchase order needs; a listener's `segments` limit sets another.
MOST_SEGMENTS: Final = 500_000


@dataclass(slots=True)
class _Findings:
    parts: list[Part] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    problems: list[Refused] = field(default_factory=list)
    answers: list[Group] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def open_interchange(raw: bytes, profile: Profile) -> Opened:
    """Parse and judge the bytes of one Unit. Raises Refused when the interchange as a whole is unacceptable."""
    start, warnings = skip_lead(raw)
    if start == len(raw):
        raise Refused("x12.empty", "there is nothing in these bytes")
    if not raw.startswith(b"ISA", start):
        raise Refused("x12.not_isa", "these bytes do not begin with ISA", place="ISA", status="022")
    found = find_interchange(raw, start)
    wrong = judge(found, raw, profile)
    if wrong is not None:
        raise wrong
    tokens = tokenize(raw, found, profile)
    content = arrange(tokens.segments[1:-1])
    findings = _Findings(warnings=[*warnings, *found.warnings, *_departures(tokens)])
    _judge_content(content, findings)
    _judge_sets(content.groups, found, profile, findings)
    return Opened(
        parts=tuple(findings.parts),
        receipts=tuple(findings.receipts),
        problems=tuple(findings.problems),
        answers=tuple(_answers(findings, found, raw)),
        warnings=tuple(dict.fromkeys(findings.warnings)),
    )


def _answers(findings: _Findings, found: Interchange, raw: bytes) -> Iterator[Answer]:
    """The 997s of its groups; a TA1 where ISA14 asks for one."""
    assert found.header is not None
    if found.header.wants_ta1 and not only_acknowledges(raw, found):
        yield ta1.acceptance(found.header)
    if findings.answers:
        yield Answer(acknowledge.KIND, tuple(findings.answers))


def tokenize(raw: bytes, found: Interchange, profile: Profile) -> Tokens:
    """ISA to IEA as segments. Bytes that the agreed charset (ASCII when none is) lacks stay as lone surrogates."""
    assert found.header is not None
    most = profile.limits.get("segments", MOST_SEGMENTS)
    separators = found.header.separators
    if raw.count(separators.segment.encode(), found.start, found.end) > most:
        raise refuse("x12.envelope", "022", "ISA", f"the interchange has more than {most} segments")
    try:
        text = raw[found.start : found.end].decode(profile.charset or "ascii", "surrogateescape")
    except LookupError:
        raise refuse("x12.value", "024", "ISA", "the charset agreed with this partner is not known here") from None
    return cut(text, separators)


def _departures(tokens: Tokens) -> list[str]:
    met = {"x12.indented": tokens.indented, "x12.wrapped": tokens.wrapped, "x12.empty_segment": tokens.empty}
    return [code for code, there in met.items() if there]


# --- the whole -------------------------------------------------------------------------------------------------------
def _judge_content(content: Content, findings: _Findings) -> None:
    """What belongs to no group, and the partner's TA1s."""
    if not content.groups and not content.acknowledgements:
        text = "the interchange holds no functional group"
        findings.problems.append(refuse("x12.structure", "024", "ISA", text))
    strays = [*content.strays, *(stray for group in content.groups for stray in group.strays)]
    if strays:
        text = f"{len(strays)} segments stand outside every transaction set"
        findings.problems.append(refuse("x12.structure", "024", "ISA", text))
    for segment in content.acknowledgements:
        findings.receipts.append(ta1.receipt(segment))


def _judge_sets(groups: Sequence[RawGroup], found: Interchange, profile: Profile, findings: _Findings) -> None:
    assert found.header is not None
    number = 0
    verdicts = judge_groups(groups, found.header.separators, profile.accepts)
    for position, (group, verdict) in enumerate(zip(groups, verdicts, strict=True), 1):
        rejected = _group_refusal(verdict, f"GS[{position}]")
        if rejected and not verdict.sets:
            findings.problems.append(rejected)
        for one, raw in zip(verdict.sets, group.sets, strict=True):
            number += 1
            if verdict.kind == ACKNOWLEDGEMENTS:
                _take_receipts(one, raw.body, f"ST[{number}]", rejected, findings)
            else:
                _take_part(one, f"ST[{number}]", rejected, findings)
        reply = acknowledge.answer(verdict)
        if reply is not None:
            findings.answers.append(reply)


def _group_refusal(verdict: GroupVerdict, place: str) -> Refused | None:
    if not verdict.codes:
        return None
    told = "; ".join(f"{GROUP_FAULTS[code]} [{code}]" for code in verdict.codes)
    hint = "the whole group is refused; the partner must send it again"
    code = "x12.set" if verdict.codes[0] in {"1", "2"} else "x12.structure"
    return Refused(code, f"the functional group is refused: {told}", place=place, hint=hint, status=verdict.codes[0])


def _take_part(one: SetVerdict, place: str, rejected: Refused | None, findings: _Findings) -> None:
    refusals = () if one.accepted else (refusal(one, place),)
    if rejected is not None:
        refusals = (rejected,)
    if not refusals and (broken := _broken_levels(one.root, place)):
        refusals = (broken,)
    findings.parts.append(Part(one.id, one.root, place, one.control, refusals))
    if not refusals and one.root is not None and (wrong := _wrong_total(one.root, one.counted)):
        findings.problems.append(Refused("x12.totals", wrong, place=f"{place}/CTT[1]/CTT01"))


def _broken_levels(root: Group | None, place: str) -> Refused | None:
    """HL segments that make no tree. A business fault: the syntax is accepted, and nothing of the set is mapped."""
    if isinstance(root, LevelledSet):
        try:
            root.arrange()
        except Refused as refusal:
            refusal.place = f"{place}/{refusal.place}"
            return refusal
    return None


def _wrong_total(root: Group, counted: str) -> str:
    """CTT01 counts the lines. A wrong one is a business fault: the set is accepted, and a person told."""
    totals, lines = ([*root.at.get(root.loop.index.get(id, -1), ())] for id in ("CTT", counted))
    if not totals:
        return ""
    segment = totals[0].at[0][0] if isinstance(totals[0], Group) else totals[0]
    told = segment[1] if isinstance(segment, list) and len(segment) > 1 else ""
    if str(told).isdecimal() and int(told) != len(lines):
        return f"the totals say {int(told)} lines, and there are {len(lines)}"
    return ""


def _take_receipts(
    one: SetVerdict, body: Sequence[Elements], place: str, rejected: Refused | None, findings: _Findings
) -> None:
    """What a 997 says counts when it is sound; faults in its own notes (AK3, AK4) take nothing from its verdict."""
    serious = [fault for fault in one.faults if fault.id not in {"AK3", "AK4"}]
    broken = [code for code in one.codes if code != "5"] or serious
    if rejected is not None:
        findings.problems.append(rejected)
    elif broken or one.root is None:
        findings.problems.append(refusal(one, place))
    else:
        if one.faults:
            findings.warnings.append("x12.acknowledgement_faults")
        findings.receipts += acknowledge.receipts(body)
