"""How it stands with what was asked for, in one word, from a trace's data. Pure.

A thread may hold several orders. What concerns one of them: the messages that the key names, those its documents were
written into, and all that came of these; of a message that holds several documents, what stands at the key's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Exceptions that say nothing about the order itself: a message beside it was in its way.
_BESIDE = frozenset({"dup.conflict", "ack.conflict"})


def verdict_of(data: Mapping[str, Any]) -> str:
    """`complete`, what is awaited, or STOPPED with the first open exception."""
    waits = [row for row in data["exceptions"] if row["state"] == "open" and row["code"] not in _BESIDE]
    if waits:
        return f"STOPPED: {waits[0]['id']} {waits[0]['code']}"
    if data["awaited"]:
        missing = data["awaited"][0]
        late = " (overdue)" if missing["overdue"] else ""
        towards = "to" if missing["what"].startswith("delivery") else "from"
        return f"awaiting {missing['what']} {towards} {missing['from']}{late}"
    return "complete"


def concerned(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same data, with those exceptions and awaited things alone that concern the key."""
    own = [row for row in data["documents"] if row["number"] == data["key"]]
    shared = _shared(data["documents"], data["key"]) if own else {}
    ids = {row["id"] for row in own}
    begin = [name for name in data["found"] if name not in shared]
    begin += [row["message"] for row in data["deliveries"] if row["document"] in ids]
    names = _below(begin, below_each(data)) | {row["message"] for row in own}
    problems = [row for row in data["exceptions"] if row["message"] in names]
    return {
        **data,
        "exceptions": [row for row in problems if _may_stand_in(row["place"], shared.get(row["message"], ()))],
        "awaited": [row for row in data["awaited"] if row["message"] in names],
    }


def below_each(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Message to the messages below it. An acknowledgement hangs below what it acknowledges, not below its cause."""
    children: dict[str, list[str]] = {}
    for edge in data["edges"]:
        source, target = edge["from"], edge["to"]
        if source.startswith("M") and target.startswith("M") and source != target:
            children.setdefault(source, []).append(target)
    return children


def _shared(documents: Sequence[Mapping[str, Any]], number: str) -> dict[str, list[str]]:
    """Messages that hold several documents, each with the places of those of this number."""
    held: dict[str, list[Mapping[str, Any]]] = {}
    for row in documents:
        held.setdefault(row["message"], []).append(row)
    return {
        name: [row["place"] for row in rows if row["number"] == number] for name, rows in held.items() if len(rows) > 1
    }


def _below(begin: Sequence[str], children: Mapping[str, Sequence[str]]) -> set[str]:
    """Some messages and all below them."""
    found: set[str] = set()
    left = list(begin)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += children.get(name, ())
    return found


def _may_stand_in(place: str, ours: Sequence[str]) -> bool:
    """Whether an exception at `place` of a message may be about a document that stands at one of `ours`."""
    return not place or not ours or any(f"{place}/".startswith(f"{one}/") for one in ours)
