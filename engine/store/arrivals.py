"""Received messages that nobody has looked at yet: one row per transaction, however many it took.

Accepting must be cheap, and an index entry per message is what costs most of it. So a message that is only received
stands in a row it shares with its neighbours of the same commit, and gets rows of its own (it is *filed*) when
something has become of it, in the transaction that keeps what. Here is what the writer knows of those not filed yet.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from engine.message import Message
from engine.store.sql import queries


class Arrival(NamedTuple):
    """One message in `arrivals.facts`; the view `arrived` counts its columns. dedup and sha256 in hex."""

    seq: int
    work: int
    channel: str
    partner: str
    format: str
    type: str
    control_id: str
    sender: str
    at: int
    size: int
    sha256: str
    site: int | None
    warnings: str
    lane: str
    priority: int
    dedup: str


def arrival(message: Message, work: int, site: int | None, lane: str, priority: int, dedup: bytes | None) -> Arrival:
    m = message
    return Arrival(m.seq, work, m.channel, m.partner, m.format, m.type, m.control_id, m.sender, m.at, m.size,
                   m.sha256.hex(), site, json.dumps(m.warnings) if m.warnings else "", lane, priority,
                   dedup.hex() if dedup else "")  # fmt: skip


def row(arrived: list[Arrival]) -> tuple[int, int, int, int, str]:
    """The row that one transaction adds."""
    facts = json.dumps(arrived, ensure_ascii=False, separators=(",", ":"))
    first, last, work = arrived[0].seq, arrived[-1].seq, arrived[-1].work
    return first, last, work, checksum(first, last, work, facts.encode()), facts


def checksum(first: int, last: int, work: int, facts: bytes) -> int:
    return zlib.crc32(facts, zlib.crc32(b"%d %d %d" % (first, last, work)))


class _Waiting(NamedTuple):
    block: int
    dedup: bytes | None
    sha256: bytes


class Arrivals:
    """Changed only by what is committed. most: messages not filed; those beyond get rows of their own at once, so that
    memory stays bounded.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._waiting: dict[int, _Waiting] = {}  # by seq
        self._left: Counter[int] = Counter()  # messages not filed, by block
        self._firsts: dict[bytes, int] = {}  # seq by dedup digest

    def __contains__(self, seq: int) -> bool:
        return seq in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def first(self, dedup: bytes) -> tuple[int, bytes] | None:
        """(seq, SHA-256) of the first message of its kind, if that is not filed yet."""
        seq = self._firsts.get(dedup)
        return None if seq is None else (seq, self._waiting[seq].sha256)

    def dedup(self, seq: int) -> bytes | None:
        return self._waiting[seq].dedup

    def add(self, block: int, arrived: Iterable[Arrival]) -> None:
        for one in arrived:
            dedup = bytes.fromhex(one.dedup) if one.dedup else None
            self._waiting[one.seq] = _Waiting(block, dedup, bytes.fromhex(one.sha256))
            self._left[block] += 1
            if dedup is not None:
                self._firsts[dedup] = one.seq

    def emptied(self, filed: Iterable[int]) -> list[int]:
        """The blocks in which nothing is left when these are filed."""
        fewer = Counter(self._waiting[seq].block for seq in filed)
        return [block for block, count in fewer.items() if self._left[block] == count]

    def filed(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            known = self._waiting.pop(seq)
            if known.dedup is not None:
                del self._firsts[known.dedup]
            self._left[known.block] -= 1
            if not self._left[known.block]:
                del self._left[known.block]


def load(con: sqlite3.Connection, most: int) -> Arrivals:
    found = Arrivals(most)
    blocks = [(block, _list(facts)) for block, facts in con.execute(queries()["arrivals"])]
    seqs = [one[0] for _, arrived in blocks for one in arrived]
    filed = {seq for (seq,) in con.execute(queries()["filed"], (json.dumps(seqs),))}
    for block, arrived in blocks:
        found.add(block, [Arrival(*one) for one in arrived if one[0] not in filed])
    return found


def _list(text: str) -> list[Any]:
    values: list[Any] = json.loads(text)
    return values
