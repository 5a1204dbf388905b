"""The HTTP kind in its own words: statuses, problems, keys and limits, on real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from kinds_kit import REFUSED, RecordingIntake, make_listener, run, until
from senders_kit import Peer, http_answer, make_sender, outbound, read_request

from engine.errors import HilumError, Refused, Rejected, Unavailable, Unknown
from engine.plugin import Sent

JSON = {"Content-Type": "application/json"}
Scene = Callable[[httpx.AsyncClient, RecordingIntake], Awaitable[None]]


def listening(scene: Scene, **options: Any) -> None:
    async def whole() -> None:
        intake = RecordingIntake()
        listener = make_listener("http", intake, listen="127.0.0.1:0", paths={"/toys": "toys"}, **options)
        await listener.start()
        host, port = listener.address
        try:
            async with httpx.AsyncClient(
                base_url=f"http://{host}:{port}", trust_env=False, headers=JSON, timeout=None
            ) as client:
                await scene(client, intake)
        finally:
            intake.gate.set()
            await listener.stop()

    run(whole())


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_statuses_and_bodies() -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        first = await client.post("/toys", content=b'{"a": 1}', headers=keyed("k1"))
        again = await client.post("/toys", content=b'{"a": 1}', headers=keyed('"k1"'))
        other = await client.post("/toys", content=b'{"a": 2}', headers=keyed("k1"))
        assert (first.status_code, first.json()) == (201, {"message": "M1"})
        assert (again.status_code, again.json()) == (200, {"message": "M2"})
        assert (other.status_code, other.json()["code"], other.json()["id"]) == (409, "dup.conflict", "M3")
        assert intake.types == ["toys"] * 3

    listening(scene)


def test_refusals_are_problems() -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        answer = await client.post("/toys", content=REFUSED)
        assert answer.status_code == 422
        assert answer.json() == {"code": "hl7.value", "message": "this is refused", "pointer": "RQD-1", "id": "M1"}

    listening(scene)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(Refused("json.syntax", ""), 400), (Refused("map.miss", ""), 422), (Refused("x", "", status="413"), 413)],
)
def test_the_pipelines_verdict_as_status(refusal: Refused, status: int) -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        intake.pipeline = refusal
        assert (await client.post("/toys", content=b"{}")).status_code == status

    listening(scene, answer="processed")


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status", "code"),
    [
        ("POST", "/", {}, b"{}", 404, "http.path"),
        ("POST", "/toys/", {}, b"{}", 404, "http.path"),
        ("GET", "/toys", {}, None, 405, "http.method"),
        ("PUT", "/toys", {}, b"{}", 405, "http.method"),
        ("POST", "/toys", {"Content-Type": "text/xml"}, b"{}", 415, "http.content_type"),
        ("POST", "/toys", {"Content-Encoding": "gzip"}, b"{}", 415, "http.content_encoding"),
        ("POST", "/toys", {"Idempotency-Key": "x" * 256}, b"{}", 400, "http.key"),
        ("POST", "/toys", {}, b"x" * 1025, 413, "http.too_large"),
    ],
)
def test_what_is_no_message_is_not_stored(
    method: str, path: str, headers: dict[str, str], content: bytes | None, status: int, code: str
) -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        answer = await client.request(method, path, headers=headers, content=content)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert set(answer.json()) == {"code", "message", "pointer"}
        assert not intake.stored
        assert ("allow" in answer.headers) == (status == 405)

    listening(scene, max_body=1024)


def test_a_body_that_grows_too_large_on_the_way() -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        async def drip() -> Any:
            for _ in range(3):
                yield b"x" * 500

        answer = await client.post("/toys", content=drip())
        assert answer.status_code == 413
        assert not intake.stored

    listening(scene, max_body=1024)


@pytest.mark.parametrize("reset", [True, False])
def test_half_a_body_is_never_stored(reset: bool) -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        url = client.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"POST /toys HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        if reset:
            writer.transport.abort()
        else:
            writer.close()
            await reader.read()
        assert (await client.post("/toys", content=b"{}")).status_code == 201
        assert intake.stored == [b"{}"]

    listening(scene)


def test_a_body_that_does_not_come_in_time() -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        url = client.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"POST /toys HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"http.slow_body" in answer
        writer.close()
        assert not intake.stored

    listening(scene, body_time="50ms")


def test_a_defect_is_500_without_its_words() -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        async def broken(*_: Any, **__: Any) -> Any:
            raise KeyError("Jones")

        intake.accept = broken  # type: ignore[method-assign]
        answer = await client.post("/toys", content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal.defect")
        assert "Jones" not in answer.text

    listening(scene)


def test_the_port_is_taken() -> None:
    async def scene() -> None:
        for kind, more in (("http", {"paths": {"/a": "a"}}), ("mllp", {})):
            first = make_listener(kind, RecordingIntake(), listen="127.0.0.1:0", **more)
            await first.start()
            second = make_listener(kind, RecordingIntake(), listen=f"127.0.0.1:{first.address[1]}", **more)
            with pytest.raises(Unavailable) as caught:
                await second.start()
            assert caught.value.code == f"{kind}.listen"
            await first.stop()
            await second.stop()

    run(scene())


# --- sender ----------------------------------------------------------------------------------------------------------
PROBLEM = b'{"code": "unknown_item", "message": "no such item", "pointer": "/lines/0/item", "more": 1}'


async def send(answer: bytes, **options: Any) -> tuple[Sent | HilumError, list[dict[str, str]]]:
    """What the sender says when a receiver answers so; and the requests' headers."""
    requests: list[dict[str, str]] = []

    async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(peer, reader))
        writer.write(answer)
        await writer.drain()
        if answer.startswith(b"HTTP/1.1 201 slow"):
            await reader.read()

    async with Peer(behave) as peer:
        sender = make_sender("http", url=f"http://127.0.0.1:{peer.port}/api/", **options)
        try:
            out = outbound(b'{"a": "1.50"}', format="json", uid="DLV-77", path="/requisitions")
            said: Sent | HilumError = await sender.send(out)
        except HilumError as error:
            said = error
        finally:
            await sender.close()
        assert peer.received == [b'{"a": "1.50"}']
        return said, requests


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (http_answer(201, b'{"requisition": "R-1"}'), Sent, "201"),
        (http_answer(200), Sent, "200"),
        (http_answer(204), Sent, "204"),
        (http_answer(302, b"", "Location: http://127.0.0.1:1/"), Rejected, "http.rejected"),
        (http_answer(400), Rejected, "http.rejected"),
        (http_answer(401), Rejected, "http.rejected"),
        (http_answer(404), Rejected, "http.rejected"),
        (http_answer(409, PROBLEM), Rejected, "http.rejected"),
        (http_answer(422, PROBLEM), Rejected, "http.rejected"),
        (http_answer(501), Rejected, "http.rejected"),
        (http_answer(408), Unavailable, "http.retry"),
        (http_answer(425), Unavailable, "http.retry"),
        (http_answer(429), Unavailable, "http.retry"),
        (http_answer(500), Unavailable, "http.retry"),
        (http_answer(502), Unavailable, "http.retry"),
        (http_answer(503), Unavailable, "http.retry"),
        (http_answer(504), Unavailable, "http.retry"),
        (b"", Unknown, "http.no_answer"),
        (b"HTTP/1.1 201", Unknown, "http.no_answer"),
        (b"SMTP ready\r\n\r\n", Unknown, "http.no_answer"),
        (http_answer(201, b"whole")[:-1], Unknown, "http.no_answer"),
        (http_answer(201, b"x" * 5000), Unknown, "http.reply"),
        (http_answer(201, b"x", "Content-Encoding: gzip"), Unknown, "http.reply"),
    ],
)
def test_what_an_answer_means(answer: bytes, kind: type, code: str) -> None:
    said, _ = run(send(answer, max_reply=4096))
    assert (type(said), said.code) == (kind, code)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 201 slow\r\n", b"HTTP/1.1 201 slow\r\nContent-Length: 5\r\n\r\nx"])
