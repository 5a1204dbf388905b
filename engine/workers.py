"""The parent's side of the worker process (`engine.worker`): sends it work, and lives well without it.

A daemon with little to do has no worker: one is started when work first piles up.
"""

from __future__ import annotations

import asyncio
import contextlib
import copyreg
import os
import pickle
import struct
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from engine import logs
from engine.site.model import Site
from engine.store.contract import Outcome, Work
from engine.supervise import forever

LENGTH = struct.Struct("<Q")
COMMAND = (sys.executable, "-m", "engine.worker")
_WORTH = 8  # messages that are worth the way to the worker and back
_PATIENCE = 30.0  # seconds for one answer; a worker that needs longer is replaced
_AGAIN = 0.5  # seconds until one that ended by itself is replaced: whatever ended it may end the next ...
_UNFIT = 5.0  # ... and until one that never came so far: the site's files are wrong just now, or the machine is short

copyreg.pickle(MappingProxyType, lambda proxy: (MappingProxyType, (dict(proxy),)))


def frame(value: object) -> bytes:
    body = pickle.dumps(value, protocol=5)
    return LENGTH.pack(len(body)) + body


class Workers:
    """One worker; while there is none with the site as it is now, all work comes back undecided."""

    def __init__(self, site: Callable[[], Site], environ: Mapping[str, str] = os.environ) -> None:
        self._site = site
        self._environ = environ
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._started_for = ""  # the version that was running when the worker was started
        self._version = ""  # of the site the worker has; empty while it is not ready
        self._asked: deque[asyncio.Future[list[Any] | None]] = deque()

    async def start(self) -> None:
        self._task = asyncio.create_task(forever("worker", self._live))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def outcomes(self, works: Sequence[Work]) -> list[Outcome | None]:
        """What the worker decided, in order; None where the caller must decide."""
        answers = await self._ask(works) if len(works) >= _WORTH and self._useful() else None
        if answers is None:
            return [None] * len(works)
        return [None if rest is None else Outcome(work, *rest) for work, rest in zip(works, answers, strict=True)]

    def _useful(self) -> bool:
        """Whether the worker has the site as it is now. After a reload it is sent away, and its successor will."""
        now = self._site().version
        self._wanted.set()
        if self._version == now:
            return True
        if self._version and self._started_for != now:
            self._end()
        return False

    async def _ask(self, works: Sequence[Work]) -> list[Any] | None:
        assert self._process is not None
        assert self._process.stdin is not None
        asked = frame(list(works))
        future: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        try:
            self._process.stdin.write(asked)
            async with asyncio.timeout(_PATIENCE):
                await self._process.stdin.drain()
                return await future
        except (ConnectionError, RuntimeError, TimeoutError):  # uvloop raises RuntimeError on a closed pipe
            self._end()
            return None

    async def _live(self) -> None:
        """One worker's life, from its start to its end; the next begins when there is work for it."""
        await self._wanted.wait()
        self._wanted.clear()
        self._started_for = self._site().version
        pipe = asyncio.subprocess.PIPE
        process = self._process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=pipe, stdout=pipe, env=dict(self._environ)
        )
        assert process.stdout is not None
        again = _UNFIT
        try:
            self._version = await _receive(process.stdout)
            logs.info("worker", pid=process.pid, site=self._version[:12])
            again = _AGAIN
            while True:
                answer = await _receive(process.stdout)
                asked = self._asked.popleft()
                if not asked.done():
                    asked.set_result(answer)
        except asyncio.IncompleteReadError:
            self._forget()
            await asyncio.sleep(again)
        finally:
            self._forget()
            await process.wait()

    def _forget(self) -> None:
        """The worker is gone: what it was asked is the caller's again."""
        self._end()
        asked, self._asked = self._asked, deque()
        for future in asked:
            if not future.done():
                future.set_result(None)

    def _end(self) -> None:
        self._version = ""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


async def _receive(source: asyncio.StreamReader) -> Any:
    (length,) = LENGTH.unpack(await source.readexactly(LENGTH.size))
    return pickle.loads(await source.readexactly(length))
