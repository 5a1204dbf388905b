"""kill -9 at random instants over a store under load: what it said is stored is there, once, and goes on from there."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from engine.store.records import Search
from engine.store.sqlite import SqliteStore
from tests.store_kit import claim, conserved

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10
SEED = 20261121


@dataclass
class Told:
    """What the processes said before they were killed."""

    stored: list[str] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)


def campaign(path: Path, kills: int, *defect: str) -> Told:
    rng = random.Random(SEED)
    told = Told()
    for run in range(kills):
        command = [sys.executable, "-m", "tests.functional.appending", str(path), str(run), *defect]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        lines = _until_killed(process, process.stdout, rng)
        process.stdout.close()
        process.wait()
        for line in lines:
            if line.endswith("\n"):  # the last one may be cut off
                word, name = line.split()
                (told.stored if word == "stored" else told.delivered).append(name)
    return told


def _until_killed(process: subprocess.Popen[str], said: IO[str], rng: random.Random) -> list[str]:
    """Kill it at a random instant after some of what it says; all that it said."""
    stored, delivered = rng.randint(11, 1000), rng.randint(2, 100)
    lines = []
    while stored > 0 or delivered > 0:
        lines.append(said.readline())
        assert lines[-1], "it ended by itself"
        stored -= lines[-1].startswith("stored")
        delivered -= lines[-1].startswith("delivered")
    time.sleep(rng.uniform(0.0, 0.02))
    process.kill()
    return lines + said.readlines()


@dataclass
class Found:
    """What the store holds afterwards."""

    inbound: Counter[str]
    outbound: Counter[str]
    sent: set[str]
    unsound: int
    ledger: dict[str, int]
    integrity: str


async def inspect(path: Path) -> Found:
    store = SqliteStore(path)
    await store.open()
    integrity = await store.read(lambda con: con.execute("PRAGMA integrity_check").fetchone()[0])
    found = Found(Counter(), Counter(), set(), 0, await store.ledger(), integrity)
    cursor = ""
    while True:
        page = await store.find(Search(limit=1000, cursor=cursor))
        for message in page.messages:
            (found.inbound if message.direction == "in" else found.outbound)[message.control_id] += 1
            body = await store.body(message.seq)
            if message.direction == "in" and body != b"%d " % int(message.control_id[3:]) * 50:
                found.unsound += 1
        cursor = page.cursor
        if not cursor:
            break
    found.sent = set(found.outbound) - await unsent(store)
    await store.close()
    return found


async def unsent(store: SqliteStore) -> set[str]:
    """Control numbers of what still waits to be delivered; each may have been sent just before the kill."""
    works = await claim(store, "deliver", 1_000_000)
    assert all(work.delivery is not None and work.delivery.possible_duplicate for work in works)
    return {work.message.control_id for work in works}


@pytest.mark.slow
def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    told = campaign(tmp_path / "store.db", KILLS)
    found = asyncio.run(inspect(tmp_path / "store.db"))
    assert len(told.stored) > KILLS * 10
    assert len(told.delivered) > KILLS
    assert [name for name in told.stored if found.inbound[name] != 1] == []
    assert [name for name in told.delivered if name not in found.sent] == []
    assert [name for name, count in found.outbound.items() if count != 1] == []
    assert sorted(found.outbound) == [f"{n:09}" for n in range(1, len(found.outbound) + 1)]  # no number lost or doubled
    assert (found.unsound, found.integrity) == (0, "ok")
    assert conserved(found.ledger)
    assert found.ledger["received"] == sum(found.inbound.values())
    assert found.ledger["exception"] == found.ledger["duplicate"] == 0


@pytest.mark.slow
def test_the_check_sees_answers_given_before_the_commit(tmp_path: Path) -> None:
    told = campaign(tmp_path / "store.db", 1, "--early")
    found = asyncio.run(inspect(tmp_path / "store.db"))
    assert [name for name in told.stored if found.inbound[name] != 1]
