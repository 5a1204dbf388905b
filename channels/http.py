"""The kind `http`: one message a POST, in and out."""

from __future__ import annotations

from typing import Any, Final

from channels.http_listener import HttpListener, HttpListenerOptions
from channels.http_sender import HttpSender, HttpSenderOptions
from engine.plugin import Intake, Kind


def _listener(name: str, options: Any, intake: Intake) -> HttpListener:
    return HttpListener(name, options, intake)


def _sender(name: str, options: Any) -> HttpSender:
    return HttpSender(name, options)


KIND: Final = Kind("http", HttpListenerOptions, _listener, HttpSenderOptions, _sender)
