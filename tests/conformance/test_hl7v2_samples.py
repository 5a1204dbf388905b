"""Messages found in the wild: each is taken and renders to the same bytes, or is refused at a place; none hangs."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from channels.formats.hl7v2 import FORMAT
from engine.plugin import Profile

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / "hl7v2"
FILES = sorted(SAMPLES.iterdir()) if SAMPLES.is_dir() else []
_START = re.compile(rb"^(?:\xef\xbb\xbf)?(?=(?:MSH|FHS|BHS)[^A-Za-z0-9])", re.MULTILINE)
_TRAILER = re.compile(rb"^(?:BTS|FTS)\b.*\Z", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(not FILES, reason="no sample messages beside this checkout (../shared/samples/hl7v2)")


def payloads(data: bytes) -> list[bytes]:
    """The messages of a file, as frames would carry them: one for each MSH (or batch header) that starts a line."""
    text = data.strip(b"\x0b\x1c")
    lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    starts = [found.start() for found in _START.finditer(lines)] or [0]
    found = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    return [_TRAILER.sub(b"", one) for one in found]


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_the_file_as_it_is(path: Path) -> None:
    _take(path.read_bytes())


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_each_message_of_the_file(path: Path) -> None:
    for payload in payloads(path.read_bytes()):
        _take(payload)
        _take(payload.replace(b"\n", b"\r"))


def _take(raw: bytes) -> bool:
    """Whether it was accepted; then its bytes, its leaves and every group were walked."""
    start = time.process_time()
    usages = {FORMAT.split(raw, Profile(usage=usage))[0] for usage in ("P", "T", "D")}
    for unit in usages:
        assert unit.raw == raw
        if unit.refusal is not None:
            assert unit.refusal.place
            assert unit.refusal.code.startswith("hl7.")
            continue
        opened = FORMAT.open(raw, Profile())
        part = opened.parts[0]
        assert part.node.render() == raw
        assert part.type == unit.facts.type
        structure = FORMAT.structure({"message": part.type}) if len(part.type) == 7 else None
        assert structure is None or list(structure.leaves(part.node))
        assert all(problem.place for problem in part.refusals)
    assert time.process_time() - start < 2
    return any(unit.refusal is None for unit in usages)


def test_most_messages_are_taken() -> None:
    """So that refusing everything cannot pass for conformance."""
    found = [payload for path in FILES for payload in payloads(path.read_bytes())]
    taken = sum(_take(payload) for payload in found)
    assert len(found) > 120
    assert taken / len(found) > 0.8
