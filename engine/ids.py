"""Ids that are unique everywhere and sort by time: 20 characters, so that they fit MSH-10 before HL7 v2.7."""

from __future__ import annotations

import os
import struct
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_PAIRS = [one + two for one in _ALPHABET for two in _ALPHABET]  # ten bits each
_MANY = struct.Struct("<64Q")
_random: list[int] = []  # taken from the system many at a time: asking it takes longer than all the rest


def new_id() -> str:
    """10 characters of milliseconds since the epoch, 10 of randomness (50 bits)."""
    try:
        chance = _random.pop()
    except IndexError:
        chance, *more = _MANY.unpack(os.urandom(_MANY.size))
        _random.extend(more)
    return _ten(time.time_ns() // 1_000_000) + _ten(chance)


def now() -> int:
    """Microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000


def _ten(number: int) -> str:
    """The lower 50 bits as ten characters."""
    return (
        _PAIRS[number >> 40 & 1023]
        + _PAIRS[number >> 30 & 1023]
        + _PAIRS[number >> 20 & 1023]
        + _PAIRS[number >> 10 & 1023]
        + _PAIRS[number & 1023]
    )
