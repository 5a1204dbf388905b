"""Runs the examples that lie beside each mapping, as `hilum check` does: what they show must still be true.

A mapping's examples stand in `mappings/examples/MAPPING/`. They are read and written with the code tables of the first
partner that has an agreement for the mapping, for an example shows one partner's words.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.mapping import Context
from engine.mapping.examples import Check, Difference, Report, run_examples
from engine.plugin import Registry
from engine.positions import Findings, Mark
from engine.site.model import Site

FOLDER = "mappings/examples"


def example_files(root: Path, mapping: str) -> dict[str, bytes]:
    """File names to bytes of one mapping's examples; empty when it has none."""
    folder = root / FOLDER / mapping
    return {path.name: path.read_bytes() for path in sorted(folder.glob("[!.]*")) if path.is_file()}


def context_of(site: Site, mapping: str) -> Context:
    """The zone and tables of the partner whose agreement names the mapping, or else of one that has all it needs."""
    needed = site.mappings[mapping].crosswalks
    users = [one for one in site.partners.values() if any(a.mapping == mapping for a in one.agreements)]
    able = [one for one in site.partners.values() if needed and needed <= one.crosswalks.keys()]
    for partner in (*users, *able):
        return Context(partner.zone, partner.crosswalks)
    return Context(site.zone, {})


def run_all(root: Path, site: Site, registry: Registry) -> Iterator[Report]:
    """The report of every mapping that has examples."""
    for name, mapping in site.mappings.items():
        if files := example_files(root, name):
            yield run_examples(mapping, files, registry.format(mapping.format), context_of(site, name))


def check_examples(root: Path, site: Site, registry: Registry, findings: Findings) -> None:
    """Each broken promise of an example is a finding at its file (CFG501)."""
    for report in run_all(root, site, registry):
        for check in report.checks:
            if not check.ok:
                place = Mark(f"{FOLDER}/{report.mapping}/{check.example}.json")
                findings.error("CFG501", f"{check.kind} of this example fails: {_said(check)}", place)


def _said(check: Check) -> str:
    if check.error:
        return check.error
    more = f"; and {len(check.differences) - 3} more" if len(check.differences) > 3 else ""
    return "; ".join(_difference(one) for one in check.differences[:3]) + more


def _difference(one: Difference) -> str:
    said = [f"{what} {text!r}" for what, text in (("expected", one.expected), ("got", one.actual)) if text is not None]
    return f"{one.pointer}: {', '.join(said) or 'differs'}"
