"""Takes messages by HTTP POST: stores each body, then answers it. One plain ASGI function, served by uvicorn.

201 stored, 200 stored before, 409 another body under the same Idempotency-Key, 400 or 422 refused, 503 not stored:
every refusal is `{"code", "message", "pointer"}`. Path, method, content type and length are judged before the body is
read, and a body that did not arrive whole is never stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import pydantic

from channels.options import Duration, PlainListenerOptions, split_address
from engine import logs
from engine.errors import Refused, Unavailable
from engine.plugin import Intake, Verdict

if TYPE_CHECKING:
    import uvicorn

_RETRY_AFTER: Final = "5"
_DRAIN: Final = 5  # seconds that stop() gives the requests under way
_KEY: Final = 255

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HttpListenerOptions(PlainListenerOptions):
    paths: dict[Annotated[str, pydantic.Field(pattern="^/")], str] = pydantic.Field(
        min_length=1, description="the message type that is taken at each path"
    )
    content_type: str = pydantic.Field("application/json", description="the one media type that is taken")
    max_body: int = pydantic.Field(16 * 1024 * 1024, ge=1024, description="bytes of the longest body")
    body_time: Duration = pydantic.Field(30.0, description="how long a body may take to arrive")
    max_connections: int = pydantic.Field(200, ge=1, description="connections open at a time; more are answered 503")


class Answer(NamedTuple):
    status: int
    body: Mapping[str, str]
    headers: Mapping[str, str] = {}


class _Problem(Exception):
    """A request that is refused before it is a message."""

    def __init__(self, status: int, code: str, text: str, **headers: str) -> None:
        super().__init__(text)
        self.answer = Answer(status, _told(code, text), headers)


class _Gone(Exception):
    """The client left before its body was whole."""


def _told(code: str, text: str, pointer: str = "") -> dict[str, str]:
    return {"code": code, "message": text, "pointer": pointer}


class App:
    """The ASGI application: HTTP on one side, the intake on the other; no socket."""

    def __init__(self, name: str, options: HttpListenerOptions, intake: Intake) -> None:
        self._name = name
        self._options = options
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except _Gone:
            return
        except _Problem as problem:
            answer = problem.answer
        except Unavailable:
            text = "the message could not be stored; send it again later"
            answer = Answer(503, _told("store.unavailable", text), {"retry-after": _RETRY_AFTER})
        except Exception as error:
            logs.failure("defect", error, channel=self._name)
            answer = Answer(500, _told("internal.defect", "Hilum itself failed; send it again later"))
        await _reply(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        type = self._options.paths.get(scope["path"])
        if type is None:
            raise _Problem(404, "http.path", "nothing is taken at this path")
        if scope["method"] != "POST":
            raise _Problem(405, "http.method", "only POST is taken here", allow="POST")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._check(headers)
        body = await self._body(receive)
        verdicts = await self._intake.accept(body, type=type, control_id=_key(headers))
        verdict = next((verdict for verdict in verdicts if verdict.refusal is not None), verdicts[0])
        refusal = verdict.refusal
        if refusal is None and self._options.answer == "processed":
            refusal = await self._intake.processed(verdict)
        return _verdict(verdict, refusal)

    def _check(self, headers: Mapping[str, str]) -> None:
        media = headers.get("content-type", "").split(";", 1)[0].strip().lower()
        if media not in {"", self._options.content_type.lower()}:
            raise _Problem(415, "http.content_type", f"only {self._options.content_type} is taken here")
        if headers.get("content-encoding", "identity") != "identity":
            raise _Problem(415, "http.content_encoding", "compressed bodies are not taken")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._options.max_body:
            raise self._too_large()

    async def _body(self, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self._options.body_time):
                return await self._whole(receive)
        except TimeoutError as error:
            raise _Problem(408, "http.slow_body", "the body did not arrive in time", connection="close") from error

    async def _whole(self, receive: Receive) -> bytes:
        body = bytearray()
        more = True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise _Gone
            body += event.get("body", b"")
            if len(body) > self._options.max_body:
                raise self._too_large()
            more = event.get("more_body", False)
        return bytes(body)

    def _too_large(self) -> _Problem:
        text = f"the body is longer than {self._options.max_body} bytes"
        return _Problem(413, "http.too_large", text, connection="close")


def _key(headers: Mapping[str, str]) -> str:
    """The Idempotency-Key; as a structured-field string it stands in quotes."""
    key = headers.get("idempotency-key", "").strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(key) > _KEY or not (key.isascii() and key.isprintable()):
        raise _Problem(400, "http.key", f"the Idempotency-Key is not {_KEY} printable ASCII characters at most")
    return key


def _verdict(verdict: Verdict, refusal: Refused | None) -> Answer:
    if refusal is None:
        return Answer(200 if verdict.status == "duplicate" else 201, {"message": verdict.message})
    told = {**_told(refusal.code, refusal.text, refusal.place), "id": verdict.message}
    return Answer(409 if verdict.status == "conflict" else status_of(refusal), told)


def status_of(refusal: Refused) -> int:
    """The HTTP status of a refusal: its own where it has one, 400 for what is no JSON, else 422."""
    if re.fullmatch(r"4\d\d", refusal.status):
        return int(refusal.status)
    return 400 if refusal.code.startswith("json.") else 422


async def _reply(send: Send, answer: Answer) -> None:
    body = json.dumps(answer.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **answer.headers}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


class HttpListener:
    """Start binds the port: Unavailable (`http.listen`) when it cannot. `address` is what it listens on then."""

    def __init__(self, name: str, options: HttpListenerOptions, intake: Intake) -> None:
        self.name = name
        self._options = options
        self._app = App(name, options, intake)
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.address = ("", 0)

    async def start(self) -> None:
        sock = self._bind()
        self.address = sock.getsockname()[:2]
        ready = asyncio.Event()
        self._server = _server(self._app, self._options, ready)
        self._task = asyncio.create_task(self._server.serve(sockets=[sock]))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            waiting.cancel()
            await self._task

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    def _bind(self) -> socket.socket:
        host, port = split_address(self._options.listen)
        try:
            return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            text = f"listener {self.name} cannot listen on {self._options.listen} (errno {error.errno})"
            raise Unavailable("http.listen", text) from error


def _server(app: App, options: HttpListenerOptions, ready: asyncio.Event) -> uvicorn.Server:
    """uvicorn inside our loop: no signal handlers, no logging set-up, no access log, no websockets."""
    import uvicorn

    class Embedded(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

    config = uvicorn.Config(
        app, loop="none", http="h11", ws="none", lifespan="off", interface="asgi3",
        log_config=None, log_level="error", access_log=False, server_header=False, proxy_headers=False,
        limit_concurrency=options.max_connections, timeout_graceful_shutdown=_DRAIN, timeout_keep_alive=30,
    )  # fmt: skip
    return Embedded(config)
