"""What can be asked of the store: plain functions from a connection to records. They run in reader threads."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from engine.errors import Unavailable
from engine.message import Delivery, Message
from engine.store import arrivals
from engine.store.records import (
    AttemptRecord,
    Awaited,
    AwaitedNeed,
    DeliveryRecord,
    DocumentNeed,
    ExceptionRecord,
    KnownDocument,
    Missed,
    Page,
    Search,
    StoredDocument,
    Waiting,
)
from engine.store.sql import CHUNK, CHUNKS, queries

Row = tuple[Any, ...]


def rows(con: sqlite3.Connection, name: str, values: Any = ()) -> list[Row]:
    return con.execute(queries()[name], values).fetchall()


def ids(values: Iterable[int]) -> tuple[str]:
    """A set of ids as the one parameter of a query."""
    return (json.dumps(list(values)),)


@contextmanager
def moment(con: sqlite3.Connection) -> Iterator[None]:
    """All that is read within is of one moment."""
    con.execute("BEGIN")
    try:
        yield
    finally:
        con.execute("COMMIT")


# --- records from rows ---
def message(row: Row, body: bytes = b"") -> Message:
    """From a row of message_facts or arrived, whose digest is hex."""
    (seq, direction, channel, partner, format, type, control_id, sender, at, size, sha256, state, duplicate_of, site,
     warnings, _lane, _priority) = row  # fmt: skip
    digest = bytes.fromhex(sha256) if isinstance(sha256, str) else sha256
    return Message(seq, direction, channel, partner, format, type, control_id, sender, at, size, digest, body, state,
                   duplicate_of, site, tuple(json.loads(warnings)) if warnings else ())  # fmt: skip


def delivery(row: Row) -> Delivery:
    id, uid, seq, destination, connection, type, lane, state, attempts, created_at, doubtful, options = row[:12]
    return Delivery(id, uid, seq, destination, connection, type, lane, state, attempts, created_at, bool(doubtful),
                    json.loads(options) if options else {})  # fmt: skip


def exception(row: Row) -> ExceptionRecord:
    id, code, text, place, context, state, seq, delivery, opened_at, resolved_at, reason = row
    return ExceptionRecord(
        id, code, text, place, json.loads(context), state, seq, delivery, opened_at, resolved_at, reason
    )


# --- messages ---
def messages(con: sqlite3.Connection, seqs: Iterable[int]) -> list[Message]:
    """In the order of their seqs. Arrivals are read first: what is filed meanwhile is found behind them."""
    wanted = ids(seqs)
    found = _arrived(con, wanted)
    found.update({row[0]: message(row) for row in rows(con, "messages_by_seq", wanted)})
    return [found[seq] for seq in sorted(found)]


def _arrived(con: sqlite3.Connection, wanted: tuple[str]) -> dict[int, Message]:
    """Those that have no row of their own, taken out of the rows they share: by Python, which needs a tenth of the
    time that SQLite needs to take every fact out of a JSON text by itself."""
    texts = rows(con, "arrivals_near", wanted)
    if not texts:
        return {}
    sites: dict[int, str] = dict(con.execute(queries()["site_versions"]))
    seqs = set(json.loads(*wanted))
    try:
        known = [facts for (text,) in texts for facts in json.loads(text) if facts[0] in seqs]
        return {facts[0]: message(arrivals.as_row(facts, sites)) for facts in known}
    except (ValueError, TypeError, LookupError) as error:
        hint = "restore the store from a backup; the bytes of the messages are not in that row"
        raise Unavailable("store.read", "a row of received messages has been altered", hint=hint) from error


def get(con: sqlite3.Connection, seq: int) -> Message | None:
    found = messages(con, [seq])
    return found[0] if found else None


def body(con: sqlite3.Connection, seq: int) -> bytes:
    """Raises KeyError for an unknown message, Unavailable (`store.corrupt`) for altered bytes."""
    chunks: list[bytes] = []
    _check(con, seq, chunks.append)
    return b"".join(chunks)


def window(con: sqlite3.Connection, seq: int, start: int, length: int) -> bytes:
    """Raises as `body` does; what does not start at 0 has been checked with what did."""
    if not start:
        _check(con, seq, lambda _: None)
    first = start // CHUNK
    with closing(_chunks(con, seq, first, (start + length - 1) // CHUNK)) as chunks:
        whole = b"".join([chunk for (chunk,) in chunks])
    return whole[start - first * CHUNK :][:length]


def _check(con: sqlite3.Connection, seq: int, keep: Callable[[bytes], object]) -> None:
    """Every chunk of a body through `keep`, one at a time."""
    known = get(con, seq)
    if known is None:
        raise KeyError(f"M{seq}")
    import hashlib  # not above: most looking asks for no body, and OpenSSL takes long to load

    digest = hashlib.sha256()
    try:
        with closing(_chunks(con, seq, 0, CHUNKS - 1)) as chunks:
            for (chunk,) in chunks:
                digest.update(chunk)
                keep(chunk)
    except sqlite3.DatabaseError as error:
        raise corrupt(seq) from error
    if digest.digest() != known.sha256:
        raise corrupt(seq)


def _chunks(con: sqlite3.Connection, seq: int, first: int, last: int) -> sqlite3.Cursor:
    return con.execute(queries()["body_chunks"], {"first": seq * CHUNKS + first, "last": seq * CHUNKS + last})


def corrupt(seq: int) -> Unavailable:
    return Unavailable(
        "store.corrupt",
        f"the bytes of M{seq} are not those that were stored",
        hint="restore the store from a backup; nothing altered is ever served",
    )


# --- finding ---
def find(con: sqlite3.Connection, search: Search) -> Page:
    values = {
        "key": search.key, "kind": search.kind, "partner": search.partner, "channel": search.channel,
        "type": search.type, "state": search.state, "direction": search.direction, "since": search.since,
        "until": search.until,
        "before": int(search.cursor) if search.cursor else 1 << 62, "limit": search.limit + 1,
        "quoted": quoted(search.key),
    }  # fmt: skip
    with moment(con):
        if search.key:
            found = rows(con, "find_by_key", values) + rows(con, "find_arrived_by_key", values)
        else:
            found = rows(con, "find", values) + _newest_arrived(con, values)
    found.sort(reverse=True)
    shown = [message(row) for row in found[: search.limit]]
    return Page(tuple(shown), str(shown[-1].seq) if len(found) > search.limit else "")


def _newest_arrived(con: sqlite3.Connection, values: dict[str, Any]) -> list[Row]:
    """Block by block, each to its end: only the blocks come newest first."""
    found, block = list[Row](), 0
    with closing(con.execute(queries()["find_arrived"], values)) as cursor:
        for first, *row in cursor:
            if first != block and len(found) >= values["limit"]:
                break
            block = first
            found.append(tuple(row))
    return found


def quoted(text: str) -> str:
    """A text as `arrivals.facts` has it: a row that does not hold this need not be taken apart to look for it."""
    return json.dumps(text, ensure_ascii=False)


def seqs(con: sqlite3.Connection, word: str, limit: int) -> list[tuple[int, str]]:
    """By message id, delivery uid, any key, control id; each message once, as what it was found first."""
    found: dict[int, str] = {}
    if word[:1] in {"M", "m"} and word[1:].isdecimal() and len(word) < 19 and get(con, int(word[1:])):
        found[int(word[1:])] = "message"
    for (seq,) in rows(con, "seq_by_uid", (word,)):
        found.setdefault(seq, "delivery")
    values = {"word": word, "limit": limit}
    for seq, kind in rows(con, "seqs_by_key", values):
        found.setdefault(seq, kind)
    for (seq,) in rows(con, "seqs_by_control_id", values | {"quoted": quoted(word)}):
        found.setdefault(seq, "control")
    return list(found.items())[:limit]


# --- documents, deliveries, acknowledgements, exceptions ---
def documents(con: sqlite3.Connection, wanted: Iterable[int]) -> list[StoredDocument]:
    return [StoredDocument(*row) for row in rows(con, "documents_by_id", ids(wanted))]


def deliveries(con: sqlite3.Connection, name: str, wanted: Iterable[int]) -> list[DeliveryRecord]:
    """name: the query: deliveries_by_id or deliveries_by_message."""
    found = rows(con, name, ids(wanted))
    attempts: defaultdict[int, list[AttemptRecord]] = defaultdict(list)
    for row in rows(con, "attempts_of", ids(row[0] for row in found)):
        attempts[row[0]].append(AttemptRecord(*row))
    return [DeliveryRecord(delivery(row), row[12], tuple(attempts[row[0]]), row[13]) for row in found]


def gathering(con: sqlite3.Connection, lane: str, limit: int) -> list[Waiting]:
    return [Waiting(*row) for row in rows(con, "gathering", {"lane": lane, "limit": limit})]


def delivery_record(con: sqlite3.Connection, ref: int | str) -> DeliveryRecord | None:
    known = [id for (id,) in rows(con, "delivery_by_uid", (ref,))] if isinstance(ref, str) else [ref]
    found = deliveries(con, "deliveries_by_id", known)
    return found[0] if found else None


def facts(con: sqlite3.Connection, needs: Sequence[AwaitedNeed]) -> list[tuple[Awaited, ...]]:
    asked = json.dumps([tuple(need) for need in needs])
    found: list[list[Awaited]] = [[] for _ in needs]
    for position, *row in rows(con, "acknowledgements_spoken_of", {"needs": asked}):
        found[position].append(Awaited(*row))
    return [tuple(spoken) for spoken in found]


def known(con: sqlite3.Connection, needs: Sequence[DocumentNeed]) -> list[tuple[KnownDocument, ...]]:
    asked = json.dumps([tuple(need) for need in needs])
    found: list[list[KnownDocument]] = [[] for _ in needs]
    for position, *row in rows(con, "documents_spoken_of", {"needs": asked}):
        found[position].append(KnownDocument(*row))
    return [tuple(documents) for documents in found]


def awaited(con: sqlite3.Connection, overdue_at: int, partner: str, limit: int, wanted: Sequence[int]) -> list[Awaited]:
    if wanted:
        return [Awaited(*row) for row in rows(con, "acknowledgements_by_id", ids(wanted))]
    values = {"overdue_at": overdue_at, "partner": partner, "limit": limit}
    return [Awaited(*row) for row in rows(con, "awaited", values)]


def acknowledgements(con: sqlite3.Connection, deliveries: Iterable[int]) -> list[Awaited]:
    return [Awaited(*row) for row in rows(con, "acknowledgements_of", ids(deliveries))]


def missed(con: sqlite3.Connection, partner: str) -> list[Missed]:
    return [Missed(*row) for row in rows(con, "missed", {"partner": partner})]


def exceptions(
    con: sqlite3.Connection, state: str, wanted: Sequence[int], limit: int, before: int
) -> list[ExceptionRecord]:
    """Newest first. state: open, resolved, or empty for both; ignored when ids are given."""
    if wanted:
        return [exception(row) for row in rows(con, "exceptions_by_id", ids(wanted))]
    values: dict[str, Any] = {"before": before or 1 << 62, "limit": limit}
    if state == "open":
        return [exception(row) for row in rows(con, "exceptions_open", values)]
    return [exception(row) for row in rows(con, "exceptions_any", values | {"state": state})]


# --- the rest ---
def site(con: sqlite3.Connection, version: str) -> bytes | None:
    found = rows(con, "site", (version,))
    return found[0][0] if found else None


STATES = ("planned", "retrying", "delivered", "dead", "held", "replaced", "gathering")
TALLIES = (
    "received",
    "duplicate",
    "processed",
    "filtered",
    "exception",
    "in_flight",
    "exceptions_open",
    "awaited",
    "overdue",
)


def stats(con: sqlite3.Connection) -> dict[str, Any]:
    """Counters as of the last commit: inbound messages by state, deliveries by state, and the size of the file."""
    counts = {name: value for kind, name, value in rows(con, "counters") if kind == "tally"}
    pages = con.execute("PRAGMA page_count").fetchone()[0] * con.execute("PRAGMA page_size").fetchone()[0]
    kept: dict[str, Any] = {name: counts.get(name, 0) for name in TALLIES}
    kept["deliveries"] = {state: counts.get(f"deliveries_{state}", 0) for state in STATES}
    return kept | {"bytes": counts.get("bytes", 0), "size": pages}


def ledger(con: sqlite3.Connection) -> dict[str, int]:
    """`received` was counted when each message was stored; the others are counted now."""
    fates = dict.fromkeys(("duplicate", "exception", "in_flight", "filtered", "delivered"), 0)
    return fates | dict(rows(con, "ledger"))
