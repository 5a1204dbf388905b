"""JSON Schemas (draft-07) of the site's YAML files, for editors: made from the same declarations that check them.

Files name theirs by `# yaml-language-server: $schema=../.schemas/partner.v1.json`; `.schemas` lies at the top of the
site, is written by `hilum init` and `hilum schema --write .schemas`, and is no part of the site's version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from engine.plugin import Kind, Registry
from engine.site.shapes import FILES, LINE, NAME, ConnectionEntry, ListenerEntry

FOLDER: Final = ".schemas"
Schema = dict[str, Any]
# To us every scalar is text; an editor sees `0012` as a number and must not complain.
_TEXT: Final = ["string", "number", "boolean"]
_REFERENCE: Final = r"\$\{"


def schemas(registry: Registry) -> dict[str, Schema]:
    """By file kind: engine, channels, connections, routes, partner, mapping."""
    made = {kind: _finished(kind, _of(model)) for kind, model in FILES.items()}
    listeners = [_tagged(name, _of(ListenerEntry), own) for name, own in _listeners(registry)]
    made["channels"]["properties"]["listeners"] = _by_name(listeners)
    connections = [_tagged(name, _of(ConnectionEntry), own) for name, own in _connections(registry)]
    made["connections"]["properties"]["connections"] = _by_name(connections)
    inline = [_wrapped(name, own) for name, own in _connections(registry)]
    made["partner"]["definitions"]["Side"]["properties"]["connection"] = {"oneOf": [{"type": "string"}, *inline]}
    made["partner"]["required"] = ["apiVersion"]
    for part in made["partner"]["definitions"].values():
        part.pop("required", None)  # a template brings what a partner leaves out, and the other way round
    made["mapping"] = _finished("mapping", _mapping(registry))
    return made


def write_schemas(folder: Path, registry: Registry) -> list[Path]:
    """Writes NAME.v1.json for each kind of file; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, schema in schemas(registry).items():
        path = folder / f"{kind}.v1.json"
        path.write_text(json.dumps(schema, indent=2) + "\n")
        written.append(path)
    return written


def _of(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema(ref_template="#/definitions/{model}", schema_generator=GenerateJsonSchema)
    schema["definitions"] = schema.pop("$defs", {})
    loosened: Schema = _loosened(schema)
    return loosened


def _loosened(node: Any) -> Any:
    """An editor accepts what `hilum check` accepts: any scalar for free text, and a reference for most values."""
    if isinstance(node, list):
        return [_loosened(child) for child in node]
    if not isinstance(node, dict):
        return node
    made = {key: _loosened(child) for key, child in node.items() if not (key == "title" and isinstance(child, str))}
    if made.get("pattern") == LINE:
        del made["pattern"]
    wanted = made.get("type")
    if wanted == "string" and "pattern" in made:
        made["pattern"] = f"{made['pattern']}|{_REFERENCE}"
    elif wanted == "string" and not made.keys() & {"enum", "const"}:
        made["type"] = _TEXT
    elif wanted in {"integer", "number", "boolean"}:
        made |= {"type": [wanted, "string"], "pattern": _REFERENCE}
    return made


def _finished(kind: str, schema: Schema) -> Schema:
    schema["properties"] = {**schema["properties"], "apiVersion": {"const": f"{kind}/v1"}}
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": f"Hilum {kind} file, version 1"}
    return {**head, **schema}


def _by_name(entries: list[Schema]) -> Schema:
    return {"type": "object", "propertyNames": {"pattern": NAME}, "additionalProperties": {"oneOf": entries}}


def _listeners(registry: Registry) -> Iterator[tuple[str, Schema]]:
    for kind in _kinds(registry):
        if kind.listener_options:
            yield kind.name, _of(kind.listener_options)


def _connections(registry: Registry) -> Iterator[tuple[str, Schema]]:
    """A sender's options, and a listener's beside them for kinds that can fetch."""
    for kind in _kinds(registry):
        if kind.sender_options is None:
            continue
        own = _of(kind.sender_options)
        if kind.listener_options and "fetch" in kind.listener_options.model_fields:
            fetching = _of(kind.listener_options)
            own["properties"] = {**fetching["properties"], **own["properties"]}
            own["definitions"] = {**fetching["definitions"], **own["definitions"]}
        yield kind.name, own


def _kinds(registry: Registry) -> Iterator[Kind]:
    return (registry.kind(name) for name in registry.kinds())


def _tagged(kind: str, shared: Schema, own: Schema) -> Schema:
    """An entry of a kind: what all have and what this kind declares, in one closed object."""
    return {
        "type": "object",
        "title": kind,
        "properties": {**_resolved(shared), **_resolved(own), "kind": {"const": kind}},
        "required": sorted({*shared.get("required", ()), *own.get("required", ())}),
        "additionalProperties": False,
    }


def _wrapped(kind: str, own: Schema) -> Schema:
    """A partner's own connection: the kind names its options, and what all connections have stands beside it."""
    shared = _resolved(_of(ConnectionEntry))
    del shared["kind"]
    options = {
        "type": "object",
        "properties": _resolved(own),
        "required": own.get("required", []),
        "additionalProperties": False,
    }
    properties = {**shared, kind: options}
    return {
        "type": "object",
        "title": kind,
        "properties": properties,
        "required": [kind],
        "additionalProperties": False,
    }


def _resolved(schema: Schema) -> Schema:
    """The properties with their references written out, so that they can stand in another schema."""
    definitions = schema.get("definitions", {})

    def written(node: Any) -> Any:
        if isinstance(node, list):
            return [written(child) for child in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return written(definitions[node["$ref"].rpartition("/")[2]])
        return {key: written(child) for key, child in node.items()}

    properties: Schema = written(schema["properties"])
    return properties


def _mapping(registry: Registry) -> Schema:
    """The head of a mapping. What its fields may be depends on its document and format: `hilum check` says that."""
    from canonical import DOCUMENTS
    from engine.mapping.compiled import FORMAT_KEYS

    text: Mapping[str, Any] = {"type": _TEXT}
    properties = {
        "description": text,
        "document": {"enum": list(DOCUMENTS)},
        "format": {"enum": list(registry.formats())},
        "extends": text,
        "only": {"enum": ["read", "write"]},
        "each": text,
        "when": text,
        "blocks": {"type": "object"},
        "fields": {"type": "object"},
        **dict.fromkeys(FORMAT_KEYS, text),
    }
    return {"type": "object", "properties": properties, "required": ["apiVersion"], "additionalProperties": False}
