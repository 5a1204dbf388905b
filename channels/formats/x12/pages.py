"""The standard's tables as pages for people: one of each set, and one of all segments. Pure.

`make pages` writes them to docs/x12; a test tells when they are not what the tables say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from channels.formats.x12.grammar import BASE, RELEASES, TOKEN, Composite, Release, Segment, Slot, release
from channels.formats.x12.standard.sets import PLACES
from channels.formats.x12.syntax import Rule

_TYPES: Final = {"AN": "text", "ID": "code", "R": "decimal", "DT": "date", "TM": "time", "N0": "integer"}
_MARKED: Final = {"-": frozenset({BASE}), "+": frozenset(RELEASES) - {BASE}}
_NOTE: Final = "Made from the tables by `make pages`; edited there, in `channels/formats/x12/standard`."


def pages() -> dict[str, str]:
    """Each page by its name: `850.md`, `segments.md`."""
    return {**{f"{id}.md": _set_page(id) for id in sorted(PLACES)}, "segments.md": _segments_page()}


def _spoken() -> list[Release]:
    return [known for name in RELEASES if (known := release(name))]


# --- a set -----------------------------------------------------------------------------------------------------------
class _Row(NamedTuple):
    """most: as it is told, `1`, `12` or `any`, by release; empty where the release does not have it."""

    depth: int
    id: str
    opens: bool
    most: tuple[str, ...]


def _set_page(id: str) -> str:
    having = [known for known in _spoken() if id in known.groups]
    definition = having[0].transaction_set(id)
    assert definition is not None
    counted = f" CTT01 counts the {definition.counted} segments." if definition.counted else ""
    names = " and ".join(known.name for known in having)
    head = [
        f"# {id}: {definition.name}",
        "",
        _NOTE,
        "",
        f"Functional group {definition.group}, release {names}.{counted} ST and SE stand around what follows.",
        "**Bold** opens a loop, and what is indented below stands in it; `must` is mandatory in its loop.",
        "",
        f"| segment | what | {' | '.join(known.name for known in having)} |",
        f"|---|---|{'---|' * len(having)}",
    ]
    return "\n".join([*head, *(_row_text(row, having[-1].segments[row.id]) for row in _rows(id, having)), ""])


def _row_text(row: _Row, known: Segment) -> str:
    told = f"**{row.id}**" if row.opens else row.id
    link = f"[{told}](segments.md#{_anchor(known)})"
    return f"| {'&emsp;' * row.depth}{link} | {known.name} | {' | '.join(row.most)} |"


def _rows(id: str, having: list[Release]) -> Iterator[_Row]:
    """All places of a set in the order of its table, whichever release has them."""
    within = [frozenset(RELEASES)]  # of the loops that are open: which releases have them
    for match in TOKEN.finditer(PLACES[id]):
        mark, segment, must, star, number, opens, closes = match.groups()
        if closes:
            within.pop()
            continue
        here = within[-1] & _MARKED.get(mark, within[-1])
        often = ("must, " if must else "") + (number or ("any" if star else "1"))
        most = tuple(often if known.name in here else "" for known in having)
        yield _Row(len(within) - 1, segment, bool(opens), most)
        if opens:
            within.append(here)


# --- segments --------------------------------------------------------------------------------------------------------
def _segments_page() -> str:
    parts = ["# Segments", "", _NOTE, "", "Lengths are the least and the most; of numbers without sign and point.", ""]
    releases = _spoken()
    for id in sorted({id for known in releases for id in known.segments}):
        parts += _segment_part(id, [known.segments.get(id) for known in releases])
    parts += ["# Composites", ""]
    for number in sorted({number for known in releases for number in known.composites}):
        parts += _composite_part(number, [known.composites.get(number) for known in releases])
    return "\n".join(parts)


def _segment_part(id: str, made: list[Segment | None]) -> Iterator[str]:
    any_of = next(one for one in made if one)
    yield f"## {id} {any_of.name}"
    yield ""
    yield from _rules([one.rules if one else () for one in made])
    yield from _table(id, [one.slots if one else () for one in made])


def _composite_part(number: str, made: list[Composite | None]) -> Iterator[str]:
    yield f"## {number}"
    yield ""
    yield from _rules([one.rules if one else () for one in made])
    yield from _table("-", [one.components if one else () for one in made])


def _table(id: str, slots: list[tuple[Slot, ...]]) -> Iterator[str]:
    yield f"| element | what | {' | '.join(RELEASES)} |"
    yield f"|---|---|{'---|' * len(RELEASES)}"
    for at in range(max(map(len, slots))):
        here = [one[at] if at < len(one) else None for one in slots]
        name = next(slot.of.name for slot in here if slot)
        yield f"| {id}{at + 1:02d} | {name} | {' | '.join(map(_slot_text, here))} |"
    yield ""


def _slot_text(slot: Slot | None) -> str:
    if slot is None:
        return ""
    of = slot.of
    must = "must, " if slot.required else ""
    again = f", up to {slot.most} times" if slot.most > 1 else ""
    if isinstance(of, Composite):
        return f"{must}[{of.number}](#{of.number.lower()}){again}"
    kind = _TYPES.get(of.kind) or f"integer with {of.kind[1:]} implied decimals"
    length = str(of.most) if of.least == of.most else f"{of.least} to {of.most}"
    listed = ", listed" if of.codes else ""
    return f"{must}{of.number} {kind} {length}{listed}{again}"


def _rules(rules: list[tuple[Rule, ...]]) -> Iterator[str]:
    """Each relation once; said of one release where the other does not have it."""
    told = []
    for rule in dict.fromkeys(rule for one in rules for rule in one):
        having = [name for name, one in zip(RELEASES, rules, strict=True) if rule in one]
        only = "" if len(having) == len([one for one in rules if one]) else f" ({' '.join(having)})"
        told.append(_rule_text(rule) + only)
    if told:
        yield f"In use together: {'; '.join(told)}."
        yield ""


def _rule_text(rule: Rule) -> str:
    first, *others = [f"{at:02d}" for at in rule.positions]
    every, some = ", ".join([first, *others]), " or ".join(others)
    return {
        "P": f"all or none of {every}",
        "R": f"at least one of {every}",
        "E": f"at most one of {every}",
        "C": f"with {first} also {' and '.join(others)}",
        "L": f"with {first} also {some}",
    }[rule.kind]


def _anchor(segment: Segment) -> str:
    """As Markdown renderers make it of the heading."""
    return re.sub(r"[^a-z0-9 -]", "", f"{segment.id} {segment.name}".lower()).replace(" ", "-")
