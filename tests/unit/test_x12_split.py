"""Received bytes to interchanges: separators, several in a file, and every way an envelope can be wrong."""

from __future__ import annotations

import pytest

from channels.formats.x12 import FORMAT, envelope
from engine.message import Key, Unit
from engine.plugin import Profile
from tests.x12_kit import GOOD_850, GOOD_855, PROFILE, again, group, interchange, isa, one_set, opened, with_855

WHOLE = with_855()


def split(raw: bytes, profile: Profile = PROFILE) -> list[Unit]:
    units = FORMAT.split(raw, profile)
    assert b"".join(unit.raw for unit in units) == raw
    return units


def told(raw: bytes, profile: Profile = PROFILE) -> list[tuple[str, str, str]]:
    """(code, place, TA1 note) of each unit; empty texts for a good one."""
    refusals = [unit.refusal for unit in split(raw, profile)]
    return [(each.code, each.place, each.status) if each else ("", "", "") for each in refusals]


GOOD = ("", "", "")


def test_the_envelope_says_what_it_is_without_its_content_being_read() -> None:
    [unit] = split(WHOLE)
    facts = unit.facts
    assert unit.refusal is None
    assert (facts.format, facts.type, facts.control_id, facts.sender) == ("x12", "855", "000000012", "ZZ:QUILL")
    assert facts.dedup == "000000012\x1fZZ:QUILL\x1fZZ:NORTH"
    pair = "ZZ:QUILL>ZZ:NORTH"
    assert facts.keys == (Key("interchange", "000000012", pair), Key("group", "7", pair))
    assert facts.warnings == ()


def test_a_mixed_interchange_names_each_kind_once() -> None:
    orders = group([one_set("850", GOOD_850), one_set("850", GOOD_850, "0002")], "PO", "8")
    [unit] = split(interchange(orders, group([one_set("855", GOOD_855)])))
    assert unit.facts.type == "850+855"
    assert [key.value for key in unit.facts.keys if key.kind == "group"] == ["8", "7"]


@pytest.mark.parametrize(
    "marks",
    ["*>~", "|^~", "\x1d\x1f\x1e", "\x1c\x1e\x1f", "*>\r", "*>\n", "*:'", "~>*", "^`!", "\t>~", "*|\x1d", "+:'"],
)
def test_any_legal_separators(marks: str) -> None:  # X4
    raw = again(WHOLE, marks)
    assert told(raw) == [GOOD]
    [part] = opened(raw).parts
    assert (part.type, part.refusals) == ("855", ())


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\n\n  ", "\t"])
def test_line_ends_after_terminators(ends: str) -> None:
    raw = WHOLE.replace(b"~", b"~" + ends.encode())
    assert told(raw) == [GOOD]


def test_two_interchanges_with_different_separators() -> None:  # X5
    second = again(with_855(control="000000013"), "|^\n")
    assert told(WHOLE + second) == [GOOD, GOOD]
    assert [unit.facts.control_id for unit in split(WHOLE + b"\r\n" + second)] == ["000000012", "000000013"]


