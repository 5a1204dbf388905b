"""`hilum map`: run a file through a mapping both ways, run the examples, show coverage and field lineage."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import click

from engine.cli.output import output_options, show, talk


@click.group("map")
def map_() -> None:
    """Run, test and explain mappings."""


@map_.command("test")
@click.argument("names", nargs=-1)
@output_options
def test(names: tuple[str, ...], form: str | None) -> None:
    """Run the examples of all mappings, or of those named: documents, outputs and the round-trip law."""
    from engine.site.samples import run_all

    site, known = _site()
    wanted = _named(names, site)
    found = [report for report in run_all(Path(site.root), site, known) if report.mapping in wanted]
    rows = [_check_row(report.mapping, check) for report in found for check in report.checks]
    show(rows, form, ("result", "mapping", "example", "check", "difference"))
    failed = sum(row["result"] != "ok" for row in rows)
    for report in found:
        total = len(report.covered) + len(report.uncovered)
        missed = f", not exercised: {', '.join(report.uncovered)}" if report.uncovered else ""
        talk(f"{report.mapping}: {len(report.covered)} of {total} fields exercised{missed}")
    untested = sorted(wanted - {report.mapping for report in found})
    if untested:
        talk(f"without examples: {', '.join(untested)}")
    talk(f"{len(rows)} checks, {failed} failed")
    sys.exit(1 if failed else 0)


@map_.command("coverage")
@click.argument("names", nargs=-1)
@output_options
def coverage(names: tuple[str, ...], form: str | None) -> None:
    """Show which fields of each mapping its examples exercise."""
    from engine.site.samples import run_all

    site, known = _site()
    wanted = _named(names, site)
    rows = [
        {"mapping": report.mapping, "field": name, "exercised": "yes" if name in report.covered else "no"}
        for report in run_all(Path(site.root), site, known)
        if report.mapping in wanted
        for name in (*report.covered, *report.uncovered)
    ]
    show(rows, form, ("mapping", "field", "exercised"))


@map_.command("run")
@click.argument("name")
@click.argument("file", type=click.File("rb"))
@click.option("--partner", default="", help="Under whose crosswalks and identity; default: the first that uses it.")
@click.option("--write", is_flag=True, help="The other way: FILE is the document as JSON, the message is printed.")
def run(name: str, file: BinaryIO, partner: str, write: bool) -> None:
    """Run FILE through mapping NAME: a message to its documents, or with --write a document to its message."""
    site, known = _site()
    (mapping,) = (site.mappings[found] for found in _named((name,), site))
    party = _party(site, name, partner)
    raw = file.read()
    problems = _write(mapping, raw, party, known) if write else _read(mapping, raw, party, known)
    for problem in problems:
        talk(f"error[{problem.code}]: {problem.text}\n  --> {problem.place}")
    sys.exit(1 if problems else 0)


@map_.command("lineage")
@click.argument("message")
@output_options
def lineage(message: str, form: str | None) -> None:
    """Show which place of a stored message (M12) fed which field, by the mapping of the site that handled it."""
    rows, unmapped = asyncio.run(_lineage(message))
    show(rows, form, ("document", "source", "field"))
    if unmapped:
        talk(f"read by no mapping: {', '.join(unmapped)}")


# --- how -------------------------------------------------------------------------------------------------------------
def _site() -> tuple[Any, Any]:
    from engine import wiring

    return wiring.load(), wiring.registry()


def _named(names: tuple[str, ...], site: Any) -> set[str]:
    from engine.positions import did_you_mean

    for name in names:
        if name not in site.mappings:
            talk(" ".join(filter(None, [f"there is no mapping {name}.", did_you_mean(name, site.mappings)])))
            sys.exit(5)
    return set(names) or set(site.mappings)


def _party(site: Any, mapping: str, partner: str) -> Any:
    users = [
        party
        for party in site.partners.values()
        if any(agreement.mapping == mapping for agreement in party.agreements) and partner in {"", party.name}
    ]
    if not users:
        talk(f"no partner {partner or ''} uses the mapping {mapping}".replace("  ", " "))
        sys.exit(5)
    return users[0]


def _read(mapping: Any, raw: bytes, party: Any, known: Any) -> list[Any]:
    import datetime as dt

    from engine.errors import Refused
    from engine.mapping import Context
    from engine.profile import profile_for

    try:
        opened = known.format(mapping.format).open(raw, profile_for(party, type=mapping.type))
    except Refused as refusal:
        return [refusal]
    documents, problems = [], list(opened.problems)
    for part in opened.parts:
        result = (
            mapping.read(part.node, Context(party.zone, party.crosswalks_on(today := dt.date.today()), today))
            if not part.refusals
            else None
        )
        problems += part.refusals if result is None else result.problems
        documents += [] if result is None else [json.loads(found.to_json()) for found in result.documents]
    click.echo(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2, ensure_ascii=False))
    return problems


def _write(mapping: Any, raw: bytes, party: Any, known: Any) -> list[Any]:
    import datetime as dt

    from engine.errors import Refused
    from engine.mapping import Context
    from engine.message import Slot
    from engine.plugin import Envelope

    written = mapping.write(mapping.model.from_json(raw), Context(party.zone, party.crosswalks_on(dt.date.today())))
    if written.problems:
        return list(written.problems)
    identity = party.identity
    kind = mapping.header.get("message") or mapping.type
    at = dt.datetime.now(party.zone)
    agreed = party.outgoing_type(mapping.type)
    guide = agreed.guide if agreed else None
    envelope = Envelope(kind, "EXAMPLE1", at, identity.usage, identity.ours, identity.theirs, party.envelope, guide)
    try:
        body = known.format(mapping.format).envelop([written.node], envelope).body
    except Refused as refusal:
        return [refusal]
    whole = b"".join(b"0".zfill(part.width) if isinstance(part, Slot) else part for part in body)
    sys.stdout.buffer.write(whole + (b"" if whole.endswith(b"\n") else b"\n"))
    sys.stdout.buffer.flush()
    return []


async def _lineage(name: str) -> tuple[list[dict[str, str]], list[str]]:
    import datetime as dt

    from engine import wiring
    from engine.cli.reading import reader
    from engine.mapping import Context
    from engine.mapping.lineage import trace_read
    from engine.profile import profile_for
    from engine.site.load import load_snapshot

    known = wiring.registry()
    async with reader() as store:
        message = await store.get(int(name[1:])) if name[:1] == "M" and name[1:].isdigit() else None
        if message is None:
            talk(f"there is no message {name}")
            sys.exit(5)
        raw, snapshot = await store.body(message.seq), await store.site(message.site)
    site, _ = load_snapshot(snapshot, known, os.environ) if snapshot else (None, None)
    party = site.partners[message.partner] if site else None
    agreement = party.incoming(message.type) if party else None
    if site is None or party is None or agreement is None or not agreement.mapping:
        talk(f"{name} is read by no mapping")
        sys.exit(5)
    mapping = site.mappings[agreement.mapping]
    opened = known.format(message.format).open(raw, profile_for(party, type=message.type))
    rows: list[dict[str, str]] = []
    unmapped: list[str] = []
    day = dt.datetime.fromtimestamp(message.at / 1_000_000, party.zone).date()  # as it was read then
    for part in opened.parts:
        traced = trace_read(mapping, part.node, Context(party.zone, party.crosswalks_on(day), day))
        rows += [{"document": mapping.document, "source": source, "field": field} for source, field in traced.rows]
        unmapped += traced.unmapped
    return rows, unmapped


def _check_row(mapping: str, check: Any) -> dict[str, str]:
    told = check.error or "; ".join(
        f"{found.pointer}: expected {found.expected}, found {found.actual}" for found in check.differences[:3]
    )
    return {
        "result": "ok" if check.ok else "FAILED",
        "mapping": mapping,
        "example": check.example,
        "check": check.kind,
        "difference": told,
    }
