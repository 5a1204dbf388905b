"""A small ERP over HTTP: takes requisitions, makes purchase orders at once or in batches, hears what suppliers answer,
ship, bill and offer.

POST /requisitions, /order-acknowledgements, /ship-notices, /invoices, /price-catalogs with an Idempotency-Key: 201 new,
200 the same again, 409 another body under the key, 422 refused, 503 while down. Everything it did is in its state
file, so a restart forgets nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from channels.simulate import purchasing
from channels.simulate.background import Background, first_of
from channels.simulate.purchasing import Json
from channels.simulate.records import Records, Row
from channels.simulate.web import Request, Response, Web

_FIRST_ORDER = 4_501_000_000
Rule = Callable[[Any], tuple[purchasing.Problem | None, Row]]
OrdersOf = Callable[[Json], list[tuple[str, Any]]]
# What suppliers say, by path: what it is called here, and the orders it names with their pointers.
_HEARD: dict[str, tuple[str, OrdersOf]] = {
    "/order-acknowledgements": ("acknowledgement", lambda body: [("/purchase_order", body.get("purchase_order"))]),
    "/ship-notices": ("ship_notice", purchasing.shipped_orders),
    "/invoices": ("invoice", purchasing.billed_orders),
    "/price-catalogs": ("price_catalog", lambda body: []),
}
_SAID = frozenset(did for did, _ in _HEARD.values())
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


class Erp:
    """mode: `immediate` (orders in the reply) or `batch` (orders posted later to `hilum`, an http URL without path).

    `records` rows: `did` is requisition, acknowledgement, ship_notice, invoice, price_catalog, batch, posted, refused,
    repeat, conflict, unavailable or lost.
    lose_every: each nth new request is done, but its answer never leaves: the ambiguous outcome of real networks.
    """

    def __init__(
        self, *, mode: str = "immediate", hilum: str = "", state: Path | None = None, batch_every: float = 1.0,
        down_for: float = 0, refused_items: Iterable[str] = (), lose_every: int = 0,
    ) -> None:  # fmt: skip
        self._mode = mode
        self._hilum = hilum
        self._batch_every = batch_every
        self._down_for = down_for
        self._refused_items = frozenset(refused_items)
        self._lose_every = lose_every
        self._web = Web(self.handle)
        self._rules: dict[str, Rule] = {path: partial(self._heard, *said) for path, said in _HEARD.items()}
        self._rules["/requisitions"] = self._requisition
        self._background = Background()
        self.down = down_for > 0
        self.records = Records(state)
        self._answered: dict[str, Row] = {row["key"]: row for row in self._new_rows()}
        self.orders: dict[str, Json] = {
            order["number"]: order for row in self.records for order in row.get("orders", ())
        }
        self._numbers = (str(number) for number in itertools.count(_FIRST_ORDER + len(self.orders) + 1))

    @property
    def port(self) -> int:
        return self._web.port

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        await self._web.start(host, port)
        if self._down_for > 0:
            self._background.start(self._come_up())
        if self._mode == "batch":
            self._background.start(self._batches())

    async def stop(self) -> None:
        await self._web.stop()
        await self._background.stop()

    async def broken(self) -> None:
        await self._background.broken()

    async def _come_up(self) -> None:
        await asyncio.sleep(self._down_for)
        self.down = False

    # --- what is asked of it ---------------------------------------------------------------------------------------
    def handle(self, request: Request) -> Response | None:
        if request.path.startswith("/admin/"):
            return self._admin(request)
        rule = self._rules.get(request.path)
        if rule is None:
            return _json(404, {"code": "not_found", "message": "There is nothing here.", "pointer": ""})
        if request.method != "POST":
            return _json(405, {"code": "method", "message": "Only POST is allowed.", "pointer": ""})
        if self.down:
            self.records.add(did="unavailable", path=request.path)
            return _json(503, {"code": "unavailable", "message": "Closed for maintenance.", "pointer": ""})
        key, digest = request.headers.get("idempotency-key", ""), hashlib.sha256(request.body).hexdigest()
        if not key:
            return self._refuse(request, purchasing.Problem("no_key", "An Idempotency-Key is needed.", ""), 400)
        if key in self._answered:
            return self._again(self._answered[key], digest, request)
        body = _parsed(request.body)
        problem, effect = rule(body)
        if problem is not None:
            return self._refuse(request, problem, 422)
        row = self.records.add(**effect, key=key, digest=digest, path=request.path, body=body)
        self._answered[key] = row
        self.orders |= {order["number"]: order for order in row.get("orders", ())}
        if self._lose_every and len(self._answered) % self._lose_every == 0:
            self.records.add(did="lost", key=key)
            return None
        return _json(201, row["answer"])

    def _requisition(self, body: Any) -> tuple[purchasing.Problem | None, Row]:
        problem = purchasing.requisition_problem(body, self._refused_items)
        if problem is not None:
            return problem, {}
        at_once = self._mode == "immediate" and body.get("action", "new") == "new"
        made = purchasing.orders([body], self._numbers, combined=False) if at_once else []
        answer = {"requisition": body["number"], "purchase_orders": made}
        return None, {"did": "requisition", "number": body["number"], "orders": made, "answer": answer}

    def _heard(self, did: str, orders_of: OrdersOf, body: Any) -> tuple[purchasing.Problem | None, Row]:
        """What a supplier says: kept when all orders that it names are ours."""
        problem = purchasing.named_orders_problem(body, orders_of, self.orders)
        if problem is not None:
            return problem, {}
        named = [number for _, number in orders_of(body)]
        return None, {"did": did, "purchase_order": named[0] if named else "", "answer": None}

    def _again(self, row: Row, digest: str, request: Request) -> Response:
        same = row["digest"] == digest and row["path"] == request.path
        self.records.add(did="repeat" if same else "conflict", of=row["key"], path=request.path)
        if same:
            return _json(200, row["answer"])
        return _json(409, {"code": "key_reused", "message": "Another body was sent under this key.", "pointer": ""})

    def _refuse(self, request: Request, problem: purchasing.Problem, status: int) -> Response:
        self.records.add(did="refused", path=request.path, code=problem.code, pointer=problem.pointer)
        return _json(status, problem.body())

    def _admin(self, request: Request) -> Response:
        if request.peer not in _LOOPBACK:
            return Response(403)
        if (request.method, request.path) == ("GET", "/admin/stats"):
            return _json(200, self.stats())
        if (request.method, request.path) in {("POST", "/admin/down"), ("POST", "/admin/up")}:
            self.down = request.path == "/admin/down"
            return Response(204)
        return Response(404)

    # --- what it counts --------------------------------------------------------------------------------------------
    def stats(self) -> dict[str, int]:
        """Counts of what it did. doubled: effects that happened more than once, which must be 0."""
        done = Counter(row["did"] for row in self.records)
        return {
            "requisitions": len({row["number"] for row in self.records.where(did="requisition")}),
            "purchase_orders": len(self.orders),
            "order_acknowledgements": done["acknowledgement"],
            "ship_notices": done["ship_notice"],
            "invoices": done["invoice"],
            "price_catalogs": done["price_catalog"],
            "doubled": self._doubled(),
            "repeats": done["repeat"],
            "conflicts": done["conflict"],
            "refused": done["refused"],
            "unavailable": done["unavailable"],
            "lost_answers": done["lost"],
            "unposted_batches": len(self._unposted()),
        }

    def _doubled(self) -> int:
        """New requisitions under a number that was taken, and the same thing heard under two keys."""
        made = [row for row in self.records.where(did="requisition") if row["body"].get("action", "new") == "new"]
        heard = self.records.where(lambda row: row["did"] in _SAID)
        numbers, bodies = {row["number"] for row in made}, {row["digest"] for row in heard}
        return len(made) - len(numbers) + len(heard) - len(bodies)

    def _new_rows(self) -> list[Row]:
        return self.records.where(lambda row: row["did"] in {"requisition"} | _SAID)

    # --- batch mode ------------------------------------------------------------------------------------------------
    async def _batches(self) -> None:
        async with httpx.AsyncClient(base_url=self._hilum, timeout=10) as client:
            while True:
                await asyncio.sleep(self._batch_every)
                if not self.down:
                    self.make_batch()
                    for row in self._unposted():
                        await self._post(client, row)

    def make_batch(self) -> None:
        """Buy for every requisition not bought for yet; lines of several may share an order."""
        done = {number for row in self.records.where(did="batch") for number in row["requisitions"]}
        waiting = self.records.where(did="requisition")
        bodies = [
            row["body"] for row in waiting if row["number"] not in done and row["body"].get("action", "new") == "new"
        ]
        if not bodies:
            return
        made = purchasing.orders(bodies, self._numbers, combined=True)
        key = f"erp-batch-{len(self.records.where(did='batch')) + 1}"
        self.records.add(did="batch", key=key, requisitions=[body["number"] for body in bodies], orders=made)
        self.orders |= {order["number"]: order for order in made}

    def _unposted(self) -> list[Row]:
        posted = {row["key"] for row in self.records.where(did="posted")}
        return self.records.where(lambda row: bool(row["orders"]) and row["key"] not in posted, did="batch")

    async def _post(self, client: httpx.AsyncClient, row: Row) -> None:
        """One try; what fails is tried again with the next batch."""
        headers = {"Idempotency-Key": row["key"], "Content-Type": "application/json"}
        body = json.dumps({"purchase_orders": row["orders"]}).encode()
        with contextlib.suppress(httpx.TransportError):
            answer = await client.post("/purchase-orders", content=body, headers=headers)
            if answer.is_success:
                self.records.add(did="posted", key=row["key"], status=answer.status_code)


def _json(status: int, body: Any) -> Response:
    """A missing body stays missing: an acknowledgement's answer is its status alone."""
    return Response(status, b"" if body is None else json.dumps(body).encode())


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", default="127.0.0.1:8090", help="host:port; port 0 takes a free one")
    parser.add_argument("--mode", choices=["immediate", "batch"], default="immediate")
    parser.add_argument("--hilum", default="http://127.0.0.1:8080", help="where batch mode posts purchase orders")
    parser.add_argument("--batch-every", type=float, default=1.0, help="seconds between batches")
    parser.add_argument("--state", type=Path, help="JSON-lines file that survives a restart")
    parser.add_argument("--down-for", type=float, default=0, help="answer 503 for so many seconds from the start")
    parser.add_argument("--refuse-item", action="append", default=[], help="enterprise item number answered with 422")
    parser.add_argument("--lose-every", type=int, default=0, help="lose the answer of every nth new request")


async def run(options: argparse.Namespace, stop: asyncio.Event) -> int:
    erp = Erp(
        mode=options.mode, hilum=options.hilum, state=options.state, batch_every=options.batch_every,
        down_for=options.down_for, refused_items=options.refuse_item, lose_every=options.lose_every,
    )  # fmt: skip
    host, _, port = options.listen.rpartition(":")
    await erp.start(host, int(port))
    sys.stdout.write(f"listening {host}:{erp.port}\n")
    sys.stdout.flush()
    await first_of(stop.wait(), erp.broken())
    await erp.stop()
    return 0
