"""Takes files from a folder: stores each, then moves it to `.done/` or, when it was refused, to `.error/`.

A file is taken when it is regular, is not named `.*` or `*.tmp`, and was the same over two looks (size, time, inode).
A file that could not be stored stays where it is. A crash between store and move shows the file again: the intake
knows it for a duplicate, and it is moved. Nothing is ever deleted, no link is followed, and odd things are not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pydantic

from channels.options import Duration
from engine import logs
from engine.errors import Refused, Unavailable
from engine.options import ListenerOptions
from engine.plugin import Intake, Verdict

DONE: Final = ".done"
ERROR: Final = ".error"
_BATCH_FILES: Final = 64  # handed to the intake together, so that they share a commit
_BATCH_BYTES: Final = 16 * 1024 * 1024
_DRAIN: Final = 5.0  # seconds that stop() gives the files under way
_KEPT: Final = 64 * 1024  # of a file that is too large; the file itself is kept whole in `.error/`


class FolderListenerOptions(ListenerOptions):
    fetch: Path = pydantic.Field(description="folder that files are taken from; it is made when missing")
    poll: Duration = pydantic.Field(0.5, description="how often the folder is looked into")
    max_file: int = pydantic.Field(64 * 1024 * 1024, ge=1024, description="bytes of the longest file")


class Stamp(NamedTuple):
    """What tells that a file has not changed."""

    inode: int
    size: int
    mtime: int
    mode: int
    links: int

    @property
    def regular(self) -> bool:
        return stat.S_ISREG(self.mode) and self.links == 1


class Found(NamedTuple):
    name: str
    stamp: Stamp


class Taken(NamedTuple):
    """A file's bytes, or why it is not one message's worth of them."""

    found: Found
    raw: bytes
    refusal: Refused | None = None


class FolderListener:
    """`poll` looks once; `start` polls for ever. What was stored and could not be moved is remembered and not taken
    again by this process."""

    def __init__(self, name: str, options: FolderListenerOptions, intake: Intake) -> None:
        self.name = name
        self._options = options
        self._intake = intake
        self._folder = options.fetch
        self._seen: dict[str, Stamp] = {}
        self._stored: dict[Found, str] = {}
        self._unreadable: set[Found] = set()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._stopping.set()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=_DRAIN)
            for task in late:
                task.cancel()

    async def poll(self) -> None:
        """Look once, and take every file that was there unchanged the last time. Raises Unavailable or OSError."""
        now = await asyncio.to_thread(look, self._folder)
        steady = [Found(name, stamp) for name, stamp in now.items() if self._seen.get(name) == stamp]
        self._seen = now
        await self._settle(list(self._stored))
        fresh = sorted((found for found in steady if found not in self._stored), key=lambda f: (f.stamp.mtime, f.name))
        for batch in _batches(fresh):
            if self._stopping.is_set():
                return
            await self._take(batch)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._poll_guarded()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._options.poll):
                    await self._stopping.wait()

    async def _poll_guarded(self) -> None:
        trouble = ""
        try:
            await self.poll()
        except Unavailable as error:
            trouble = error.code
        except OSError as error:
            trouble = f"errno_{error.errno}"
        except Exception as error:
            logs.failure("defect", error, channel=self.name)
            trouble = "defect"
        if trouble and trouble != self._trouble:
            logs.warning("stalled", channel=self.name, code=trouble)
        self._trouble = trouble

    async def _take(self, batch: Sequence[Found]) -> None:
        """Read a batch, store it in order, then move it. Raises the first Unavailable, after moving what was stored."""
        read = await asyncio.to_thread(self._read, batch)
        tasks = [asyncio.create_task(self._store(taken)) for taken in read]  # tasks start in this order
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for taken, answer in zip(read, answers, strict=True):
            if isinstance(answer, str):
                self._stored[taken.found] = answer
        await self._settle([taken.found for taken in read if taken.found in self._stored])
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def _store(self, taken: Taken) -> str:
        """Where the file belongs now. Raises Unavailable."""
        if taken.refusal is not None:
            await self._intake.refuse(taken.raw, taken.refusal)
            return ERROR
        verdicts = await self._intake.accept(taken.raw)
        refusals = [await self._refusal(verdict) for verdict in verdicts]
        return ERROR if any(refusals) else DONE

    async def _refusal(self, verdict: Verdict) -> Refused | None:
        if verdict.refusal is None and self._options.answer == "processed":
            return await self._intake.processed(verdict)
        return verdict.refusal

    async def _settle(self, stored: Sequence[Found]) -> None:
        for found in stored:
            try:
                moved = await asyncio.to_thread(move, self._folder, found, self._stored[found])
            except OSError as error:
                logs.warning("not_moved", channel=self.name, errno=error.errno)
                continue
            del self._stored[found]
            if moved:
                self._seen.pop(found.name, None)

    def _read(self, batch: Sequence[Found]) -> list[Taken]:
        taken = []
        for found in batch:
            try:
                taken.append(read(self._folder, found, self._options.max_file))
            except OSError as error:
                if found not in self._unreadable:
                    self._unreadable.add(found)
                    logs.warning("not_read", channel=self.name, errno=error.errno)
        return [one for one in taken if one is not None]


# --- the folder itself: blocking, run in threads ---------------------------------------------------------------------
def look(folder: Path) -> dict[str, Stamp]:
    """What lies in the folder and is none of the names that are passed over. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith(".tmp"):
                continue
            with contextlib.suppress(FileNotFoundError):
                found[entry.name] = _stamp(entry.stat(follow_symlinks=False))
    return {name: stamp for name, stamp in found.items() if not _is_plain_folder(name, stamp)}


