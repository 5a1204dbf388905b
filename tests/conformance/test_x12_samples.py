"""Interchanges found in the wild: each is taken and its segments render to the same bytes, or is refused at a place."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from channels.formats.x12 import FORMAT
from channels.formats.x12.envelope import find_interchange
from channels.formats.x12.groups import arrange
from channels.formats.x12.opening import tokenize
from channels.formats.x12.separators import Elements, Separators
from channels.formats.x12.split import skip_lead
from engine.message import Unit
from engine.onboarding.infer import as_yaml, infer
from engine.plugin import Part, Profile
from engine.positions import Findings
from engine.site.yaml import read_tree
from tests.x12_kit import in_portions, plain

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / "x12"
FILES = sorted(SAMPLES.iterdir()) if SAMPLES.is_dir() else []
PROFILE = Profile(usage="")

pytestmark = pytest.mark.skipif(not FILES, reason="no sample interchanges beside this checkout (../shared/samples/x12)")


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_the_file_as_it_is(path: Path) -> None:
    start = time.process_time()
    raw = path.read_bytes()
    units = FORMAT.split(raw, PROFILE)
    assert b"".join(unit.raw for unit in units) == raw
    for unit in units:
        if unit.refusal is None:
            _taken(unit)
        else:
            assert unit.refusal.place
            assert unit.refusal.status
    assert time.process_time() - start < 2


def _taken(unit: Unit) -> None:
    opened = FORMAT.open(unit.raw, PROFILE)
    known = unit.facts.warnings
    assert plain(*in_portions(unit.raw, PROFILE), known=known) == plain(opened, known=known)
    begin, _ = skip_lead(unit.raw)
    found = find_interchange(unit.raw, begin)
    assert found.header is not None
    marks = found.header.separators
    tokens = tokenize(unit.raw, found, PROFILE)
    if not tokens.wrapped:  # line ends inside segments are dropped, and told by a warning
        assert _rendered(tokens.segments, marks) == _without_blanks(unit.raw[found.start : found.end], marks)
    else:
        assert "x12.wrapped" in opened.warnings
    sets = [one for group in arrange(tokens.segments[1:-1]).groups for one in group.sets if group.start[1] != "FA"]
    for part, one in zip(opened.parts, sets, strict=True):
        assert all(refusal.place for refusal in part.refusals)
        if not part.refusals:
            assert _rendered([segment for _, segment in part.node.walk()], marks) == _rendered(one.body, marks)
            assert _leaves(part) == sum(bool(value) for segment in one.body for value in _values(segment, marks))


def _rendered(segments: list[Elements], marks: Separators) -> bytes:
    ends = (marks.element.join(_joined(value, marks) for value in segment) + marks.segment for segment in segments)
    return "".join(ends).encode("ascii", "surrogateescape")


def _joined(value: str | list[str], marks: Separators) -> str:
    return marks.component.join(value) if isinstance(value, list) else value


def _values(segment: Elements, marks: Separators) -> list[str]:
    """Elements and components; a simple element never holds the component separator in an accepted set."""
    return [part for value in segment[1:] for part in _joined(value, marks).split(marks.component)]


def _leaves(part: Part) -> int:
    return len(list(FORMAT.structure({"set": part.type}).leaves(part.node)))


def _without_blanks(raw: bytes, marks: Separators) -> bytes:
    """What stands between segments: line ends with the blanks after them, and terminators without a segment."""
    mark = marks.segment.encode()
    raw = re.sub(re.escape(mark) + rb"[\r\n][ \t\r\n]*", lambda _: mark, raw)
    raw = re.sub(re.escape(mark) + rb"(?:" + re.escape(mark) + rb")+", lambda _: mark, raw)
    return raw if raw.endswith(mark) else raw.rstrip(b" \t\r\n") + mark


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_what_the_file_shows_of_its_sender(path: Path) -> None:
    """A proposal that is YAML, or a word why there is none."""
    found = infer({path.name: FORMAT.survey(path.read_bytes())}, None)
    if found.lines:
        assert {"name", "status"} <= {line.key for line in found.lines}
        assert read_tree(as_yaml(found).encode(), "proposed.yaml", Findings()) is not None
    else:
        assert found.unusable[path.name]


def test_all_files_together_show_the_most_frequent_party() -> None:
    found = infer({path.name: FORMAT.survey(path.read_bytes()) for path in FILES}, None)
    assert "of other parties" in found.remarks[0]
    assert any(line.key == "documents.855" for line in found.lines)
