"""Bytes altered on disk are found by their SHA-256 and never served; the rest goes on."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from pathlib import Path

import pytest

from engine.errors import Unavailable
from engine.store import reading
from engine.store.reader import open_reader
from engine.store.sqlite import SqliteStore
from tests.store_kit import claim, commit, conserved, incoming, processed

SEED = 20261121
FLIPS = 60
BODIES = {number: random.Random(number).randbytes(3_000) for number in range(1, 21)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"

    async def run() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.append([incoming(n, raw=raw, sender=f"S{n % 2}") for n, raw in BODIES.items()])
        await store.close()

    asyncio.run(run())
    return path


def alter(path: Path, seq: int) -> None:
    """Change one byte of a stored body, as a failing disk does."""
    raw = bytearray(path.read_bytes())
    at = raw.index(BODIES[seq][100:140])
    raw[at] ^= 1
    path.write_bytes(raw)


def test_an_altered_body_is_refused(path: Path) -> None:
    alter(path, 7)

    async def run() -> None:
        reader = await open_reader(path)
        with pytest.raises(Unavailable) as caught:
            await reader.body(7)
        assert caught.value.code == "store.corrupt"
        assert "M7" in caught.value.text
        with pytest.raises(Unavailable, match="M7"):
            await reader.window(7, 0, 10)
        assert await reader.body(8) == BODIES[8]
        await reader.close()

    asyncio.run(run())


def test_work_with_altered_bytes_becomes_an_exception_and_its_lane_goes_on(path: Path) -> None:
    alter(path, 2)

    async def run() -> None:
        store = SqliteStore(path)
        await store.open()
        works = await claim(store, "process")
        assert [work.subject for work in works] == [*range(1, 21, 2), *range(4, 21, 2)]
        (found,) = await store.exceptions()
        assert (found.code, found.message) == ("store.corrupt", 2)
        assert await commit(store, *[processed(work) for work in works])
        assert await claim(store, "process") == []
        ledger = await store.ledger()
        assert (ledger["exception"], ledger["delivered"]) == (1, 19)
        await store.close()

    asyncio.run(run())


@pytest.mark.parametrize("column", ["facts", "last", "work"])
def test_received_messages_whose_shared_row_is_altered_become_exceptions_and_the_rest_goes_on(
    column: str, path: Path
) -> None:
    """The row of the first twenty; those after them share another."""
    con = sqlite3.connect(path)
    facts = bytearray(con.execute("SELECT facts FROM arrivals").fetchone()[0], "utf-8")
    facts[random.Random(SEED).randrange(len(facts))] ^= 0x80  # no text any more
    altered = "CAST(? AS TEXT)" if column == "facts" else f"{column} + ?"
    value = bytes(facts) if column == "facts" else -3

    async def run() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.append([incoming(n) for n in (21, 22)])
        await commit(store, *[processed(work) for work in await claim(store, "process") if work.subject == 20])
        await store.close()
        con.execute(f"UPDATE arrivals SET {column} = {altered} WHERE id = 1", (value,))
        con.commit()
        con.close()
        await store_of_altered_arrivals(path)

    asyncio.run(run())


async def store_of_altered_arrivals(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    lost = [seq for seq in BODIES if seq != 20]
    found = await store.exceptions()
    assert sorted((row.code, row.message) for row in found) == [("store.corrupt", seq) for seq in lost]
    for seq, raw in BODIES.items():
        assert await store.body(seq) == raw
    stats = await store.stats()
    assert (stats["received"], stats["exception"], stats["in_flight"], stats["processed"]) == (22, 19, 2, 1)
    ledger = await store.ledger()
    assert conserved(ledger)
    assert (ledger["exception"], ledger["exception"] + ledger["in_flight"]) == (19, 21)
    assert [work.subject for work in await claim(store, "process")] == [21, 22]
    assert [row.seq for row in await store.append([incoming(23)])] == [23]
    assert [row.status for row in await store.append([incoming(1, raw=BODIES[1])])] == ["new"]
    await store.close()


def served(path: Path) -> dict[int, bytes]:
    """All bodies that can be read."""

    async def run() -> dict[int, bytes]:
        found = {}
        try:
            reader = await open_reader(path)
        except Unavailable:
            return found
        for seq in BODIES:
            try:
                found[seq] = await reader.body(seq)
            except (Unavailable, KeyError):
                continue
        await reader.close()
        return found

    return asyncio.run(run())


def flipped(path: Path, folder: Path) -> list[dict[int, bytes]]:
    """What is served after one bit of the file has changed, for many bits."""
    rng = random.Random(SEED)
    whole = path.read_bytes()
    results = []
    for number in range(FLIPS):
        raw = bytearray(whole)
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        copy = folder / f"{number}.db"
        copy.write_bytes(raw)
        results.append(served(copy))
    return results


def altered(results: list[dict[int, bytes]]) -> int:
    return sum(BODIES[seq] != raw for found in results for seq, raw in found.items())


def test_no_flipped_bit_is_ever_served(path: Path, tmp_path: Path) -> None:
    results = flipped(path, tmp_path)
    assert altered(results) == 0
    assert sum(len(found) for found in results) > FLIPS * 15  # the rest goes on
    assert any(len(found) < len(BODIES) for found in results)


def test_the_check_sees_a_store_that_trusts_the_disk(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(con: sqlite3.Connection, seq: int) -> bytes:
        chunks = con.execute("SELECT bytes FROM bodies WHERE id BETWEEN ? AND ?", (seq * 4096, seq * 4096 + 4095))
        return b"".join(chunk for (chunk,) in chunks)

    monkeypatch.setattr(reading, "body", trusting)
    assert altered(flipped(path, tmp_path)) > 0
