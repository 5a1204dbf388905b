"""Writes each message as one file: temporary name, sync, rename, sync of the folder. A reader never sees a part.

The name holds the message's type and control number, so a delivery that is tried again finds its own file there and
is done. A file of that name with other content is never overwritten.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
from pathlib import Path
from typing import Final

import pydantic

from engine.errors import Rejected, Unavailable, Unknown
from engine.message import Message
from engine.options import Options
from engine.plugin import Outbound, Sent

ENDINGS: Final = {"x12": ".edi", "hl7v2": ".hl7", "json": ".json"}
_OURS: Final = re.compile(r"\..+\.tmp")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


class FolderSenderOptions(Options):
    send: Path | None = pydantic.Field(None, description="folder that files are written to; it is made when missing")


def file_name(message: Message, whose: str = "") -> str:
    """`850-000004127.edi`; what is not safe in a file name becomes `_`.

    whose: the partner, in a folder that several share: their control numbers are counted apart.
    """
    stem = "-".join(filter(None, (message.type, whose, message.control_id or message.id)))
    return (_UNSAFE.sub("_", stem).lstrip(".") or "message") + ENDINGS.get(message.format, ".dat")


class FolderSender:
    """Left-over temporary files of an earlier process are removed before the first file is written."""

    def __init__(self, name: str, options: FolderSenderOptions) -> None:
        self.name = name
        self._folder = options.send
        self._prepared = False
        self._turn = asyncio.Lock()

    async def send(self, out: Outbound) -> Sent:
        if self._folder is None:
            text = f"connection {self.name} has no folder to send to"
            raise Unavailable("folder.send", text, hint="give the connection a `send:` folder")
        async with self._turn:
            shared = out.delivery.destination != self.name  # a partner's own connection has its name
            whose = out.delivery.destination if shared else ""
            return await asyncio.to_thread(self._send, self._folder, out.message, whose)

    async def close(self) -> None:
        return

    def _send(self, folder: Path, message: Message, whose: str) -> Sent:
        try:
            if not self._prepared:
                prepare(folder)
                self._prepared = True
            return Sent(write(folder, file_name(message, whose), message.body))
        except OSError as error:
            reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
            raise Unavailable("folder.write", f"the file could not be written ({reason})") from error


def prepare(folder: Path) -> None:
    """Make the folder and remove temporary files that nobody will finish. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with os.scandir(folder) as entries:
        for entry in entries:
            if _OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)


def write(folder: Path, name: str, body: bytes) -> str:
    """`written`, or `present` when this very file is there already.

    Raises OSError when it was not written, Rejected when another file has its name, Unknown when it may not last.
    """
    target, temporary = folder / name, folder / f".{name}.tmp"
    if os.path.lexists(target):
        if target.is_symlink() or not target.is_file() or target.read_bytes() != body:
            text = "a file of this name with other content is in the folder; it is not overwritten"
            raise Rejected("folder.exists", text, place=name)
        return "present"
    temporary.unlink(missing_ok=True)
    _write_synced(temporary, body)
    temporary.rename(target)
    try:
        _sync_folder(folder)
    except OSError as error:
        raise Unknown("folder.sync", "the file was written, but it is not sure to survive a crash") from error
    return "written"


def _write_synced(path: Path, body: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
