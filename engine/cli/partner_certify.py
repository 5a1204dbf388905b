"""`hilum partner certify` and `go-live`: the conversation played offline, and the switch that asks for it."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from engine.cli.output import show, talk

_COLUMNS = ("result", "case", "rule", "place", "text")


def certify(name: str, folder: Path | None, dry_run: bool, form: str | None) -> int:
    """Returns the exit code: 0, or 1 when a rule did not hold."""
    from engine import wiring
    from engine.onboarding import certificate
    from engine.onboarding.certify import certify as play
    from engine.onboarding.verdict import passed

    root, source = _source(name)
    now = dt.datetime.now(dt.UTC)
    found = play(source, name, wiring.registry(), os.environ, _simulated, now)
    show([one.as_data() for one in found.verdicts], form, _COLUMNS)
    counts = ", ".join(f"{count} {result}" for result, count in found.counts.items())
    good = passed(found.verdicts)
    talk(f"{name}: {counts}")
    if dry_run:
        talk("nothing was kept")
        return 0 if good else 1
    kept = certificate.read(root, name)._replace(
        fingerprint=found.fingerprint, at=f"{now:%Y-%m-%dT%H:%M:%SZ}", version=_version(), counts=found.counts
    )
    page = folder / f"{name}.html" if folder else certificate.report_of(root, name)
    _keep(root, kept, page, _report(name, found, kept))
    talk(f"{'certified' if good else 'not certified'}; the report is {page}")
    if good:
        talk(f"next: hilum partner go-live {name}")
    return 0 if good else 1


def _simulated(partner: Any, at: dt.datetime) -> Any:
    """The supplier simulator as this partner: its names, its separators."""
    from channels.simulate.counterpart import Counterpart
    from channels.simulate.interchange import Identity, Separators

    envelope, identity = partner.envelope, partner.identity

    def party(side: Any) -> Identity:
        return Identity.parse("/".join(filter(None, (side.get("isa", ""), side.get("gs", "")))))

    separators = Separators(
        envelope.get("element", "*"), envelope.get("component", ">"), envelope.get("segment", "~"),
        envelope.get("after_segment", ""),
    )  # fmt: skip
    return Counterpart(
        party(identity.theirs), party(identity.ours), separators, at, identity.usage,
        envelope.get("group_version", "004010"), envelope.get("version", "00401"),
    )  # fmt: skip


def _report(name: str, found: Any, kept: Any) -> bytes:
    from engine.onboarding.report import report

    partner = found.partner
    title = (partner.title if partner else "") or name
    facts = {"Partner": name, "Played": kept.at, "For": f"configuration {kept.fingerprint[:16]}", "By": kept.version}
    if partner:
        ours, theirs = partner.identity.ours, partner.identity.theirs
        facts |= {"Between": f"{ours.get('isa', '')} and {theirs.get('isa', '')}"}
        facts |= {"Documents": ", ".join(dict.fromkeys(agreement.type for agreement in partner.agreements))}
        facts |= {"Contacts": ", ".join(f"{role} {who}" for role, who in partner.contacts.items())}
    return report(f"{title}: how our messages were tried", facts, found.verdicts, found.steps).encode()


def _keep(root: Path, kept: Any, page: Path, content: bytes) -> None:
    from engine.onboarding import certificate

    try:
        certificate.keep(page, content)
        certificate.write(root, kept)
    except OSError as error:
        talk(f"the certificate could not be written to {root}: {error.strerror}")
        sys.exit(6)


def _source(name: str) -> tuple[Path, Any]:
    from engine.cli.partner import known
    from engine.positions import Findings
    from engine.site.effective import partner_names
    from engine.site.reference import site_root
    from engine.site.source import read_source

    root = site_root(os.environ)
    source = read_source(root, Findings())
    known(name, partner_names(source))
    return root, source


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"hilum {version('hilum')}"
    except PackageNotFoundError:
        return "hilum"


# --- test ------------------------------------------------------------------------------------------------------------
def try_partner(name: str, files: dict[str, bytes], form: str | None) -> int:
    """Returns the exit code: 0, or 1 when a rule did not hold."""
    from engine import ids, wiring
    from engine.onboarding.trial import Trial
    from engine.onboarding.verdict import passed

    _, source = _source(name)
    verdicts = Trial(source, name, wiring.registry(), os.environ, ids.now()).run(files, wiring.reach)
    show([one.as_data() for one in verdicts], form, _COLUMNS)
    counts = Counter(one.result for one in verdicts)
    talk(f"{name}: {', '.join(f'{count} {result}' for result, count in counts.items())}; nothing was sent")
    return 0 if passed(verdicts) else 1


# --- go-live ---------------------------------------------------------------------------------------------------------
def go_live(name: str, numbers: dict[str, int], override: bool, reason: str, dry_run: bool) -> int:
    """numbers: by the kind of counter (`isa`, `gs`), the first number that is to be given. Returns the exit code."""
    from engine import wiring
    from engine.cli.check import print_found
    from engine.onboarding import certificate
    from engine.onboarding.candidate import as_status, with_status
    from engine.site.effective import fingerprint

    root, source = _source(name)
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
    if dry_run:
        talk(f"would set {name} live ({stands if stands in certificate.MAY_GO_LIVE else 'by override'})")
        for counter, number in counters.items():
            talk(f"would give {number} as the next number of {counter}")
        return 0
    if stands not in certificate.MAY_GO_LIVE:
        given = {"at": f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}", "who": getpass.getuser(), "reason": reason}
        certificate.write(root, kept._replace(overrides=(*kept.overrides, {**given, "fingerprint": now})))
    if counters:
        _seed(counters, f"{name} goes live")
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

    root, source = _source(name)
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
