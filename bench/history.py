"""How long one order's story takes to find among a million messages. `python -m bench.history`

Fills a store through its public contract alone with whole threads, eight messages each, as the daemon would:
requisition in, to the ERP, its answer, 850 out, 997 and 855 in, the answer to the ERP, our 997 out. Then traces one
order from the middle as a library call, and as the command beside a bare interpreter start. Bounded, and removed.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from bench.messages import feed
from bench.processes import ROOT, BenchError, environment, filesystem, workplace
from canonical import DOCUMENTS, Document
from engine.message import Key
from engine.plugin import TemplateKey
from engine.store.contract import (
    Attempt,
    Committed,
    Expectation,
    Incoming,
    NewDocument,
    NewMessage,
    Outcome,
    Settle,
    Store,
    Work,
)
from engine.store.records import AwaitedNeed
from engine.store.sqlite import SqliteStore
from engine.trace import trace

PER_THREAD = 8
BATCH = 2_000  # threads that go through the house together
SUPPLIER = "acme_surgical"
DAY = 86_400_000_000
LIBRARY_MS, COMMAND_STARTS = 30.0, 4.0  # what is promised
_MOMENT = dt.datetime(2026, 11, 21, 15, tzinfo=dt.UTC)


# --- the documents and bytes of thread n -----------------------------------------------------------------------------
def requisition_number(n: int) -> str:
    return f"RQ-{n:07d}"


def order_number(n: int) -> str:
    return f"PO-{n:07d}"


def _lines(n: int) -> list[dict[str, object]]:
    item = {"ids": [{"scheme": "buyer_part", "value": "NH-10003"}], "description": "Exam glove, nitrile, large"}
    quantity = {"value": Decimal(n % 40 + 1), "unit": "BX"}
    return [{"number": "1", "item": item, "quantity": quantity}]


def document(kind: str, n: int) -> Document:
    fields: dict[str, dict[str, object]] = {
        "requisition": {"number": requisition_number(n), "requested_at": _MOMENT, "lines": _lines(n)},
        "purchase_order": {
            "number": order_number(n), "requisition": requisition_number(n), "supplier": SUPPLIER, "currency": "USD",
            "lines": _lines(n),
        },
        "order_acknowledgement": {"purchase_order": order_number(n), "status": "accepted"},
    }  # fmt: skip
    return DOCUMENTS[kind].from_fields(fields[kind])


def _body(kind: str, n: int) -> bytes:
    """Bytes of the size such messages have; the store never looks into them."""
    size = {"850": 700, "855": 600, "997": 300}.get(kind, 800)
    return f"{kind}|{n:07d}|".encode().ljust(size, b".")


def _received(kind: str, n: int, *, partner: str, channel: str, format: str) -> Incoming:
    return Incoming(
        raw=_body(kind, n), channel=channel, partner=partner, format=format, type=kind, control_id=f"{kind}{n:07d}",
        sender=partner, dedup=f"{kind}/{n}", keys=(Key("interchange", f"{kind}{n:07d}", partner),),
        lane=f"{channel}/{n}",
    )  # fmt: skip


# --- what the daemon would decide ------------------------------------------------------------------------------------
def _number(work: Work) -> int:
    """The thread a message belongs to, from its control id."""
    return int(work.message.control_id[-7:])


def _sent(kind: str, n: int, *, to: str, document: int | None, expect: Sequence[str] = ()) -> NewMessage:
    keys = [TemplateKey("interchange", (f"{kind}{n:07d}".encode(),), f"to {to}")] if to == SUPPLIER else []
    own = TemplateKey("purchase_order", (order_number(n).encode(),))
    if kind != "requisition":
        keys.append(own)
    return NewMessage(
        uid=f"{kind}-{n:07d}", body=(_body(kind, n),), destination=to, connection=to, channel=to,
        format="x12" if to == SUPPLIER else "json", type=kind, lane=f"{to}/{kind}:{n}",
        control_id=(f"{kind}{n:07d}".encode(),), keys=tuple(keys), document=document,
        expect=tuple(Expectation(what, (order_number(n).encode(),), DAY) for what in expect),
    )  # fmt: skip


def _mapped(work: Work, kind: str, n: int, *messages: NewMessage) -> Outcome:
    made = document(kind, n)
    return Outcome(
        work, state="processed", messages=messages,
        documents=(NewDocument(kind, made.reference, made.summary(), made.to_json()),),
        keys=tuple(Key(*pair) for pair in made.business_keys()), site="bench",
    )  # fmt: skip


async def process(store: Store, works: Sequence[Work]) -> list[Outcome]:
    """Outcomes of received messages by their type; answers settle what is awaited."""
    answers = [work for work in works if work.message.type in {"997", "855"}]
    needs = [AwaitedNeed(SUPPLIER, work.message.type, order_number(_number(work))) for work in answers]
    awaited = dict(zip(needs, await store.facts(needs), strict=True)) if needs else {}
    outcomes = []
    for work in works:
        kind, n = work.message.type, _number(work)
        rows = awaited.get(AwaitedNeed(SUPPLIER, kind, order_number(n)), ())
        settles = tuple(Settle(row.id, "positive", row.state, "A") for row in rows)
        edges = tuple((work.subject, row.message, "acknowledges") for row in rows)
        if kind == "OMS^O05":
            outcomes.append(_mapped(work, "requisition", n, _sent("requisition", n, to="erp", document=0)))
        elif kind == "purchase_orders":
            order = _sent("850", n, to=SUPPLIER, document=0, expect=("997", "855"))
            outcomes.append(_mapped(work, "purchase_order", n, order))
        elif kind == "997":
            outcomes.append(Outcome(work, state="processed", settles=settles, edges=edges, site="bench"))
        else:
            answer = _sent("order_acknowledgement", n, to="erp", document=0)
            mapped = _mapped(work, "order_acknowledgement", n, answer, _sent("997", n, to=SUPPLIER, document=None))
            outcomes.append(mapped._replace(settles=settles, edges=edges))
    return outcomes


def deliver(work: Work) -> Outcome:
    """Everything arrives at the first try; the ERP answers a requisition with its orders."""
    reply = None
    if work.message.type == "requisition":
        n = _number(work)
        reply = Incoming(
            raw=_body("purchase_orders", n), channel="erp", partner="erp", format="json", type="purchase_orders",
            control_id=f"reply-{n:07d}", sender="erp", lane=f"erp/{n}",
        )  # fmt: skip
    return Outcome(work, attempt=Attempt(work.due_at, 12, "delivered", "201"), reply=reply, site="bench")


# --- filling ---------------------------------------------------------------------------------------------------------
async def fill(store: Store, messages: int) -> int:
    """Threads of eight until there are as many messages. Returns how many threads."""
    threads = max(1, messages // PER_THREAD)
    began = time.monotonic()
    for first in range(0, threads, BATCH):
        numbers = range(first, min(first + BATCH, threads))
        await _append(store, (_requisition(n) for n in numbers))
        await _settle_all(store)
        await _append(store, (_received("997", n, partner=SUPPLIER, channel=SUPPLIER, format="x12") for n in numbers))
        await _append(store, (_received("855", n, partner=SUPPLIER, channel=SUPPLIER, format="x12") for n in numbers))
        await _settle_all(store)
        done = (numbers[-1] + 1) * PER_THREAD
        rate = done / (time.monotonic() - began)
        print(f"\r{done:,} of {messages:,} messages, {rate:,.0f}/s ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return threads


def _requisition(n: int) -> Incoming:
    source = feed("H", n % 1000)
    return Incoming(
        raw=source.frame(source.number(n)), channel="ehr_mllp", partner="ehr", format="hl7v2", type="OMS^O05",
        control_id=f"H-{n:07d}", sender=f"BENCH{n % 1000:03d}|HARBOR", dedup=f"H/{n}",
        keys=(Key("control", f"H-{n:07d}"),), site="bench", lane=f"ehr_mllp/{n}",
    )  # fmt: skip


async def _append(store: Store, arriving: Iterable[Incoming]) -> None:
    await store.append(list(arriving))


async def _settle_all(store: Store) -> None:
    """Process and deliver until nothing is due; bounded by what one batch can lead to."""
    for _ in range(BATCH * PER_THREAD):
        works = await _claim(store, "process")
        if works:
            _kept(await store.commit(await process(store, works)))
        sendings = await _claim(store, "deliver")
        if sendings:
            _kept(await store.commit([deliver(work) for work in sendings]))
        if not works and not sendings:
            return
    raise BenchError("the store gives the same work again and again")


async def _claim(store: Store, kind: str) -> list[Work]:
    return [work for _, works in await store.pull(kind, BATCH * 2) for work in works]


def _kept(results: Sequence[Committed]) -> None:
    if any(result.status != "done" for result in results):
        raise BenchError("the store refused an outcome of a history nobody else writes")


# --- timing ----------------------------------------------------------------------------------------------------------
async def time_library(path: Path, word: str, times: int) -> tuple[float, float, int]:
    """(first call, median of the others, messages found), in ms, on a freshly opened store."""
    async with opened(path) as store:
        taken = []
        for _ in range(times + 1):
            began = time.perf_counter()
            told = await trace(store, word, now=time.time_ns() // 1000)
            taken.append((time.perf_counter() - began) * 1000)
        if not told["found"]:
            raise BenchError(f"the trace did not find {word}")
        return taken[0], statistics.median(taken[1:]), len(told["messages"])


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    store = SqliteStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def time_command(home: Path, word: str, times: int) -> tuple[float, float]:
    """(median of the whole command, median of its ratio to a bare start next to it); seconds."""
    script = Path(sys.executable).with_name("hilum")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "engine.cli"]
    pairs = []
    for _ in range(times):
        bare = _timed([sys.executable, "-c", "pass"], home)
        pairs.append((_timed([*command, "trace", word, "--json"], home, word), bare))
    return statistics.median(own for own, _ in pairs), statistics.median(own / bare for own, bare in pairs)


def _timed(command: Sequence[str], home: Path, expect: str = "") -> float:
    env = environment({"HILUM_HOME": str(home)})
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, timeout=120, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise BenchError(f"{command[-3:]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    if expect and json.loads(done.stdout)["key"] != expect:
        raise BenchError("the command told of something else")
    return took


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=20, help="library calls timed")
    options.add_argument("--commands", type=int, default=9, help="whole commands timed")
    chosen = options.parse_args()
    with workplace() as home:
        path = home / "store.db"
        print(f"disk: {filesystem(home)} at {home.parent}", file=sys.stderr)
        threads = asyncio.run(_fill(path, chosen.messages))
        word = order_number(threads // 2)
        first, usual, found = asyncio.run(time_library(path, word, chosen.times))
        whole, starts = time_command(home, word, chosen.commands)
        size = sum(file.stat().st_size for file in home.iterdir()) / 1e9
    print(f"{threads * PER_THREAD:,} messages in {size:.1f} GB; the thread of {word}: {found} messages")
    told = f"{usual:.1f} ms, the first {first:.1f} ms"
    print(f"library call:  {told} (promised: at most {LIBRARY_MS:.0f} ms): {_met(usual <= LIBRARY_MS)}")
    told = f"{whole * 1000:.0f} ms, {starts:.1f} bare interpreter starts"
    print(f"whole command: {told} (promised: at most {COMMAND_STARTS:.0f}): {_met(starts <= COMMAND_STARTS)}")
    return 0


async def _fill(path: Path, messages: int) -> int:
    async with opened(path) as store:
        return await fill(store, messages)


def _met(good: bool) -> str:
    return "met" if good else "missed"


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except BenchError as failure:
        raise SystemExit(str(failure)) from failure
