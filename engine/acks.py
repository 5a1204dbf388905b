"""The ledger of acknowledgements: what each partner still owes us, by when, and how far what was sent has come.

A message goes by stages: handed over (its receiver has the bytes), network accepted (a hub's TA1), acknowledged (a 997:
it could be read), answered (an 855: it was acted upon). Functions that return data; what is awaited is the store's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

from engine.store.contract import StoreReader
from engine.store.records import Awaited

STAGES: Final = ("handed over", "network accepted", "acknowledged", "answered")
_FIRST: Final = {"TA1": 1, "997": 2, "999": 2}  # every other kind is an answer


def stage(kind: str) -> str:
    """What an acknowledgement of a kind brings a message to."""
    return STAGES[_FIRST.get(kind, 3)]


def reached(settled: Iterable[Awaited]) -> str:
    """How far a message has come that its receiver has: by what came for it, in whatever order. An answer may say no;
    what says that it could not be read brings it no further."""
    came = [stage(row.kind) for row in settled if row.state == "positive" or _is_no(row)]
    return max(came, key=STAGES.index, default=STAGES[0])


def _is_no(row: Awaited) -> bool:
    return row.state == "negative" and row.kind not in _FIRST


async def ledger(
    store: StoreReader, *, now: int, overdue: bool = False, partner: str = "", limit: int = 100
) -> list[dict[str, Any]]:
    """What is awaited, the earliest due first. now: us."""
    rows = await store.awaited(overdue_at=now if overdue else 0, partner=partner, limit=limit)
    settled: dict[int, list[Awaited]] = {}
    for one in await store.acknowledgements([row.delivery for row in rows]):
        settled.setdefault(one.delivery, []).append(one)
    return [await _told(store, row, settled[row.delivery], now) for row in rows]


async def _told(store: StoreReader, row: Awaited, settled: Iterable[Awaited], now: int) -> dict[str, Any]:
    record = await store.delivery(row.delivery)
    documents = await store.documents([record.document]) if record and record.document else []
    return {
        "partner": row.partner,
        "kind": row.kind,
        "of": row.ref,
        "state": row.state,
        "due": _instant(row.due_at),
        "message": f"M{row.message}",
        "sent": record.delivery.type if record else "",
        "number": documents[0].number if documents else "",
        "stage": stage(row.kind),
        "reached": reached(settled),
        "late": -min(0, (row.due_at - now) // 1_000_000),  # a second that has begun counts
    }


def _instant(at: int) -> str:
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
