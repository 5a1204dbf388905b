"""What is to be written of one record: a text for each of its places, collected first, and put into the tree when the
record's node is made.

Which places a record has is settled when a mapping is compiled; while one is written there are only its `Texts`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from engine.errors import Refused
from engine.mapping.run import SKIP, TODAY, Row, Run, Sentinel
from engine.mapping.translate import Encode
from engine.plugin import NULL, Field, Fill, Node, Scope

# One for each place of a record, by the place's number: a text; "" where nothing is to be written; EMPTY; NULL or a
# Deletion; where something below is written, the record it is written of; at a mark, a position. The first is "".
Texts = list[Any]
# Collects what is to be written of a record, something for each of its places; False: the record must be left out.
Collect = Callable[[Any, Texts, Run], bool]
Below = Callable[[Any, Node, Run], None]
PutAll = Callable[[Texts, Node, Run], None]

EMPTY: Final = Sentinel("EMPTY")  # a text without letters, as against nothing


class Deletion(NamedTuple):
    """A record that its sender asked to delete. canonical: its pointer."""

    canonical: str


class Place(NamedTuple):
    """Where something of a record goes, and the pointer of what goes there, inside its loop item.

    below: writes what has nodes of its own. Without a field or that, it marks an entry of a list: its text is the
    position of the entry. entry: the number of the mark of the entry around it, 0 for none.
    """

    field: Field | None
    canonical: str
    entry: int = 0
    below: Below | None = None


class Sheet:
    """The places of one record, numbered from 1 as a mapping is compiled."""

    def __init__(self) -> None:
        self.places = [Place(None, "")]
        self.entry = 0

    def add(self, field: Field | None, canonical: str, below: Below | None = None) -> int:
        self.places.append(Place(field, canonical, self.entry, below))
        return len(self.places) - 1

    def blank(self, since: int) -> tuple[str, ...]:
        """The texts of all places from a number on, when nothing is to be written there."""
        return ("",) * (len(self.places) - since)

    def putter(self, scope: Scope, *, trace: bool) -> PutAll:
        """Puts a record's texts into its node, in the order of the places; as many at once as the format can."""
        places = tuple(self.places)
        runs = [(1, len(places), None)] if trace else _runs(places, getattr(scope, "filler", None))

        def put_all(texts: Texts, node: Node, run: Run) -> None:
            for start, stop, fill in runs:
                if fill is None or not fill(node, texts):
                    _put_each(places, start, stop, texts, node, run, trace)

        return put_all


def _runs(places: Sequence[Place], filler: Any) -> list[tuple[int, int, Fill | None]]:
    """Ranges of places, with what fills each whole."""
    runs: list[tuple[int, int, Fill | None]] = []
    start = 1
    while start < len(places):
        ahead = []
        for number in range(start, len(places)):
            if places[number].below is not None:
                break
            if (field := places[number].field) is not None:
                ahead.append((number, field))
        count, fill = filler(ahead) if filler is not None else (0, None)
        stop = ahead[count - 1][0] + 1 if count else start + 1
        runs.append((start, stop, fill if count else None))
        start = stop
    return runs


def _put_each(places: Sequence[Place], start: int, stop: int, texts: Texts, node: Node, run: Run, trace: bool) -> None:
    for number in range(start, stop):
        told = texts[number]
        if not told:
            continue
        field, canonical, entry, below = places[number]
        if isinstance(told, Deletion):
            canonical, told = told.canonical, NULL
        elif below is not None:
            known, traced = len(run.troubles), len(run.rows)
            below(told, node, run)
            if entry:
                run.enter(known, traced, "", _pointer(places, texts, entry), writing=True)
            continue
        if field is not None:
            pointer = _pointer(places, texts, entry) + canonical if entry else canonical
            put(field, "" if told is EMPTY else told, pointer, node, run, trace)


def put(field: Field, text: Any, canonical: str, node: Node, run: Run, trace: bool) -> None:
    try:
        field.put(node, text)
    except Refused as refusal:
        refusal.place = refusal.place or field.path
        run.refuse(refusal, canonical)
    if trace:
        run.rows.append(Row(field.path, canonical))


def _pointer(places: Sequence[Place], texts: Texts, entry: int) -> str:
    """The pointer of a list's entry, from its mark."""
    pointer = ""
    while entry:
        pointer = f"{places[entry].canonical}/{texts[entry]}{pointer}"
        entry = places[entry].entry
    return pointer


class Step(NamedTuple):
    """How a part is collected: mostly the field `name`, translated by `encode`; else `collect` does it.

    default: what is written when the field is unset; None has none.
    """

    name: str
    collect: Collect | None = None
    encode: Encode | None = None
    default: object = None
    required: bool = False


def collector(steps: tuple[Step, ...]) -> Collect:
    """Collects what the steps of one record say."""

    def collect(record: Any, texts: Texts, run: Run) -> bool:
        kept = True
        values = record.__dict__
        for name, inner, encode, default, required in steps:  # every one, so that all faults are told
            if inner is not None:
                kept = inner(record, texts, run) and kept
                continue
            text = values[name]
            if text is None:
                if name in record.model_fields_set:
                    texts.append(NULL)
                    continue
                text = run.today if default is TODAY else default
                if text is None:
                    texts.append("")
                    continue
            if encode is not None:
                text = encode(text, run)
                if not isinstance(text, str):
                    texts.append("")
                    kept = kept and not (text is SKIP and required)
                    continue
            texts.append(text or EMPTY)
        return kept

    return collect


def itself(record: Any, texts: Texts, run: Run) -> bool:
    """What is below the record waits until the record's node is made."""
    texts.append(record)
    return True
