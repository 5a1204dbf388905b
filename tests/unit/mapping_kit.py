"""Mappings written in a test, compiled for the real JSON format."""

from __future__ import annotations

import json
from collections.abc import Mapping as Dict
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

from channels.formats.json import FORMAT, render
from channels.formats.json_tree import JsonNode
from engine.mapping import Context, Mapping, Result, compile_mapping
from engine.plugin import Profile
from engine.positions import Findings
from engine.site.model import Crosswalk
from engine.site.yaml import read_tree

UNITS = Crosswalk("unit", {"Each": "EA", "Box": "BX"}, {"EA": "Each", "BX": "Box"}, source="config/crosswalks/u.csv")
ITEMS = Crosswalk("item", {"V-1": "NH-1"}, {"NH-1": "V-1"}, source="config/crosswalks/i.csv")
CONTEXT = Context(ZoneInfo("America/Chicago"), {"unit": UNITS, "item": ITEMS})


def trees_of(files: Dict[str, str], findings: Findings) -> Dict[str, Any]:
    return {name: read_tree(dedent(text).encode(), f"mappings/{name}.yaml", findings) for name, text in files.items()}


def compiled(text: str, **others: str) -> tuple[Mapping | None, Findings]:
    findings = Findings()
    trees = trees_of({"one": text, **others}, findings)
    return compile_mapping("one", trees["one"], FORMAT, findings, trees), findings


def sound(text: str, **others: str) -> Mapping:
    mapping, findings = compiled(text, **others)
    assert findings.found == []
    assert mapping is not None
    return mapping


def node_of(body: object) -> JsonNode:
    node: JsonNode = FORMAT.open(json.dumps(body).encode(), Profile(type="t")).parts[0].node
    return node


def read(mapping: Mapping, body: object, context: Context = CONTEXT) -> Result:
    return mapping.read(node_of(body), context)


def fields_of(mapping: Mapping, body: object) -> dict[str, Any]:
    """What was set of the one document that is read without problems."""
    result = read(mapping, body)
    assert result.problems == ()
    [document] = result.documents
    return document.model_dump(exclude_unset=True)


def written(mapping: Mapping, fields: dict[str, Any]) -> Any:
    told = mapping.write(mapping.model.from_fields(fields), CONTEXT)
    assert told.problems == ()
    return json.loads(render(told.node.value))


def requisition(fields: str, head: str = "") -> str:
    """A whole requisition mapping around the given fields; lines have what they need."""
    lines = """\
      lines:
        each: lines
        number: number
        item.ids: {each: item, scheme: scheme, value: value}
        quantity: {value: quantity, unit: unit}
    """
    return (
        "document: requisition\nformat: json\n"
        + (f"{head}\n" if head else "")
        + "fields:\n  number: number\n"
        + "".join(f"  {line}\n" for line in dedent(fields).strip().splitlines())
        + "".join(f"  {line}\n" for line in dedent(lines).strip().splitlines())
    )


LINE = {"number": "1", "item": [{"scheme": "buyer_part", "value": "NH-1"}], "quantity": "10", "unit": "EA"}
BODY = {"number": "R1", "lines": [LINE]}
DOCUMENT = {
    "number": "R1",
    "lines": [
        {
            "number": "1",
            "item": {"ids": [{"scheme": "buyer_part", "value": "NH-1"}]},
            "quantity": {"value": "10", "unit": "EA"},
        }
    ],
}
