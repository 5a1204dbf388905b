"""What every listener promises, whatever its protocol; one row per kind, on both event loops."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kinds_kit import LISTENERS, LOOPS, REFUSED, RecordingIntake, Row, message, play, run, until

from engine.errors import Refused
from engine.plugin import Verdict

pytestmark = [pytest.mark.parametrize("kind", LISTENERS), pytest.mark.parametrize("loop", LOOPS)]


def test_the_bytes_are_stored_as_they_came(kind: str, loop: str, tmp_path: Path) -> None:
    async def scene(row: Row, intake: RecordingIntake) -> None:
        odd = message(1, bytes(range(32, 256)) + b"\r\n\r\n \t")
        assert await row.deliver(odd) == "yes"
        assert intake.stored == [odd]

    play(kind, loop, tmp_path, scene)


async def stored_before_answered(row: Row, intake: RecordingIntake, patience: float = 0.05) -> None:
    """patience: seconds that an answer is given to come too early."""
    intake.gate.clear()
    sending = asyncio.create_task(row.deliver(message(1)))
    await until(lambda: intake.waiting == 1)
    early, _ = await asyncio.wait([sending], timeout=patience)
    assert not early
    assert not intake.stored
    intake.gate.set()
    assert await sending == "yes"
    assert intake.stored


def test_nothing_is_answered_before_it_is_stored(kind: str, loop: str, tmp_path: Path) -> None:
    play(kind, loop, tmp_path, stored_before_answered)


def test_an_answer_before_the_store_is_caught(kind: str, loop: str, tmp_path: Path) -> None:
    """Planted defect: the intake says yes and stores behind the answer's back."""

    class Hasty(RecordingIntake):
        async def accept(self, *raws: bytes, **given: Any) -> list[Verdict]:
            self.behind = asyncio.create_task(super().accept(*raws, **given))
            return await RecordingIntake().accept(*raws, **given)

    with pytest.raises(AssertionError):
        play(kind, loop, tmp_path, partial(stored_before_answered, patience=60), Hasty())


def test_what_cannot_be_stored_is_not_answered(kind: str, loop: str, tmp_path: Path) -> None:
    async def scene(row: Row, intake: RecordingIntake) -> None:
        intake.full = True
        assert await row.deliver(message(1)) == "nothing"
        intake.full = False
        assert await row.deliver(message(2)) == "yes"

    play(kind, loop, tmp_path, scene)


def test_a_duplicate_is_answered_like_the_first(kind: str, loop: str, tmp_path: Path) -> None:
    async def scene(row: Row, intake: RecordingIntake) -> None:
        assert [await row.deliver(message(1)) for _ in range(3)] == ["yes"] * 3

    play(kind, loop, tmp_path, scene)


def test_refusals_and_conflicts_are_told(kind: str, loop: str, tmp_path: Path) -> None:
    async def scene(row: Row, intake: RecordingIntake) -> None:
        assert await row.deliver(message(1, REFUSED)) == "no"
        assert await row.deliver(message(2)) == "yes"
        assert await row.deliver(message(2, b"changed")) == "no"
        assert len(intake.stored) == 3

    play(kind, loop, tmp_path, scene)


@pytest.mark.parametrize("refused", [True, False])
def test_it_can_answer_with_the_pipelines_verdict(kind: str, loop: str, tmp_path: Path, refused: bool) -> None:
    async def scene(row: Row, intake: RecordingIntake) -> None:
        intake.pipeline = Refused("map.miss", "no row for this item", place="RQD[1]-3") if refused else None
        assert await row.deliver(message(1)) == ("no" if refused else "yes")

    play(kind, loop, tmp_path, scene, answer="processed")


def test_stop_finishes_what_was_begun(kind: str, loop: str, tmp_path: Path) -> None:
    async def scene(row: Row, intake: RecordingIntake) -> None:
        intake.gate.clear()
        sending = asyncio.create_task(row.deliver(message(1)))
        await until(lambda: intake.waiting == 1)
        stopping = asyncio.create_task(row.stop())
        await asyncio.sleep(0.02)
        intake.gate.set()
        await stopping
        assert await sending == "yes"

    play(kind, loop, tmp_path, scene)


def test_it_stops_before_it_has_done_anything(kind: str, loop: str, tmp_path: Path) -> None:
    async def scene(row: Row, intake: RecordingIntake) -> None:
        await row.stop()

    play(kind, loop, tmp_path, scene)


def test_a_stopped_listener_gives_its_place_free(kind: str, loop: str, tmp_path: Path) -> None:
    async def scene() -> None:
        first, second, intake = LISTENERS[kind](), LISTENERS[kind](), RecordingIntake()
        await first.start(intake, tmp_path)
        assert await first.deliver(message(1)) == "yes"
        await first.stop()
        await second.start(intake, tmp_path)
        assert await second.deliver(message(2)) == "yes"
        await second.stop()

    run(scene(), loop)
