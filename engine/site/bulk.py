"""Code tables of any size: a file that holds the CSV and two hash tables over its rows, mapped into memory read-only.

It is named by the SHA-256 of its CSV and lies in `tables/` of the data root, so that a site's version means the same
rows for ever, and the daemon, its worker and the verbs share one copy of them in the page cache. A slot is the CRC-32
of a key and the byte its row begins at; rows of one key stand in the order of the file. Nothing in it ever changes.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import mmap
import os
import struct
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Final
from zlib import crc32

from engine.positions import Findings, Mark
from engine.site.crosswalks import SmallTable, Table
from engine.site.rows import Entry, Heading, Key, Rows, clash

FOLDER: Final = "tables"  # of the data root
UNUSED: Final = 30 * 86_400  # seconds that a table which no site of the daemon's uses any more is kept
_HEAD: Final = struct.Struct("<8s32sQQQI4x")  # magic, SHA-256 of the CSV, its bytes, slots, rows, CRC-32 of the slots
_MAGIC: Final = b"hilumct1"
_CHUNK: Final = 1 << 20
_SLOT: Final = 8  # bytes
_HOT: Final = 4_096  # keys whose rows are kept at hand


@dataclass(frozen=True, slots=True)
class Bulk:
    """The content of a table too large to be held: what it is, and where it was read; from a snapshot, nowhere."""

    sha256: str
    size: int
    path: Path | None = field(default=None, compare=False)


class LargeTable:
    """A table in its file. Two are the same when their CSVs are."""

    def __init__(self, file: str, opened: IO[bytes]) -> None:
        self.file = file
        self._map = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        _, self.digest, size, slots, self.count, _ = _HEAD.unpack_from(self._map)
        self._end = _HEAD.size + size
        whole = memoryview(self._map)[_padded(self._end) :].cast("Q")
        self._sides = whole[:slots], whole[slots:]
        heading = Rows(_lines(self._map, 0, self._end), file, Findings()).heading
        assert heading is not None
        self._heading = heading
        self.columns, self.dated = heading.columns, heading.dated
        self._hot = functools.lru_cache(_HOT)(self._found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LargeTable) and (self.file, self.digest) == (other.file, other.digest)

    def __hash__(self) -> int:
        return hash((self.file, self.digest))

    def entries(self, key: Key, *, out: bool) -> Sequence[Entry]:
        return self._hot(key, out)

    def rows(self) -> Iterator[Entry]:
        return (entry for _, entry in Rows(_lines(self._map, 0, self._end), self.file, Findings()))

    def line(self, entry: Entry) -> int:
        return _line(self._map, entry.at)

    def _found(self, key: Key, out: bool) -> Sequence[Entry]:
        """Their `at` is the byte they begin at."""
        _, same = _room(self._sides[out], _crc(key[0], key[1:]))
        return [entry for entry in _entries(self._map, same, self._end, self._heading) if entry.key(out=out) == key]


# --- finding or making one -------------------------------------------------------------------------------------------
def open_table(bulk: Bulk, file: str, home: Path, *, keep: bool, findings: Findings) -> Table:
    """The table, from the data root where it is kept, or else made. keep: there; otherwise only as long as it is used.

    What is wrong with it is a finding (CFG402-CFG407).
    """
    kept = home / FOLDER / f"{bulk.sha256}.table"
    try:
        if table := _kept(kept, bulk, file):
            if keep:
                with contextlib.suppress(OSError):  # another user's, who looks after it
                    os.utime(kept)
            return table
        if bulk.path is not None:
            return _made(bulk, bulk.path, file, kept if keep else None, findings)
        text = "the rows of this version of the table are no longer kept"
    except OSError as error:
        text = f"the table is large, and its index could not be written: {error.strerror}"
    findings.error("CFG407", text, Mark(file))
    return SmallTable(file, (), False, 0, {}, {})


def sweep(home: Path, used: Collection[str], now: float) -> None:
    """Remove tables that have not been used for long. used: SHA-256 of the site's. now: seconds since the epoch."""
    for path in (home / FOLDER).glob("*"):
        if path.stem not in used and now - path.stat().st_mtime > UNUSED:
            path.unlink(missing_ok=True)


def _kept(path: Path, bulk: Bulk, file: str) -> LargeTable | None:
    """None when there is none, or it is not what it was when it was made."""
    try:
        with path.open("rb") as opened:
            return LargeTable(file, opened) if _is_sound(opened, bulk) else None
    except FileNotFoundError:
        return None


def _is_sound(opened: IO[bytes], bulk: Bulk) -> bool:
    head = opened.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return False
    magic, digest, size, slots, _, checksum = _HEAD.unpack(head)
    if magic != _MAGIC or digest.hex() != bulk.sha256 or size != bulk.size:
        return False
    own, left = hashlib.sha256(), size
    while left and (chunk := opened.read(min(left, _CHUNK))):
        own.update(chunk)
        left -= len(chunk)
    opened.seek(_padded(_HEAD.size + size))
    crc = whole = 0
    while chunk := opened.read(_CHUNK):
        crc, whole = crc32(chunk, crc), whole + len(chunk)
    return own.digest() == digest and (crc, whole) == (checksum, 2 * slots * _SLOT)


