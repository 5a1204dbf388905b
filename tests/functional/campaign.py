"""A campaign of kills: twelve hospitals send, an ERP buys, and the daemon is killed with -9 again and again.

Most kills strike under load, some while the daemon still starts. Afterwards `faults` compares what was promised to the
senders with what the store, the ERP and the suppliers' folders hold.

When to kill is told by what has happened, not by the clock, and what a campaign must have gone through is waited for:
a slow machine makes it longer and no different.
"""

from __future__ import annotations

import asyncio
import contextlib
import operator
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channels.simulate import interchange
from channels.simulate.ehr import Ehr
from channels.simulate.erp import Erp
from channels.simulate.processes import NotReady, Program, Running, wait_for
from channels.simulate.requisitions import Plan, messages
from channels.simulate.words import load
from engine.store.records import Search
from tests.functional.scene import PATIENCE, ROOT, Scene

RATE = 300  # messages a second that the hospitals have to send
AT_START = 0.2  # share of the kills that do not wait until the daemon takes messages
LOSE_EVERY = 20  # of so many requisitions that the ERP takes, the answer to one is lost
SUPPLIERS = ("acme_surgical", "bravo_medical", "corvus_supply")


@dataclass(frozen=True, slots=True)
class Result:
    """accepted: requisition by control id, of each message that was answered AA or CA. stored: how often each control
    id is a stored message of its own. bought: how often the ERP took each requisition for a new one. made: the orders
    it made. ordered: how often each order stands in a supplier's folder. numbers: interchange numbers by supplier."""

    accepted: dict[str, str]
    stored: Counter[str]
    bought: Counter[str]
    made: frozenset[str]
    ordered: Counter[str]
    numbers: dict[str, list[int]]
    struck: dict[str, int]

    def __str__(self) -> str:
        words = " ".join(f"{name}={count}" for name, count in self.struck.items())
        return f"accepted={len(self.accepted)} orders={len(self.made)} {words}"


def faults(result: Result) -> list[str]:
    """Every broken promise, one sentence each."""
    found = [f"{control} was answered and is not stored" for control in result.accepted if not result.stored[control]]
    found += [f"{control} is stored {count} times" for control, count in result.stored.items() if count != 1]
    for control, number in result.accepted.items():
        if result.stored[control] and result.bought[number] != 1:
            found.append(f"{number} was bought {result.bought[number]} times")
    found += [f"order {number} was sent {result.ordered[number]} times" for number in sorted(result.made)
              if result.ordered[number] != 1]  # fmt: skip
    for supplier, numbers in result.numbers.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            found.append(f"the interchange numbers for {supplier} have gaps or repeat")
    return found


async def campaign(stage: Scene, command: tuple[str, ...], kills: int, seed: int, most: int = 0) -> Result:
    """The daemon is started by `command`; it has been stopped in good order when this returns.

    most: kills, if that is more, until each kind of strike was seen. The first kill comes after, and the last one
    before, an order to each supplier and an answer of the ERP that was lost.
    """
    rng = random.Random(seed)
    erp = Erp(lose_every=LOSE_EVERY)
    await erp.start(port=stage.erp)
    daemon = await asyncio.to_thread(stage.crew.start, Program("hilum", command, stage.environment))
    stage.daemon = daemon
    made = messages(Plan(load(ROOT), seed=seed), sys.maxsize)
    ehr = Ehr("127.0.0.1", stage.mllp, made, rate=RATE, timeout=PATIENCE, pause=0.1)
    await ehr.start()
    try:
        await _worked(stage, erp, daemon)
        for number in range(max(kills, most)):
            if number >= kills and min(_struck(ehr, erp, await asyncio.to_thread(_duplicates, stage)).values()) > 0:
                break
            await _strike(ehr, daemon, rng)
        await _worked(stage, erp, daemon)
    finally:
        await ehr.stop()
    await _settle(stage, daemon)
    await erp.stop()
    return await asyncio.to_thread(_result, stage, ehr, erp)


