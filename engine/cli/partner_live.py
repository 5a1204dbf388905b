"""`hilum partner go-live`: the switch that asks for a certificate, and the way back."""

from __future__ import annotations

import datetime as dt
import getpass
import os
from typing import Any

import click

from engine.cli.output import talk
from engine.cli.partner import site_files


def go_live(
    name: str, numbers: dict[str, int], files: dict[str, bytes], *, override: bool, reason: str, dry_run: bool
) -> int:
    """numbers: by the kind of counter (`isa`, `gs`), the first number that is to be given. files: of open orders.

    Returns the exit code.
    """
    from engine import wiring
    from engine.cli.check import print_found
    from engine.onboarding import certificate
    from engine.onboarding.candidate import as_status, with_status
    from engine.site.effective import fingerprint

    root, source = site_files(name)
    registry = wiring.registry()
    site, findings = as_status(source, name, "live", registry, os.environ)
    if site is None:
        print_found(root, findings, err=True)
        talk(f"{name} stays as it is: the site would be wrong with it live")
        return 3
    kept, now = certificate.read(root, name), fingerprint(source, name, registry)
    stands = certificate.standing(kept, now)
    if stands not in certificate.MAY_GO_LIVE and not override:
        talk(f"{name} may not go live: {_WHY[stands]}\nnext: hilum partner certify {name}, or --override --reason TEXT")
        return 4
    counters = _counters(site, name, registry, numbers)
    orders = _orders(site, name, registry, files)
    if orders is None:
        talk(f"{name} stays as it is")
        return 1
    if dry_run:
        talk(f"would set {name} live ({stands if stands in certificate.MAY_GO_LIVE else 'by override'})")
        for counter, number in counters.items():
            talk(f"would give {number} as the next number of {counter}")
        if files:
            talk(f"would take over {len(orders)} open orders")
        return 0
    if stands not in certificate.MAY_GO_LIVE:
        given = {"at": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}", "who": getpass.getuser(), "reason": reason}
        certificate.write(root, kept._replace(overrides=(*kept.overrides, {**given, "fingerprint": now})))
    if counters:
        _seed(counters, f"{name} goes live")
    if orders:
        from engine.cli.reading import act

        told = act("take_over", orders=orders, reason=f"{name} goes live")
        talk(f"took over {told['kept']} open orders; {len(orders) - told['kept']} were known before")
    path = root / "partners" / f"{name}.yaml"
    certificate.keep(path, with_status(path.read_bytes(), "live"))
    click.echo(f"{name}\tlive\t{stands if stands in certificate.MAY_GO_LIVE else 'override'}")
    talk(_running())
    return 0


def go_back(name: str, dry_run: bool) -> int:
    """Returns the exit code."""
    from engine import wiring
    from engine.onboarding import certificate
    from engine.onboarding.candidate import as_status, with_status

    root, source = site_files(name)
    able = (status for status in ("testing", "draft")
            if as_status(source, name, status, wiring.registry(), os.environ)[0] is not None)  # fmt: skip
    status = next(able, "")
    if not status:
        talk(f"{name} stays as it is: the site would be wrong otherwise; `hilum check` says why")
        return 3
    if dry_run:
        talk(f"would set {name} {status}")
        return 0
    path = root / "partners" / f"{name}.yaml"
    certificate.keep(path, with_status(path.read_bytes(), status))
    click.echo(f"{name}\t{status}\t")
    talk(_running())
    return 0


_WHY = {
    "none": "it has no certificate",
    "stale": "its certificate is for another configuration, mapping, guide or code table than it has now",
    "failed": "rules did not hold when it was certified",
}


def _orders(site: Any, name: str, registry: Any, files: dict[str, bytes]) -> list[Any] | None:
    """What the files hold for the partner; None when one of them cannot be read whole, which has been told."""
    from engine import ids
    from engine.onboarding.takeover import read_orders

    orders: list[Any] = []
    wrong = False
    for file, raw in files.items():
        mine, others, problems = read_orders(raw, site, name, registry.format, ids.new_id, ids.now())
        for problem in problems:
            talk(f"error[{problem.code}]: {problem.text}\n  --> {file}: {problem.place}")
        talk(f"{file}: {len(mine)} open orders for {name}, {others} for others")
        orders, wrong = orders + mine, wrong or bool(problems)
    return None if wrong else orders


def _counters(site: Any, name: str, registry: Any, numbers: dict[str, int]) -> dict[str, int]:
    """The counters of what we send to the partner, and the number each is to give next."""
    from engine.onboarding.desk import Desk
    from engine.onboarding.sample import lenient, sample_order

    desk = Desk(lenient(site, name), name, registry.format, 0)
    ordering = desk.partner.outgoing("purchase_order")
    if not numbers or ordering is None:
        return {}
    order = sample_order(site, desk.partner, dt.date.today())
    found = {counter.partition(":")[0]: counter for counter in desk.counters(order, ordering)}
    return {found[kind]: number for kind, number in numbers.items() if kind in found}


def _seed(counters: dict[str, int], reason: str) -> None:
    from engine.cli.reading import act

    told = act("seed", counters=counters, reason=reason)
    for counter, number in told.items():
        talk(f"the next number of {counter} is {number}")


def _running() -> str:
    from engine import control
    from engine.errors import Unavailable
    from engine.home import SOCKET, home

    try:
        would = control.ask(home() / SOCKET, "reload", dry_run=True)
    except Unavailable:
        return "no daemon runs here; the next start takes it in"
    if any(change["refused"] for change in would["changes"]):
        return "a daemon runs: restart it, for it keeps the connections that it has open"
    return "a daemon runs: hilum reload takes it in"
