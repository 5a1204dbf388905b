"""Invented messages, outcomes and small steps for the tests of the store; and a filler that makes long histories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.message import Key, Slot
from engine.plugin import TemplateKey
from engine.store.contract import (
    Attempt,
    Committed,
    Expectation,
    Incoming,
    NewDocument,
    NewException,
    NewMessage,
    Outcome,
    Settle,
    Store,
    Work,
)

HOUR = 3_600_000_000
ISA = Slot("isa:acme_surgical", 9)
GS = Slot("gs:acme_surgical")


class Clock:
    """Time that moves when told to; microseconds."""

    def __init__(self, now: int = 1_800_000_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_by(self, microseconds: int) -> None:
        self.now += microseconds


def incoming(number: int, *, sender: str = "WARD|7", **other: Any) -> Incoming:
    control = f"CTL{number:06}"
    told: dict[str, Any] = {
        "raw": b"MSH|^~\\&|WARD|7|||20261121||OMS^O05|%b|P|2.5.1\r" % control.encode(),
        "channel": "ehr_mllp",
        "partner": "ehr",
        "format": "hl7v2",
        "type": "OMS^O05",
        "control_id": control,
        "sender": sender,
        "dedup": f"{control}\x1f{sender}",
        "keys": (Key("control", control, sender),),
        "lane": f"ehr_mllp/{sender}",
        "site": "site-one",
    }
    return Incoming(**(told | other))


def order(number: int, **other: Any) -> NewMessage:
    """An 850 with control numbers to be allocated, and a 997 and an 855 expected."""
    po = f"PO-{number}"
    told: dict[str, Any] = {
        "uid": f"uid-{number}",
        "body": (b"ISA*", ISA, b"~GS*PO*", GS, b"~BEG*", po.encode(), b"~IEA*1*", ISA, b"~"),
        "destination": "acme_surgical",
        "connection": "acme_surgical",
        "channel": "acme_surgical",
        "format": "x12",
        "type": "850",
        "lane": f"acme_surgical/{po}",
        "control_id": (ISA,),
        "keys": (TemplateKey("interchange", (ISA,), "acme_surgical"), TemplateKey("purchase_order", (po.encode(),))),
        "document": 0,
        "options": {"file": "850"},
        "expect": (
            Expectation("997", (b"PO/", GS, b"/0001"), 4 * HOUR),
            Expectation("855", (po.encode(),), 24 * HOUR),
        ),
    }
    return NewMessage(**(told | other))


def processed(work: Work, *numbers: int, **other: Any) -> Outcome:
    """A requisition that became so many orders."""
    told: dict[str, Any] = {
        "state": "processed",
        "documents": tuple(
            NewDocument("purchase_order", f"PO-{n}", f"order {n}", '{"number": 1}', f"ORDER[{n}]") for n in numbers
        ),
        "messages": tuple(order(n, document=position) for position, n in enumerate(numbers)),
        "keys": (Key("requisition", f"REQ-{work.subject}"),),
        "site": "site-two",
    }
    return Outcome(work, **(told | other))


def delivered(work: Work, **other: Any) -> Outcome:
    return Outcome(work, attempt=Attempt(1, 12, "delivered", "written"), **other)


def failed(work: Work, at: int, outcome: str = "transient") -> Outcome:
    return Outcome(work, status="retry", at=at, attempt=Attempt(1, 30, outcome, "http.503", "try later"))


def dead(work: Work) -> Outcome:
    trouble = NewException("delivery.rejected", "the receiver said no", "PO1[1]", {"partner": "acme_surgical"})
    return Outcome(work, status="dead", attempt=Attempt(1, 30, "permanent", "http.422"), exceptions=(trouble,))


def settled(work: Work, awaited: int, state: str, was: str = "awaited", code: str = "A") -> Outcome:
    return Outcome(work, state="processed", settles=(Settle(awaited, state, was, code),))


async def claim(store: Store, kind: str, limit: int = 100, wait: float = 0.0) -> list[Work]:
    return [work for _, works in await store.pull(kind, limit, wait) for work in works]


async def commit(store: Store, *outcomes: Outcome) -> list[Committed]:
    return await store.commit(outcomes)


async def accept_orders(store: Store, *numbers: int) -> list[Work]:
    """One message each, processed to one order each; the deliveries, claimed."""
    rows = await store.append([incoming(number) for number in numbers])
    made = {row.seq: number for row, number in zip(rows, numbers, strict=True)}
    while works := await claim(store, "process"):
        await commit(store, *[processed(work, made[work.subject]) for work in works])
    return await claim(store, "deliver")


def lanes(pulled: Sequence[tuple[str, Sequence[Work]]]) -> dict[str, list[int]]:
    return {lane: [work.subject for work in works] for lane, works in pulled}


def conserved(ledger: dict[str, int]) -> bool:
    return ledger["received"] == sum(count for fate, count in ledger.items() if fate != "received")


async def fill(store: Store, messages: int, *, batch: int = 500) -> None:
    """A history of requisitions, each with one delivered order, of so many messages; public calls only."""
    for first in range(0, messages // 2, batch):
        await store.append([incoming(n) for n in range(first, first + batch)])
        while works := await claim(store, "process", batch):
            await store.commit([processed(work, work.subject) for work in works])
        while works := await claim(store, "deliver", batch):
            await store.commit([delivered(work) for work in works])