@pytest.mark.parametrize("raw", [b"", b" ", b"\r\n \t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_nothing(raw: bytes) -> None:  # X1
    assert told(raw) == [("x12.empty", "", "")]


@pytest.mark.parametrize(
    "raw", [b"isa*00*", b"UNA:+.? '", b"<order/>", b"\x00ISA*", b"PO-7001", WHOLE.decode().encode("utf-16")]
)
def test_not_an_interchange(raw: bytes) -> None:  # X2
    assert told(raw) == [("x12.not_isa", "ISA", "022")]


def test_a_byte_order_mark_and_blank_lines_are_tolerated() -> None:  # X2
    [unit] = split(b"\xef\xbb\xbf\r\n" + WHOLE)
    assert unit.refusal is None
    assert unit.facts.warnings == ("x12.bom", "x12.leading_blank")
    assert opened(unit.raw).warnings == ("x12.bom", "x12.leading_blank")


def test_what_stands_before_the_first_isa_does_not_take_the_interchange_with_it() -> None:
    assert told(b"From: edi@quill.example\n\n" + WHOLE) == [("x12.not_isa", "ISA", "022"), GOOD]


@pytest.mark.parametrize(
    ("marks", "status"),
    [
        ("*~~", "027"),
        ("**~", "026"),
        ("*>*", "026"),
        ("A>~", "026"),
        (" >~", "026"),
        ("*A~", "027"),
        ("* ~", "027"),
        ("*>7", "004"),
        ("*> ", "004"),
        ("*.~", "027"),
        ("*>\xa6", "004"),
    ],
)
def test_separators_that_cannot_serve(marks: str, status: str) -> None:  # X3
    head = isa(isa16="").rstrip("*").replace("*", marks[0]) + marks[0] + marks[1] + marks[2]
    assert told(head.encode("latin-1") + WHOLE[106:]) == [("x12.separators", "ISA", status)]


def test_text_after_the_last_iea() -> None:  # X6
    assert told(WHOLE + b"\nREF*ZZ*1~") == [GOOD, ("x12.trailing_data", "ISA", "022")]
    assert told(WHOLE + b"\n-- sent by quill --\n" + WHOLE) == [GOOD, ("x12.trailing_data", "ISA", "022"), GOOD]
    assert told(WHOLE + b" \r\n") == [GOOD]


@pytest.mark.parametrize("size", [4, 50, 105])
def test_cut_inside_isa(size: int) -> None:  # X7
    assert told(WHOLE[:size]) == [("x12.truncated", "ISA", "023")]


@pytest.mark.parametrize("size", [106, 130, 200, len(WHOLE) - 18, len(WHOLE) - 4])
def test_cut_later_is_kept_whole_and_refused(size: int) -> None:  # X7
    [unit] = split(WHOLE[:size])
    assert unit.refusal is not None
    assert (unit.refusal.code, unit.refusal.status) == ("x12.truncated", "023")
    assert unit.facts.control_id == "000000012"
    assert unit.facts.dedup == ""


def test_only_the_last_terminator_is_missing() -> None:
    [unit] = split(WHOLE[:-1])
    assert unit.refusal is None
    assert unit.facts.warnings == ("x12.no_last_terminator",)


@pytest.mark.parametrize("cut", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("marks", ["*>~", "|^\r"])
def test_an_interchange_without_iea_ends_where_the_next_begins(cut: bytes, marks: str) -> None:
    first = WHOLE[: WHOLE.index(b"IEA")] if not cut else WHOLE[: WHOLE.index(b"ACK") + 5] + cut
    raw = first + again(with_855(control="000000013"), marks)
    assert told(raw) == [("x12.truncated", "IEA", "023"), GOOD]


@pytest.mark.parametrize(
    ("iea", "place", "status"),
    [
        ("IEA*1*000000013~", "IEA02", "001"),
        ("IEA*1~", "IEA02", "001"),
        ("IEA*2*000000012~", "IEA01", "021"),
        ("IEA*0*000000012~", "IEA01", "021"),
        ("IEA*-1*000000012~", "IEA01", "021"),
        ("IEA*x*000000012~", "IEA01", "021"),
        ("IEA**000000012~", "IEA01", "021"),
    ],
)
def test_iea_against_isa(iea: str, place: str, status: str) -> None:  # X8
    assert told(interchange(group([one_set("855", GOOD_855)]), iea=iea)) == [("x12.envelope", place, status)]


@pytest.mark.parametrize(
    ("field", "value", "code", "status"),
    [
        ("isa01", "99", "x12.envelope", "010"),
        ("isa03", "77", "x12.envelope", "012"),
        ("isa05", "01", "x12.identity", "005"),
        ("isa06", "OTHER".ljust(15), "x12.identity", "006"),
        ("isa06", "quill".ljust(15), "x12.identity", "006"),
        ("isa07", "01", "x12.identity", "007"),
        ("isa08", "SOUTH".ljust(15), "x12.identity", "008"),
        ("isa09", "261321", "x12.envelope", "014"),
        ("isa09", "260230", "x12.envelope", "014"),
        ("isa10", "2560", "x12.envelope", "015"),
        ("isa11", " ", "x12.envelope", "016"),
        ("isa12", "00X01", "x12.envelope", "017"),
        ("isa14", "7", "x12.envelope", "019"),
        ("isa15", "X", "x12.envelope", "020"),
        ("isa15", "T", "x12.envelope", "020"),
        ("isa15", "I", "x12.envelope", "020"),
    ],
)
def test_isa_field_by_field(field: str, value: str, code: str, status: str) -> None:  # X10, X11
    place = field.upper()
    assert told(with_855(**{field: value})) == [(code, place, status)]


def test_isa13_that_is_no_number() -> None:  # X10
    assert told(with_855(control="00000001A")) == [("x12.envelope", "ISA13", "018")]


def test_identities_are_checked_only_where_agreed_and_blanks_at_their_end_do_not_count() -> None:
    assert told(with_855(isa06="OTHER".ljust(15)), Profile()) == [GOOD]
    assert told(WHOLE, Profile(theirs={"isa": "ZZ:QUILL  "})) == [GOOD]


def test_a_refused_interchange_has_no_duplicate_key() -> None:
    [unit] = split(with_855(isa15="T"))
    assert unit.facts.dedup == ""


def test_isa_whose_blanks_were_trimmed_is_read_by_its_separators() -> None:
    raw = WHOLE.replace(b" ", b"")
    [unit] = split(raw)
    assert unit.refusal is None
    assert unit.facts.warnings == ("x12.short_isa",)
    assert unit.facts.sender == "ZZ:QUILL"


def test_isa_elements_that_are_too_long_or_too_few() -> None:
    assert told(with_855(isa06="QUILL".ljust(16))) == [("x12.envelope", "ISA06", "022")]
    assert told(WHOLE[:60].replace(b"*", b"|", 3) + WHOLE[60:])[0][0] in {"x12.envelope", "x12.separators"}


def test_a_separator_inside_isa_data() -> None:
    assert told(with_855(isa06="QUI*LL".ljust(15))) == [("x12.separators", "ISA", "026")]


def test_isa11_is_a_letter_or_data_before_00402() -> None:  # X20
    body = ("BAK*00*AC*PO-7001*20261121", "REF*CT*UP^DOWN")
    [part] = opened(with_855(*body, isa11="^")).parts
    assert part.refusals == ()
    [part] = opened(with_855(*body, isa11="U", isa12="00501")).parts
    assert part.refusals == ()
    [part] = opened(with_855(*body, isa11="^", isa12="00501")).parts
    assert [refusal.place for refusal in part.refusals] == ["ST[1]/REF[1]/REF02"]


def test_iea_inside_a_value_is_no_trailer() -> None:
    raw = with_855("BAK*00*AC*PO-7001*20261121", "REF*CT*IEA", "N9*ZZ*1", "MSG*IEA 1 000000012")
    assert told(raw) == [GOOD]


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the trailer not compared, a wrong IEA would pass."""
    monkeypatch.setattr(envelope, "trailer_faults", lambda *_: ())
    assert told(interchange(group([one_set("855", GOOD_855)]), iea="IEA*1*000000013~")) == [GOOD]
