"""Sends each message as one POST under its delivery's id, and reads the receiver's verdict from the status.

The same `Idempotency-Key` goes with every attempt, so a receiver that knows it may be asked again after any failure.
Redirects are not followed, proxies of the environment are not used, answers are capped, and no body is ever logged.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, cast
from urllib.parse import urlsplit

import pydantic

from channels.options import Duration
from engine.errors import Rejected, Unavailable, Unknown
from engine.options import Options
from engine.plugin import Outbound, Sent

if TYPE_CHECKING:
    import httpx

CONTENT_TYPES: Final = {
    "json": "application/json",
    "hl7v2": "application/hl7-v2",
    "x12": "application/edi-x12",
}
_AGAIN: Final = frozenset({408, 425, 429})
_KEPT: Final = 32  # idle connections kept open
_NEVER: Final = frozenset({501, 505})  # a server that cannot will not learn it by waiting


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("a URL is http://HOST:PORT or https://HOST, with a path if need be, and no query")
    if parts.username or parts.password:
        raise ValueError("a URL holds no user or password")
    return url


class HttpSenderOptions(Options):
    url: Annotated[str, pydantic.AfterValidator(_checked_url)] = pydantic.Field(
        description="base URL; an agreement's `path` is added to it"
    )
    timeout: Duration = pydantic.Field(30.0, description="how long one request may take in all")
    connect_timeout: Duration = pydantic.Field(5.0, description="how long to wait for the connection")
    max_reply: int = pydantic.Field(16 * 1024 * 1024, ge=1024, description="bytes of the longest answer")


class _Target(NamedTuple):
    """What all requests of one path and format have in common."""

    url: httpx.URL
    headers: tuple[tuple[bytes, bytes], ...]


class HttpSender:
    """Each request has a connection of its own, kept open for the next one.

    Below httpx's client, on its transport: the client's redirects, cookies and hooks, and a pool that looks over all
    its connections at every request, cost more than the request itself.
    """

    def __init__(self, name: str, options: HttpSenderOptions) -> None:
        _load_httpx()  # now, and not when the first delivery is due
        import httpx

        self.name = name
        self._options = options
        # plain http never meets TLS: spare it the CA bundle
        self._tls = httpx.create_ssl_context(verify=options.url.startswith("https:"), trust_env=False)
        self._extensions = {"timeout": {"connect": options.connect_timeout}}
        self._targets: dict[tuple[str, str], _Target] = {}
        self._idle = [self._transport()]

    async def send(self, out: Outbound) -> Sent:
        import httpx

        try:
            async with asyncio.timeout(self._options.timeout):
                status, body = await self._post(out)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            text = f"connection {self.name} cannot be made ({type(error).__name__})"
            raise Unavailable("http.connect", text) from error
        except (httpx.TransportError, TimeoutError) as error:
            text = f"no whole answer came ({type(error).__name__}); the receiver may have the message"
            raise Unknown("http.no_answer", text) from error
        return judge(status, body)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().aclose()

    async def _post(self, out: Outbound) -> tuple[int, bytes]:
        request = self._request(out)
        transport = self._idle.pop() if self._idle else self._transport()
        try:
            answer = await self._exchange(transport, request)
        except BaseException:
            await transport.aclose()  # a late answer must never meet the next request
            raise
        if len(self._idle) < _KEPT:
            self._idle.append(transport)
        else:
            await transport.aclose()
        return answer

    async def _exchange(self, transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> tuple[int, bytes]:
        response = await transport.handle_async_request(request)
        try:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise Unknown("http.reply", "the answer is compressed, which was not asked for; it was not read")
            return response.status_code, await self._read(response)
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            body += chunk
            if len(body) > self._options.max_reply:
                text = f"the answer is longer than {self._options.max_reply} bytes; it was not read to its end"
                raise Unknown("http.reply", text)
        return bytes(body)

    def _request(self, out: Outbound) -> httpx.Request:
        import httpx

        body = out.message.body
        place = out.delivery.options.get("path", ""), out.message.format
        target = self._targets.get(place) or self._target(*place)
        own = ((b"Content-Length", b"%d" % len(body)), (b"Idempotency-Key", out.delivery.uid.encode()))
        return httpx.Request(
            "POST", target.url, headers=(*target.headers, *own), stream=httpx.ByteStream(body),
            extensions=self._extensions,
        )  # fmt: skip

    def _target(self, path: str, format: str) -> _Target:
        import httpx

        url = httpx.URL(self._options.url.rstrip("/") + path)
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "keep-alive",
            "User-Agent": "hilum",
            "Content-Type": CONTENT_TYPES.get(format, "application/octet-stream"),
        }
        target = _Target(url, tuple((name.encode(), value.encode()) for name, value in headers.items()))
        self._targets[path, format] = target
        return target

    def _transport(self) -> httpx.AsyncHTTPTransport:
        import httpx

        return httpx.AsyncHTTPTransport(verify=self._tls, limits=httpx.Limits(max_connections=1), trust_env=False)


def _load_httpx() -> None:
    """Without its command line, which it imports when it can: rich and pygments are most of its time and memory."""
    if "httpx" not in sys.modules:
        sys.modules["httpx._main"] = None  # type: ignore[assignment]
        importlib.import_module("httpx")
        del sys.modules["httpx._main"]


def judge(status: int, body: bytes) -> Sent:
    """What a whole answer means. Raises Unavailable (again later, under the same key) or Rejected (never again)."""
    if 200 <= status < 300:
        return Sent(str(status), body or None)
    text = f"the receiver answered {status}"
    context = {"status": str(status), **_problem(body)}
    if status in _AGAIN or (status >= 500 and status not in _NEVER):
        raise Unavailable("http.retry", text, context=context)
    raise Rejected("http.rejected", text, context=context, reply=body or None)


def _problem(body: bytes) -> dict[str, str]:
    """`code`, `message` and `pointer` of a problem in JSON, as far as it tells them."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    words = {name: told.get(name) for name in ("code", "message", "pointer")}
    return {name: _storable(word[:500]) for name, word in words.items() if isinstance(word, str) and word}


def _storable(word: str) -> str:
    """JSON can spell halves of a surrogate pair, which no encoding can carry."""
    return word.encode("utf-8", "replace").decode()
