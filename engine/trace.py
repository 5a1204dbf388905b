"""Where is PO 4501? The whole thread of a business key or message, as data. The CLI and the page only draw it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.message import Message
from engine.store.records import Awaited, DeliveryRecord, ExceptionRecord, StoredDocument, Thread

if TYPE_CHECKING:
    from engine.store.contract import StoreReader

_OPEN = frozenset({"awaited", "overdue"})
_UNFINISHED = frozenset({"planned", "retrying", "held", "gathering"})
_REFUSED = frozenset({"dead", "replaced"})


async def trace(store: StoreReader, word: str, *, now: int, limit: int = 500) -> dict[str, Any]:
    """The story of a requisition, PO or control number, MSH-10 or message id.

    Shape: key, found_as, found, messages, documents, edges, deliveries, acknowledgements, exceptions, awaited (see
    docs/trace.md). Times are RFC 3339 UTC. `found` is empty when nothing goes by that name; `unprocessed` messages may
    yet name it. `truncated` tells that the thread is longer than `limit` messages.
    """
    left = unprocessed(await store.stats())  # first: what is processed meanwhile is then found
    found = await store.seqs(word)
    thread = await store.thread([seq for seq, _ in found], limit=limit) if found else Thread()
    return tell(thread, word, found, now, left)


def unprocessed(stats: Mapping[str, Any]) -> int:
    """Messages whose numbers are not known yet. What only waits for others to go with has been processed."""
    return max(0, int(stats["in_flight"]) - int(stats["deliveries"]["gathering"]))


def tell(thread: Thread, word: str, found: Sequence[tuple[int, str]], now: int, unprocessed: int = 0) -> dict[str, Any]:
    """A thread's rows as the documented data. Pure. found: (seq, what it was found as) of the messages word names.
    unprocessed: how many messages wait in the whole store, whose numbers are not known yet."""
    uids = {row.delivery.id: row.delivery.uid for row in thread.deliveries}
    refusals = {row.delivery: words for row in thread.exceptions if (words := _refusal(row))}
    control_ids: dict[int, dict[str, str]] = {}
    for seq, key in thread.keys:
        if key.kind in {"interchange", "group", "control"}:
            control_ids.setdefault(seq, {})[key.kind] = key.value
    return {
        "key": word,
        "found_as": sorted({what for _, what in found}),
        "found": [f"M{seq}" for seq in sorted(seq for seq, _ in found)],
        "messages": [_message(row, control_ids.get(row.seq, {})) for row in sorted(thread.messages, key=_when)],
        "documents": [_document(row) for row in thread.documents],
        "edges": _edges(thread),
        "deliveries": [_delivery(row, refusals.get(row.delivery.id)) for row in thread.deliveries],
        "acknowledgements": [_acknowledgement(row, uids) for row in thread.acknowledgements],
        "exceptions": [_exception(row, uids) for row in thread.exceptions],
        "awaited": _awaited(thread, now),
        "unprocessed": unprocessed,
        "truncated": thread.truncated,
    }


def instant(at: int) -> str | None:
    """Microseconds since the epoch as RFC 3339 UTC with milliseconds; None for never."""
    if not at:
        return None
    moment = dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _when(row: Message) -> tuple[int, int]:
    return row.at, row.seq


def _message(row: Message, control_ids: dict[str, str]) -> dict[str, Any]:
    if row.control_id and "control" not in control_ids and "interchange" not in control_ids:
        control_ids = {"control": row.control_id, **control_ids}
    return {
        "id": row.id,
        "at": instant(row.at),
        "direction": row.direction,
        "partner": row.partner,
        "channel": row.channel,
        "format": row.format,
        "type": row.type,
        "control_ids": control_ids,
        "state": row.state,
        "sha256": row.sha256.hex(),
        "size": row.size,
        "duplicate_of": f"M{row.duplicate_of}" if row.duplicate_of is not None else None,
        "site": row.site,
        "warnings": list(row.warnings),
    }


def _document(row: StoredDocument) -> dict[str, Any]:
    return {
        "id": row.name,
        "type": row.type,
        "number": row.number,
        "message": f"M{row.message}",
        "place": row.place,
        "summary": row.summary,
    }


def _edges(thread: Thread) -> list[dict[str, str]]:
    edges = [{"from": f"M{row.message}", "to": row.name, "kind": "mapped"} for row in thread.documents]
    edges += [
        {"from": f"D{row.document}", "to": f"M{row.delivery.message}", "kind": "rendered"}
        for row in thread.deliveries
        if row.document is not None
    ]
    edges += [{"from": f"M{row.source}", "to": f"M{row.target}", "kind": row.kind} for row in thread.edges]
    return edges


def _refusal(row: ExceptionRecord) -> dict[str, str]:
    """The receiver's own words about what it refused, as far as it gave any."""
    if row.delivery is None or "cause" not in row.context:
        return {}
    return {name: row.context[name] for name in ("status", "code", "message", "pointer") if name in row.context}


def _delivery(row: DeliveryRecord, refusal: dict[str, str] | None) -> dict[str, Any]:
    delivery = row.delivery
    return {
        "id": delivery.uid,
        "message": f"M{delivery.message}",
        "document": f"D{row.document}" if row.document is not None else None,
        "destination": delivery.destination,
        "connection": delivery.connection,
        "type": delivery.type,
        "state": delivery.state,
        "possible_duplicate": delivery.possible_duplicate,
        "created": instant(delivery.created_at),
        "attempts": [
            {"at": instant(at.started), "ms": at.ms, "outcome": at.outcome, "code": at.code, "text": at.text}
            for at in row.attempts
        ],
        "refusal": refusal if delivery.state in _REFUSED else None,
    }


def _acknowledgement(row: Awaited, uids: Mapping[int, str]) -> dict[str, Any]:
    settled = row.settled_at or 0
    return {
        "delivery": uids.get(row.delivery),
        "message": f"M{row.message}",
        "kind": row.kind,
        "of": row.ref,
        "state": row.state,
        "code": row.code,
        "by": f"M{row.by}" if row.by is not None else None,
        "due": instant(row.due_at),
        "at": instant(settled),
        "after_ms": (settled - row.created_at) // 1000 if settled and row.created_at else None,
    }


def _exception(row: ExceptionRecord, uids: Mapping[int, str]) -> dict[str, Any]:
    told = row.as_data() | {"delivery": uids.get(row.delivery or 0)}
    return told | {"opened": instant(row.opened_at), "resolved": instant(row.resolved_at or 0)}


def _awaited(thread: Thread, now: int) -> list[dict[str, Any]]:
    """What has not happened yet and should: acknowledgements, and deliveries still on their way."""
    missing: list[dict[str, Any]] = [
        {
            "what": row.kind,
            "from": row.partner,
            "for": row.ref,
            "message": f"M{row.message}",
            "due": instant(row.due_at),
            "overdue": bool(row.due_at and row.due_at < now),
        }
        for row in thread.acknowledgements
        if row.state in _OPEN
    ]
    missing += [
        {
            "what": f"delivery of {row.delivery.type}",
            "from": row.delivery.destination,
            "for": f"M{row.delivery.message}",
            "message": f"M{row.delivery.message}",
            "due": None,
            "overdue": False,
        }
        for row in thread.deliveries
        if row.delivery.state in _UNFINISHED
    ]  # fmt: skip
    missing += [
        {"what": "processing", "from": "hilum", "for": row.id, "message": row.id, "due": None, "overdue": False}
        for row in thread.messages
        if row.direction == "in" and row.state == "received"
    ]
    return missing
