"""Laws of the X12 format: no byte is lost, nothing crashes, what is written is read back, and no value is structure."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.formats.x12 import FORMAT, grammar, write
from channels.formats.x12.elements import fault_of
from channels.formats.x12.grammar import Composite, Element, Loop, Segment
from channels.formats.x12.match import match
from channels.formats.x12.separators import Repeats
from channels.formats.x12.tree import Group
from engine.errors import Refused
from engine.plugin import Answer, Profile
from tests.x12_kit import GOOD_850, GOOD_855, PROFILE, again, envelope, filled, group, interchange, one_set, with_855

OPEN = Profile(usage="")
READER = Profile(theirs={"isa": "ZZ:NORTH"}, ours={"isa": "ZZ:QUILL"})
MARKS = st.sampled_from(["*>~", "|^~", "\x1d\x1f\x1e", "*:\n", "~>*", "^`\r"])
WHOLE = [
    with_855(),
    interchange(group([one_set("850", GOOD_850), one_set("850", GOOD_850, "0002")], "PO", "8")),
    interchange(group([one_set("997", ["AK1*PO*88", "AK2*850*0001", "AK5*A", "AK9*A*1*1*1"])], "FA")),
    interchange(iea="TA1*000000004*261121*0914*A*000~IEA*0*000000012~"),
]


def told(refusals: Iterable[Refused]) -> None:
    """Text that can be stored, and is no data: ids, numbers and our own words."""
    for refusal in refusals:
        assert (refusal.place + refusal.text).isascii()
        assert len(refusal.place) < 100


def answered(answers: Iterable[Answer]) -> None:
    for answer in answers:
        FORMAT.envelop(answer.nodes, envelope(answer.type))


def take(raw: bytes) -> None:
    """Split and open: nothing but a Refused with a code may come out, and every byte is in a unit."""
    units = FORMAT.split(raw, OPEN)
    assert b"".join(unit.raw for unit in units) == raw
    for unit in units:
        if unit.refusal is not None:
            assert unit.refusal.code.startswith("x12.")
            answered(FORMAT.answer(unit.raw, unit.refusal))
            continue
        opened = FORMAT.open(unit.raw, OPEN)
        answered(opened.answers)
        for part in opened.parts:
            if part.node is not None:
                list(FORMAT.structure({"set": part.type}).leaves(part.node))
            assert all(refusal.place for refusal in part.refusals)
            told(part.refusals)
        told(opened.problems)
        assert all(receipt.ref.isascii() and "".join(receipt.details).isascii() for receipt in opened.receipts)


@given(st.lists(st.tuples(st.sampled_from(WHOLE), MARKS), max_size=4), st.sampled_from([b"", b"\n", b"\r\n  "]))
def test_interchanges_in_a_file_come_out_as_they_went_in(parts: list[tuple[bytes, str]], between: bytes) -> None:
    raws = [again(raw, marks) for raw, marks in parts]
    units = FORMAT.split(between.join(raws), OPEN)
    assert [unit.raw.rstrip(b"\r\n ") for unit in units if raws] == [raw.rstrip(b"\r\n ") for raw in raws]
    assert all(unit.refusal is None for unit in units if raws)


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(raw: bytes) -> None:
    take(raw)
    take(b"ISA" + raw)
    take(WHOLE[0] + raw)


@settings(max_examples=300)
@given(st.sampled_from(WHOLE), MARKS, st.data())
def test_damaged_interchanges_are_taken(raw: bytes, marks: str, data: st.DataObject) -> None:
    raw = again(raw, marks)
    at = data.draw(st.integers(0, len(raw)))
    to = data.draw(st.integers(at, min(len(raw), at + 60)))
    take(raw[:at] + data.draw(st.binary(max_size=12)) + raw[to:])
    take(raw[:at])


@settings(max_examples=150)
@given(st.lists(st.sampled_from([*GOOD_855, "REF*CT*1", "ZZZ*1", "PID*F****x", "N3*a", "ACK*IB", "CTT", "", " X*1"])))
def test_segments_in_any_order_are_judged_and_answered(body: list[str]) -> None:
    raw = interchange(group([one_set("855", body)]))
    take(raw)
    [part] = FORMAT.open(raw, PROFILE).parts
    wrong = set(body) - set(GOOD_855)
    assert part.refusals or not wrong & {"ZZZ*1", "CTT", " X*1"}


# --- writing ---------------------------------------------------------------------------------------------------------
def order(value: str) -> Any:
    made = FORMAT.structure({"set": "850"})
    root = made.blank()
    for path, told in {"BEG01": "00", "BEG02": "SA", "BEG03": "PO-9", "BEG05": "20261121", "PID[F]05": value}.items():
        made.scope.field(path).put(root, told)
    line = made.scope.loop("PO1").new(root)
    made.scope.loop("PO1").scope.field("PO101").put(line, "1")
    notes = made.scope.loop("N9[ZZ]")
    note = notes.new(root)
    notes.scope.field("N902").put(note, "1")
    texts = notes.scope.loop("MSG")
    texts.scope.field("MSG01").put(texts.new(note), value)
    return root


def shape(raw: bytes, marks: str) -> list[int]:
    """How many elements each segment has."""
    return [segment.count(marks[0].encode()) for segment in raw.split(marks[2].encode())]


VALUES = st.text(st.characters(codec="latin-1"), max_size=90) | st.text(st.sampled_from("A*>~|^\x1d\n\r "), max_size=12)


VALUE_PLACES = ("PID[1]/PID05", "N9[1]/MSG[1]/MSG01")


def carries(value: str, marks: str) -> bool:
    """Whether the law holds: refused at the value's place, or read back as it was in the structure of a plain order."""
    options = dict(zip(("element", "component", "segment"), marks, strict=True))
    try:
        raw = filled(FORMAT.envelop([order(value)], envelope("850", **options)).body)
    except Refused as refusal:
        return (refusal.code, refusal.place) in {("x12.value", place) for place in VALUE_PLACES}
    plain = filled(FORMAT.envelop([order("plain")], envelope("850", **options)).body)
    [part] = FORMAT.open(raw, READER).parts
    read = FORMAT.structure({"set": "850"}).scope.field("PID[F]05").get(part.node)
    return shape(raw, marks) == shape(plain, marks) and part.refusals == () and read == value


