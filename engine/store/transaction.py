"""One transaction of the store: what it knows, the rows it gathers, and what it changes in memory once it is durable.

Rows are gathered by statement and written together by `flush`, so that a hundred messages cost as many statements as
one. Nothing here commits.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.message import Message
from engine.store import arrivals
from engine.store.arrivals import Arrival, Arrivals
from engine.store.contract import NewException, Work
from engine.store.lanes import Item
from engine.store.sql import CHUNK, CHUNKS, queries, write

# The order rows are written in; updates come after inserts, since an outcome may touch what another has just made.
ORDER = (
    "add_sites", "add_arrivals", "add_messages", "add_bodies", "add_keys", "add_edges", "add_documents",
    "add_deliveries", "add_acknowledgements", "add_exceptions", "add_work", "add_attempts", "add_audit",
    "set_message_states", "set_delivery_states", "settle_acknowledgements", "check_acknowledgements", "postpone_work",
    "step_work",
)  # fmt: skip
LARGEST_CONTROL_NUMBER = 999_999_999  # ISA13 and GS06 have nine digits; the next one is 1


@dataclass(slots=True)
class Memory:
    """What the writer knows without asking: last ids, counters, site numbers and what is not filed, as of the last
    commit."""

    ids: dict[str, int]
    counters: dict[tuple[str, str], int]
    sites: dict[str, int]
    arrivals: Arrivals


@dataclass(slots=True)
class Effects:
    """What the process changes in memory when the transaction is durable."""

    added: defaultdict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))  # by kind, ids ascending
    done: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  # ids, by kind
    postponed: list[tuple[str, int, int]] = field(default_factory=list)
    steps: list[tuple[int, str]] = field(default_factory=list)  # of `process` work that goes on
    next_check: int | None = None  # a deadline may be due from then on

    def check_at(self, at: int) -> None:
        self.next_check = at if self.next_check is None else min(at, self.next_check)


class Transaction:
    def __init__(self, con: sqlite3.Connection, memory: Memory, now: int) -> None:
        self.con = con
        self.now = now
        self.effects = Effects()
        self.rows: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)  # by statement
        self.counters: dict[tuple[str, str], int] = {}  # changed here
        self.tallies: defaultdict[str, int] = defaultdict(int)  # changes of the counts for stats
        self.sites: dict[str, int] = {}  # new here
        self.settled: dict[int, str] = {}  # state of the acknowledgements spoken of
        self.owners: dict[int, int] = {}  # the delivery of each acknowledgement spoken of
        self.replaced: dict[int, tuple[int, str]] = {}  # delivery to be replaced -> its message, its state
        self.newest: dict[tuple[str, str], int] = {}  # document of each type and number that outcomes were decided by
        self.gathered: dict[int, int | None] = {}  # delivery to be carried -> its message, while it waits
        self.states: dict[int, str] = {}  # of the messages that are processed again
        self.arrivals = memory.arrivals
        self._memory = memory
        self._room = memory.arrivals.most - len(memory.arrivals)
        self._arrived: list[Arrival] = []
        self._facts = arrivals.Facts()
        self._bytes = 0  # of the bodies added
        self._filed: set[int] = set()
        self._dropped: list[int] = []
        self._awaiting: list[int] = []
        self._dues: list[tuple[int, str, int]] = []  # delivery, kind, instant
        self._unexpected: list[int] = []
        self._answered: list[int] = []  # acknowledgements whose deadline exceptions are over

    # --- numbers ---
    def next_id(self, table: str) -> int:
        """Ids are never given twice, also when the transaction fails."""
        self._memory.ids[table] += 1
        return self._memory.ids[table]

    def control_number(self, counter: str) -> int:
        last = self.count("control", counter)
        number = 1 if last >= LARGEST_CONTROL_NUMBER else last + 1
        self.counters["control", counter] = number
        return number

    def count(self, kind: str, name: str) -> int:
        known = self.counters.get((kind, name))
        return self._memory.counters.get((kind, name), 0) if known is None else known

    def site_number(self, version: str) -> int | None:
        if not version:
            return None
        number = self._memory.sites.get(version) or self.sites.get(version)
        if number is None:
            number = self.sites[version] = self.next_id("sites")
            self.add("add_sites", (number, version, None))
        return number

    # --- rows ---
    def add(self, name: str, row: tuple[Any, ...]) -> None:
        self.rows[name].append(row)

    def add_message(self, message: Message, *, dedup: bytes | None, lane: str, priority: int, rule: str = "") -> None:
        """Rows of a message, its body included."""
        m = message
        warnings = json.dumps(m.warnings) if m.warnings else ""
        row = (m.seq, m.direction, m.channel, m.partner, m.format, m.type, m.control_id, dedup, m.sender, m.at, m.size,
               m.sha256, m.state, rule, m.duplicate_of, self.site_number(m.site), warnings, lane, priority)  # fmt: skip
        self.rows["add_messages"].append(row)
        self._add_body(m.seq, m.body)

    def arrive(self, message: Message, dedup: bytes | None, lane: str, priority: int) -> None:
        """Take a message that only waits to be processed; its own row comes when it is filed."""
        m, work = message, self.next_id("work")
        item = Item(work, lane, priority, self.now, m.seq, "", m)
        cut = "\0" in m.control_id or "\0" in m.type or "\0" in m.sender  # SQLite ends a JSON text's value there
        if cut or len(self._arrived) >= self._room:
            self.add_message(m, dedup=dedup, lane=lane, priority=priority)
            self.add_work("process", item)
            return
        facts = self._facts.of(m, work, self.site_number(m.site), lane, priority, dedup)
        self._arrived.append((m.seq, work, dedup, facts))
        self._add_body(m.seq, m.body)
        self.effects.added["process"].append(item)

    def is_arrival(self, seq: int) -> bool:
        """Whether a message has no row of its own yet."""
        return seq in self.arrivals and seq not in self._filed

    def file(self, work: Work, state: str, *, rule: str = "", site: str = "", warnings: tuple[str, ...] = ()) -> None:
        """Give an arrival its own row, in the state it has come to. warnings: more of them."""
        m = work.message
        self._filed.add(m.seq)
        told = json.dumps([*m.warnings, *warnings]) if m.warnings or warnings else ""
        row = (m.seq, m.direction, m.channel, m.partner, m.format, m.type, m.control_id,
               self.arrivals.dedup(m.seq), m.sender, m.at, m.size, m.sha256, state, rule, None,
               self.site_number(site or m.site), told, work.lane, work.priority)  # fmt: skip
        self.rows["add_messages"].append(row)

    def add_keys(self, seq: int, keys: Sequence[tuple[str, str, str]]) -> None:
        """keys: (kind, value, scope)."""
        rows = self.rows["add_keys"]
        for kind, value, scope in keys:
            rows.append((value, kind, scope, seq))

    def add_work(self, kind: str, item: Item) -> None:
        self.rows["add_work"].append((item.id, kind, item.lane, item.priority, item.due_at, item.subject, item.step))
        self.effects.added[kind].append(item)
        if kind == "process":
            self.tallies["in_flight"] += 1

    def add_exception(
        self,
        problem: NewException,
        *,
        message: int | None,
        delivery: int | None = None,
        acknowledgement: int | None = None,
    ) -> None:
        p, id = problem, self.next_id("exceptions")
        context = json.dumps(dict(p.context), ensure_ascii=False)
        row = (id, p.code, p.text, p.place, context, "open", message, delivery, acknowledgement, self.now, None, "", "")
        self.add("add_exceptions", row)
        self.tallies["exceptions_open"] += 1

    def finish_work(self, kind: str, id: int) -> None:
        self._dropped.append(id)
        self.effects.done[kind].append(id)
        if kind == "process":
            self.tallies["in_flight"] -= 1

    def end_arrival(self, id: int) -> None:
        """The work of a filed arrival is done; it had no row."""
        self.effects.done["process"].append(id)
        self.tallies["in_flight"] -= 1

    def postpone_work(self, kind: str, id: int, at: int) -> None:
        self.add("postpone_work", (id, at))
        self.effects.postponed.append((kind, id, at))

    def go_on(self, id: int, step: str) -> None:
        self.add("step_work", (id, step))
        self.effects.steps.append((id, step))
        self.effects.postponed.append(("process", id, self.now))

    def postpone_arrival(self, item: Item) -> None:
        """The work of a filed arrival gets its own row, due later or at another step."""
        self.add("add_work", (item.id, "process", item.lane, item.priority, item.due_at, item.subject, item.step))
        self.effects.postponed.append(("process", item.id, item.due_at))
        if item.step:
            self.effects.steps.append((item.id, item.step))

    def await_acknowledgements(self, delivery: int, dues: Sequence[tuple[str, int]] = ()) -> None:
        """dues: when those of a kind are due, where that is not simply so long after now."""
        self._awaiting.append(delivery)
        self._dues.extend([(delivery, kind, at) for kind, at in dues])

    def expect_nothing(self, delivery: int) -> None:
        """What is still awaited for a delivery becomes `not_expected`."""
        self._unexpected.append(delivery)

    def end_deadline(self, acknowledgement: int) -> None:
        """It came after all: resolve the exceptions of its deadline."""
        self._answered.append(acknowledgement)

    # --- writing ---
    def flush(self) -> None:
        """Write all rows gathered so far."""
        rows, self.rows = self.rows, defaultdict(list)
        for name in ORDER:
            if name in rows:
                write(self.con, name, rows[name])
        if "resolve_exceptions" in rows:
            self.tallies["exceptions_open"] -= write(self.con, "resolve_exceptions", rows["resolve_exceptions"])
        self._write_expectations()
        if self._dropped:
            self.con.execute(queries()["drop_work"], (json.dumps(self._dropped),))
            self._dropped = []

    def finish(self, number: int) -> None:
        """The last statements before the commit. number: this transaction's."""
        if self._arrived:
            self.add("add_arrivals", arrivals.row(self._arrived))
            self.tallies["in_flight"] += len(self._arrived)
        self.flush()
        emptied = self.arrivals.emptied(self._filed)
        if emptied:
            self.con.execute(queries()["drop_arrivals"], (json.dumps(emptied),))
        self.tallies["bytes"] += self._bytes
        self.counters["store", "commit"] = number
        for name, by in self.tallies.items():
            self.counters["tally", name] = self.count("tally", name) + by
        write(self.con, "set_counters", [(kind, name, value) for (kind, name), value in self.counters.items()])

    def keep(self) -> None:
        """The commit stands: what it counted is the truth now."""
        self._memory.counters.update(self.counters)
        self._memory.sites.update(self.sites)
        self.arrivals.filed(self._filed)
        if self._arrived:
            self.arrivals.add(self._arrived[0][0], [(seq, dedup) for seq, _, dedup, _ in self._arrived])

    def _add_body(self, seq: int, body: bytes) -> None:
        rows = self.rows["add_bodies"]
        self._bytes += len(body)
        if len(body) <= CHUNK:
            rows.append((seq * CHUNKS, 0, body))
            return
        whole = memoryview(body)  # a large body must not stand in memory twice
        for number, start in enumerate(range(0, len(body), CHUNK)):
            rows.append((seq * CHUNKS + number, 0, whole[start : start + CHUNK]))

    def _write_expectations(self) -> None:
        if self._awaiting:
            values = {"now": self.now, "deliveries": json.dumps(self._awaiting)}
            changed = self.con.execute(queries()["await_acknowledgements"], values).rowcount
            if self._dues:
                write(self.con, "set_dues", self._dues)
                self._dues = []
            if changed:
                self.effects.check_at(self.con.execute(queries()["next_check"]).fetchone()[0])
            self._awaiting = []
        if self._unexpected:
            self._drop_expectations(json.dumps(self._unexpected))
            self._unexpected = []
        if self._answered:
            values = {"now": self.now, "ids": json.dumps(self._answered), "reason": "answered, or no longer expected"}
            self.tallies["exceptions_open"] -= self.con.execute(
                queries()["resolve_deadline_exceptions"], values
            ).rowcount
            self._answered = []

    def _drop_expectations(self, deliveries: str) -> None:
        self._answered += [id for (id,) in self.con.execute(queries()["overdue_of"], (deliveries,))]
        for state in ("awaited", "overdue"):
            values = {"now": self.now, "deliveries": deliveries, "state": state}
            self.tallies[state] -= self.con.execute(queries()["drop_acknowledgements"], values).rowcount


def digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