def _made(bulk: Bulk, source: Path, file: str, target: Path | None, findings: Findings) -> LargeTable:
    if target is None:
        import tempfile  # not above: most sites have no large table

        with tempfile.TemporaryFile(prefix="hilum-table-") as place:
            _write(bulk, source, file, place, findings)
            return LargeTable(file, place)
    target.parent.mkdir(parents=True, exist_ok=True)
    known, part = findings.errors, target.with_name(f".{target.stem}.{os.getpid()}.part")
    try:
        with part.open("w+b") as place:
            _write(bulk, source, file, place, findings)
            os.fsync(place.fileno())
            if findings.errors == known:
                part.replace(target)
            return LargeTable(file, place)
    finally:
        part.unlink(missing_ok=True)


# --- writing one -----------------------------------------------------------------------------------------------------
def _write(bulk: Bulk, source: Path, file: str, place: IO[bytes], findings: Findings) -> None:
    place.write(bytes(_HEAD.size))
    digest, lines = hashlib.sha256(), 1
    with source.open("rb") as given:
        while chunk := given.read(_CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            place.write(chunk)
    end = place.tell()
    if digest.hexdigest() != bulk.sha256:
        findings.error("CFG112", "the file changed while it was read", Mark(file), "try again")
    place.flush()
    sides, count = _indexed(place, end, 1 << (2 * lines).bit_length(), file, findings)
    place.seek(end)
    place.write(bytes(_padded(end) - end))
    checksum = 0
    for side in sides:
        checksum = crc32(side, checksum)
        side.tofile(place)
    place.seek(0)
    place.write(_HEAD.pack(_MAGIC, digest.digest(), end - _HEAD.size, len(sides[0]), count, checksum))
    place.flush()


def _indexed(
    place: IO[bytes], end: int, slots: int, file: str, findings: Findings
) -> tuple[tuple[array[int], array[int]], int]:
    """The slots of both directions, and how many rows there are."""
    inward, outward = (array("Q", bytes(slots * _SLOT)) for _ in range(2))
    count, mask, often = 0, slots - 1, set[Entry]()
    with mmap.mmap(place.fileno(), 0, access=mmap.ACCESS_READ) as map:
        place.seek(_HEAD.size)
        rows = Rows(place, file, findings)
        for before, entry in rows:
            _, theirs, ours, others, _, _ = entry
            crc = crc32(theirs.encode()) if not others else _crc(theirs, others)
            slot = crc & mask
            if inward[slot]:  # rare, since half of the slots stay free
                slot, same = _room(inward, crc)
                if same and _clashes(entry, file, _entries(map, same, end, rows.heading), map, findings):
                    continue
            inward[slot] = crc << 32 | before
            count += 1
            crc = crc32(ours.encode()) if not others else _crc(ours, others)
            slot = crc & mask
            if outward[slot]:
                slot, same = _room(outward, crc)
                if same and _is_said(entry, partial(_entries, map, same, end, rows.heading), often):
                    continue
            outward[slot] = crc << 32 | before
    return (inward, outward), count


def _room(side: Sequence[int], crc: int) -> tuple[int, Sequence[int]]:
    """The slot that is free for a key, and where the rows begin that may have the same."""
    mask = len(side) - 1
    slot = crc & mask
    if not side[slot]:
        return slot, ()
    same = []
    while value := side[slot]:
        if value >> 32 == crc:
            same.append(value & 0xFFFFFFFF)
        slot = (slot + 1) & mask
    return slot, same


def _clashes(entry: Entry, file: str, earlier: Sequence[Entry], map: mmap.mmap, findings: Findings) -> bool:
    same = [other for other in earlier if (other.theirs, other.others) == (entry.theirs, entry.others)]
    return clash(entry, Mark(file, entry.at), same, lambda other: _line(map, other.at), findings)


def _is_said(entry: Entry, earlier: Callable[[], Sequence[Entry]], often: set[Entry]) -> bool:
    """Whether a row for the same days stands before it: that one is written, this never. often: those found so."""
    said = entry._replace(at=0, theirs="")
    if said in often:
        return True
    if not any(other._replace(at=0, theirs="") == said for other in earlier()):
        return False
    if len(often) < _HOT:
        often.add(said)
    return True


# --- reading one -----------------------------------------------------------------------------------------------------
def _crc(word: str, others: Sequence[str]) -> int:
    return crc32(("\x1f".join([word, *others]) if others else word).encode())


def _padded(size: int) -> int:
    return -(-size // _SLOT) * _SLOT


def _lines(map: mmap.mmap, at: int, end: int) -> Iterator[bytes]:
    """The lines of the CSV from one of its bytes on. end: of the CSV in the file."""
    start = _HEAD.size + at
    while start < end:
        stop = map.find(b"\n", start, end) + 1 or end
        yield map[start:stop]
        start = stop


def _entries(map: mmap.mmap, begins: Sequence[int], end: int, heading: Heading | None) -> list[Entry]:
    """The rows that begin at some bytes. Their `at` is that byte."""
    if not begins or heading is None:
        return []
    rows = (next(csv.reader(line.decode() for line in _lines(map, at, end))) for at in begins)
    return [heading.entry(row, at) for row, at in zip(rows, begins, strict=True)]


def _line(map: mmap.mmap, at: int) -> int:
    """The line that a byte of the CSV stands in."""
    end = _HEAD.size + at
    return 1 + sum(map[start : min(start + _CHUNK, end)].count(b"\n") for start in range(_HEAD.size, end, _CHUNK))
