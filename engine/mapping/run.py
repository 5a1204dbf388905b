"""What one reading or writing carries along: the partner's zone and crosswalks, and the faults found on the way.

Places are collected relative to where they happened; each loop puts its own place before those of its items, so a
run without faults pays nothing for knowing where it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from canonical import Document
from engine.errors import Refused
from engine.plugin import Node


class Words(Protocol):
    """One direction of a crosswalk: what a word is at the other side; None when nothing knows it."""

    def get(self, word: str, /) -> str | None: ...


class Crosswalk(Protocol):
    """Code tables between a partner's words and the enterprise's (`engine.site.model.Crosswalk`)."""

    @property
    def inward(self) -> Words: ...
    @property
    def outward(self) -> Words: ...
    @property
    def columns(self) -> tuple[str, ...]:
        """Further keys that its words are asked by: `get(word, {column: our word})`."""
        ...

    @property
    def on_miss(self) -> str: ...
    @property
    def default(self) -> str: ...
    @property
    def default_out(self) -> str: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Context:
    """zone: where times without an offset are local. crosswalks: the partner's tables by the names mappings use.

    today: the day a message was received, for `default: today`; without it such a default is nothing.
    """

    zone: ZoneInfo
    crosswalks: Mapping[str, Crosswalk]
    today: dt.date | None = None


class Result(NamedTuple):
    """places: where each document stands in the message, when a mapping makes several of one; else empty.

    keys: (kind, value) of documents left out for their faults, as far as they could be read: to find the message by.
    warnings: of what was read as it was sent though something is wrong with it, `CODE PLACE`.
    """

    documents: tuple[Document, ...] = ()
    places: tuple[str, ...] = ()
    problems: tuple[Refused, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


class Written(NamedTuple):
    """node: the written tree; None when there are problems."""

    node: Node | None = None
    problems: tuple[Refused, ...] = ()


class Sentinel:
    """What a step says instead of a value."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


_WORD: Final = 80  # characters of a word that no crosswalk has which are kept: a code is not longer
TODAY: Final = Sentinel("TODAY")  # a default: the day the message was received
SKIP: Final = Sentinel("SKIP")  # leave this value out, and the record that cannot be without it
BAD: Final = Sentinel("BAD")  # there is a fault, and it has been told


@dataclass(slots=True)
class Trouble:
    """One fault. place: in the message. canonical: in the document, when writing."""

    code: str
    text: str
    status: str
    place: str
    canonical: str = ""
    hint: str = ""
    context: dict[str, str] | None = None

    def refused(self) -> Refused:
        source = self.place.removeprefix("$")
        place = f"{self.canonical} -> {source}" if self.canonical else source
        return Refused(self.code, self.text, place=place, hint=self.hint, status=self.status, context=self.context)


@dataclass(slots=True)
class Row:
    """One step of field lineage: a place in the message, and the place in the document it fed or was fed by."""

    place: str
    canonical: str


@dataclass(slots=True)
class Run:
    zone: ZoneInfo
    crosswalks: Mapping[str, Crosswalk]
    today: dt.date | None = None
    troubles: list[Trouble] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)  # filled by traced runs only
    pending: bool = False  # a word has waited for what stands beside it
    item: Any = None  # the entry that is written: where paths of `by` start
    around: Any = None  # the one around it

    def trouble(self, code: str, text: str, status: str, place: str, canonical: str = "", hint: str = "") -> None:
        self.troubles.append(Trouble(code, text, status, place, canonical, hint))

    def miss(self, crosswalk: str, table: str, word: str, place: str, canonical: str, *, out: bool) -> None:
        """A word that a crosswalk does not have: no text tells it, but what is kept of the fault does."""
        source, side = f" ({table})" if table else "", "enterprise" if out else "partner"
        text, hint = f"crosswalk '{crosswalk}'{source} has no row for this {side} value", f"add the row to {table}"
        context = {"crosswalk": crosswalk, "table": table, "word": word[:_WORD], "way": "out" if out else "in"}
        self.troubles.append(Trouble("map.miss", text, "204", place, canonical, hint if table else "", context))

    def refuse(self, refusal: Refused, canonical: str = "") -> None:
        """Keep a format's own refusal beside ours."""
        trouble = Trouble(refusal.code, refusal.text, refusal.status, refusal.place, canonical, refusal.hint)
        self.troubles.append(trouble)

    def enter(self, troubles: int, rows: int, place: str, canonical: str, *, writing: bool) -> None:
        """Put a loop item's place before what was found in it: everything after the given counts.

        An item without a place of its own has "": what leads out of the loop (`../`) still does.
        """
        for trouble in self.troubles[troubles:]:
            trouble.place = joined(place, trouble.place) if place else trouble.place
            if writing:
                trouble.canonical = canonical + trouble.canonical
        for row in self.rows[rows:]:
            row.place = joined(place, row.place) if place else row.place
            row.canonical = canonical + row.canonical


def joined(outer: str, inner: str) -> str:
    """`ORDER[2]` and `RQD-5` make `ORDER[2]/RQD-5`; pointers and parts of a segment (`-3`) join as they are.

    `../` leads out of the loop, `$` to the root.
    """
    if inner.startswith("$"):
        return inner
    if inner.startswith("../"):
        return inner[3:]
    if not outer or not inner:
        return outer or inner
    return outer + inner if inner[0] in "/-." else f"{outer}/{inner}"