@settings(max_examples=300)
@given(VALUES.filter(bool), MARKS)
def test_a_value_is_never_structure(value: str, marks: str) -> None:
    assert carries(value, marks)


def test_the_law_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were characters not checked, the law above would find it."""
    monkeypatch.setattr(write, "_check_characters", lambda group, segment, style: None)
    assert not carries("A~CUR*BY*XXX", "*>~")
    assert not carries("A*B", "*>~")


def release_of(name: str) -> grammar.Release:
    release = grammar.release(name)
    assert release is not None
    return release


# --- the grammar -----------------------------------------------------------------------------------------------------
def sample(element: Element) -> str:
    """A value the element takes."""
    if element.codes:
        return min(element.codes)
    if element.kind in {"DT", "TM"}:
        return "20261121" if element.kind == "DT" else "0914"
    return "1" * max(element.least, 1)


def fill(definition: Segment) -> list[Any]:
    """A segment with every element, except the second of an exclusion; what may be repeated is."""
    segment: list[Any] = [definition.id]
    for slot in definition.slots:
        one = [sample(part.of) for part in slot.of.components] if isinstance(slot.of, Composite) else sample(slot.of)  # type: ignore[arg-type]
        segment.append(Repeats([one, one]) if slot.most > 1 else one)
    for rule in definition.rules:
        if rule.kind == "E":
            for position in rule.positions[1:]:
                segment[position] = ""
    return segment


def grow(draw: st.DrawFn, loop: Loop, parent: Group | None) -> Group:
    """A random tree of a loop: every mandatory place, others by chance, each at most twice."""
    made = Group(loop, parent)
    for place in loop.places:
        most = 2 if place.repeats else 1
        least = int(place.required)
        for _ in range(draw(st.sampled_from([least, least, least, most]))):
            if place.opens:
                inner = grow(draw, place.loop, made)
                made.at.setdefault(place.index, []).append(inner)
            elif not (loop.opener and place.index == 0 and 0 in made.at):
                made.at.setdefault(place.index, []).append(fill(place.segment))
    return made


SETS = [(name, id) for name in grammar.RELEASES for id in release_of(name).groups]


@st.composite
def trees(draw: st.DrawFn, definition: grammar.TransactionSet) -> Group:
    return grow(draw, definition.root, None)


def plain(group: Group) -> list[Any]:
    return [
        (index, [plain(entry) if isinstance(entry, Group) else entry for entry in entries])
        for index, entries in sorted(group.at.items())
    ]


@settings(max_examples=80, deadline=None)
@given(st.data(), st.sampled_from(SETS))
def test_every_tree_of_a_set_is_matched_back_to_itself(data: st.DataObject, named: tuple[str, str]) -> None:
    """So the order of segments says their loops without doubt, and every full segment is good."""
    definition = release_of(named[0]).transaction_set(named[1])
    assert definition is not None
    tree = data.draw(trees(definition))
    root, faults = match([segment for _, segment in tree.walk()], definition)
    assert faults == []
    assert plain(root) == plain(tree)


# --- levels ----------------------------------------------------------------------------------------------------------
BELOW = {"": "S", "S": "O", "O": "TPI", "T": "PI", "P": "I", "I": ""}


@st.composite
def outlines(draw: st.DrawFn, code: str = "") -> list[Any]:
    """Levels below one of this code, each with what is below it: one shipment, at least one order."""
    least, most = int(code in {"", "S"}), 3 if code else 1
    return [(one, draw(outlines(one))) for one in BELOW[code] for _ in range(draw(st.integers(least, most)))]


def build(node: Any, scope: Any, outline: list[Any], number: list[int]) -> None:
    """Writes the levels of an outline below a node, each with a number of its own."""
    for code, inner in outline:
        loop = scope.loop(f"HL[{code}]")
        level = loop.new(node)
        number[0] += 1
        loop.scope.field("REF[ZZ]02").put(level, str(number[0]))
        build(level, loop.scope, inner, number)


def outlined(node: Any, scope: Any, code: str = "") -> list[Any]:
    found = []
    for below in BELOW[code]:
        loop = scope.loop(f"HL[{below}]")
        mark = loop.scope.field("REF[ZZ]02")
        found += [(below, mark.get(level), outlined(level, loop.scope, below)) for level in loop.nodes(node)]
    return found


@settings(max_examples=60, deadline=None)
@given(outlines(), st.randoms(use_true_random=False))
def test_levels_that_are_written_are_read_as_the_same_tree(outline: list[Any], random: Any) -> None:
    """Whatever their numbers, and in any order that has each level after the one above it."""
    made = FORMAT.structure({"set": "856"})
    root = made.blank()
    for path, value in {"BSN01": "00", "BSN02": "SHIP-1", "BSN03": "20261121", "BSN04": "0914"}.items():
        made.scope.field(path).put(root, value)
    build(root, made.scope, outline, [0])
    raw = filled(write.envelop([root], envelope("856")).body).decode()
    body = raw.split("~ST*856*0001~")[1].split("~CTT")[0].split("~")
    mixed = [body[0], *(segment for level in shuffled(body[1:], random) for segment in level)]
    again = interchange(group([one_set("856", mixed)], "SH"))
    [part] = FORMAT.open(again, PROFILE).parts
    assert part.refusals == ()
    assert in_order(outlined(part.node, made.scope)) == in_order(outlined(root, made.scope))


def shuffled(body: list[str], random: Any) -> list[list[str]]:
    """The levels, numbered anew, in another order."""
    levels: list[list[str]] = []
    for segment in body:
        levels += [[]] if segment.startswith("HL*") else []
        levels[-1].append(segment)
    rows = [(*level[0].split("*")[1:4], level[1:]) for level in levels]
    names = dict(zip([row[0] for row in rows], random.sample(range(1, 10_000), len(rows)), strict=True))
    placed: list[Any] = []
    waiting = rows
    while waiting:
        ready = [row for row in waiting if row[1] in {"", *(one[0] for one in placed)}]
        placed.append(random.choice(ready))
        waiting = [row for row in waiting if row is not placed[-1]]
    return [[f"HL*{names[id]}*{names.get(above, '')}*{code}", *rest] for id, above, code, rest in placed]


def in_order(outline: list[Any]) -> list[Any]:
    return sorted((code, mark, in_order(inner)) for code, mark, inner in outline)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.sampled_from(["380", "212", "782"]))
def test_decimals_written_plainly_are_good_or_too_long(number: Any, id: str) -> None:
    element = release_of("004010").elements[id]
    text = f"{number:f}"
    assert fault_of(text, element) == ("" if len(text.strip("-").replace(".", "")) <= element.most else "5")


VALUES = st.one_of(
    st.text("0123456789.-+ A~\xb2\u0663\xe9\x80\xa0\udc80\n\x1f\x7f", max_size=12),
    st.from_regex(r"(0000|1900|2024|2026)(0[0-9]|1[0-3])([0-3][0-9])", fullmatch=True),
    st.integers(0, 10**12).map(str),
)


@given(VALUES, st.sampled_from(sorted(release_of("004010").elements)))
def test_what_is_seen_at_once_to_be_good_has_no_fault_and_nothing_else_has_none(value: str, number: str) -> None:
    element = release_of("004010").elements[number]
    assert bool(element.good(value)) == (not fault_of(value, element))


@pytest.mark.parametrize(
    "raw",
    [
        WHOLE[0][:106] + b"\n" * 500_000,
        again(WHOLE[0], "*>\n")[:106] + b"\n" * 500_000,
        again(WHOLE[0], "*>\n")[:106] + b"\nGS\nIEA\nISA" * 50_000,
        (WHOLE[0][:105] + b"\n") * 5_000,
        (WHOLE[0][:105] + b"!\n") * 5_000,
        WHOLE[0][:106] + b"~ISA" * 100_000,
        b"ISA" * 200_000,
        b"ISA*" * 200_000,
        WHOLE[0] * 1_000,
        interchange(group([one_set("855", [GOOD_855[0], *["ZZZ*1"] * 50_000])])),
        interchange(group([one_set("855", [GOOD_855[0], *["PO1*1", "N1*ST*A", "REF*1"] * 8_000])])),
        interchange(*[group([one_set("855", [])], number=str(n)) for n in range(1_000)]),
    ],
    ids=range(12),
)
def test_no_input_is_slow(raw: bytes) -> None:
    start = time.process_time()
    take(raw)
    assert time.process_time() - start < 8
