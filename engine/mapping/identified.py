"""Identifiers that a mapping reads and that carry their own check: whether it reads any, and what is wrong with them.

A bad one is a warning, never a refusal: what was sent goes on as it was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from canonical import Document
from canonical.checks import CHECKED, identifier_faults
from engine.mapping.plan import Group, Leaf, Pairs, Part, Repeat, Slots

# More would help nobody: a catalogue of thousands of items has one cause for them all.
MOST: Final = 20
AND_MORE: Final = "identifier.more"


def reads_identifiers(parts: Iterable[Part]) -> bool:
    """Whether any part may give an identifier that can be checked: settled once, so that others pay nothing."""
    return any(map(_reads, parts))


def _reads(part: Part) -> bool:
    if isinstance(part, Leaf):
        value = part.reading
        if part.target.name != "scheme" or value is None:
            return False
        known = {value.const} if value.const is not None else value.codes.outward.keys() if value.codes else None
        return known is None or not CHECKED.keys().isdisjoint(known)
    if isinstance(part, Pairs):
        return part.reads and not CHECKED.keys().isdisjoint(part.codes.outward)
    if isinstance(part, Slots):
        return part.reads and any(reads_identifiers(entry.parts) for entry in part.entries)
    assert isinstance(part, Group | Repeat)
    return (not isinstance(part, Repeat) or part.reads) and reads_identifiers(part.parts)


def warnings(document: Document, places: Callable[[], Mapping[str, str]]) -> tuple[str, ...]:
    """`CODE PLACE` of each bad identifier. places: where each pointer was read; asked only when there is one."""
    found = list(identifier_faults(document))
    if not found:
        return ()
    known = places()
    told = [f"{code} {known.get(pointer, pointer)}" for pointer, code in found[:MOST]]
    return (*told, AND_MORE) if len(found) > MOST else tuple(told)
