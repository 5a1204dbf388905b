"""CTT: the number of lines, and the hash total of what they order, ship or bill. Pure.

A wrong one is a business fault: the syntax is right, so the set is accepted, and a person is told.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from channels.formats.x12.separators import Elements
from channels.formats.x12.tree import Group

# Which element CTT02 sums, by the segment that CTT01 counts.
_SUMMED: Final = {"PO1": ("PO1", 2), "IT1": ("IT1", 2), "POC": ("POC", 3), "HL": ("SN1", 2)}
_HASH_DIGITS: Final = 10


def wrong_total(root: Group, counted: str) -> tuple[str, str]:
    """What CTT says wrong, in words, and its element; empty texts when nothing is."""
    totals, lines = ([*root.at.get(root.loop.index.get(id, -1), ())] for id in ("CTT", counted))
    if not totals:
        return "", ""
    segment = totals[0].at[0][0] if isinstance(totals[0], Group) else totals[0]
    assert not isinstance(segment, Group)
    told = _text(segment, 1)
    if told.isdecimal() and int(told) != len(lines):
        return f"the totals say {int(told)} lines, and there are {len(lines)}", "CTT01"
    if counted in _SUMMED and _text(segment, 2) and not _agrees(_text(segment, 2), root, *_SUMMED[counted]):
        return "the hash total is not the sum of the lines' quantities", "CTT02"
    return "", ""


def _agrees(told: str, root: Group, id: str, position: int) -> bool:
    """As a sum, or as X12 defines it: of the digits alone, without points and signs, the leftmost cut off."""
    values = [text for _, segment in root.walk() if segment[0] == id and (text := _text(segment, position))]
    digits = sum([int("".join(filter(str.isdigit, value))) for value in values]) % 10**_HASH_DIGITS
    return Decimal(told) in {sum(map(Decimal, values), Decimal()), Decimal(digits)}


def _text(segment: Elements, position: int) -> str:
    value = segment[position] if position < len(segment) else ""
    return value if isinstance(value, str) else ""
