"""`hilum partner`: look at partners and bring one on. Each verb's work is imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from engine.cli.output import output_options, show, talk

COLUMNS = ("result", "case", "rule", "place", "text")  # of verdicts


@click.group()
def partner() -> None:
    """Look at partners, and bring one on: new, test, certify, go-live."""


@partner.command("list")
@output_options
def list_(form: str | None) -> None:
    """List the partners of the site: how far each has come, and what it exchanges."""
    from engine import wiring
    from engine.onboarding.certificate import read, standing
    from engine.site.effective import fingerprints
    from engine.site.source import unpack

    site, registry = wiring.load(), wiring.registry()
    source, root = unpack(site.snapshot), Path(site.root)
    prints = fingerprints(source, site.partners, registry)
    stands = {name: standing(read(root, name), told) for name, told in prints.items()}
    rows = [_row(one, stands[one.name]) for one in site.partners.values()]
    show(rows, form, ("name", "title", "status", "certificate", "documents", "connections", "owner"))


def _row(one: Any, stands: str) -> dict[str, Any]:
    arrows = {"in": "<", "out": ">"}
    ways = sorted({agreement.connection for agreement in one.agreements if agreement.connection})
    return {
        "name": one.name, "title": one.title, "status": one.status, "usage": one.identity.usage,
        "certificate": stands,
        "documents": [f"{agreement.type}{arrows[agreement.direction]}" for agreement in one.agreements],
        "connections": ways, "owner": one.owner, "contacts": dict(one.contacts),
    }  # fmt: skip


@partner.command("show")
@click.argument("name")
@click.option("--origin", is_flag=True, help="Say which line of which file each value comes from.")
@output_options
def show_(name: str, origin: bool, form: str | None) -> None:
    """Show every value that counts for a partner, after its template. Secrets are never shown."""
    from engine import wiring
    from engine.site.effective import settings

    _, source = site_files(name)
    rows = [setting._asdict() for setting in settings(source, name, wiring.registry())]
    if not rows:
        talk(f"partners/{name}.yaml cannot be read; `hilum check` says why")
        sys.exit(3)
    show(rows, form, ("key", "value", "place") if origin else ("key", "value"))


def known(name: str, names: Collection[str]) -> None:
    """Exit 5, with the nearest name, for a partner there is not."""
    from engine.positions import did_you_mean

    if name not in names:
        hint = did_you_mean(name, names) or f"there is: {', '.join(sorted(names)[:12]) or 'none'}"
        talk(f"no partner is called {name}. {hint}")
        sys.exit(5)


def site_files(name: str) -> tuple[Path, Any]:
    """The site's folder and files, among them the partner's; exit 5 when there is none."""
    from engine.positions import Findings
    from engine.site.effective import partner_names
    from engine.site.reference import site_root
    from engine.site.source import read_source

    root = site_root(os.environ)
    source = read_source(root, Findings())
    known(name, partner_names(source))
    return root, source


@partner.command("new")
@click.argument("name")
@click.option("--template", help="A file of partners/templates to start from; needed when there are several.")
@click.option("--isa", metavar="QUALIFIER:ID", help="Who they are: ISA05 and ISA06, such as 01:081234567.")
@click.option("--gs", metavar="CODE", help="Their application code, GS02; as in ISA06 when not given.")
@click.option("--test-isa", metavar="QUALIFIER:ID", help="Who they are in tests, when that differs.")
@click.option("--test-gs", metavar="CODE", help="Their application code in tests, when that differs.")
@click.option("--title", help="Their name as people say it.")
@click.option("--contact", help="Mail address of their EDI desk.")
@click.option("--code", help="What the ERP calls them: becomes a row of its table of suppliers.")
@click.option("--connection", help="`folder`, or a name of config/connections.yaml.  [default: folder]")
@click.option("--test-connection", help="The same for tests.")
@click.option("--separators", help="Element, component, segment, and what follows it, such as '*>~'.")
@click.option("--table", "tables", multiple=True, metavar="NAME=FILE", help="Rows to begin a code table with.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
def new_(name: str, tables: tuple[str, ...], dry_run: bool, **given: Any) -> None:
    """Write partners/NAME.yaml and its code tables from a template, as a draft. Asks on a terminal for the rest."""
    from engine.cli.partner_new import new

    sys.exit(new(name, given, [_table(word) for word in tables], dry_run))


def _table(word: str) -> tuple[str, bytes]:
    table, equals, file = word.partition("=")
    if not equals or not Path(file).is_file():
        raise click.BadParameter(f"{word} is no NAME=FILE with a file that is there", param_hint="--table")
    return table, Path(file).read_bytes()


@partner.command("test")
@click.argument("name")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@output_options
def test_(name: str, files: tuple[Path, ...], form: str | None) -> None:
    """Try a partner without daemon or store: its file, its connections, and messages of every kind in both ways.

    FILES are what the partner sent, or what was sent to it by an engine before; without any, the examples of its
    mappings serve. Nothing is sent. Exit 1 when a rule did not hold.
    """
    from engine.cli.partner_try import try_partner

    sys.exit(try_partner(name, {str(path): path.read_bytes() for path in files}, form))


@partner.command("certify")
@click.argument("name")
@click.option("--report", "folder", type=click.Path(path_type=Path, file_okay=False), help="Folder for the report.")
@click.option("--dry-run", is_flag=True, help="Play and tell, and keep no certificate.")
@output_options
def certify_(name: str, folder: Path | None, dry_run: bool, form: str | None) -> None:
    """Play the whole conversation with a partner offline, against the supplier simulator: a verdict for each rule.

    Writes a certificate for what the partner's configuration, mappings, guides and tables are now, and a report to
    give to the supplier.
    """
    from engine.cli.partner_certify import certify

    sys.exit(certify(name, folder, dry_run, form))


@partner.command("go-live")
@click.argument("name")
@click.option("--control-number", type=click.IntRange(1, 999_999_999), help="The first ISA13 to be given.")
@click.option("--group-number", type=click.IntRange(1, 999_999_999), help="The first GS06 to be given.")
@click.option(
    "--open-orders", "opened", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE", help="Orders that another engine sent, as the ERP sends its own: answers to them are known then.",
)  # fmt: skip
@click.option("--override", is_flag=True, help="Without a certificate; needs --reason, and both are kept.")
@click.option("--reason", default="", help="Why an override is right.")
@click.option("--back", is_flag=True, help="The other way: to `testing`, or `draft` where it has no test block.")
@click.option("--dry-run", is_flag=True, help="Only say what would be changed.")
def go_live_(
    name: str, control_number: int | None, group_number: int | None, opened: tuple[Path, ...], override: bool,
    reason: str, back: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Set a certified partner live, its control numbers going on from where another engine's ended."""
    from engine.cli.partner_live import go_back, go_live

    if back:
        sys.exit(go_back(name, dry_run))
    if override and not reason.strip():
        raise click.UsageError("--override needs --reason: why it may go live without a certificate")
    numbers = {kind: number for kind, number in (("isa", control_number), ("gs", group_number)) if number}
    orders = {str(path): path.read_bytes() for path in opened}
    sys.exit(go_live(name, numbers, orders, override=override, reason=reason.strip(), dry_run=dry_run))


@partner.command("infer")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--ours", default="", metavar="QUALIFIER:ID", help="Who we are in these files, where the site does not say."
)
@output_options
def infer_(files: tuple[Path, ...], ours: str, form: str | None) -> None:
    """Read samples (X12) and propose a partner's YAML, each line with what it is sure of and what it guessed."""
    from engine.cli.partner_infer import infer

    sys.exit(infer(files, ours, form))
