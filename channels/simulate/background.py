"""Tasks a simulated party runs beside its work: none is lost, and what goes wrong in one is not swallowed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: list[BaseException] = []
        self._broken = asyncio.Event()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed.append(error)
            self._broken.set()

    async def broken(self) -> None:
        """Returns when a task has failed; `stop` then raises its error."""
        await self._broken.wait()

    async def stop(self) -> None:
        """Cancel what still runs. Raises the first error of any task."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._failed:
            raise self._failed[0]


async def first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    """Returns when one of them does; the others are cancelled. Raises what it raised."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
