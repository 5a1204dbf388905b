"""The disk's thread begins what it is asked at once, however busy the event loop is afterwards."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator

import pytest

from engine.store.disk import Disk

NOT_FOR_A_WHILE = 5.0  # seconds: who waits for the interpreter meanwhile gets it only when it is given up


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk, before = Disk(), sys.getswitchinterval()
    sys.setswitchinterval(NOT_FOR_A_WHILE)
    yield disk
    sys.setswitchinterval(before)
    disk.stop()


async def began_beside_a_busy_loop(disk: Disk) -> bool:
    """Whether a call had begun when the loop, which did not pause after asking for it, was busy no more."""
    began: list[float] = []

    async def be_busy() -> float:
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            pass
        return until

    asked = asyncio.create_task(disk.run(lambda: began.append(time.monotonic())))
    until = await asyncio.create_task(be_busy())
    await asked
    return began[0] < until


def test_a_call_does_not_wait_for_a_pause_of_the_loop(disk: Disk) -> None:
    assert asyncio.run(began_beside_a_busy_loop(disk))


def test_the_test_sees_a_thread_that_is_left_to_wait(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.disk._LONGEST", 0)
    assert not asyncio.run(began_beside_a_busy_loop(disk))


def test_what_the_function_raises_is_raised_where_it_was_asked(disk: Disk) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(disk.run(lambda: 1 // 0))
