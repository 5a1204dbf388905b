"""What another reader of X12 is asked, and what its answer means: copies of sets, and where verdicts differ. Pure.

The copy of a set stands alone in an envelope that is right, for envelopes are ours to judge. Partners' guides and
tolerances have no say: both readers go by the standard, we by the tables, the other by maps made from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from channels.formats.x12 import grammar
from channels.formats.x12.envelope import find_interchange
from channels.formats.x12.groups import SetVerdict, arrange, element, judge_groups
from channels.formats.x12.maps import INTERCHANGE_VERSIONS
from channels.formats.x12.separators import Elements, Separators, cut, text_of
from channels.formats.x12.split import skip_lead
from channels.formats.x12.words import fault_words

# Whether we accept, what one of the two says of the first fault, and why the other does not: pyx12 4.0.0.
KNOWN: Final = (
    (
        True,
        r"HL[12] .*(HL count|valid parent)",
        "it wants HL01 to count 1, 2, 3 as HIPAA does; X12 wants unique numbers, and a tree that is none is the "
        "exception x12.hl_tree, not a fault of syntax",
    ),
    (True, r"IndexError", "it takes the repetitions of a composite for components, and fails on the fifth"),
    (False, r"IndexError", "the same, in a set that is wrong besides"),
    (False, r"[AI]K5: mandatory segment missing \[3\]", "it forgets what a loop lacks when the loop comes again"),
)


@dataclass(frozen=True, slots=True)
class Copy:
    """place: `ST[2]` of the message it is from. text: an interchange. ours: our first fault with it, empty for none."""

    place: str
    release: str
    text: str
    ours: str


def copies(raw: bytes) -> Iterator[Copy]:
    """Of every whole set of an interchange that we speak."""
    found = find_interchange(raw, skip_lead(raw)[0])
    if found.header is None or found.refusal is not None:
        return
    marks = found.header.separators
    text = raw[found.start : found.end].decode("latin-1")
    number = 0
    for group in arrange(cut(text, marks).segments[1:-1]).groups:
        kind, release = element(group.start, 1), grammar.release(element(group.start, 8))
        for one in group.sets:
            number += 1
            if release and one.trailer and release.groups.get(element(one.start, 1)) == kind:
                whole = interchange(release.name, kind, [one.start, *one.body, one.trailer], marks)
                yield Copy(f"ST[{number}]", release.name, whole, first_fault(judged(whole)))


def interchange(release: str, kind: str, segments: Sequence[Elements], marks: Separators) -> str:
    """A clean interchange around a set as it came, ST to SE."""
    repetition = (marks.repetition or "\x1e") if release > grammar.BASE else "U"
    isa = ["ISA", "00", " " * 10, "00", " " * 10, "ZZ", "THEM".ljust(15), "ZZ", "US".ljust(15), "261121", "0914",
           repetition, INTERCHANGE_VERSIONS[release], "000000001", "0", "P", marks.component]  # fmt: skip
    version = "005010X231A1" if segments[0][1:2] == ["999"] else release
    gs = ["GS", kind, "THEM", "US", "20261121", "0914", "1", "X", version]
    body = [[text_of(value, marks.component, marks.repetition) for value in segment] for segment in segments]
    rows = [isa, gs, *body, ["GE", "1", "1"], ["IEA", "1", "000000001"]]
    return "".join(marks.element.join(row) + marks.segment for row in rows)


def judged(text: str) -> SetVerdict:
    """What we say of the one set of a clean interchange."""
    found = find_interchange(text.encode("latin-1", "replace"), 0)
    assert found.header is not None
    marks = found.header.separators
    [group] = judge_groups(arrange(cut(text, marks).segments[1:-1]).groups, marks)
    return group.sets[0]


def first_fault(verdict: SetVerdict) -> str:
    if not verdict.codes:
        return ""
    words = [words for fault in verdict.faults for words in fault_words(fault)]
    return words[0] if words else f"set: {', '.join(verdict.codes)}"


def disagreement(copy: Copy, accepted: bool | None, told: Sequence[str]) -> str:
    """What the two do not agree on; empty when they do, or when the reason is known. accepted: None when it failed."""
    ours = not copy.ours
    if accepted == ours:
        return ""
    first = copy.ours if accepted else next(iter(told), "no reason")
    if any(ours == one and re.search(pattern, first) for one, pattern, _ in KNOWN):
        return ""
    theirs = {True: "accepts", False: "refuses", None: "fails on"}[accepted]
    return f"pyx12 {theirs} a set that we {'accept' if ours else 'refuse'}: {first}"
