"""Ids that are unique everywhere and sort by time: 20 characters, so that they fit MSH-10 before HL7 v2.7."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U


def new_id() -> str:
    """10 characters of milliseconds since the epoch, 10 of randomness (50 bits)."""
    number = (time.time_ns() // 1_000_000 << 50) | (int.from_bytes(os.urandom(7), "big") >> 6)
    return "".join([_ALPHABET[number >> shift & 31] for shift in range(95, -5, -5)])


def now() -> int:
    """Microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000
