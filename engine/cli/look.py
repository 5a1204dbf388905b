"""`hilum messages` and `hilum acks`: reading the store, with the daemon up or down."""

from __future__ import annotations

import sys
from typing import Any

import click

from engine.cli.data import not_yet
from engine.cli.output import instant, output_options, show, show_one, talk
from engine.cli.reading import at_once, reader


@click.command()
@click.argument("word", required=False)
@click.option("--partner", default="", help="Only this partner's.")
@click.option("--channel", default="", help="Only this listener's or connection's.")
@click.option("--type", "type_", default="", help="Only this type: OMS^O05, 850 ...")
@click.option("--state", default="", help="Only this state: received, processed, filtered, exception, duplicate.")
@click.option("--direction", type=click.Choice(["in", "out"]), default=None, help="Only received, or only sent.")
@click.option("--limit", default=50, show_default=True, help="How many at most, newest first.")
@click.option("--bytes", "raw", is_flag=True, help="Print the message's bytes exactly as they are (WORD is its id).")
@output_options
def messages(
    word: str | None, partner: str, channel: str, type_: str, state: str, direction: str | None, limit: int, raw: bool,
    form: str | None,
) -> None:  # fmt: skip
    """Search messages by a key (WORD) and filters, or show one message by its id (M12)."""
    from engine.store.records import Search

    seq = int(word[1:]) if word and word[0] == "M" and word[1:].isdigit() else None
    if raw or seq is not None:
        at_once(_one(seq, word or "", raw, form))
        return
    search = Search(
        key=word or "",
        partner=partner,
        channel=channel,
        type=type_,
        state=state,
        direction=direction or "",
        limit=limit,
    )
    at_once(_many(search, form))


async def _one(seq: int | None, word: str, raw: bool, form: str | None) -> None:
    async with reader() as store:
        found = await store.get(seq) if seq is not None else None
        if found is None or seq is None:
            talk(f"there is no message {word or '(none named)'}")
            sys.exit(5)
        if raw:
            sys.stdout.buffer.write(await store.body(seq))
            sys.stdout.buffer.flush()
            return
        show_one(_row(found), form)


async def _many(search: Any, form: str | None) -> None:
    from engine import trace  # not above: most looking needs none of it

    async with reader() as store:
        unprocessed = trace.unprocessed(await store.stats()) if search.key else 0
        page = await store.find(search)
    columns = ("id", "at", "direction", "partner", "channel", "type", "control_id", "state", "size")
    show([_row(found) for found in page.messages], form, columns)
    if page.cursor:
        talk(f"more than {search.limit}; narrow it, or raise --limit")
    if search.key and not page.messages:
        talk(f"no message {'that fits ' if any(search[1:7]) else ''}goes by {search.key}{not_yet(unprocessed)}")
        sys.exit(5)


def _row(found: Any) -> dict[str, Any]:
    names = ("id", "direction", "partner", "channel", "format", "type", "control_id", "sender", "state", "size")
    told = {name: getattr(found, name) for name in names} | {"at": instant(found.at), "sha256": found.sha256.hex()}
    told |= {"duplicate_of": f"M{found.duplicate_of}" if found.duplicate_of else None, "site": found.site}
    return told | {"warnings": list(found.warnings)}


@click.command()
@click.option("--overdue", is_flag=True, help="Only those whose time is over, with whom to call.")
@click.option("--partner", default="", help="Only those of this partner.")
@click.option("--limit", default=100, show_default=True)
@output_options
def acks(overdue: bool, partner: str, limit: int, form: str | None) -> None:
    """List what partners still owe us: which acknowledgement, by when, and how far what was sent has come."""
    from engine.cli.people import contacts

    rows = at_once(_owed(overdue, partner, limit + 1))
    called = {name: contacts(name) for name in {row["partner"] for row in rows[:limit] if row["late"]}}
    rows = [{**row, "contacts": called.get(row["partner"], {}) if row["late"] else {}} for row in rows]
    columns = ("partner", "kind", "of", "state", "due", "message", "sent", "number", "reached")
    show(rows[:limit], form, (*columns, "contacts") if overdue else columns)
    if len(rows) > limit:
        talk(f"more than {limit}; raise --limit")


async def _owed(overdue: bool, partner: str, limit: int) -> list[dict[str, Any]]:
    from engine import acks, ids

    async with reader() as store:
        return await acks.ledger(store, now=ids.now(), overdue=overdue, partner=partner, limit=limit)
