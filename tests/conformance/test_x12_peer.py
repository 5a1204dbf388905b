"""A second opinion: pyx12's reader on what we write, and where it and we count and compare the same things."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from channels.formats.x12 import FORMAT
from tests.x12_kit import (
    GOOD_850,
    GOOD_855,
    PROFILE,
    again,
    answers,
    envelope,
    filled,
    group,
    interchange,
    one_set,
    opened,
)

x12file = pytest.importorskip("pyx12.x12file", reason="pyx12 is not installed")

MARKS: dict[str, dict[str, str]] = {
    "*>~": {},
    "|^~": {"element": "|", "component": "^"},
    "\x1d\x1f\x1e": {"element": "\x1d", "component": "\x1f", "segment": "\x1e"},
}


def complaints(raw: bytes) -> list[str]:
    """What pyx12 says of an interchange's envelope and counts."""

    def told() -> Iterator[str]:
        reader = x12file.X12Reader(io.StringIO(raw.decode("latin-1")))
        for _ in reader:
            yield from (str(error) for error in reader.pop_errors())
        reader.cleanup()
        yield from (str(error) for error in reader.pop_errors())

    return list(told())


def orders() -> list[object]:
    raw = interchange(group([one_set("850", GOOD_850), one_set("850", GOOD_850, "0002")], "PO"))
    return [part.node for part in opened(raw).parts]


@pytest.mark.parametrize("options", MARKS.values(), ids=["usual", "bars", "controls"])
def test_our_850s_and_997s_are_sound_to_another_reader(options: dict[str, str]) -> None:
    assert complaints(filled(FORMAT.envelop(orders(), envelope("850", **options)).body)) == []
    judged = opened(interchange(group([one_set("855", [*GOOD_855, "ZZZ*1"]), one_set("855", GOOD_855, "0002")])))
    assert complaints(filled(FORMAT.envelop(answers(judged), envelope("997", **options)).body)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"SE*5*0001", b"SE*6*0001"),
        (b"SE*5*0001", b"SE*5*0009"),
        (b"GE*2*7", b"GE*1*7"),
        (b"GE*2*7", b"GE*2*8"),
        (b"IEA*1*000000007", b"IEA*1*000000008"),
        (b"IEA*1*", b"IEA*2*"),
    ],
)
def test_both_see_the_same_broken_envelopes(before: bytes, after: bytes) -> None:
    raw = filled(FORMAT.envelop(orders(), envelope("850")).body)
    assert before in raw
    broken = raw.replace(before, after).replace(b"NORTH          *ZZ*QUILL", b"QUILL          *ZZ*NORTH")
    assert complaints(broken)
    [unit] = FORMAT.split(broken, PROFILE)
    if unit.refusal is None:
        assert any(part.refusals for part in FORMAT.open(unit.raw, PROFILE).parts)


def test_a_good_interchange_of_ours_and_of_any_separators_is_good_to_both() -> None:
    raw = interchange(group([one_set("855", GOOD_855)]))
    for marks in MARKS:
        assert complaints(again(raw, marks)) == []
        assert opened(again(raw, marks)).parts[0].refusals == ()
