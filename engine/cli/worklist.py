"""`hilum exceptions` and `hilum replay`: what waits for a person, and running it again after a fix."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from engine.cli.output import instant, output_options, show, show_one, talk
from engine.cli.reading import act, at_once, reader

_MOST = 100_000  # exceptions looked through for a filter


def _filters(verb: Callable[..., Any]) -> Callable[..., Any]:
    """What `exceptions` and `exceptions list` take alike."""
    for add in (
        output_options,
        click.option("--limit", default=100, show_default=True, help="How many at most."),
        click.option("--partner", default="", help="Only this partner's."),
        click.option("--code", default="", help="Only this code, as `hilum explain` knows it."),
        click.option("--state", type=click.Choice(["open", "resolved", "all"]), default="open", show_default=True),
    ):
        verb = add(verb)
    return verb


@click.group(invoke_without_command=True)
@_filters
@click.pass_context
def exceptions(ctx: click.Context, /, **given: Any) -> None:
    """List, show and resolve exceptions: what failed, why, in business words. Alone, it lists."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, **given)
    elif any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in given):
        ctx.fail(f"options go behind the word: hilum exceptions {ctx.invoked_subcommand} ...")


@exceptions.command("list")
@_filters
def list_(state: str, code: str, partner: str, limit: int, form: str | None) -> None:
    """List exceptions, newest first."""
    rows = at_once(_found(state, _MOST if code or partner else limit + 1))
    rows = [row for row in rows if _fits(row, code, partner)]
    show(rows[:limit], form, ("id", "opened", "code", "message", "place", "text"))
    if not rows:
        talk(f"no {state if state != 'all' else 'such'} exceptions")
    elif len(rows) > limit:
        talk(f"more than {limit}; narrow it, or raise --limit")


@exceptions.command("show")
@click.argument("name")
@output_options
def show_(name: str, form: str | None) -> None:
    """Show one exception (EXC-12) with everything known about it."""
    rows = at_once(_found("all", 1, [_number(name)]))
    if not rows:
        talk(f"there is no exception {name}")
        sys.exit(5)
    from engine.cli.people import contacts

    rows[0]["contacts"] = contacts(rows[0]["context"].get("partner", ""))
    show_one(rows[0], form)
    if form in {None, "table", "wide"}:
        known, code = rows[0]["id"], rows[0]["code"]
        talk(f"`hilum replay {known} --reason …` runs it again; `hilum explain {code}` says what it means")


@exceptions.command("resolve")
@click.argument("names", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why nothing more needs to be done; kept in the audit.")
@click.option("--dry-run", is_flag=True, help="Only say what would be closed.")
def resolve(names: tuple[str, ...], reason: str, dry_run: bool) -> None:
    """Close exceptions without sending anything."""
    if dry_run:
        known = {
            row["id"]: row["state"] for row in at_once(_found("all", len(names), [_number(name) for name in names]))
        }
        for name in names:
            if name not in known:
                talk(f"there is no exception {name}")
                sys.exit(5)
        told = [f"{name}{'' if known[name] == 'open' else ' (closed before)'}" for name in names]
        talk(f"would close {', '.join(told)}; nothing would be sent to anyone")
        return
    told = act("resolve", names=list(names), reason=reason)
    over = told["asked"] - told["resolved"]
    talk(f"closed {told['resolved']}{f', {over} closed before' if over else ''}; nothing was sent")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--code", default="", help="All open exceptions of this code.")
@click.option("--partner", default="", help="With --code: only those of this partner.")
@click.option("--reason", required=True, help="Why; kept in the audit.")
@click.option("--force", is_flag=True, help="Also what is resolved, and messages that conflict with another.")
@click.option("--dry-run", is_flag=True, help="Only say what would be run again.")
def replay(names: tuple[str, ...], code: str, partner: str, reason: str, force: bool, dry_run: bool) -> None:
    """Run exceptions (EXC-12), messages (M7) or deliveries again, after a fix.

    A message in exception is read and mapped again; what it yielded before is not sent twice. A delivery that may have
    arrived goes again as it is, under the same id; one that was refused or could not be written is written anew.
    """
    chosen = list(names)
    if code:
        chosen += [row["id"] for row in at_once(_found("open", _MOST)) if _fits(row, code, partner)]
    if not chosen:
        talk("nothing to run again: name exceptions, messages or deliveries, or give --code")
        sys.exit(5)
    if dry_run:
        for line in at_once(_planned(chosen, force)):
            talk(f"would: {line}")
        return
    told = act("replay", names=chosen, reason=reason, force=force)
    parts = [
        _count(told["messages"], "message") + " to read again" if told["messages"] else "",
        _count(told["deliveries"], "delivery") + " as before" if told["deliveries"] else "",
        _count(told["resent"], "delivery") + " written anew" if told["resent"] else "",
    ]
    left = told["asked"] - told["queued"]
    talk(f"queued {told['queued']}: {', '.join(filter(None, parts))}")
    if left:
        talk(f"{left} of them could not be queued: already on the way, or there is nothing to run again")
        sys.exit(1)


async def _planned(names: list[str], force: bool) -> list[str]:
    from engine import worklist

    async with reader() as store:
        return (await worklist.plan(store, names, force=force)).told


def _fits(row: dict[str, Any], code: str, partner: str) -> bool:
    return code in {"", row["code"]} and partner in {"", row["context"].get("partner")}


def _count(number: int, word: str) -> str:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"


async def _found(state: str, limit: int, numbers: list[int] | None = None) -> list[dict[str, Any]]:
    async with reader() as store:
        rows = await store.exceptions(state="" if state == "all" else state, ids=numbers or [], limit=limit)
        sent = {row.delivery: await store.delivery(row.delivery) for row in rows if row.delivery}
    return [
        row.as_data()
        | {"opened": instant(row.opened_at), "resolved": instant(row.resolved_at) or None}
        | {"delivery": found.delivery.uid if (found := sent.get(row.delivery or 0)) else None}
        for row in rows
    ]


def _number(name: str) -> int:
    digits = name.removeprefix("EXC-")
    if not digits.isdigit():
        raise click.UsageError(f"{name} is no exception; they are named EXC-12")
    return int(digits)
