"""Laws of the hl7v2 format: no byte is lost, no value becomes structure, and nothing makes it raise."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.formats.hl7v2 import FORMAT, envelope, matching, read_header
from channels.formats.hl7v2.definitions import STRUCTURES
from channels.formats.hl7v2.header import STANDARD, Header, Separators
from channels.formats.hl7v2.matching import match
from channels.formats.hl7v2.syntax import Syntax, syntax
from channels.formats.hl7v2.tree import Lines
from channels.wire.hl7_ack import build_ack, timestamp
from engine.errors import Refused
from engine.plugin import NULL, Envelope, PathError, Profile, Want

AT = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
HEAD = b"MSH|^~\\&|A|B|C|D|2026||OMS^O05|1|P|2.5.1"
NAMES = st.sampled_from(["PID", "PV1", "ORC", "TQ1", "RQD", "RQ1", "NTE", "OBX", "IN1", "BLG", "ZQD", "ZZ9", "QRD"])
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs", "Cc"]), max_size=30)
MARKED = st.text(st.sampled_from('|^~\\&"XHFSTRE.br0Dé '), max_size=20)
MARKS = st.permutations(list("|^~\\&#@!%$*+-/:;<=>?`{}'\"()_.,[]")).map(lambda marks: Separators(*marks[:6]))
WRITABLE = st.permutations(list("|^~\\&#@!%$*:;<=>?`{}'(),[]")).map(lambda marks: Separators(*marks[:6]))
ENDS = st.sampled_from(["\r", "\n", "\r\n", "\r\r"])
PROFILE = Profile()


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Messages as they come: any segments in any order, odd values, any kind of ends, perhaps a byte order mark."""
    lines = draw(st.lists(st.tuples(NAMES, st.lists(TEXT | MARKED, max_size=5), ENDS), max_size=12))
    body = "".join("|".join([name, *values]) + end for name, values, end in lines)
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    end = draw(ENDS)
    whole = mark + HEAD + end.encode() + body.encode()
    return whole if draw(st.booleans()) else whole.rstrip(b"\r\n")


@settings(max_examples=300)
@given(messages())
def test_what_is_accepted_renders_to_the_same_bytes(raw: bytes) -> None:
    (unit,) = FORMAT.split(raw, PROFILE)
    assert unit.raw == raw
    if unit.refusal is None:
        assert FORMAT.open(raw, PROFILE).parts[0].node.render() == raw


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: HEAD + b"\r" + data))
@example(b"MSH|^~\\&|")
@example(HEAD + b"\rMSH")
def test_nothing_makes_the_accept_path_raise(raw: bytes) -> None:
    (unit,) = FORMAT.split(raw, PROFILE)
    read_header(raw)
    if unit.refusal is None:
        assert FORMAT.open(raw, PROFILE).parts[0].node.render() == raw
    else:
        assert unit.refusal.status in {"100", "101", "102", "200", "201", "202", "203"}


VALUES = st.sampled_from(
    ["", "A", "B^1.2^ISO", "2026", "OMS^O05", "ACK", "P", "T", "2.5.1", "AL", "UNICODE UTF-8", "é"]
)


@st.composite
def headers(draw: st.DrawFn) -> str:
    """Good ones, and some that are cut short or hold something else somewhere."""
    fields = HEAD.decode().split("|") + [""] * 6
    for number, value in draw(st.dictionaries(st.integers(1, 17), VALUES | MARKED, max_size=2)).items():
        fields[number] = value
    return "|".join(fields[: draw(st.sampled_from([7, 9, 10, 11, 12, 18, 18, 18]))])


@settings(max_examples=300)
@given(headers(), st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=3), st.sampled_from(["P", "T"]))
def test_what_is_remembered_of_a_header_changes_no_judgement(msh: str, own: list[tuple[str, str]], usage: str) -> None:
    """Each message is judged and answered as if it were the first of its sender."""
    fields = msh.split("|")
    raws = []
    for time, control_id in own:
        fields[6:7], fields[9:10] = fields[6:7] and [time], fields[9:10] and [control_id]
        raws.append("|".join(fields).encode() + b"\rORC|NW\rRQD|1\r")
    told = [_told(raw, usage) for raw in raws]
    for raw, known in zip(raws, told, strict=True):
        envelope._known.cache_clear()
        assert _told(raw, usage) == known