async def _strike(ehr: Ehr, daemon: Running, rng: random.Random) -> None:
    """Kill at a random instant of the start, or after some of the first hundred answers."""
    if rng.random() < AT_START:
        await asyncio.sleep(rng.uniform(0.2, 1.0))
    else:
        enough = len(ehr.records) + rng.randint(1, 100)
        await _until(daemon, lambda: len(ehr.records) >= enough, "answers")
        await asyncio.sleep(rng.uniform(0.0, 0.05))
    daemon.kill()
    daemon.start()


async def _worked(stage: Scene, erp: Erp, daemon: Running) -> None:
    """Wait until each supplier has one more order, and the ERP has lost one more answer."""

    def counts() -> list[int]:
        return [len(erp.records.where(did="lost")), *(len(_sent(stage, supplier)) for supplier in SUPPLIERS)]

    before = counts()
    more = "an order to each supplier and a lost answer"
    await _until(daemon, lambda: all(map(operator.gt, counts(), before)), more, pause=0.05)


async def _until(daemon: Running, condition: Callable[[], bool], what: str, pause: float = 0.005) -> None:
    """Raises NotReady when the daemon has ended by itself, or it does not come."""

    def come() -> bool:
        if not daemon.alive:
            raise NotReady(f"the daemon ended by itself:\n{daemon.tail()}")
        return condition()

    await asyncio.to_thread(wait_for, come, PATIENCE, what, pause)


async def _settle(stage: Scene, daemon: Running) -> None:
    """Let the daemon finish what it holds, as long as it gets on with it; a daemon with a defect may never."""
    left, before = 0, -1
    while left != before:
        before = left
        with contextlib.suppress(NotReady):
            await asyncio.to_thread(stage.settled, PATIENCE)
        left = await asyncio.to_thread(stage.moving)
    await asyncio.to_thread(daemon.stop, PATIENCE)


def _result(stage: Scene, ehr: Ehr, erp: Erp) -> Result:
    positive = set(ehr.accepted())
    stored, duplicates = _stored(stage)
    ordered: Counter[str] = Counter()
    numbers: dict[str, list[int]] = {}
    for supplier in SUPPLIERS:
        received = [interchange.read(path.read_bytes()) for path in _sent(stage, supplier)]
        numbers[supplier] = [int(one.control) for one in received]
        ordered.update(_orders(received))
    return Result(
        accepted={row["control_id"]: row["requisition"] for row in ehr.records if row["control_id"] in positive},
        stored=stored,
        bought=Counter(row["number"] for row in erp.records.where(did="requisition")),
        made=frozenset(erp.orders),
        ordered=ordered,
        numbers=numbers,
        struck=_struck(ehr, erp, duplicates),
    )


def _struck(ehr: Ehr, erp: Erp, duplicates: int) -> dict[str, int]:
    """How often a kill came before the answer, after the commit, and after the ERP's effect. What was asked again
    because the ERP lost its answer is no strike."""
    stats = erp.stats()
    bought_before = stats["repeats"] - stats["lost_answers"]
    return {"sent_again": ehr.resent, "stored_before": duplicates, "bought_before": bought_before}


def _duplicates(stage: Scene) -> int:
    return int(stage.read(lambda store: store.stats())["duplicate"])


def _sent(stage: Scene, supplier: str) -> list[Path]:
    """The files in a supplier's folder."""
    return sorted(stage.outbox(supplier).glob("[!.]*"))


def _orders(received: list[interchange.Interchange]) -> list[str]:
    """The order numbers (BEG03) of all 850s."""
    sets = [inner for one in received for group in one.groups for inner in group.sets]
    return [segment[3] for inner in sets for segment in inner.segments if segment[0] == "BEG"]


def _stored(stage: Scene) -> tuple[Counter[str], int]:
    """How often each control id was stored as a message of its own, and how many duplicates of them."""

    async def counted(store: Any) -> tuple[Counter[str], int]:
        counts: Counter[str] = Counter()
        duplicates, cursor = 0, ""
        while True:
            page = await store.find(Search(channel="ehr_mllp", direction="in", limit=1000, cursor=cursor))
            counts.update(row.control_id for row in page.messages if row.state != "duplicate")
            duplicates += sum(row.state == "duplicate" for row in page.messages)
            cursor = page.cursor
            if not cursor:
                return counts, duplicates

    return stage.read(counted)
