"""A small site and a small registry for tests of loading: kinds with options of every sort, nothing that opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from engine.options import ListenerOptions, Options
from engine.plugin import Format, Kind
from engine.positions import Finding
from engine.secrets import Secret
from engine.site.fit import Duration
from engine.site.load import load_site
from engine.site.model import Site


class PortOptions(ListenerOptions):
    listen: str
    timeout: Duration = pydantic.Field(30_000_000, ge=1)
    backlog: int = pydantic.Field(10, ge=1, le=100)
    token: Secret | None = None


class UrlOptions(Options):
    url: str
    token: Secret | None = None


class FetchOptions(ListenerOptions):
    fetch: Path
    poll: Duration = 1_000_000


class DropOptions(Options):
    send: Path


KINDS = {
    "mllp": Kind("mllp", listener_options=PortOptions),
    "http": Kind("http", listener_options=PortOptions, sender_options=UrlOptions),
    "folder": Kind("folder", listener_options=FetchOptions, sender_options=DropOptions),
}


class Kit:
    """A registry: three kinds of our own, and the real JSON format under every name."""

    def kind(self, name: str) -> Kind:
        return KINDS[name]

    def format(self, name: str) -> Format:
        from channels.formats.json import FORMAT

        return FORMAT

    def kinds(self) -> Sequence[str]:
        return tuple(KINDS)

    def formats(self) -> Sequence[str]:
        return ("hl7v2", "x12", "json")


FILES = {
    "config/engine.yaml": """\
apiVersion: engine/v1
name: Little Clinic
zone: America/Chicago
""",
    "config/channels.yaml": """\
apiVersion: channels/v1
listeners:
  ward:
    kind: mllp
    format: hl7v2
    partner: ward
    owner: wards
    listen: "127.0.0.1:2575"
    timeout: 30s
  office_http:
    kind: http
    format: json
    partner: office
    owner: office
    listen: "127.0.0.1:8080"
""",
    "config/connections.yaml": """\
apiVersion: connections/v1
connections:
  office:
    kind: http
    url: "${env:OFFICE_URL:-http://127.0.0.1:8090}"
    retry: {first: 1s, most: 1m}
""",
    "config/routes.yaml": """\
apiVersion: routes/v1
routes:
  - {name: to_office, document: requisition, to: [office]}
""",
    "config/crosswalks/units.csv": """\
partner,enterprise,description
Each,EA,each
Box,BX,box
""",
    "partners/ward.yaml": """\
apiVersion: partner/v1
name: ward
status: live
owner: wards
live:
  identity: {theirs: {hl7: "WARD|CLINIC"}}
documents:
  order: {direction: in, mapping: note}
crosswalks: {unit: units}
""",
    "partners/office.yaml": """\
apiVersion: partner/v1
name: office
status: live
owner: office
live:
  connection: office
documents:
  requisition: {direction: out, mapping: note, reply: answer, send: {path: /notes}, expect: {answer: 4h}}
  answer: {direction: in, mapping: note}
""",
    "partners/shop.yaml": """\
apiVersion: partner/v1
name: shop
extends: templates/shop
status: live
live:
  connection:
    folder: {send: ./var/exchange/shop/out, fetch: ./var/exchange/shop/in}
  identity: {theirs: {isa: "ZZ:SHOP"}}
""",
    "partners/templates/shop.yaml": """\
apiVersion: partner/v1
owner: shops
live:
  identity: {ours: {isa: "ZZ:CLINIC"}}
documents:
  "997": {direction: both}
""",
    "mappings/note.yaml": """\
apiVersion: mapping/v1
document: requisition
format: json
fields:
  number: number
  lines:
    each: lines
    number: number
    item.description: text
    quantity.value: amount
    quantity.unit: unit
""",
}


def write_site(root: Path, changes: Mapping[str, str | None] = {}) -> Path:
    for path, text in {**FILES, **changes}.items():
        if text is not None:
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    return root


def changed(path: str, old: str, new: str) -> dict[str, str | None]:
    """One file with one text replaced; the text must be there."""
    assert old in FILES[path], f"{path} has no {old!r}"
    return {path: FILES[path].replace(old, new, 1)}


def load(root: Path, changes: Mapping[str, str | None] = {}, **environ: str) -> tuple[Site | None, list[Finding]]:
    site, findings = load_site(write_site(root, changes), Kit(), environ)
    return site, findings.found


def places(found: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, str(finding.mark)) for finding in found]


__all__: list[Any] = ["FILES", "Kit", "changed", "load", "places", "write_site"]
