"""Whether a listener could have an address: the socket is bound and let go, never listened on."""

from __future__ import annotations

import socket

from channels.options import split_address


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
