"""The JSON format: what is refused, and how values are addressed and written."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from channels.formats import json as json_format
from channels.formats.json import FORMAT, render
from channels.formats.json_tree import JsonNode
from engine.errors import Refused
from engine.plugin import NULL, Bare, Envelope, PathError, Profile

SCOPE = FORMAT.structure({}).scope


def opened(text: str | bytes) -> JsonNode:
    raw = text.encode() if isinstance(text, str) else text
    node: JsonNode = FORMAT.open(raw, Profile(type="purchase_orders")).parts[0].node
    return node


def refusal(raw: bytes, **limits: int) -> Refused:
    [unit] = FORMAT.split(raw, Profile(type="x", limits=limits))
    assert unit.raw == raw
    assert unit.refusal is not None
    return unit.refusal


@pytest.mark.parametrize(
    ("raw", "code", "status"),
    [
        (b"", "json.syntax", "400"),
        (b"{", "json.syntax", "400"),
        (b'{"a":1} trailing', "json.syntax", "400"),
        (b"{'a':1}", "json.syntax", "400"),
        (b'\xef\xbb\xbf{"a":1}', "json.syntax", "400"),
        (b'{"a":"\xff"}', "json.syntax", "400"),
        (b'{"a":"\\ud800"}', "json.syntax", "400"),
        (b'{"\\udfff":1}', "json.syntax", "400"),
        (b'{"a":"\x00"}', "json.syntax", "400"),
        (b'{"a":1,"a":2}', "json.duplicate_key", "400"),
        (b'{"a":[{"b":1,"b":1}]}', "json.duplicate_key", "400"),
        (b'{"a":NaN}', "json.number", "400"),
        (b'{"a":-Infinity}', "json.number", "400"),
        (b'{"a":' + b"9" * 5000 + b"}", "json.number", "400"),
        (b"[1]", "json.type", "422"),
        (b'"text"', "json.type", "422"),
        (b'{"a":' + b"[" * 200_000, "json.depth", "400"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "json.depth", "400"),
    ],
)
def test_what_is_no_strict_json_is_refused(raw: bytes, code: str, status: str) -> None:
    found = refusal(raw)
    assert (found.code, found.status) == (code, status)


def test_size_is_capped() -> None:
    assert refusal(b'{"a":"0123456789"}', size=10).code == "json.size"


def test_no_refusal_tells_a_value() -> None:
    for raw in (b'{"secret":"hush",}', b'{"hush":1,"hush":2}', b'{"hush":"\\ud800"}'):
        assert "hush" not in str(refusal(raw))


def test_depth_up_to_the_cap_and_brackets_in_texts_are_fine() -> None:
    assert opened(b'{"a":' * 64 + b"1" + b"}" * 64)
    assert opened(json.dumps({"a": "[" * 500, "b": '\\"{' * 500}))


def test_one_unit_with_the_type_the_listener_knows() -> None:
    [unit] = FORMAT.split(b'{"a":1}', Profile(type="purchase_orders"))
    assert unit.refusal is None
    assert (unit.facts.type, unit.facts.control_id, unit.facts.dedup) == ("purchase_orders", "", "")


@pytest.mark.parametrize(
    "number", ["1.10", "0.1000000000000000055511151231257827", "1E3", "-0", "12345678901234567890"]
)
def test_numbers_keep_the_text_they_were_sent_as(number: str) -> None:
    node = opened(f'{{"price":{number},"list":[true]}}')
    assert SCOPE.field("price").get(node) == number
    assert type(SCOPE.field("price").get(node)) is str


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("quantity.value", "10"),
        ("flag", "true"),
        ("gone", NULL),
        ("absent", None),
        ("quantity.absent.deeper", None),
        ("ids[system=udi].value", "U1"),
        ("ids[system=a.b].value", "AB"),
        ("ids[system=none].value", None),
        ("gone.deeper", None),
    ],
)
def test_fields_are_read_by_path(path: str, value: object) -> None:
    node = opened(
        '{"quantity":{"value":10},"flag":true,"gone":null,'
        '"ids":[{"system":"udi","value":"U1"},{"system":"a.b","value":"AB"}]}'
    )
    assert SCOPE.field(path).get(node) == value


def test_loops_reach_their_entries_and_the_root() -> None:
    node = opened('{"requisition":"R1","lines":[{"number":"1"},{"number":"2"}]}')
    loop = SCOPE.loop("lines")
    numbers = [loop.scope.field("number").get(child) for child in loop.nodes(node)]
    assert numbers == ["1", "2"]
    assert loop.scope.field("$.requisition").get(loop.nodes(node)[1]) == "R1"
    assert loop.place(node, 1) == "/lines/1"
    assert loop.nodes(opened('{"lines":null}')) == loop.nodes(opened("{}")) == []


def test_an_object_where_a_text_should_be_is_refused_at_its_place() -> None:
    with pytest.raises(Refused) as found:
        SCOPE.field("a.b").get(opened('{"a":{"b":{}}}'))
    assert (found.value.code, found.value.place) == ("json.type", "/a/b")
    with pytest.raises(Refused) as found:
        SCOPE.loop("a").nodes(opened('{"a":{}}'))
    assert (found.value.code, found.value.place) == ("json.type", "/a")


@pytest.mark.parametrize("path", ["", "a..b", "a b", "a.", "1a", "a[b]", "a[b=c]", "$", "$.", "a.__class__()"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        SCOPE.field(path)


def test_writing_makes_what_is_missing() -> None:
    structure = FORMAT.structure({"message": "requisition"})
    node = structure.blank()
    structure.scope.field("number").put(node, "R1")
    structure.scope.field("quantity.value").put(node, Bare("1.50"))
    structure.scope.field("ids[system=udi].value").put(node, "U1")
    loop = structure.scope.loop("lines")
    line = loop.new(node)
    loop.scope.field("note").put(line, NULL)
    loop.scope.field("$.total").put(line, "9")
    texts = loop.scope.loop("texts")
    loop.scope.field(".").put(texts.new(line), "one")
    assert render(node.value) == (
        '{"number":"R1","quantity":{"value":1.50},"ids":[{"system":"udi","value":"U1"}],'
        '"lines":[{"note":null,"texts":["one"]}],"total":"9"}'
    )


def test_a_text_never_becomes_structure() -> None:
    assert render({"a": Bare('1,"b":2'), "c": '","d":"'}) == '{"a":"1,\\"b\\":2","c":"\\",\\"d\\":\\""}'


def test_the_defect_of_writing_bare_texts_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_format, "_quoted", lambda text: f'"{text}"')
    with pytest.raises(AssertionError):
        test_a_text_never_becomes_structure()


def test_the_envelope_is_compact_utf8() -> None:
    node = opened('{"b":"\u00fc","a":1.0}')
    envelope = Envelope("requisition", "id", dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
    enveloped = FORMAT.envelop([node], envelope)
    assert enveloped.body == ('{"b":"\u00fc","a":1.0}'.encode(),)
    with pytest.raises(Refused):
        FORMAT.envelop([node, node], envelope)


def test_leaves_are_pointers() -> None:
    node = opened('{"a":{"b":"1"},"c":[{"d":2},null]}')
    assert list(FORMAT.structure({}).leaves(node)) == [("/a/b", "1"), ("/c/0/d", "2")]


def test_an_unknown_header_key_is_told() -> None:
    with pytest.raises(PathError):
        FORMAT.structure({"set": "850"})
