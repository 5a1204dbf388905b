"""Whether a listener could have an address, and whether a connection leads anywhere. No byte is sent, no file made.

A socket is bound and let go, or opened and closed; a folder is looked at.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from channels.options import split_address
from engine.options import Options


def why_not_bound(listen: str) -> str:
    """Why `host:port` cannot be listened on now, in words; empty when it can."""
    host, port = split_address(listen)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a late FIN is no obstacle
                tried.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def reach(options: Options, timeout: float = 3.0) -> tuple[bool, str] | None:
    """Whether what a connection's options name is there, in words; None for options that name nothing to try."""
    told = dict(options)
    folders = [Path(str(told[name])) for name in ("send", "fetch") if told.get(name)]
    if folders:
        found = [_folder(path) for path in folders]
        return all(good for good, _ in found), "; ".join(text for _, text in found)
    if told.get("connect"):
        return _connect(*split_address(str(told["connect"])), timeout)
    if told.get("url"):
        url = urlsplit(str(told["url"]))
        return _connect(url.hostname or "", url.port or (443 if url.scheme == "https" else 80), timeout)
    return None


def _folder(path: Path) -> tuple[bool, str]:
    there = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return False, f"{path}: {there} cannot be written to by this user"
    return True, f"{path} can be written to" if there == path.absolute() else f"{path} would be made"


def _connect(host: str, port: int, timeout: float) -> tuple[bool, str]:
    try:
        with socket.create_connection((host, port), timeout):
            return True, f"{host}:{port} answers"
    except OSError as error:
        return False, f"{host}:{port}: {error.strerror or error}"
