"""`hilum run`, `hilum status` and `hilum reload`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from engine.cli.output import output_options, rehearsed, report_error, show, show_one, talk
from engine.errors import ConfigError, HilumError

_DATA = frozenset({"json", "jsonl", "yaml", "csv"})


@click.command()
@rehearsed("Only look at all that a start needs; nothing is opened or made.")
def run(dry_run: bool, form: str | None) -> None:
    """Run the daemon in the foreground.

    SIGTERM finishes what is in hand and stops; SIGHUP reads the site again and takes it if it is right.
    """
    try:
        if dry_run:
            _rehearse(form)
            return
        from engine import daemon

        daemon.main()
    except ConfigError as error:
        from engine.cli.check import print_findings

        print_findings(error)
        sys.exit(3)
    except HilumError as error:
        sys.exit(report_error(error))


def _rehearse(form: str | None) -> None:
    from engine.cli.rehearse import rehearse

    found = rehearse()
    show([check.as_data() for check in found], form, ("result", "check", "name", "text"))
    failed = sum(bool(check.code) for check in found)
    told = f"would not start: {failed} of {len(found)} checks failed" if failed else "would start"
    talk(f"{told}; nothing was started")
    sys.exit(6 if failed else 0)


@click.command()
@click.option("--wait", type=float, default=0.0, help="Seconds to wait for a daemon to be there.")
@output_options
def status(wait: float, form: str | None) -> None:
    """Ask the running daemon how it is: what came in, what is on its way, what waits for a person."""
    from engine import control
    from engine.home import SOCKET, home

    until = time.monotonic() + wait
    while True:
        try:
            told = control.ask(home() / SOCKET, "status")
            break
        except HilumError as error:
            if time.monotonic() >= until:
                talk("no daemon is running here; `hilum run` starts one")
                sys.exit(report_error(error))
            time.sleep(0.05)
    if form in {None, "table", "wide"}:
        told = {**{name: value for name, value in told.items() if name != "store"}, **told["store"]}
    show_one(told, form)


@click.command()
@rehearsed("Only say what would change, and what would be refused.")
def reload(dry_run: bool, form: str | None) -> None:
    """Have the running daemon read its site again; a bad site changes nothing, and says so."""
    from engine import control
    from engine.home import SOCKET, home

    try:
        told = control.ask(home() / SOCKET, "reload", dry_run=dry_run)
    except HilumError as error:
        code = 3 if (told := report_error(error)) == 1 else told  # whatever stood in its way, the reload was refused
        if code == 3:
            talk("the site that runs goes on as it was; `hilum reload --dry-run` tells everything")
        sys.exit(code)
    if dry_run:
        _print_plan(told, form)
        sys.exit(3 if told["would"] == "refuse" else 0)
    opened = f"; opened: {', '.join(told['opened'])}" if told["opened"] else ""
    talk(f"reloaded: site {told['site'][:12]}{opened}")


def _print_plan(told: dict[str, Any], form: str | None) -> None:
    from engine.cli.check import print_found
    from engine.site.diagnostics import finding_from

    if form in _DATA:
        show_one(told, form)
    else:
        show(told["changes"], form, ("change", "what", "name", "fields"))
        print_found(Path(told["root"]), [finding_from(one) for one in told["findings"]])
        for row in told["changes"]:
            if row["refused"]:
                talk(
                    f"error[CFG190]: {row['what']} {row['name']}: a running daemon keeps its doors; restart it for this"
                )
    now, then = told["running"][:12], (told["site"] or "")[:12]
    would = {
        "take": f"would replace site {now} by {then}",
        "refuse": f"would be refused; site {now} would go on",
        "nothing": f"nothing differs from site {now}",
    }
    talk(f"{would[told['would']]}. Nothing was changed")
