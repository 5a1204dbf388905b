"""The second process of a daemon: it reads and plans messages, so that the first has its hands free to take them.

`python -m engine.worker` speaks with its parent over its own stdin and stdout: it takes the snapshot of a site, greets,
and answers each list of work with what it decided. Where that takes facts of the store it asks for them, and goes on
when it is told. It keeps nothing, knows no store, and ends when its parent does. Where it is in any doubt it says so
(None), and the parent decides itself.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Any, BinaryIO

from engine import ids, pipeline, portions, wiring
from engine.crossing import LENGTH, WORK, Fields, answer, asked, asks, facts_of, frame, told, unframe
from engine.pipeline import Facts, Reading
from engine.planner import Planner
from engine.plugin import Portion
from engine.site.load import load_snapshot
from engine.store.contract import Outcome, Work

Looked = tuple[Reading, Portion | None]

_MOST_OPEN = 1024
_NICE = 10  # senders wait for the daemon, and nobody waits for us


def main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # they are for the parent, and its end is ours
    os.nice(_NICE)
    source, sink = sys.stdin.buffer, _sole_stdout()
    snapshot, known = _receive(source), wiring.registry()
    site = load_snapshot(snapshot, known, os.environ)[0] if snapshot else None
    if site is None:
        return  # the parent is gone, or what its site refers to has changed since it was loaded
    desk = Desk(Planner(site, known.format, ids.new_id))
    gc.freeze()
    _send(sink, site.version)
    try:
        while (received := _receive(source)) is not None:
            kind, pieces = received
            _send(sink, [desk.look(piece) if kind == WORK else desk.conclude(piece) for piece in pieces])
    except BrokenPipeError:
        os._exit(0)  # the parent is gone; nothing may try to write to it once more on the way out


class Desk:
    """Answers for one site."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._open: dict[int, tuple[Work, Looked]] = {}  # what waits for facts, by the number of its message

    def look(self, piece: Fields) -> Fields | list[list[Fields]] | None:
        """What is decided about a piece of work, or what that takes; None for what only the parent can decide."""
        try:
            work = asked(piece)
            looked = _look(work, self._planner)
            if looked is None or not _is_open(looked):
                return answer(_concluded(work, looked, Facts(), self._planner)) if looked else None
            if len(self._open) >= _MOST_OPEN:  # a parent that never asks again has decided by itself
                del self._open[next(iter(self._open))]
            self._open[work.subject] = work, looked
            return asks(looked[0].needs, looked[0].lookups)
        except Exception:
            return None

    def conclude(self, piece: Fields) -> Fields | None:
        """What is decided with the facts that were asked for."""
        try:
            seq, found = told(piece)
            work, looked = self._open.pop(seq)
            facts = facts_of(looked[0], found)
            return answer(_concluded(work, looked, facts, self._planner))
        except Exception:
            return None


def decide(work: Work, planner: Planner) -> Outcome | None:
    """What takes no facts. None for what only the parent can decide, or must fail at."""
    try:
        looked = _look(work, planner)
        return None if looked is None or _is_open(looked) else _concluded(work, looked, Facts(), planner)
    except Exception:
        return None


def _look(work: Work, planner: Planner) -> Looked | None:
    """None for a portion that needs a wider window."""
    message = work.message
    if message.size > len(message.body):
        return portions.read(message, portions.progress(work.step), planner)
    return pipeline.read(message, planner), None


def _is_open(looked: Looked) -> bool:
    return bool(looked[0].needs or looked[0].lookups)


def _concluded(work: Work, looked: Looked, facts: Facts, planner: Planner) -> Outcome:
    reading, portion = looked
    planned = pipeline.plan(work, reading, facts, planner, now=ids.now())
    return planned if portion is None else portions.outcome(planned, portion, portions.progress(work.step))


def _sole_stdout() -> BinaryIO:
    """Our stdout, with whatever else prints sent to stderr."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return sink


def _send(sink: BinaryIO, told: object) -> None:
    sink.write(frame(told))
    sink.flush()


def _receive(source: BinaryIO) -> Any:
    """None when the parent is gone."""
    head = source.read(LENGTH.size)
    return unframe(source.read(*LENGTH.unpack(head))) if len(head) == LENGTH.size else None


if __name__ == "__main__":
    main()
