"""A part goes on whatever one round of it meets, and says what that was."""

from __future__ import annotations

import asyncio

import pytest

from engine import supervise
from engine.errors import Unavailable


def test_a_round_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "AGAIN", 0)
    troubles = iter([Unavailable("store.full", "full"), KeyError("a defect"), None])
    done = asyncio.Event()

    async def round() -> None:
        trouble = next(troubles, None)
        if trouble is not None:
            raise trouble
        done.set()
        await asyncio.Event().wait()

    async def play() -> None:
        task = asyncio.create_task(supervise.forever("part", round))
        async with asyncio.timeout(60):
            await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())
    assert next(troubles, "none left") == "none left"
