"""Laws of the JSON format: any strict JSON survives a round trip, and no bytes make it raise anything but Refused."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from channels.formats.json import FORMAT, parse, render
from engine.errors import Refused
from engine.plugin import Profile

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)


def spelled(value: Any) -> str:
    """JSON text of a value, with decimals written as they are."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{spelled(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spelled(child) for child in value) + "]"
    return json.dumps(value)


@given(OBJECTS)
def test_what_is_read_is_written_with_the_same_meaning(value: dict[str, Any]) -> None:
    raw = spelled(value).encode()
    written = render(parse(raw))
    assert json.loads(written, parse_float=str, parse_int=str) == json.loads(raw, parse_float=str, parse_int=str)
    assert render(parse(written.encode())) == written


@given(st.binary(max_size=200) | TEXTS.map(str.encode) | OBJECTS.map(lambda value: spelled(value).encode()[:-1]))
def test_no_bytes_raise_and_none_are_lost(raw: bytes) -> None:
    [unit] = FORMAT.split(raw, Profile(type="t"))
    assert unit.raw == raw


@given(st.lists(st.sampled_from(["[", "]", "{", "}", '"', ":", ",", "1", "a", "\\", "null"]), max_size=300))
def test_any_order_of_tokens_is_parsed_or_refused(tokens: list[str]) -> None:
    raw = "".join(tokens).encode()
    try:
        parse(raw)
    except Refused:
        return
    json.loads(raw)
