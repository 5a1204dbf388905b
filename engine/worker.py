"""The second process of a daemon: it reads and plans messages, so that the first has its hands free to take them.

`python -m engine.worker` loads the site that the environment names and speaks with its parent over its own stdin and
stdout: it greets with the site's version, then answers each list of work with what it decided. It keeps nothing, knows
no store, and ends when its parent does. Where it is in any doubt it says so (None), and the parent decides itself.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO

from engine import ids, pipeline, wiring
from engine.errors import ConfigError
from engine.planner import Planner
from engine.store.contract import Work
from engine.workers import LENGTH, frame

_NICE = 10  # senders wait for the daemon, and nobody waits for us


def main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # they are for the parent, and its end is ours
    os.nice(_NICE)
    source, sink = sys.stdin.buffer, _sole_stdout()
    try:
        planner = Planner(wiring.load(), wiring.registry().format, ids.new_id)
    except ConfigError:
        return  # the parent has said what is wrong with it, or will
    gc.freeze()
    _send(sink, planner.site.version)
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


def _receive(source: BinaryIO) -> Sequence[Work] | None:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    works: Sequence[Work] = pickle.loads(source.read(*LENGTH.unpack(head)))
    return works


if __name__ == "__main__":
    main()
