"""What is to be written of one record: collected first, and put into the tree when the record's node is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.errors import Refused
from engine.mapping.run import SKIP, TODAY, Row, Run
from engine.mapping.translate import Encode
from engine.plugin import NULL, Node


class Spot(NamedTuple):
    """A place of the message and the pointer of what is put there, inside its loop item: for faults and lineage."""

    place: str
    canonical: str


# What is to be done to a record's node once it is made, in order: (put, text, spot) a text at a place, or, without a
# spot, (write, thing, None) what stands below it.
Puts = list[tuple[Callable[..., None], Any, Spot | None]]
# Collects what is to be written of a record; False: the record must be left out.
Collect = Callable[[Any, Puts, Run], bool]
Below = Callable[[Any, Node, Run], None]


class Step(NamedTuple):
    """How a part is written: mostly the field `name`, translated by `encode`, goes by `write` to one spot.

    Without a spot, `write` collects. default: what is written when the field is unset; None has none.
    """

    name: str
    write: Callable[..., Any]
    spot: Spot | None = None
    encode: Encode | None = None
    default: object = None
    required: bool = False


def collector(steps: tuple[Step, ...]) -> Collect:
    """Collects what the steps of one record say."""

    def collect(record: Any, puts: Puts, run: Run) -> bool:
        kept = True
        values, given = record.__dict__, record.model_fields_set
        for name, put, spot, encode, default, required in steps:  # every one, so that all faults are told
            if spot is None:
                kept = put(record, puts, run) and kept
                continue
            text = values[name]
            if text is None:
                if name in given:
                    puts.append((put, NULL, spot))
                    continue
                text = run.today if default is TODAY else default
                if text is None:
                    continue
            if encode is not None:
                text = encode(text, run)
            if isinstance(text, str):
                puts.append((put, text, spot))
            elif text is SKIP and required:
                kept = False
        return kept

    return collect


def later(write: Below) -> Collect:
    """What is below the record waits until the record's node is made."""

    def collect(record: Any, puts: Puts, run: Run) -> bool:
        puts.append((write, record, None))
        return True

    return collect


def put_all(puts: Puts, node: Node, run: Run, trace: bool) -> None:
    for put, told, spot in puts:
        if spot is None:
            put(told, node, run)
            continue
        try:
            put(node, told)
        except Refused as refusal:
            refusal.place = refusal.place or spot.place
            run.refuse(refusal, spot.canonical)
        if trace:
            run.rows.append(Row(*spot))