def read(folder: Path, found: Found, most: int) -> Taken | None:
    """A file's bytes, or its refusal; None when it changed since it was looked at, so that it is left for later.

    Raises OSError when it cannot be read.
    """
    if not found.stamp.regular:
        text = "this is not a plain file (a link, folder, pipe or device), so it was not read"
        return Taken(found, b"", Refused("folder.type", text, place=found.name))
    try:
        raw = _read_unchanged(folder / found.name, found.stamp, most + 1)
    except FileNotFoundError:
        return None
    if raw is not None and len(raw) > most:
        text = f"the file is longer than {most} bytes; only its beginning is kept as a message"
        return Taken(found, raw[:_KEPT], Refused("folder.too_large", text, place=found.name))
    return None if raw is None else Taken(found, raw)


def move(folder: Path, found: Found, where: str) -> bool:
    """Move a stored file under a name that is free there. False when it is gone or has changed: then it is another
    file, which has not been taken yet. Raises OSError."""
    source, target = folder / found.name, folder / where
    try:
        if _stamp(source.lstat()) != found.stamp:
            return False
    except FileNotFoundError:
        return False
    target.mkdir(exist_ok=True)
    source.rename(_free(target, found.name))
    return True


def _free(folder: Path, name: str) -> Path:
    """`name`, or `name.1`, `name.2` ... when that is taken."""
    path, number = folder / name, 0
    while os.path.lexists(path):
        number += 1
        path = folder / f"{name}.{number}"
    return path


def _read_unchanged(path: Path, stamp: Stamp, most: int) -> bytes | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if _stamp(os.fstat(descriptor)) != stamp:
            return None
        raw = file.read(most)
        return raw if _stamp(os.fstat(descriptor)) == stamp else None


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode, status.st_nlink)


def _is_plain_folder(name: str, stamp: Stamp) -> bool:
    """A folder named like a folder is somebody's own affair; one named like a file is odd."""
    return stat.S_ISDIR(stamp.mode) and "." not in name


def _batches(found: Sequence[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for one in found:
        if batch and (len(batch) == _BATCH_FILES or size + one.stamp.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.stamp.size
    if batch:
        yield batch
