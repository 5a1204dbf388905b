"""JSON: strict bytes to trees and back. Numbers stay the text they were sent as; nothing is ever rounded.

Refused: duplicate keys, NaN and Infinity, lone surrogates, a byte order mark, anything too deep or too large (RFC 8259,
with I-JSON's RFC 7493 answers to what it leaves open). One message has one part; the listener knows its type.

`json_tree` is what mappings address.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from channels.formats.json_tree import JsonNode, JsonStructure
from engine.errors import Refused
from engine.message import Facts, Unit
from engine.plugin import Bare, Envelope, Enveloped, Null, Opened, Part, PathError, Profile

_LIMITS: Final = {"size": 5_000_000, "depth": 64, "number": 100}
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_BARE: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false", re.ASCII)


# --- bytes to trees --------------------------------------------------------------------------------------------------
def parse(raw: bytes, limits: Mapping[str, int] | None = None) -> Any:
    """The value: dicts, lists, str, Bare (numbers and booleans as text) and None. Raises Refused."""
    caps = {**_LIMITS, **(limits or {})}
    if len(raw) > caps["size"]:
        raise Refused("json.size", f"the body has more than {caps['size']} bytes", status="413")
    if raw.startswith(b"\xef\xbb\xbf"):
        raise Refused("json.syntax", "the body starts with a byte order mark", status="400")
    _check_depth(raw, caps["depth"])
    try:
        text = raw.decode("utf-8")
        value = _decoder(caps["number"]).decode(text)
    except UnicodeDecodeError as wrong:
        raise Refused("json.syntax", "the body is not UTF-8", place=f"byte {wrong.start}", status="400") from None
    except json.JSONDecodeError as wrong:
        place = f"line {wrong.lineno} column {wrong.colno}"
        raise Refused("json.syntax", f"this is no JSON: {wrong.msg}", place=place, status="400") from None
    if _SURROGATE.search(raw):
        _check_text(value, "")
    return value


@functools.cache
def _decoder(longest: int) -> json.JSONDecoder:
    """Made once for each limit that listeners have."""

    def number(text: str) -> Bare:
        if len(text) > longest:
            raise Refused("json.number", f"a number has more than {longest} characters", status="400")
        return Bare(text)

    return json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=number, parse_int=number)


def _check_depth(raw: bytes, most: int) -> None:
    """Before the parser recurses; brackets inside texts do not count."""
    if raw.count(b"{") + raw.count(b"[") <= most:
        return
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", raw)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > most:
            raise Refused("json.depth", f"objects and arrays nest deeper than {most}", status="400")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("json.duplicate_key", "an object has the same key twice", status="400")
    for key, value in pairs:
        if value is True or value is False or isinstance(value, list):
            found[key] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return Bare("true" if value else "false") if isinstance(value, bool) else value


def _constant(_: str) -> Any:
    raise Refused("json.number", "NaN and Infinity are no numbers in JSON", status="400")


def _check_text(value: Any, place: str) -> None:
    for pointer, text in _texts(value, place):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Refused("json.syntax", "a text holds half a surrogate pair", place=pointer, status="400") from None


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text and key, with the pointer of what holds it."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield place, key
            yield from _texts(child, place)
    elif isinstance(value, list):
        for position, child in enumerate(value):
            yield from _texts(child, f"{place}/{position}")


# --- trees to bytes --------------------------------------------------------------------------------------------------
_quoted: Final = json.JSONEncoder(ensure_ascii=False).encode


def render(value: Any) -> str:
    """Compact JSON with keys in the order they were put."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{render(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(render(child) for child in value) + "]"
    if value is None or isinstance(value, Null):
        return "null"
    if isinstance(value, Bare) and _BARE.fullmatch(value):
        return value
    return _quoted(value)


# --- the format ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class JsonFormat:
    """`dates`: mappings write dates as ISO 8601 extended, and booleans as true and false."""

    name: str = "json"
    dates: str = "extended"
    answer: ClassVar[None] = None

    def split(self, raw: bytes, profile: Profile) -> list[Unit]:
        """One unit, refused already when the bytes are no strict JSON, so that the sender hears it at once."""
        facts = Facts(self.name, type=profile.type)
        try:
            self.open(raw, profile)
        except Refused as refusal:
            return [Unit(raw, facts, refusal)]
        return [Unit(raw, facts)]

    def open(self, raw: bytes, profile: Profile) -> Opened:
        root = parse(raw, profile.limits)
        if not isinstance(root, dict):
            raise Refused("json.type", "the body must be an object", status="422")
        return Opened((Part(profile.type, JsonNode(root, root)),))

    def structure(self, header: Mapping[str, str]) -> JsonStructure:
        for key in header:
            if key != "message":
                raise PathError(f"JSON knows no '{key}'", ("message",))
        return JsonStructure(header.get("message", ""))

    def envelop(self, nodes: Sequence[JsonNode], envelope: Envelope) -> Enveloped:
        """The body alone: HTTP and its kind have an envelope of their own."""
        if len(nodes) != 1:
            raise Refused("json.type", "a JSON body holds exactly one message", status="422")
        return Enveloped((render(nodes[0].value).encode("utf-8"),), ())


FORMAT: Final = JsonFormat()
