"""The kind `mllp`: HL7 v2 over TCP (MLLP release 1)."""

from __future__ import annotations

from typing import Any, Final

from channels.mllp_listener import MllpListener, MllpListenerOptions
from channels.mllp_sender import MllpSender, MllpSenderOptions
from engine.plugin import Intake, Kind


def _listener(name: str, options: Any, intake: Intake) -> MllpListener:
    return MllpListener(name, options, intake)


def _sender(name: str, options: Any) -> MllpSender:
    return MllpSender(name, options)


KIND: Final = Kind("mllp", MllpListenerOptions, _listener, MllpSenderOptions, _sender)