def test_an_answer_that_does_not_end_is_unknown(answer: bytes) -> None:
    said, _ = run(send(answer, timeout="1s"))
    assert (type(said), said.code) == (Unknown, "http.no_answer")


def test_the_request() -> None:
    said, (request,) = run(send(http_answer(201, b'{"requisition": "R-1"}')))
    assert said == Sent("201", b'{"requisition": "R-1"}')
    assert request[":start"] == "POST /api/requisitions HTTP/1.1"
    assert request["idempotency-key"] == "DLV-77"
    assert request["content-type"] == "application/json"
    assert run(send(http_answer(204)))[0] == Sent("204", None)


def test_the_receivers_words_are_kept_as_context() -> None:
    said, _ = run(send(http_answer(422, PROBLEM)))
    assert isinstance(said, Rejected)
    assert said.context == {
        "status": "422",
        "code": "unknown_item",
        "message": "no such item",
        "pointer": "/lines/0/item",
    }
    assert said.reply == PROBLEM
    assert "item" not in str(said)


@pytest.mark.parametrize("body", [b"<html>no</html>", b"[1]", b'{"code": 7, "message": ""}', b"[" * 100_000, b"\xff"])
def test_a_problem_that_is_none(body: bytes) -> None:
    said, _ = run(send(http_answer(422, body)))
    assert isinstance(said, Rejected)
    assert said.context == {"status": "422"}
    assert said.reply == body


def test_an_erp_that_comes_back() -> None:
    async def scene() -> None:
        up = False

        async def behave(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await read_request(peer, reader)
                writer.write(http_answer(201 if up else 503))

        async with Peer(behave) as peer:
            sender = make_sender("http", url=f"http://127.0.0.1:{peer.port}")
            with pytest.raises(Unavailable):
                await sender.send(outbound(b"{}", format="json"))
            up = True
            assert (await sender.send(outbound(b"{}", format="json"))).code == "201"
            await sender.close()
            await until(lambda: len(peer.received) == 2)
            assert peer.connections == 1  # kept open

    run(scene())


def test_json_problems_are_plain_json() -> None:
    async def scene(client: httpx.AsyncClient, intake: RecordingIntake) -> None:
        answer = await client.get("/toys")
        assert answer.headers["content-type"] == "application/json"
        assert json.loads(answer.content)["pointer"] == ""
        assert "server" not in answer.headers

    listening(scene)
