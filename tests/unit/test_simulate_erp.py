"""The simulated ERP over real loopback HTTP: idempotency, refusals, being down, batches, restarts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.simulate.erp import Erp
from channels.simulate.web import Request, Response, Web

Talk = Callable[[httpx.AsyncClient], Awaitable[None]]


def requisition(number: str, *items: str, **more: Any) -> dict[str, Any]:
    lines = [
        {
            "number": str(position),
            "item": [{"scheme": "buyer_part", "value": item}],
            "quantity": {"value": "10", "unit": "BX"},
        }
        for position, item in enumerate(items, 1)
    ]
    return {"number": number, **more, "lines": lines}


def play(erp: Erp, talk: Talk) -> None:
    async def scene() -> None:
        await erp.start()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{erp.port}", timeout=60) as client:
                await talk(client)
        finally:
            await erp.stop()

    asyncio.run(scene())


async def post(client: httpx.AsyncClient, key: str, body: Any, path: str = "/requisitions") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(path, content=content, headers={"Idempotency-Key": key})


def test_a_requisition_becomes_an_order_per_supplier() -> None:
    erp = Erp()

    async def talk(client: httpx.AsyncClient) -> None:
        body = requisition("REQ-1", "NH-10003", "NH-90001", "NH-30001", "NH-10004", priority="stat")
        answer = await post(client, "D-1", body)
        assert answer.status_code == 201
        told = answer.json()
        assert told["requisition"] == "REQ-1"
        assert [order["supplier"] for order in told["purchase_orders"]] == ["ACME", "CORVUS"]
        acme = told["purchase_orders"][0]
        assert [line["requisition_line"] for line in acme["lines"]] == ["1", "4"]  # line 2 is filled from stock
        assert acme["lines"][0]["quantity"] == {"value": "10", "unit": "BX"}
        assert isinstance(acme["lines"][0]["price"], str)
        assert acme["urgency"] == "stat"
        assert [order["number"] for order in told["purchase_orders"]] == ["4501000001", "4501000002"]

    play(erp, talk)
    assert erp.stats()["purchase_orders"] == 2


def test_the_same_key_has_one_effect() -> None:
    erp = Erp()

    async def talk(client: httpx.AsyncClient) -> None:
        body = requisition("REQ-1", "NH-20001")
        first, again = await post(client, "D-1", body), await post(client, "D-1", body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.content == again.content
        other = await post(client, "D-1", requisition("REQ-1", "NH-20002"))
        assert other.status_code == 409

    play(erp, talk)
    stats = erp.stats()
    assert (stats["requisitions"], stats["purchase_orders"], stats["repeats"], stats["conflicts"]) == (1, 1, 1, 1)
    assert stats["doubled"] == 0


def test_a_second_key_for_the_same_number_is_counted_as_doubled() -> None:
    """The count tests rely on must be able to rise."""
    erp = Erp()

    async def talk(client: httpx.AsyncClient) -> None:
        for key in ("D-1", "D-2"):
            assert (await post(client, key, requisition("REQ-1", "NH-20001"))).status_code == 201

    play(erp, talk)
    assert erp.stats()["doubled"] == 1


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (requisition("REQ-1", "NH-10001", "NH-40001"), "unknown_item", "/lines/1/item"),
        (requisition("REQ-1", "NH-10007"), "unknown_item", "/lines/0/item"),  # refused by this ERP
        (requisition("REQ-1"), "malformed", "/lines"),
        ({"lines": []}, "malformed", "/number"),
        ([1], "malformed", ""),
        (b"{", "malformed", ""),
        (
            {"number": "R", "lines": [requisition("R", "NH-10001")["lines"][0] | {"quantity": {"value": 10}}]},
            "malformed",
            "/lines/0/quantity",
        ),
        (
            {
                "number": "R",
                "lines": [requisition("R", "NH-10001")["lines"][0] | {"quantity": {"value": 1, "unit": "EA"}}],
            },
            "malformed",
            "/lines/0/quantity/value",
        ),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(body: Any, code: str, pointer: str) -> None:
    erp = Erp(refused_items=["NH-10007"])

    async def talk(client: httpx.AsyncClient) -> None:
        answer = await post(client, "D-1", body)
        assert answer.status_code == 422
        told = answer.json()
        assert (told["code"], told["pointer"]) == (code, pointer)
        assert told["message"]

    play(erp, talk)
    assert erp.stats()["requisitions"] == 0


def test_acknowledgements_need_a_known_order() -> None:
    erp = Erp()

    async def talk(client: httpx.AsyncClient) -> None:
        made = (await post(client, "D-1", requisition("REQ-1", "NH-20001"))).json()
        order = made["purchase_orders"][0]["number"]
        known, unknown = {"purchase_order": order, "status": "accepted"}, {"purchase_order": "4999"}
        path = "/order-acknowledgements"
        statuses = [
            (await post(client, key, body, path)).status_code
            for key, body in (("A-1", known), ("A-1", known), ("A-1", unknown), ("A-2", unknown))
        ]
        assert statuses == [201, 200, 409, 422]

    play(erp, talk)
    assert erp.stats()["order_acknowledgements"] == 1


def test_down_is_503_until_it_is_up_again() -> None:
    erp = Erp()

    async def talk(client: httpx.AsyncClient) -> None:
        assert (await client.post("/admin/down")).status_code == 204
        assert (await post(client, "D-1", requisition("REQ-1", "NH-20001"))).status_code == 503
        assert (await client.post("/admin/up")).status_code == 204
        assert (await post(client, "D-1", requisition("REQ-1", "NH-20001"))).status_code == 201
        stats = (await client.get("/admin/stats")).json()
        assert (stats["requisitions"], stats["unavailable"]) == (1, 1)

    play(erp, talk)


def test_it_comes_up_by_itself() -> None:
    erp = Erp(down_for=0.01)
    assert erp.down

    async def talk(client: httpx.AsyncClient) -> None:
        async with asyncio.timeout(60):
            while (await post(client, "D-1", requisition("REQ-1", "NH-20001"))).status_code == 503:  # noqa: ASYNC110 (another system is polled)
                await asyncio.sleep(0.01)

    play(erp, talk)
    assert erp.stats()["requisitions"] == 1


def test_admin_is_for_loopback_only() -> None:
    answer = Erp().handle(Request("POST", "/admin/down", {}, b"", "192.0.2.7"))
    assert answer == Response(403)


def test_a_lost_answer_is_found_under_its_key() -> None:
    erp = Erp(lose_every=1)

    async def talk(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await post(client, "D-1", requisition("REQ-1", "NH-20001"))
        assert (await post(client, "D-1", requisition("REQ-1", "NH-20001"))).status_code == 200

    play(erp, talk)
    assert (erp.stats()["requisitions"], erp.stats()["lost_answers"]) == (1, 1)


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    state = tmp_path / "erp.jsonl"
    answers: list[httpx.Response] = []

    async def talk(client: httpx.AsyncClient) -> None:
        answers.append(await post(client, "D-1", requisition("REQ-1", "NH-20001")))
        answers.append(await post(client, f"D-{len(answers) + 10}", requisition(f"REQ-{len(answers)}0", "NH-30001")))

    play(Erp(state=state), talk)
    again = Erp(state=state)
    play(again, talk)
    assert [answer.status_code for answer in answers] == [201, 201, 200, 201]
    assert answers[0].content == answers[2].content
    numbers = [answer.json()["purchase_orders"][0]["number"] for answer in answers]
    assert numbers == ["4501000001", "4501000002", "4501000001", "4501000003"]
    assert len(again.orders) == 3


def test_a_batch_combines_requisitions_and_is_posted_until_taken() -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    def hilum(request: Request) -> Response:
        heard.append((request.headers["idempotency-key"], json.loads(request.body)))
        return Response(503 if len(heard) == 1 else 202)

    async def scene() -> None:
        listener = Web(hilum)
        await listener.start("127.0.0.1", 0)
        erp = Erp(mode="batch", hilum=f"http://127.0.0.1:{listener.port}", batch_every=0.01)
        for number in ("REQ-1", "REQ-2"):
            body = json.dumps(requisition(number, "NH-10001", "NH-90002", "NH-20001")).encode()
            answer = erp.handle(Request("POST", "/requisitions", {"idempotency-key": number}, body, "127.0.0.1"))
            assert answer is not None
            assert json.loads(answer.body) == {"requisition": number, "purchase_orders": []}
        await erp.start()
        try:
            async with asyncio.timeout(60):
                while erp.stats()["unposted_batches"] or not erp.orders:  # noqa: ASYNC110 (its state is polled)
                    await asyncio.sleep(0.01)
        finally:
            await erp.stop()
            await listener.stop()
        assert erp.stats()["purchase_orders"] == 2

    asyncio.run(scene())
    assert [key for key, _ in heard] == ["erp-batch-1", "erp-batch-1"]
    assert heard[0][1] == heard[1][1]
    orders = heard[1][1]["purchase_orders"]
    assert [order["supplier"] for order in orders] == ["ACME", "BRAVO"]
    assert [(line["requisition"], line["requisition_line"]) for line in orders[0]["lines"]] == [
        ("REQ-1", "1"),
        ("REQ-2", "1"),
    ]
