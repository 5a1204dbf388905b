"""`hilum run` and `hilum status`."""

from __future__ import annotations

import sys
import time

import click

from engine.cli.output import output_options, report_error, show_one, talk
from engine.errors import ConfigError, HilumError


@click.command()
def run() -> None:
    """Run the daemon in the foreground.

    SIGTERM finishes what is in hand and stops; SIGHUP reads the site again and takes it if it is right.
    """
    from engine import daemon

    try:
        daemon.main()
    except ConfigError as error:
        from engine.cli.check import print_findings

        print_findings(error)
        sys.exit(3)
    except HilumError as error:
        sys.exit(report_error(error))


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
def reload() -> None:
    """Have the running daemon read its site again; a bad site changes nothing, and says so."""
    from engine import control
    from engine.home import SOCKET, home

    told = control.ask(home() / SOCKET, "reload")
    talk(f"reloaded: site {told['site'][:12]}")
