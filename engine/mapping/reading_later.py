"""Words that wait until the entry they stand in, or the one around it, is read: a crosswalk goes by what stands beside
them (`by`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from engine.mapping.beside import Pending
from engine.mapping.plan import Group, Leaf, Part, Repeat, Value
from engine.mapping.reading_values import Records, Step
from engine.mapping.run import BAD, SKIP, Run, joined
from engine.mapping.translate import settler
from engine.plugin import Node


class Waiting(NamedTuple):
    """One word that may wait. list: fields from the entry to a list of entries it stands in, if not in the entry
    itself. steps: fields from there to the word. cut: how many of them lead to what goes when the word is left out; 0:
    all of the entry.
    """

    list: tuple[str, ...]
    steps: tuple[str, ...]
    cut: int
    settle: Callable[[Pending, Any, Run], Any]


def waiting_of(parts: tuple[Part, ...]) -> tuple[Waiting, ...]:
    """Every word that is told once an entry of these parts has been read."""
    own = [Waiting((), steps, cut, settler(value)) for steps, cut, value in _words(parts, up=0)]
    for steps, part in _lists(parts):
        own += [Waiting(steps, below, cut, settler(value)) for below, cut, value in _words(part.parts, up=1)]
    return tuple(own)


def outward_of(parts: tuple[Part, ...]) -> tuple[tuple[str, ...], ...]:
    """Where words stand in an entry that wait for the entry around it."""
    return tuple(steps for steps, _, _ in _words(parts, up=1))


def _words(
    parts: tuple[Part, ...], up: int, steps: tuple[str, ...] = (), optional: int = 0
) -> Iterator[tuple[tuple[str, ...], int, Value]]:
    for part in parts:
        here = (*steps, part.target.name)
        cut = optional if part.target.required else len(here)
        if isinstance(part, Group):
            yield from _words(part.parts, up, here, cut)
        elif isinstance(part, Leaf) and part.reading is not None and part.reading.by and part.reading.up == up:
            yield here, cut, part.reading


def _lists(parts: tuple[Part, ...], steps: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Repeat]]:
    for part in parts:
        if isinstance(part, Repeat):
            yield (*steps, part.target.name), part
        elif isinstance(part, Group):
            yield from _lists(part.parts, (*steps, part.target.name))


def settled(record: Step, waiting: tuple[Waiting, ...]) -> Step:
    """As `record`, with every word told that waited."""

    def read(node: Node, run: Run, records: Records) -> Any:
        item = record(node, run, records)
        if not run.pending or not isinstance(item, dict):
            return item
        for word in waiting:
            if not word.list:
                if _settle(word, item, item, run) is SKIP:
                    return SKIP
                continue
            holder, name = _at(item, word.list[:-1]), word.list[-1]
            if entries := holder.get(name):
                holder[name] = [entry for entry in entries if _settle(word, entry, item, run) is not SKIP]
        return item

    return read


def _settle(word: Waiting, entry: dict[str, Any], item: dict[str, Any], run: Run) -> Any:
    """SKIP when the entry must go. item: what the word's `by` is read from."""
    holder, name = _at(entry, word.steps[:-1]), word.steps[-1]
    pending = holder.get(name)
    if type(pending) is not Pending:
        return None
    told = word.settle(pending, item, run)
    if told is SKIP and word.cut:
        _at(entry, word.steps[: word.cut - 1]).pop(word.steps[word.cut - 1])
    elif told is BAD:
        holder.pop(name)
    else:
        holder[name] = told
    return told if not word.cut else None


def place_outward(item: Any, words: Sequence[tuple[str, ...]], place: str) -> None:
    """Put a loop entry's place before those of words that are told only later."""
    for steps in words:
        pending = _at(item, steps[:-1]).get(steps[-1])
        if type(pending) is Pending:
            pending.place = joined(place, pending.place)


def _at(item: Any, steps: Sequence[str]) -> dict[str, Any]:
    """The record below; one that is not there has nothing in it."""
    for step in steps:
        item = item.get(step) if isinstance(item, dict) else None
    return item if isinstance(item, dict) else {}
