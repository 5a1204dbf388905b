"""The control socket: one JSON object a line, over a Unix socket that only its owner may open.

Ask `{"do": "replay", ...}`, get `{"ok": ...}` or `{"error": {"code", "text", "place"}}`. Who asks is the peer's user.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import HilumError, Unavailable

if TYPE_CHECKING:
    import asyncio

Command = Callable[[dict[str, Any]], Awaitable[Any]]

_LINE = 1_000_000  # bytes of one request
_PATH = 100  # bytes a Unix socket's path may have


class ControlServer:
    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = commands
        self._server: asyncio.AbstractServer | None = None

    async def start(self) -> None:
        import asyncio  # not above: `ask` needs none of it, and a verb takes longer to load it than for all the rest

        self._path.unlink(missing_ok=True)  # the store's lock says that no other daemon lives here
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._answer, _short(self._path), limit=_LINE)
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from engine import logs

        try:
            line = await reader.readline()
            asked = json.loads(line)
            asked["who"] = _peer(writer)
            reply = {"ok": await self._commands[asked["do"]](asked)}
            logs.info("control", do=asked["do"], who=asked["who"])
        except HilumError as error:
            reply = {"error": {"code": error.code, "text": error.text, "place": error.place, "hint": error.hint}}
        except (ValueError, KeyError, TypeError) as error:
            reply = {
                "error": {"code": "control.request", "text": f"not understood ({type(error).__name__})", "place": ""}
            }
        writer.write(json.dumps(reply, default=str).encode() + b"\n")
        await writer.drain()
        writer.close()


def ask(path: Path, do: str, **fields: Any) -> Any:
    """Ask a running daemon. Raises Unavailable (`control.absent`) when none answers, HilumError as it answered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(60)
        try:
            peer.connect(_short(path))
            peer.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
            line = peer.makefile("rb").readline()
        except OSError as error:
            raise Unavailable("control.absent", "no daemon answers on the control socket", place=str(path)) from error
    reply = json.loads(line or b"{}")
    if "ok" not in reply:
        told = reply.get("error") or {"code": "control.request", "text": "the daemon gave no answer", "place": ""}
        raise HilumError(told["code"], told["text"], place=told["place"], hint=told.get("hint", ""))
    return reply["ok"]


def _short(path: Path) -> str:
    """A Unix socket's path may be about 100 bytes long; a relative one is often shorter."""
    full = str(path.absolute())
    if len(full.encode()) <= _PATH:
        return full
    return os.path.relpath(full)


def _peer(writer: asyncio.StreamWriter) -> str:
    """The name of the user at the other end, from the kernel."""
    peer = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return "local"
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