def _told(raw: bytes, usage: str) -> object:
    (unit,) = FORMAT.split(raw, Profile(usage=usage, accepts=frozenset({"OMS^O05", "ACK"})))
    header, refusal = unit.facts.context, unit.refusal
    assert isinstance(header, Header)
    answer = build_ack(header, code="AA", control_id="1", time=timestamp(AT), refusal=refusal)
    return unit.facts._replace(context=None), refusal and (refusal.code, refusal.text, refusal.place), answer


def test_a_memory_that_mixes_channels_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted defect: what one channel takes is remembered for all."""
    raw = HEAD + b"\rORC|NW\rRQD|1\r"
    assert _told(raw, "T") != _told(raw, "P")
    known = envelope._known
    monkeypatch.setattr(envelope, "_known", lambda msh, accepts, usage: known(msh, accepts, "P"))
    assert _told(raw, "T") == _told(raw, "P")


@settings(max_examples=500)
@given(st.lists(st.sampled_from(["RQD|1", "ZQ1|", "NTE", "MSA|AA", "MSH|^", "nte|", "X", "", "ORCX|", "OR|C", "PID#"])))
def test_the_quick_look_at_segments_passes_nothing_that_the_thorough_one_would_not(lines: list[str]) -> None:
    body = "\r".join(["MSH|^~\\&|A", *lines]).encode()
    if envelope._unusual("|").search(body) is None:
        assert envelope._check_segments(body.splitlines(), "|") is False


def test_long_headers_and_messages_are_not_remembered() -> None:
    known, orders = envelope._known.cache_info(), matching._remembered.cache_info()
    for number in range(3):
        raw = (
            HEAD.replace(b"|A|", b"|%b|" % (b"A" * (600 + number))) + b"\rORC|NW\rRQD|1\r" + b"NTE|1\r" * (100 + number)
        )
        assert FORMAT.split(raw, PROFILE)[0].refusal is None
        assert FORMAT.open(raw, PROFILE).parts[0].node.render() == raw
    assert envelope._known.cache_info().currsize == known.currsize
    assert matching._remembered.cache_info().currsize == orders.currsize


@settings(max_examples=300)
@given(st.lists(NAMES, max_size=25))
def test_matching_keeps_every_segment_in_its_order(names: list[str]) -> None:
    texts = [f"{name}|{number}" for number, name in enumerate(["MSH", *names])]
    lines = Lines(texts, ["\r"] * len(texts), syntax())
    for definition in STRUCTURES.values():
        assert [segment.text for segment in match(definition, lines).root.segments()] == texts


@settings(max_examples=500)
@given(st.text() | MARKED, MARKS)
def test_escapes_give_the_value_again_and_hold_no_separator(value: str, marks: Separators) -> None:
    for separators in (STANDARD, marks):
        rules = Syntax(separators, "utf-8")
        text = rules.encode(value)
        assert rules.decode(text) == value
        assert not set(text) & (set(separators) - {separators.escape} | set("\r\n\x0b\x1c"))


PATHS = ["RQD-2.2", "RQD-5", "NTE-3", "RQD-3.1.2", "PID-3(2).4", "OBX-5", "ZQD-2", "MSH-3"]


@settings(max_examples=500)
@given(
    st.lists(st.tuples(st.sampled_from(PATHS), st.text(min_size=1) | MARKED.filter(bool)), max_size=6),
    WRITABLE,
)
def test_written_values_are_read_again_from_as_many_segments(puts: list[tuple[str, str]], marks: Separators) -> None:
    structure = FORMAT.structure({"message": "OMS^O05"})
    root = structure.blank()
    values = {"ORC-1": "NW", "RQD-1": "1"} | dict(puts)
    for path, value in values.items():
        structure.scope.field(path).put(root, value)
    wanted = {path[:3] for path in values} | {"MSH"}
    for separators in ("", marks.field + marks.encoding):
        body = _body(root, separators)
        again = FORMAT.open(body, PROFILE).parts[0].node
        assert body.count(b"\r") == len(wanted)
        assert {line[:3].decode() for line in body.splitlines()} == wanted
        assert {path: structure.scope.field(path).get(again) for path in values} == values


def _body(root: object, separators: str) -> bytes:
    (body,) = FORMAT.envelop([root], Envelope("OMS^O05", "1", AT, options={"separators": separators})).body
    assert isinstance(body, bytes)
    return body


def test_the_law_of_values_can_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """With escaping taken out, a value forges a segment and the law sees it."""
    monkeypatch.setattr(Syntax, "encode", lambda self, value: value)
    structure = FORMAT.structure({"message": "OMS^O05"})
    root = structure.blank()
    for path, value in {"ORC-1": "NW", "RQD-1": "1", "NTE-3": "x\rRQD|9"}.items():
        structure.scope.field(path).put(root, value)
    assert _body(root, "").count(b"\r") == 5


@settings(max_examples=200)
@given(messages())
def test_canonical_paths_lead_to_the_leaves_they_name(raw: bytes) -> None:
    (unit,) = FORMAT.split(raw, PROFILE)
    if unit.refusal is not None:
        return
    structure = FORMAT.structure({"message": "OMS^O05"})
    node = FORMAT.open(raw, PROFILE).parts[0].node
    for path, value in structure.leaves(node):
        assert path
        assert value


PATHS = (
    "MSH-2", "MSH-4.1", "NTE-3", "PID-3(2).1", "PID-3[5=MR].1", "ORC-2.1", "ORC-2.2", "ORDER(2)/ORC-1", "RQD-1",
    "RQD-2.1", "RQD-2.2", "RQD-2.1.2", "RQD-5", "RQD(2)-1", "TQ1-9.1", "OBX[3=PAR]-5.1", "ORDER/NTE-3", "OBX-3",
    "ZQD-2.1", "PV1-2",
)  # fmt: skip
WORDS = st.sampled_from(
    ["", "A", "A^B", "A&B^C", "A~B", "^B", '""', '"', "MR", "PAR", "a\\T\\b", "^^^^MR~X", "A^B~C^D", "~", '""^B']
)
VALUED = st.lists(WORDS, max_size=6).map(lambda words: "|".join(["", *words]))


@settings(max_examples=300)
@given(
    st.lists(st.tuples(VALUED, VALUED, NAMES, VALUED), max_size=3),
    st.sets(st.sampled_from(["ORDER", "ORC", "RQD", "NTE", "PID"])),
)
def test_gathering_gives_what_each_field_gives(orders: list[tuple[str, str, str, str]], asked: set[str]) -> None:
    lines = [line for orc, rqd, name, other in orders for line in (f"ORC{orc}", f"RQD{rqd}", f"{name}{other}")]
    node = FORMAT.open("\r".join([HEAD.decode(), *lines]).encode(), PROFILE).parts[0].node
    scope = FORMAT.structure({"message": "OMS^O05"}).scope
    loop = scope.loop("ORDER")
    for name in asked:
        assert node.at.index[name] is not None  # what was asked for before is no longer read from its line
    _assert_gathers(scope, node)
    for found in loop.nodes(node):
        _assert_gathers(loop.scope, found)


def _assert_gathers(scope: Any, node: Any) -> None:
    fields = enumerate(map(scope.field, PATHS))
    wants = [Want(number % 2, field.path, field, number % 3 == 0) for number, field in fields]
    gathered = scope.gather(wants, 2)(node)
    told: list[dict[str, object]] = [{}, {}]
    for want in wants:
        value = want.field.get(node)
        if value is not None and (value is not NULL or want.nullable):
            told[want.record][want.name] = None if value is NULL else value
    assert gathered == told


@settings(max_examples=200)
@given(st.text(max_size=12) | st.text(st.sampled_from("RQDNTEPIORC-.()[]/=123^ "), max_size=16))
def test_any_path_compiles_or_is_told_why_not(path: str) -> None:
    scope = FORMAT.structure({"message": "OMS^O05"}).scope
    for compile_path in (scope.field, scope.loop):
        try:
            compiled = compile_path(path)
        except PathError:
            continue
        assert compiled.path


def test_refusals_are_what_open_raises() -> None:
    with pytest.raises(Refused):
        FORMAT.open(b"PID|1\r", PROFILE)
