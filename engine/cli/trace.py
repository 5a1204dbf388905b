"""`hilum trace`: the thread of a business key or message, as a tree, as data, or as one self-contained page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import click

from engine.cli.data import as_json, find_trace, print_trace, unknown
from engine.cli.output import plain, talk
from engine.cli.reading import at_once, reader


@click.command()
@click.argument("key")
@click.option("--json", "as_data", is_flag=True, help="The same as data; its shape is documented and stable.")
@click.option("--html", "page", type=click.Path(), default=None, help="Write one self-contained page.")
@click.option("--bytes", "raw", is_flag=True, help="Print the bytes of the message (KEY is its id).")
@click.option("--limit", default=500, show_default=True, help="How many messages at most.")
def trace(key: str, as_data: bool, page: str | None, raw: bool, limit: int) -> None:
    """Show the whole story of a requisition, purchase order, interchange control number, MSH-10 or message id."""
    if raw:
        _write_bytes(key)
    elif as_data and page is None:
        sys.exit(print_trace(key, limit))
    else:
        _tell(key, page, as_data, limit)


def _write_bytes(key: str) -> None:
    body = at_once(_body(key))
    if body is None:
        _give_up(key)
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


async def _body(key: str) -> bytes | None:
    number = key.removeprefix("M")
    async with reader() as store:
        known = number.isdecimal() and await store.get(int(number)) is not None
        return await store.body(int(number)) if known else None


def _tell(key: str, page: str | None, as_data: bool, limit: int) -> None:
    data = at_once(find_trace(key, limit))
    if not data["found"]:
        _give_up(key, data["unprocessed"])
    if page is not None:
        _write_page(page, data)
    if as_data:
        click.echo(as_json(data))
    elif page is None:
        _draw(data)


def _give_up(key: str, unprocessed: int = 0) -> NoReturn:
    talk(unknown(key, unprocessed))
    sys.exit(5)


def _write_page(file: str, data: dict[str, Any]) -> None:
    from engine.cli.page import page

    with open(file, "w", encoding="utf-8") as opened:
        opened.write(page(data))
    talk(f"wrote {file}")


def _draw(data: dict[str, Any]) -> None:
    from engine.story import story

    told = story(data)
    whole = f"    (its thread: {_tinted(told.whole, told.whole)})" if told.whole else ""
    click.echo(f"{_bold(plain(told.title))}    {_tinted(told.verdict, told.verdict)}{whole}    {told.took}")
    for line in tree(told.steps):
        click.echo(line)
    if data["truncated"]:
        talk("the thread is longer than shown; raise --limit")


def tree(steps: Any, indent: str = "") -> Iterator[str]:
    """The steps as lines with branches; what is missing is dashed."""
    for position, step in enumerate(steps):
        last = position == len(steps) - 1
        branch = ("└╌ " if last else "├╌ ") if step.missing else ("└─ " if last else "├─ ")
        when = step.at[11:19] if step.at else "⧖       "
        fields = [when, step.what, step.who, step.note, step.id if step.id.startswith("M") else ""]
        text = plain("  ".join(part for part in fields if part))
        yield f"{indent}{branch}{click.style(text, fg='red') if step.bad and sys.stdout.isatty() else text}"
        yield from tree(step.children, indent + ("   " if last else "│  "))


def _bold(text: str) -> str:
    return click.style(text, bold=True) if sys.stdout.isatty() else text


def _tinted(text: str, verdict: str) -> str:
    if not sys.stdout.isatty():
        return text
    return click.style(
        text, fg="red" if verdict.startswith("STOPPED") else "yellow" if "awaiting" in verdict else "green"
    )
