"""What opening an interchange finds, as the engine is told it: parts, receipts, problems, answers to send. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from channels.formats.x12 import acknowledge, ta1
from channels.formats.x12.envelope import Header, refuse
from channels.formats.x12.groups import ACKNOWLEDGEMENTS, GroupVerdict, SetVerdict
from channels.formats.x12.levels import LevelledSet
from channels.formats.x12.separators import Elements
from channels.formats.x12.standard.codes import GROUP_FAULTS
from channels.formats.x12.tree import Group
from channels.formats.x12.words import refusal
from engine.errors import Refused
from engine.plugin import Answer, Opened, Part, Receipt


@dataclass(slots=True)
class Findings:
    """Groups and sets are counted from 1, in the order in which they stand."""

    parts: list[Part] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    problems: list[Refused] = field(default_factory=list)
    answers: list[Group] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take_content(self, groups: int, ta1s: Sequence[Elements], strays: int) -> None:
        """What belongs to no set: the partner's TA1s, and segments that have no business there."""
        if not groups and not ta1s:
            text = "the interchange holds no functional group"
            self.problems.append(refuse("x12.structure", "024", "ISA", text))
        if strays:
            text = f"{strays} segments stand outside every transaction set"
            self.problems.append(refuse("x12.structure", "024", "ISA", text))
        self.receipts += [ta1.receipt(segment) for segment in ta1s]

    def take_set(
        self, one: SetVerdict, body: Sequence[Elements], number: int, group: GroupVerdict, position: int
    ) -> None:
        """body: its segments between ST and SE. position: of the group, of which the envelope alone is judged."""
        rejected, place = _group_refusal(group, position), f"ST[{number}]"
        if group.kind == ACKNOWLEDGEMENTS:
            _take_receipts(one, body, place, rejected, self)
        else:
            _take_part(one, place, rejected, self)

    def take_group(self, group: GroupVerdict, position: int) -> None:
        """With the verdicts on all of its sets."""
        rejected = _group_refusal(group, position)
        if rejected and not group.sets:
            self.problems.append(rejected)
        answer = acknowledge.answer(group)
        if answer is not None:
            self.answers.append(answer)

    def opened(self, header: Header | None = None, *, asks: bool = False) -> Opened:
        """header: of the interchange, where all of it is found now. asks: it may ask for a TA1."""
        answers = tuple(self._answers(header if asks else None))
        warnings = tuple(dict.fromkeys(self.warnings))
        return Opened(tuple(self.parts), tuple(self.receipts), tuple(self.problems), answers, warnings)

    def _answers(self, header: Header | None) -> Iterator[Answer]:
        """The 997s of its groups; a TA1 where ISA14 asks for one."""
        if header is not None and header.wants_ta1:
            yield ta1.acceptance(header)
        if self.answers:
            yield Answer(acknowledge.KIND, tuple(self.answers))


def _group_refusal(verdict: GroupVerdict, position: int) -> Refused | None:
    if not verdict.codes:
        return None
    place = f"GS[{position}]"
    told = "; ".join(f"{GROUP_FAULTS[code]} [{code}]" for code in verdict.codes)
    hint = "the whole group is refused; the partner must send it again"
    code = "x12.set" if verdict.codes[0] in {"1", "2"} else "x12.structure"
    return Refused(code, f"the functional group is refused: {told}", place=place, hint=hint, status=verdict.codes[0])


def _take_part(one: SetVerdict, place: str, rejected: Refused | None, findings: Findings) -> None:
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
    one: SetVerdict, body: Sequence[Elements], place: str, rejected: Refused | None, findings: Findings
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
