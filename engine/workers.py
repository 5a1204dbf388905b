"""The parent's side of the worker process (`engine.worker`): sends it work, and lives well without it.

A daemon with little to do has no worker: one is started when work first piles up, and ended when none has for a while.
Nobody waits for one that hangs: what it was asked is decided here, as everything is until it speaks again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine import logs
from engine.crossing import FACTS, LENGTH, WORK, Asks, Fields, Found, answered, facts, frame, question, unframe
from engine.site.model import Site
from engine.store.contract import Outcome, Work
from engine.supervise import forever

COMMAND = (sys.executable, "-m", "engine.worker")
_WORTH = 8  # messages that are worth the way to the worker and back ...
_LONG = 32 << 10  # ... or so many bytes
_LARGE = 1 << 20  # bytes of several that are not: the event loop would stand still while it packs and unpacks them
_ENOUGH = 3  # rounds: it does not run out of them while we decide one
_PATIENCE = 1.5  # seconds without a word from a worker that was asked, after which nobody waits for it ...
_REST = 30.0  # ... and without a word at all, after which it is ended: it hangs, or has nothing to do ...
_BYTE = 4e-6  # ... and so many more for each byte that it has to look at
_AGAIN = 0.5  # seconds until one that ended by itself is replaced: whatever ended it may end the next ...
_UNFIT = 5.0  # ... and until one that never came so far: what the site refers to is gone, or the machine is short


class Worker:
    """One process, which has one site for all its life.

    ready: it may be asked. silent: it was, and lets wait. again: seconds from its end until the next may start.
    """

    def __init__(self, process: asyncio.subprocess.Process, site: Site) -> None:
        self.site = site
        self.ready = False
        self.silent = False
        self.again = _UNFIT
        self._process = process
        self._asked: deque[tuple[asyncio.Future[list[Any] | None], float]] = deque()  # each with what time it may take
        self._heard = time.monotonic()  # when it last spoke, or began to be waited for

    async def ask(self, kind: str, pieces: Sequence[Fields], size: int = 0) -> list[Any] | None:
        """None when no answer came. Nobody waits for the pipe to drain: whoever asks bounds how much is asked.

        size: bytes to be looked at.
        """
        if not self._asked:
            self._heard = time.monotonic()
        future: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
        try:
            self._write((kind, pieces))
        except (ConnectionError, RuntimeError):  # uvloop raises RuntimeError on a closed pipe
            self.end()
            return None
        self._asked.append((future, _BYTE * size))
        return await future

    @property
    def asked(self) -> int:
        """How many questions it has still to answer."""
        return len(self._asked)

    async def live(self) -> None:
        """To its end, or until it has rested long enough."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            self.end()
            self._give_back()
            if self._process.stdin is not None:
                self._process.stdin.transport.abort()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.gone()

    async def gone(self) -> None:
        await self._process.wait()

    def end(self) -> None:
        self.ready = False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _write(self, value: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(frame(value))

    async def _listen(self) -> None:
        """Give it the site, then hear its answers, which come in the order of the questions."""
        assert self._process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            self._write(self.site.snapshot)
            await _receive(self._process.stdout)
            self._heard = time.monotonic()
            self.ready, self.again = True, _AGAIN
            logs.info("worker", pid=self._process.pid, site=self.site.version[:12])
            while True:
                answer = await _receive(self._process.stdout)
                self._heard = time.monotonic()
                self.silent = False
                asked, _ = self._asked.popleft()
                if not asked.done():
                    asked.set_result(answer)
        if self.again == _UNFIT:
            logs.warning("worker_unfit", pid=self._process.pid)

    async def _watch(self) -> None:
        """Let nobody wait for a worker that hangs; return when it has hung or rested long enough."""
        while (quiet := time.monotonic() - self._heard - sum([more for _, more in self._asked])) < _REST:
            if self._asked and quiet >= _PATIENCE and not self.silent:
                self.silent = True
                logs.warning("worker_silent", pid=self._process.pid, asked=len(self._asked))
                self._give_back()
            await asyncio.sleep(_PATIENCE / 4)
        idle = self.ready and not self._asked
        self.again = 0.0
        logs.info("worker_ended", pid=self._process.pid, because="idle" if idle else "silent")

    def _give_back(self) -> None:
        """What it was asked is the caller's again. An answer that comes nevertheless finds nobody waiting."""
        for future, _ in self._asked:
            if not future.done():
                future.set_result(None)


class Workers:
    """One worker; while there is none that has the site as it is now and answers, all work comes back undecided."""

    def __init__(self, site: Callable[[], Site], environ: Mapping[str, str] = os.environ) -> None:
        self._site = site
        self._environ = environ
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._worker: Worker | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(forever("worker", self._live))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._worker is not None:
            await self._worker.gone()  # it was ended; should the task have been cancelled while it waited for that

    def busy(self) -> bool:
        """Whether the worker has enough to do for a while."""
        return self._worker is not None and self._worker.ready and self._worker.asked >= _ENOUGH

    async def outcomes(self, works: Sequence[Work]) -> list[Outcome | Asks | None]:
        """What the worker decided, in order, or what it must know for that; None where the caller must decide."""
        if not _is_worth(works):
            return [None] * len(works)
        return await self._ask(works, WORK, [question(work) for work in works], _size(works))

    async def concluded(self, works: Sequence[Work], found: Sequence[Found]) -> list[Outcome | None]:
        """What it decided when told. found: for each piece."""
        pieces = [facts(work, known) for work, known in zip(works, found, strict=True)]
        answers = await self._ask(works, FACTS, pieces)
        return [answer if isinstance(answer, Outcome) else None for answer in answers]

    async def _ask(
        self, works: Sequence[Work], kind: str, pieces: Sequence[Fields], size: int = 0
    ) -> list[Outcome | Asks | None]:
        worker = self._present()
        answers = await worker.ask(kind, pieces, size) if worker else None
        if worker is None or answers is None:
            return [None] * len(works)
        site = worker.site.version
        return [answered(work, answer, site) for work, answer in zip(works, answers, strict=True)]

    def _present(self) -> Worker | None:
        """The worker, if it answers and has the site as it is now. After a reload its successor will."""
        self._wanted.set()
        worker = self._worker
        if worker is None or not worker.ready:
            return None
        if worker.site is not self._site():
            worker.end()
            return None
        return None if worker.silent else worker

    async def _live(self) -> None:
        """One worker's life; the next begins when there is work for it."""
        await self._wanted.wait()
        site, pipe = self._site(), asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*COMMAND, stdin=pipe, stdout=pipe, env=dict(self._environ))
        self._worker = Worker(process, site)
        await self._worker.live()
        self._wanted.clear()
        await asyncio.sleep(self._worker.again)


def _is_worth(works: Sequence[Work]) -> bool:
    size = _size(works)
    return (len(works) >= _WORTH or size >= _LONG) and (size <= _LARGE or len(works) == 1)


def _size(works: Sequence[Work]) -> int:
    return sum([len(work.message.body) for work in works])


async def _receive(source: asyncio.StreamReader) -> Any:
    (length,) = LENGTH.unpack(await source.readexactly(LENGTH.size))
    return unframe(await source.readexactly(length))
