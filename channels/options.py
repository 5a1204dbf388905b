"""Values that several kinds' options share: durations and addresses, written as text in YAML, checked when read."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

import pydantic

from engine.options import DURATION_SCHEMA, ListenerOptions, microseconds


def _seconds(value: object) -> object:
    found = microseconds(value)
    return found / 1_000_000 if isinstance(value, str) and isinstance(found, int) else found


# Seconds, written `30s`.
Duration = Annotated[float, pydantic.BeforeValidator(_seconds), pydantic.Field(gt=0), DURATION_SCHEMA]


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[ipv6]:port`. Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError("an address is HOST:PORT with a port from 0 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _checked(address: str) -> str:
    split_address(address)
    return address


Address = Annotated[
    str,
    pydantic.AfterValidator(_checked),
    pydantic.WithJsonSchema({"type": "string", "pattern": r"^.+:\d{1,5}$", "examples": ["127.0.0.1:2575"]}),
]


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class PlainListenerOptions(ListenerOptions):
    """A listener on a plain TCP port: on this machine only, unless the site says in words why not."""

    listen: Address = pydantic.Field(description="HOST:PORT to listen on; port 0 takes a free one")
    allow_plain_text: str = pydantic.Field(
        "", description="why this listener may take plain text from other machines; without it only loopback is allowed"
    )

    @pydantic.model_validator(mode="after")
    def _only_here(self) -> Self:
        if not self.allow_plain_text.strip() and not is_loopback(split_address(self.listen)[0]):
            raise ValueError("listen names an address beyond this machine; say in allow_plain_text why that is safe")
        return self
