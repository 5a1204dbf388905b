"""`hilum send … --dry-run`: what would be sent, to whom, and how a listener of the site would judge it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from engine import wiring
from engine.cli.judge import judge, listener_of, refusal_of
from engine.cli.output import show_one, talk
from engine.errors import Refused
from engine.site.model import ListenerConfig, Site

_NAMES = {"\x0b": "<VT>", "\x1c": "<FS>", "\r": "<CR>", "\n": "<LF>", "\t": "<TAB>"}
_NOBODY = "no listener of this site takes messages there"

Plan = dict[str, Any]


def by_mllp(target: str, raw: bytes) -> Plan:
    site, listener = listener_of("mllp", lambda config: _listens(config, target))
    sent = wiring.frame_mllp(raw)
    broken = wiring.broken_mllp(sent, listener.options) if listener else None
    return _plan(f"mllp://{target}", sent, site, listener, raw, broken=broken)


def by_http(target: str, address: str, path: str, headers: Mapping[str, str], raw: bytes) -> Plan:
    """address, path: of the URL `target`."""
    site, listener = listener_of("http", lambda config: _listens(config, address))
    type, broken = "", None
    if listener is not None:
        options: Any = listener.options
        type = options.paths.get(path, "")
        if not type:
            broken = Refused("http.path", f"nothing is taken at this path, only at {', '.join(options.paths)}")
        elif len(raw) > options.max_body:
            broken = Refused("http.too_large", f"the body has {len(raw):,} bytes, {options.max_body:,} are taken")
    plan = _plan(target, raw, site, listener, raw, type=type, broken=broken)
    return plan | {"method": "POST", "headers": dict(headers)}


def by_folder(path: Path, raw: bytes) -> Plan:
    def fits(config: ListenerConfig) -> bool:
        fetch = getattr(config.options, "fetch", None)
        return fetch is not None and Path(fetch).absolute() == path.parent.absolute()

    site, listener = listener_of("folder", fits)
    broken, there = None, {"replaces": path.exists()}
    if path.name.startswith(".") or path.name.endswith(".tmp"):
        plan = _plan(str(path), raw, site, None, raw)
        return plan | there | {"why": "a file of such a name is passed over, never taken"}
    if listener is not None:
        options: Any = listener.options
        if len(raw) > options.max_file:
            broken = Refused("folder.too_large", f"the file has {len(raw):,} bytes, {options.max_file:,} are taken")
    return _plan(str(path), raw, site, listener, raw, broken=broken) | there


def report(plan: Plan, form: str | None) -> int:
    """Print it; returns the exit code: 7 when it would be refused, as sending it would end."""
    if form not in {None, "table", "wide"}:
        show_one(plan, form)
    else:
        if "method" in plan:
            click.echo(f"{plan['method']} {plan['to']}")
            click.echo("".join(f"{name}: {value}\n" for name, value in plan["headers"].items()))
        click.echo(_shown(plan["sent"], "\r" if plan["to"].startswith("mllp:") else "\n"))
        _talk(plan)
    talk(f"{plan['size']:,} bytes to {plan['to']}; nothing was sent")
    return 7 if plan["would"] == "refuse" else 0


def _plan(
    to: str, sent: bytes, site: Site, listener: ListenerConfig | None, raw: bytes, *, type: str = "",
    broken: Refused | None = None,
) -> Plan:  # fmt: skip
    """would: accept, refuse, or unknown when no listener of the site is there."""
    found = judge(site, listener, raw, type) if listener and not broken else []
    late = listener is not None and listener.options.answer == "processed"
    refused = broken or any(row["code"] or (late and row["problems"]) for row in found)
    return {
        "to": to,
        "size": len(sent),
        "sha256": hashlib.sha256(sent).hexdigest(),
        "sent": sent.decode("utf-8", "backslashreplace"),
        "listener": listener.name if listener else None,
        "why": "" if listener else _NOBODY,
        "would": "unknown" if listener is None else "refuse" if refused else "accept",
        "refusal": refusal_of(broken) if broken else None,
        "messages": found,
    }


def _talk(plan: Plan) -> None:
    if plan.get("replaces"):
        talk("it would replace a file of this name that has not been taken yet")
    if plan["would"] == "unknown":
        talk(f"not judged: {plan['why']}")
    if plan["refusal"]:
        talk(f"{plan['listener']} would refuse it: {_said(plan['refusal'])}")
    for row in plan["messages"]:
        name = " ".join(filter(None, [row["type"], row["control_id"]])) or "this"
        if row["code"]:
            talk(f"{plan['listener']} would refuse {name}: {_said(row)}")
            continue
        talk(f"{plan['listener']} would accept {name}")
        for what in (*row["documents"], *row["receipts"]):
            talk(f"  it reads as {what}")
        for problem in row["problems"]:
            talk(f"  then it would be an exception: {_said(problem)}")
        if row["warnings"]:
            talk(f"  with warnings: {', '.join(row['warnings'])}")


def _said(refusal: Mapping[str, str]) -> str:
    place = f" at {refusal['place']}" if refusal["place"] else ""
    return f"{refusal['code']}{place}: {refusal['text']}"


def _shown(sent: str, end: str) -> str:
    """What is sent, readable: `end` ends a line, and every other control character is named."""
    text = sent.removesuffix(end)
    return "".join("\n" if one == end else one if one.isprintable() else _name(one) for one in text)


def _name(control: str) -> str:
    return _NAMES.get(control, f"<{ord(control):02X}>") + ("\n" if control == "\n" else "")


def _listens(config: ListenerConfig, address: str) -> bool:
    """Whether a listener has this address; one that listens everywhere has this machine's own."""
    (host, _, port), (ours, _, at) = address.rpartition(":"), getattr(config.options, "listen", "").rpartition(":")
    host, ours = ("127.0.0.1" if one == "localhost" else one for one in (host, ours))
    return port == at and (ours == host or (ours in {"0.0.0.0", "[::]"} and host == "127.0.0.1"))
