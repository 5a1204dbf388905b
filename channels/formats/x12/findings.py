"""What opening an interchange finds, as the engine is told it: parts, receipts, problems, answers to send. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from channels.formats.x12 import acknowledge, ta1
from channels.formats.x12.envelope import Header, refuse
from channels.formats.x12.groups import ACKNOWLEDGEMENTS, GroupVerdict, SetVerdict
from channels.formats.x12.levels import LevelledSet
from channels.formats.x12.separators import Elements
from channels.formats.x12.standard.codes import GROUP_FAULTS
from channels.formats.x12.totals import wrong_total
from channels.formats.x12.tree import Group
from channels.formats.x12.words import TOLERATED, refusal, tolerated_places
from engine.errors import Refused
from engine.plugin import Answer, Opened, Part, Receipt


@dataclass(slots=True)
class Findings:
    """Groups and sets are counted from 1, in the order in which they stand. wanted: see Profile.answers."""

    wanted: Mapping[str, str]
    parts: list[Part] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    problems: list[Refused] = field(default_factory=list)
    answers: list[acknowledge.Reply] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take_content(self, ta1s: Sequence[Elements], strays: int) -> None:
        """What belongs to no set: the partner's TA1s, and segments that have no business there."""
        if strays:
            text = f"{strays} segments stand outside every transaction set"
            self.problems.append(refuse("x12.structure", "024", "ISA", text))
        for segment in ta1s:
            try:
                self.receipts.append(ta1.receipt(segment))
            except Refused as unreadable:
                self.problems.append(unreadable)

    def take_set(
        self, one: SetVerdict, body: Sequence[Elements], number: int, group: GroupVerdict, position: int
    ) -> None:
        """body: its segments between ST and SE. position: of the group, of which the envelope alone is judged."""
        rejected, place = _group_refusal(group, position), f"ST[{number}]"
        if group.kind == ACKNOWLEDGEMENTS:
            _take_receipts(one, body, place, rejected, self)
        else:
            _take_part(one, place, rejected, group.control, self)

    def take_group(self, group: GroupVerdict, position: int) -> None:
        """With the verdicts on all of its sets."""
        rejected = _group_refusal(group, position)
        if rejected and not group.sets:
            self.problems.append(rejected)
        if group.codes and not group.refused:
            self.warnings.append(f"{TOLERATED} GS[{position}]")
        answer = acknowledge.answer(group, self.wanted)
        if answer is not None:
            self.answers.append(answer)

    def opened(self, header: Header | None = None, *, asks: bool = False, warned: Sequence[str] = ()) -> Opened:
        """header: of the interchange, where all of it is found now. asks: it may ask for a TA1. warned: notes of what
        is wrong with its envelope and only warns."""
        answers = tuple(self._answers(header if asks else None, warned))
        warnings = tuple(dict.fromkeys(self.warnings))
        return Opened(tuple(self.parts), tuple(self.receipts), tuple(self.problems), answers, warnings)

    def _answers(self, header: Header | None, warned: Sequence[str]) -> Iterator[Answer]:
        """A TA1 where ISA14 asks for one; the 997s and 999s of its groups, each release apart."""
        if header is not None and header.wants_ta1:
            yield ta1.acceptance(header, warned)
        for kind in dict.fromkeys((reply.type, reply.release) for reply in self.answers):
            roots = [reply.root for reply in self.answers if (reply.type, reply.release) == kind]
            yield Answer(kind[0], tuple(roots))


def _group_refusal(verdict: GroupVerdict, position: int) -> Refused | None:
    if not verdict.refused:
        return None
    place, hint = f"GS[{position}]", "the whole group is refused; the partner must send it again"
    if not verdict.codes or verdict.tolerated:
        text = "the functional group is refused for a set of it: it is agreed that it stands whole or not at all"
        return Refused("x12.group", text, place=place, hint=hint)
    told = "; ".join(f"{GROUP_FAULTS[code]} [{code}]" for code in verdict.codes)
    code = "x12.set" if verdict.codes[0] in {"1", "2"} else "x12.structure"
    return Refused(code, f"the functional group is refused: {told}", place=place, hint=hint, status=verdict.codes[0])


def _take_part(one: SetVerdict, place: str, rejected: Refused | None, group: str, findings: Findings) -> None:
    refusals = () if one.accepted else (refusal(one, place),)
    if rejected is not None and (one.accepted or rejected.code != "x12.group"):
        refusals = (rejected,)
    if one.tolerated and one.codes:
        findings.warnings += tolerated_places(one, place)
    if not refusals and (broken := _broken_levels(one.root, place)):
        refusals = (broken,)
    findings.parts.append(Part(one.id, one.root, place, one.control, refusals, group))
    if refusals or one.root is None:
        return
    wrong, element = wrong_total(one.root, one.counted)
    if wrong:
        findings.problems.append(Refused("x12.totals", wrong, place=f"{place}/CTT[1]/{element}"))


def _broken_levels(root: Group | None, place: str) -> Refused | None:
    """HL segments that make no tree. A business fault: the syntax is accepted, and nothing of the set is mapped."""
    if isinstance(root, LevelledSet):
        try:
            root.arrange()
        except Refused as refusal:
            refusal.place = f"{place}/{refusal.place}"
            return refusal
    return None


def _take_receipts(
    one: SetVerdict, body: Sequence[Elements], place: str, rejected: Refused | None, findings: Findings
) -> None:
    """What a 997 says counts when it is sound; faults in its own notes (AK3, AK4) take nothing from its verdict."""
    serious = [fault for fault in one.faults if fault.id not in {"AK3", "AK4", "IK3", "IK4", "CTX"}]
    broken = [code for code in one.codes if code != "5"] or serious
    if rejected is not None:
        findings.problems.append(rejected)
    elif broken or one.root is None:
        findings.problems.append(refusal(one, place))
    else:
        if one.faults:
            findings.warnings.append("x12.acknowledgement_faults")
        findings.receipts += acknowledge.receipts(body, one.id)
