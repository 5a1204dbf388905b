"""Syntax notes: which elements of a segment must or may stand together (X12.6). Pure."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A relation between elements of one segment: P, R, E, C or L, and their positions (1-based).

    all: bits 1 << position of its positions. good: which of those may be present together.
    """

    kind: str
    positions: tuple[int, ...]
    all: int
    good: frozenset[int]


@functools.cache
def rule(text: str) -> Rule:
    """From its notation: a letter, then positions of two digits each, `C0302`."""
    kind, positions = text[0], tuple(int(text[at : at + 2]) for at in range(1, len(text), 2))
    bits = [1 << position for position in positions]
    subsets = (sum(some) for count in range(len(bits) + 1) for some in itertools.combinations(bits, count))
    good = frozenset(subset for subset in subsets if _holds(kind, subset, sum(bits), bits[0]))
    return Rule(kind, positions, sum(bits), good)


def _holds(kind: str, there: int, all: int, first: int) -> bool:
    """Whether a relation holds for the elements that are there."""
    if kind == "P":
        return there in {0, all}
    if kind == "R":
        return there != 0
    if kind == "E":
        return there.bit_count() < 2
    if kind == "C":
        return not there & first or there == all
    return there != first
