"""`hilum partner certify`: the conversation played offline, against the supplier simulator."""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path
from typing import Any

from engine.cli.output import show, talk
from engine.cli.partner import COLUMNS, site_files


def certify(name: str, folder: Path | None, dry_run: bool, form: str | None) -> int:
    """Returns the exit code: 0, or 1 when a rule did not hold."""
    from engine import wiring
    from engine.onboarding import certificate
    from engine.onboarding.certify import certify as play
    from engine.onboarding.verdict import passed

    root, source = site_files(name)
    now = dt.datetime.now(dt.UTC)
    found = play(source, name, wiring.registry(), os.environ, _simulated, now)
    show([one.as_data() for one in found.verdicts], form, COLUMNS)
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


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"hilum {version('hilum')}"
    except PackageNotFoundError:
        return "hilum"
