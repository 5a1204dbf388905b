"""An outside reader on what we write and on our examples: x12-python finds the same envelopes, segments and elements.

It takes ISA11 for a repetition separator in every release, so where that is a letter it is told the separators.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from channels.formats.x12 import FORMAT
from channels.formats.x12.envelope import find_interchange
from channels.formats.x12.opening import tokenize
from channels.formats.x12.separators import Separators
from engine.plugin import Profile
from tests.x12_kit import GOOD_855, answers, envelope, filled, group, interchange, one_set, opened

x12 = pytest.importorskip("x12.core", reason="x12-python is not installed")

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "mappings" / "examples").glob("*/*.edi"))
UNUSED = "\x02"  # a repetition separator where the release has none
OPEN = Profile(usage="")


def theirs(raw: bytes, marks: Separators) -> list[list[str]]:
    """The segments of an interchange as the other reader sees them, composites as they were written."""
    given = x12.Delimiters(marks.element, marks.segment, marks.component, marks.repetition or UNUSED)
    found = []
    for segment in x12.SegmentParser(given).parse(raw.decode("latin-1")):
        values = [_text(segment[at], marks) for at in range(1, len(segment.elements) + 1)]
        found.append(_trimmed([segment.segment_id, *values]))
    return found


def _text(element: Any, marks: Separators) -> str:
    if element is None:
        return ""
    components = getattr(element, "components", None)
    return marks.component.join(map(str, components)) if components else str(element.value)


def ours(raw: bytes) -> tuple[list[list[str]], Separators]:
    found = find_interchange(raw, 0)
    assert found.header is not None
    segments = tokenize(raw, found, OPEN).segments
    return [_trimmed([str(value) for value in segment]) for segment in segments], found.header.separators


def _trimmed(values: list[str]) -> list[str]:
    while values and not values[-1]:
        values.pop()
    return [value.rstrip() for value in values]


def same(raw: bytes) -> None:
    segments, marks = ours(raw)
    assert theirs(raw, marks)[1:] == segments[1:]  # the component separator stands in ISA16


@pytest.mark.parametrize("path", EXAMPLES, ids=[f"{path.parent.name}/{path.name}" for path in EXAMPLES])
def test_an_example_is_the_same_to_both(path: Path) -> None:
    for unit in FORMAT.split(path.read_bytes(), OPEN):
        assert unit.refusal is None
        same(unit.raw)


@pytest.mark.parametrize(
    "options",
    [{}, {"element": "|", "component": "^"}, {"element": "\x1d", "component": "\x1f", "segment": "\x1e"}],
    ids=["usual", "bars", "controls"],
)
def test_our_answers_are_the_same_to_both(options: dict[str, str]) -> None:
    judged = opened(interchange(group([one_set("855", [*GOOD_855, "ZZZ*1"]), one_set("855", GOOD_855, "0002")])))
    raw = filled(FORMAT.envelop(answers(judged), envelope("997", **options)).body)
    same(raw)
    _, marks = ours(raw)
    assert [row[0] for row in theirs(raw, marks)][2:-2] == ["ST", "AK1", "AK2", "AK3", "AK5", "AK2", "AK5", "AK9", "SE"]


def test_it_sees_the_difference() -> None:
    raw = interchange(group([one_set("855", GOOD_855)]))
    _, marks = ours(raw)
    assert theirs(raw.replace(b"Lakeside", b"Lakefront"), marks) != theirs(raw, marks)
