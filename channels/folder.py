"""The kind `folder`: files exchanged through a directory that both sides can see."""

from __future__ import annotations

from typing import Any, Final

from channels.folder_listener import FolderListener, FolderListenerOptions
from channels.folder_sender import FolderSender, FolderSenderOptions
from engine.plugin import Intake, Kind


def _listener(name: str, options: Any, intake: Intake) -> FolderListener:
    return FolderListener(name, options, intake)


def _sender(name: str, options: Any) -> FolderSender:
    return FolderSender(name, options)


KIND: Final = Kind("folder", FolderListenerOptions, _listener, FolderSenderOptions, _sender)
