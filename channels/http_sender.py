"""Sends each message as one POST under its delivery's id, and reads the receiver's verdict from the status.

The same `Idempotency-Key` goes with every attempt, so a receiver that knows it may be asked again after any failure.
Redirects are not followed, proxies of the environment are not used, answers are capped, and no body is ever logged.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import pydantic

from channels.options import Duration
from engine.errors import Rejected, Unavailable, Unknown
from engine.plugin import Options, Outbound, Sent

if TYPE_CHECKING:
    import httpx

CONTENT_TYPES: Final = {
    "json": "application/json",
    "hl7v2": "application/hl7-v2",
    "x12": "application/edi-x12",
}
_AGAIN: Final = frozenset({408, 425, 429})
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


class HttpSender:
    def __init__(self, name: str, options: HttpSenderOptions) -> None:
        self.name = name
        self._options = options
        self._client: httpx.AsyncClient | None = None

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
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _post(self, out: Outbound) -> tuple[int, bytes]:
        url = self._options.url.rstrip("/") + out.delivery.options.get("path", "")
        headers = {
            "Content-Type": CONTENT_TYPES.get(out.message.format, "application/octet-stream"),
            "Idempotency-Key": out.delivery.uid,
        }
        async with self._connected().stream("POST", url, content=out.message.body, headers=headers) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise Unknown("http.reply", "the answer is compressed, which was not asked for; it was not read")
            return response.status_code, await self._read(response)

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._options.max_reply:
                text = f"the answer is longer than {self._options.max_reply} bytes; it was not read to its end"
                raise Unknown("http.reply", text)
        return bytes(body)

    def _connected(self) -> httpx.AsyncClient:
        import httpx

        if self._client is None:
            options = self._options
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(options.timeout, connect=options.connect_timeout),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
                headers={"Accept-Encoding": "identity", "User-Agent": "hilum"},
                follow_redirects=False,
                trust_env=False,
                verify=options.url.startswith("https:"),  # plain http never meets TLS: spare it the CA bundle
            )
        return self._client


def judge(status: int, body: bytes) -> Sent:
    """What a whole answer means. Raises Unavailable (again later, under the same key) or Rejected (never again)."""
    if 200 <= status < 300:
        return Sent(str(status), body or None)
    text = f"the receiver answered {status}"
    if status in _AGAIN or (status >= 500 and status not in _NEVER):
        raise Unavailable("http.retry", text)
    raise Rejected("http.rejected", text, context={"status": str(status), **_problem(body)}, reply=body or None)


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
