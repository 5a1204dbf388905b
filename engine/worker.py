"""The second process of a daemon: it reads and plans messages, so that the first has its hands free to take them.

`python -m engine.worker` speaks with its parent over its own stdin and stdout: it takes the snapshot of a site, greets,
and answers each list of work with what it decided. It keeps nothing, knows no store, and ends when its parent does.
Where it is in any doubt it says so (None), and the parent decides itself.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Any, BinaryIO

from engine import ids, pipeline, portions, wiring
from engine.crossing import LENGTH, answer, asked, frame, unframe
from engine.planner import Planner
from engine.site.load import load_snapshot
from engine.store.contract import Outcome, Work

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
    planner = Planner(site, known.format, ids.new_id)
    gc.freeze()
    _send(sink, site.version)
    try:
        while (works := _receive(source)) is not None:
            decided = [decide(asked(work), planner) for work in works]
            _send(sink, [outcome and answer(outcome) for outcome in decided])
    except BrokenPipeError:
        os._exit(0)  # the parent is gone; nothing may try to write to it once more on the way out


def decide(work: Work, planner: Planner) -> Outcome | None:
    """None for what only the parent can decide, or must fail at."""
    try:
        if work.message.size > len(work.message.body):
            return _decide_portion(work, planner)
        reading = pipeline.read(work.message, planner)
        if reading.needs or reading.lookups:
            return None  # facts of the store
        return pipeline.plan(work, reading, pipeline.Facts(), planner, now=ids.now())
    except Exception:
        return None


def _decide_portion(work: Work, planner: Planner) -> Outcome | None:
    at = portions.progress(work.step)
    found = portions.read(work.message, at, planner)
    if found is None:
        return None  # it needs a wider window
    reading, portion = found
    return (
        None
        if reading.needs or reading.lookups
        else portions.outcome(pipeline.plan(work, reading, pipeline.Facts(), planner, now=ids.now()), portion, at)
    )


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
