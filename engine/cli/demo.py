"""`hilum demo`: one morning, played by real processes in under two minutes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click

from engine.cli.output import talk


@click.command()
@click.option("--home", type=click.Path(path_type=Path), default=Path("var/demo"), show_default=True,
              help="Where it is played; the store stays there to look into.")  # fmt: skip
@click.option("--seed", default=7, show_default=True, help="The same seed sends the same messages.")
@click.option("--count", default=400, show_default=True, help="How many requisitions.")
def demo(home: Path, seed: int, count: int) -> None:
    """Play one morning: twelve hospitals, an ERP that is down, three suppliers, a crash. Offline, real processes."""
    from channels.simulate.morning import Morning
    from channels.simulate.processes import NotReady
    from engine.site.reference import reference_root

    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {line}")

    say(f"seed {seed}, in {home}")
    try:
        morning = Morning(home.absolute(), reference_root(), say, seed=seed, count=count)
        told = morning.play()
    except NotReady as late:
        talk(f"the demo stopped: {late}")
        sys.exit(8)
    click.echo(f"\n{told.received} received, {told.lost} lost, {told.doubled} doubled, {told.crashes} crash\n")
    _verb(morning.environment, "trace", told.stat)
    click.echo(f"\noverdue ({told.awaited} in all, the first three):")
    _verb(morning.environment, "acks", "--overdue", "--limit", "3", "-o", "table")
    click.echo(
        f"\n{told.orders} orders in {told.seconds:.0f} s. The store stays in {home}; two commands worth trying next:\n"
    )
    hilum = "hilum" if shutil.which("hilum") else os.path.relpath(sys.argv[0])  # as it can be typed here
    click.echo(f"  HILUM_HOME={home} {hilum} trace {told.stat_order or told.stat}")
    click.echo(f"  HILUM_HOME={home} {hilum} exceptions\n")
    sys.exit(0 if told.lost == told.doubled == 0 and told.received == count else 1)


def _verb(environment: Mapping[str, str], *arguments: str) -> None:
    """Run a verb as the user would type it, over the demo's store."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "engine.cli", *arguments]
    subprocess.run(command, env={**os.environ, **environment}, check=False, timeout=60)
