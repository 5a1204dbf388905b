"""`hilum send`: a test sender per protocol, to try a listener by hand."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import BinaryIO

import click

from engine.cli.output import rehearsed, talk

_DRY = "Only show what would be sent and how a listener of the site would judge it; nothing leaves."
_dry_run = rehearsed(_DRY)


@click.group()
def send() -> None:
    """Send a test message to a listener and print what it answers."""


@send.command()
@click.argument("file", type=click.File("rb"))
@click.option("--to", "address", default=None, help="HOST:PORT; default HILUM_MLLP or 127.0.0.1:2575.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for the answer.")
@_dry_run
def mllp(file: BinaryIO, address: str | None, timeout: float, dry_run: bool, form: str | None) -> None:
    """Send FILE (one HL7 v2 message, `-` for standard input) by MLLP. Exit 0 when accepted, 7 when refused."""
    raw = file.read()
    if b"\r" not in raw.replace(b"\r\n", b"\n"):
        raw = raw.replace(b"\n", b"\r")  # a file edited by hand has line feeds; HL7 v2 segments end in CR
    target = address or os.environ.get("HILUM_MLLP", "127.0.0.1:2575")
    if not target.rpartition(":")[2].isdecimal():
        raise click.UsageError(f"{target} is no HOST:PORT")
    if dry_run:
        from engine.cli.rehearse_send import by_mllp, report

        sys.exit(report(by_mllp(target, raw), form))
    answer = asyncio.run(_exchange(target, raw, timeout))
    click.echo(answer.replace(b"\r", b"\n").decode("utf-8", "backslashreplace").rstrip("\n"))
    sys.exit(0 if b"MSA|AA" in answer or b"MSA|CA" in answer else 7)


async def _exchange(target: str, raw: bytes, timeout: float) -> bytes:
    from engine import wiring

    try:
        return await asyncio.wait_for(wiring.exchange_mllp(target, raw), timeout)
    except TimeoutError:
        talk(f"no answer from {target} in {timeout:g} s")
        sys.exit(8)
    except OSError as error:
        talk(f"cannot reach {target}: {error.strerror or error}")
        sys.exit(6)


@send.command()
@click.argument("file", type=click.File("rb"))
@click.option("--to", "url", default=None, help="URL; default the HTTP listener's /purchase-orders.")
@click.option("--key", default="", help="Idempotency-Key.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for the answer.")
@_dry_run
def http(file: BinaryIO, url: str | None, key: str, timeout: float, dry_run: bool, form: str | None) -> None:
    """POST FILE (JSON) to an HTTP listener. Exit 0 when accepted, 7 when refused."""
    import httpx

    target = url or f"http://{os.environ.get('HILUM_HTTP', '127.0.0.1:8080')}/purchase-orders"
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    try:
        parts = httpx.URL(target)
    except httpx.InvalidURL as error:
        raise click.UsageError(f"{target} is no URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise click.UsageError(f"{target} is no http:// or https:// URL")
    if dry_run:
        from engine.cli.rehearse_send import by_http, report

        address = f"{parts.host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        sys.exit(report(by_http(target, address, parts.path, headers, file.read()), form))
    _post(target, headers, file.read(), timeout)


def _post(target: str, headers: dict[str, str], body: bytes, timeout: float) -> None:
    import httpx

    try:
        answer = httpx.post(target, content=body, headers=headers, timeout=timeout)
    except httpx.TimeoutException:
        talk(f"no answer from {target} in {timeout:g} s")
        sys.exit(8)
    except httpx.TransportError as error:
        talk(f"cannot reach {target}: {type(error).__name__}")
        sys.exit(6)
    click.echo(f"{answer.status_code}\n{answer.text}".rstrip())
    sys.exit(0 if answer.is_success else 7)


@send.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("partner")
@_dry_run
def folder(file: Path, partner: str, dry_run: bool, form: str | None) -> None:
    """Put FILE into PARTNER's exchange folder, as the partner would: complete, under its own name."""
    from engine.home import home

    inbox = home() / "exchange" / partner / "in"
    if not inbox.is_dir():
        talk(f"partner {partner} has no exchange folder here ({inbox})")
        sys.exit(5)
    if dry_run:
        from engine.cli.rehearse_send import by_folder, report

        sys.exit(report(by_folder(inbox / file.name, file.read_bytes()), form))
    part = inbox / f".{file.name}.tmp"
    part.write_bytes(file.read_bytes())
    part.rename(inbox / file.name)
    talk(f"put {file.name} into {inbox}")
