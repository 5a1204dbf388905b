"""Any order of accepting, claiming, committing, failing, replaying and reopening, against a model of what must hold."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from engine.store.contract import NewException, Outcome, Work
from engine.store.lanes import Item, Lanes
from engine.store.sqlite import SqliteStore
from engine.store.transaction import Transaction
from tests.store_kit import Clock, conserved, dead, delivered, failed, incoming, order, processed

R = TypeVar("R")
RETRY = 1_000_000


@dataclass
class Expected:
    """What must be true of the store, kept by hand."""

    messages: dict[int, str] = field(default_factory=dict)  # seq -> state
    bodies: dict[int, bytes] = field(default_factory=dict)
    controls: dict[int, int] = field(default_factory=dict)  # control id -> first seq
    queues: defaultdict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    due: dict[tuple[str, int], int] = field(default_factory=dict)
    deliveries: dict[int, str] = field(default_factory=dict)
    troubled: set[int] = field(default_factory=set)  # messages with an open exception, their own or their delivery's
    caused: dict[int, int] = field(default_factory=dict)  # delivery -> the inbound message behind it


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.model = Expected()
        self.claimed: dict[tuple[str, int], Work] = {}  # by kind and subject
        self.orders = 0
        self.store = self.opened()

    def teardown(self) -> None:
        """Whatever happened, all work left over must still be there after one more start, each piece once, in order."""
        try:
            self.reopen()
            self.clock.pass_by(RETRY)
            done = defaultdict(list)
            for kind in ("process", "deliver"):
                while pulled := self.run(self.store.pull(kind, 5)):
                    for lane, works in pulled:
                        done[kind, lane] += [work.subject for work in works]
                        finish = processed if kind == "process" else delivered
                        self.run(self.store.commit([finish(work) for work in works]))
            assert done == {name: queue for name, queue in self.model.queues.items() if queue}
        finally:
            self.run(self.store.close())
            self.runner.close()
            self.folder.cleanup()

    def run(self, call: Awaitable[R]) -> R:
        async def wait() -> R:
            return await call

        return self.runner.run(wait())

    def opened(self) -> SqliteStore:
        store = SqliteStore(
            Path(self.folder.name) / "store.db", clock=self.clock, readers=1, most=6, memory=3_000, unfiled=4
        )
        self.run(store.open())
        return store

    # --- what may happen ---
    @rule(controls=st.lists(st.integers(0, 40), min_size=1, max_size=8), other=st.booleans())
    def accept(self, controls: list[int], other: bool) -> None:
        batch = [incoming(c, sender=f"S{c % 2}", **({"raw": b"other"} if other else {})) for c in controls]
        rows = self.run(self.store.append(batch))
        for control, sent, row in zip(controls, batch, rows, strict=True):
            assert row.seq not in self.model.messages
            self.model.bodies[row.seq] = sent.raw
            first = self.model.controls.setdefault(control, row.seq)
            if first == row.seq:
                assert row.status == "new"
                self.model.messages[row.seq] = "received"
                self.model.queues["process", sent.lane].append(row.seq)
            elif self.model.bodies[first] == sent.raw:
                assert (row.status, row.of) == ("duplicate", first)
                self.model.messages[row.seq] = "duplicate"
            else:
                assert (row.status, row.of) == ("conflict", first)
                self.model.messages[row.seq] = "exception"
                self.model.troubled.add(row.seq)

    @rule(kind=st.sampled_from(["process", "deliver"]), limit=st.integers(1, 5))
    def claim(self, kind: str, limit: int) -> None:
        before = {lane for k, lane in self.busy() if k == kind}
        for lane, works in self.run(self.store.pull(kind, limit)):
            assert lane not in before
            heads = self.model.queues[kind, lane][: len(works)]
            assert [work.subject for work in works] == heads
            for work in works:
                assert self.model.due.get((kind, work.subject), 0) <= self.clock.now
                assert work.message.body == self.run(self.store.body(work.message.seq))
                self.claimed[kind, work.subject] = work

    @precondition(lambda self: any(kind == "process" for kind, _ in self.claimed))
    @rule(data=st.data(), fate=st.sampled_from(["order", "two", "filtered", "exception", "retry"]))
    def process(self, data: st.DataObject, fate: str) -> None:
        work = self.pick(data, "process")
        if fate == "retry":
            self.postpone(work, Outcome(work, status="retry", at=self.clock.now + RETRY))
            return
        outcome = self.decided(work, fate)
        (row,) = self.run(self.store.commit([outcome]))
        assert row.status == "done"
        self.model.messages[work.subject] = outcome.state
        self.gone(work)
        for new, seq in zip(outcome.messages, row.messages, strict=True):
            record = self.run(self.store.delivery(new.uid))
            assert record is not None
            assert record.delivery.message == seq
            self.model.deliveries[record.delivery.id] = "planned"
            self.model.caused[record.delivery.id] = work.subject
            self.model.queues["deliver", new.lane].append(record.delivery.id)

    def decided(self, work: Work, fate: str) -> Outcome:
        if fate == "filtered":
            return Outcome(work, state="filtered", rule="no_catalogues")
        if fate == "exception":
            self.model.troubled.add(work.subject)
            return Outcome(work, state="exception", exceptions=(NewException("map.miss", "unknown item"),))
        made = []
        for _ in range(2 if fate == "two" else 1):
            self.orders += 1
            made.append(order(self.orders, lane=f"out/{self.orders % 2}", document=None))
        return processed(work, messages=tuple(made), documents=())

    @precondition(lambda self: any(kind == "deliver" for kind, _ in self.claimed))
    @rule(data=st.data(), fate=st.sampled_from(["delivered", "retry", "dead"]))
    def deliver(self, data: st.DataObject, fate: str) -> None:
        work = self.pick(data, "deliver")
        if fate == "retry":
            self.postpone(work, failed(work, self.clock.now + RETRY))
            self.model.deliveries[work.subject] = "retrying"
            return
        (row,) = self.run(self.store.commit([delivered(work) if fate == "delivered" else dead(work)]))
        assert row.status == "done"
        self.model.deliveries[work.subject] = fate
        if fate == "dead":
            self.model.troubled.add(self.model.caused[work.subject])
        self.gone(work)

    @precondition(lambda self: bool(self.claimed))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.claimed)))
        self.run(self.store.release([self.claimed.pop(name)]))

    @rule()
    def wait(self) -> None:
        self.clock.pass_by(RETRY)

    @precondition(lambda self: "dead" in self.model.deliveries.values())
    @rule()
    def replay_dead(self) -> None:
        again = [id for id, state in self.model.deliveries.items() if state == "dead"]
        assert self.run(self.store.replay(deliveries=again, reason="fixed", who="ann")) == len(again)
        for id in sorted(again):
            record = self.run(self.store.delivery(id))
            assert record is not None
            self.model.deliveries[id] = "planned"
            self.model.queues["deliver", record.delivery.lane].append(id)
        self.heal()

    @precondition(lambda self: "exception" in self.model.messages.values())
    @rule()
    def replay_messages(self) -> None:
        again = sorted(seq for seq, state in self.model.messages.items() if state == "exception")
        assert self.run(self.store.replay(messages=again, reason="fixed", who="ann")) == len(again)
        for seq in again:
            message = self.run(self.store.get(seq))
            assert message is not None
            self.model.messages[seq] = "received"
            self.model.queues["process", f"ehr_mllp/{message.sender}"].append(seq)
        self.heal()

    @rule()
    def reopen(self) -> None:
        self.run(self.store.close())
        self.claimed.clear()
        self.store = self.opened()

    # --- what must hold ---
    @invariant()
    def nothing_is_lost(self) -> None:
        ledger = self.run(self.store.ledger())
        stats = self.run(self.store.stats())
        model = self.model
        assert conserved(ledger)
        assert ledger["received"] == stats["received"] == len(model.messages)
        moving = {model.caused[id] for id, state in model.deliveries.items() if state in {"planned", "retrying"}}
        counted = dict.fromkeys(ledger, 0) | {"received": len(model.messages)}
        for seq, state in model.messages.items():
            counted[self.fate(seq, state, moving)] += 1
        assert ledger == counted
        for state in ("duplicate", "processed", "filtered", "exception"):
            assert stats[state] == sum(1 for found in model.messages.values() if found == state)
        for state in ("planned", "retrying", "delivered", "dead"):
            assert stats["deliveries"][state] == sum(1 for found in model.deliveries.values() if found == state)
        assert stats["in_flight"] == sum(len(queue) for (kind, _), queue in model.queues.items() if kind == "process")
        assert stats["exceptions_open"] == len(self.run(self.store.exceptions(limit=10_000)))

    def fate(self, seq: int, state: str, moving: set[int]) -> str:
        if state == "duplicate":
            return state
        if seq in self.model.troubled:
            return "exception"
        if state == "received" or seq in moving:
            return "in_flight"
        return "filtered" if state == "filtered" else "delivered"

    # --- bookkeeping ---
    def pick(self, data: st.DataObject, kind: str) -> Work:
        name = data.draw(st.sampled_from(sorted(name for name in self.claimed if name[0] == kind)))
        return self.claimed[name]

    def busy(self) -> set[tuple[str, str]]:
        return {(kind, work.lane) for (kind, _), work in self.claimed.items()}

    def gone(self, work: Work) -> None:
        del self.claimed[work.kind, work.subject]
        self.model.queues[work.kind, work.lane].remove(work.subject)

    def postpone(self, work: Work, outcome: Outcome) -> None:
        assert [row.status for row in self.run(self.store.commit([outcome]))] == ["done"]
        del self.claimed[work.kind, work.subject]
        self.model.due[work.kind, work.subject] = outcome.at

    def heal(self) -> None:
        """Replays have resolved exceptions; ask the store which are still open, and of whom."""
        open_ = self.run(self.store.exceptions(limit=10_000))
        dead_ = {self.model.caused[id] for id, state in self.model.deliveries.items() if state == "dead"}
        own = {found.message for found in open_ if found.delivery is None and found.message is not None}
        theirs = {self.model.caused[found.delivery] for found in open_ if found.delivery is not None}
        assert own == {seq for seq, state in self.model.messages.items() if state == "exception"}
        assert theirs == dead_
        self.model.troubled = own | theirs


HURRIED = settings(
    max_examples=25, stateful_step_count=30, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip


def test_nothing_is_lost_doubled_or_reordered() -> None:
    run_state_machine_as_test(Life, settings=HURRIED)


def test_the_check_sees_a_lane_that_lets_its_newest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Lanes.add

    def careless(self: Lanes, item: Item) -> None:
        whole(self, item)
        self._lanes[item.lane].items.rotate(1)

    monkeypatch.setattr(Lanes, "add", careless)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Life, settings=settings(HURRIED, phases=[Phase.generate]))


def test_the_check_sees_work_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Transaction.finish_work

    def careless(self: Transaction, kind: str, id: int) -> None:
        whole(self, kind, id)
        if kind == "process":
            self._dropped.append(id + 1)

    monkeypatch.setattr(Transaction, "finish_work", careless)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Life, settings=settings(HURRIED, phases=[Phase.generate]))
