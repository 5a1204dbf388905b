"""Received messages that nobody has looked at yet: one row per transaction, however many it took.

Accepting must be cheap, and an index entry per message is what costs most of it. So a message that is only received
stands in a row it shares with its neighbours of the same commit, and gets rows of its own (it is *filed*) when
something has become of it, in the transaction that keeps what. Here is what the writer knows of those not filed yet.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring as quoted
from typing import Any

from engine.message import Message
from engine.store.sql import queries

_DEDUP = 15  # column of `facts`
_EMPTY, _NULL = '""', "null"
Arrival = tuple[int, int, bytes | None, str]  # seq, work, digest of the duplicate key, facts


class Facts:
    """Messages as `arrivals.facts` has them; the view `arrived` counts the columns. Digests are in hex.

    One per transaction: what its messages have in common is written out once.
    """

    def __init__(self) -> None:
        self._common: dict[tuple[Any, ...], tuple[str, str]] = {}

    def of(self, message: Message, work: int, site: int | None, lane: str, priority: int, dedup: bytes | None) -> str:
        seq, _, channel, partner, format, type, control_id, sender, at, size, sha256, _, _, _, _, warnings = message
        kind = (channel, partner, format, type, site, warnings)
        common = self._common.get(kind)
        if common is None:
            told = quoted(json.dumps(warnings)) if warnings else _EMPTY
            head = f"{quoted(channel)},{quoted(partner)},{quoted(format)},{quoted(type)}"
            common = self._common[kind] = head, f"{site or _NULL},{told}"
        head, tail = common
        return (
            f'[{seq},{work},{head},{quoted(control_id)},{quoted(sender)},{at},{size},"{sha256.hex()}",{tail},'
            f'{quoted(lane)},{priority},"{dedup.hex() if dedup else ""}"]'
        )


def as_row(facts: Sequence[Any], sites: Mapping[int, str]) -> tuple[Any, ...]:
    """One array of `arrivals.facts` as the view `arrived` shows a message. sites: versions by their numbers."""
    seq, _, *envelope, site, warnings, lane, priority, _ = facts
    return seq, "in", *envelope, "received", None, sites.get(site, ""), warnings, lane, priority


def row(arrived: list[Arrival]) -> tuple[int, int, int, int, str]:
    """The row that one transaction adds."""
    text = "[" + ",".join([facts for *_, facts in arrived]) + "]"
    (first, *_), (last, work, *_) = arrived[0], arrived[-1]
    return first, last, work, checksum(first, last, work, text.encode()), text


def checksum(first: int, last: int, work: int, facts: bytes) -> int:
    return zlib.crc32(facts, zlib.crc32(b"%d %d %d" % (first, last, work)))


class Arrivals:
    """Changed only by what is committed. most: messages not filed; those beyond get rows of their own at once, so that
    memory stays bounded.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._dedups: dict[int, bytes | None] = {}  # by seq
        self._firsts: dict[bytes, int] = {}  # seq by dedup digest
        self._blocks: list[int] = []  # their first seqs, ascending
        self._left: dict[int, int] = {}  # messages not filed, by block

    def __contains__(self, seq: int) -> bool:
        return seq in self._dedups

    def __len__(self) -> int:
        return len(self._dedups)

    def first(self, dedup: bytes) -> int | None:
        """The first message of its kind, if that is not filed yet."""
        return self._firsts.get(dedup)

    def dedup(self, seq: int) -> bytes | None:
        return self._dedups[seq]

    def block(self, seq: int) -> int:
        return self._blocks[bisect_right(self._blocks, seq) - 1]

    def add(self, block: int, arrived: Iterable[tuple[int, bytes | None]]) -> None:
        """The messages of one more row: (seq, dedup) each."""
        before = len(self._dedups)
        for seq, dedup in arrived:
            self._dedups[seq] = dedup
            if dedup is not None:
                self._firsts[dedup] = seq
        if len(self._dedups) > before:
            self._blocks.append(block)
            self._left[block] = len(self._dedups) - before

    def emptied(self, filed: Iterable[int]) -> list[int]:
        """The blocks in which nothing is left when these are filed."""
        fewer = Counter([self.block(seq) for seq in filed])
        return [block for block, count in fewer.items() if self._left[block] == count]

    def filed(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            block = self.block(seq)
            dedup = self._dedups.pop(seq)
            if dedup is not None:
                del self._firsts[dedup]
            self._left[block] -= 1
            if not self._left[block]:
                del self._left[block]
                del self._blocks[bisect_right(self._blocks, block) - 1]


def load(con: sqlite3.Connection, most: int) -> Arrivals:
    found = Arrivals(most)
    for block, text, touched in con.execute(queries()["arrivals"]):
        filed = {seq for (seq,) in con.execute(queries()["filed"], (text,))} if touched else ()
        rows = [(row[0], row[_DEDUP]) for row in json.loads(text)]
        found.add(block, [(seq, bytes.fromhex(dedup) or None) for seq, dedup in rows if seq not in filed])
    return found
