"""The second process of a daemon: it reads and plans messages, so that the first has its hands free to take them.

`python -m engine.worker` speaks with its parent over its own stdin and stdout: it takes the snapshot of a site, greets,
and answers each list of work with what it decided. It keeps nothing, knows no store, and ends when its parent does.
Where it is in any doubt it says so (None), and the parent decides itself.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from typing import Any, BinaryIO

from engine import ids, pipeline, wiring
from engine.planner import Planner
from engine.site.load import load_snapshot
from engine.store.contract import Work
from engine.workers import LENGTH, frame

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
            _send(sink, [decide(work, planner) for work in works])
    except BrokenPipeError:
        os._exit(0)  # the parent is gone; nothing may try to write to it once more on the way out


def decide(work: Work, planner: Planner) -> tuple[Any, ...] | None:
    """The outcome's fields after the work itself; None for what only the parent can decide, or must fail at."""
    try:
        reading = pipeline.read(work.message, planner)
        if reading.needs:
            return None  # facts of the store
        return tuple(pipeline.plan(work, reading, {}, planner, now=ids.now())[1:])
    except Exception:
        return None


def _sole_stdout() -> BinaryIO:
    """Our stdout, with whatever else prints sent to stderr."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return sink


def _send(sink: BinaryIO, answer: object) -> None:
    sink.write(frame(answer))
    sink.flush()


def _receive(source: BinaryIO) -> Any:
    """None when the parent is gone."""
    head = source.read(LENGTH.size)
    return pickle.loads(source.read(*LENGTH.unpack(head))) if len(head) == LENGTH.size else None


if __name__ == "__main__":
    main()
