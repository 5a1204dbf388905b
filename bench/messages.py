"""Invented OMS^O05 requisitions of 1.1 KB, one feed per sender, each message with numbers of its own.

A feed is one sending system (MSH-3). Its n-th message has MSH-10 `TAG-SSS-NNNNNNN` and the requisition number `R` + the
same in ORC-2, so that a sink can tell sender and order from either. Items, units, departments and hospitals are words
of the reference site's `ehr` partner; one line of one supplier, so that each requisition becomes one purchase order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

START, END = b"\x0b", b"\x1c\r"
SIZE = 1100  # bytes of a message without its frame
HOSPITALS = ("HARBOR", "CEDAR", "LAKE", "MILL", "SUMMIT", "PRAIRIE", "EASTGATE", "ORCHARD", "STONE", "WILLOW", "BEACON")
ITEMS = (  # one of each supplier
    ("GLV-NTR-L", "Exam glove, nitrile, large"),
    ("SYR-10ML", "Syringe, luer lock, 10 ml"),
    ("TAPE-SILK-1", "Silk tape, 1 inch"),
)
_WORDS = "Invented for a measurement; nobody ordered this and nobody waits for it. "
_TAG = re.compile(r"[A-QS-Z0-9][A-Z0-9]*")  # no R in front: that letter tells a requisition from a message
_NUMBER = re.compile(rb"[|^]R?([A-Z0-9]+-\d{3})-(\d{7})(?=[|^\r])")


@dataclass(frozen=True, slots=True)
class Feed:
    """One sender's messages, framed: `parts` are joined by the number of the message wherever it is said."""

    prefix: bytes  # `TAG-SSS-`
    parts: tuple[bytes, ...]

    def number(self, n: int) -> bytes:
        return b"%b%07d" % (self.prefix, n)

    def frame(self, number: bytes) -> bytes:
        return number.join(self.parts)


def feed(tag: str, sender: int) -> Feed:
    """The feed of sender 0..999 in the run `tag` (A-Z, 0-9, not R first). Raises ValueError for another tag."""
    if not _TAG.fullmatch(tag):
        raise ValueError("a tag is made of A-Z and 0-9 and does not begin with R")
    prefix, mark = f"{tag}-{sender:03d}-", "\x00"
    bare = _message(sender, mark, "")
    missing = SIZE - len(bare) - bare.count(mark) * (len(prefix) + 6)
    words = (_WORDS * (missing // len(_WORDS) + 1))[:missing]
    framed = START + _message(sender, mark, words).encode("ascii") + END
    return Feed(prefix.encode(), tuple(framed.split(mark.encode())))


def position(message: bytes) -> tuple[bytes, int] | None:
    """(sender, n) of a message that carries a feed's number anywhere; None when it carries none."""
    found = _NUMBER.search(message)
    return (found[1], int(found[2])) if found else None


def _message(sender: int, mark: str, words: str) -> str:
    """Segments by CR; `mark` stands for the message's number."""
    hospital = HOSPITALS[sender % len(HOSPITALS)]
    item, description = ITEMS[sender % len(ITEMS)]
    segments = (
        f"MSH|^~\\&|BENCH{sender:03d}|{hospital}|HILUM|NORTHHEALTH|20261121090000||OMS^O05^OMS_O05|{mark}|P|2.5.1",
        "NTE|1|L|Par level refill of the operating rooms' core, counted by the night shift",
        f"ORC|NW|R{mark}^BENCH{sender:03d}||||N|||20261121085900|7001^PLACEHOLDER^PAT|||OR^CORE^02|5550100",
        f"RQD|1|{item}^{description}^L|||10|Box^Box^L|OR|6200|CORE-02^Operating rooms core two^L|20261124",
        f"NTE|1|L|{words}",
        "OBX|1|NM|PAR^Par level^L||40|Box^Box^L|||||F|||20261121085500",
        "OBX|2|NM|ONHAND^Counted on hand^L||30|Box^Box^L|||||F|||20261121085500",
        "ZQD|1|BIN-0417|SHELF-C|COUNTED|20261121085500|N",
    )
    return "\r".join(segments) + "\r"
