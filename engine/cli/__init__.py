"""The command line. One module per group of verbs, imported only when one of them is called."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

# verb -> module of this package; the command in it has the verb's name. Order is the order of `--help`.
VERBS = {
    "init": ("scaffold", "Write a new site to start from."),
    "check": ("check", "Check a site: every mistake of every file."),
    "run": ("run", "Run the daemon."),
    "demo": ("demo", "Play one morning: hospitals, ERP and suppliers, with trouble."),
    "status": ("run", "Ask the running daemon how it is."),
    "reload": ("run", "Have the running daemon read its site again."),
    "trace": ("trace", "Show the whole story of a requisition, order, control number or message."),
    "messages": ("look", "Search messages, or show one."),
    "exceptions": ("worklist", "List, show and resolve what waits for a person."),
    "acks": ("look", "List acknowledgements still awaited."),
    "crosswalk": ("crosswalk", "List, show and load code tables, and what traffic missed in them."),
    "replay": ("worklist", "Run exceptions, messages or deliveries again."),
    "partner": ("partner", "Look at partners, and bring one on."),
    "map": ("mapping", "Run, test and explain mappings."),
    "send": ("send", "Send a test message to a listener."),
    "explain": ("explain", "Explain an error code."),
    "schema": ("scaffold", "Print or write the JSON Schemas of the YAML files."),
    "version": ("explain", "Print the version."),
}

_FEW_COLLECTIONS = 50_000  # a verb makes much and drops little: looking for garbage would take a third of its time


def main(args: Sequence[str] | None = None) -> NoReturn:
    """The console script. Exit codes: 0 ok, 1 problems, 2 usage, 3 configuration, 4 not allowed, 5 not found,
    6 cannot reach, 7 refused, 8 waited too long, 130 interrupted."""
    words = sys.argv[1:] if args is None else args
    if list(words) == ["run"]:
        from engine import signals

        signals.hold()  # before all that a start takes its time for; the daemon releases them
    gc.set_threshold(_FEW_COLLECTIONS)
    from engine.errors import HilumError

    try:
        sys.exit(_answer(words))
    except HilumError as error:
        from engine.cli.output import report_error

        sys.exit(report_error(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away; say nothing about it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    finally:
        gc.freeze()  # all there is goes with the process: the interpreter need not look through it first


def _answer(words: Sequence[str]) -> int:
    """Programs ask `trace KEY --json` in a loop: that one form is answered before click is loaded, as click would."""
    match words:
        case ["trace", key, "--json"] | ["trace", "--json", key] if not key.startswith("-"):
            from engine.cli.data import print_trace

            return print_trace(key)
    from engine.cli.verbs import hilum

    code: int = hilum.main(args=list(words), prog_name="hilum")
    return code
