"""Characters that are not agreed are told as such and never turned into others, in and out; and lengths that binary
data claims are compared, and nothing more."""

from __future__ import annotations

import time

import pytest

from channels.formats.x12 import charsets
from engine.errors import Refused
from engine.plugin import Profile
from tests.x12_kit import (
    BAK,
    GOOD_850,
    LINE,
    PROFILE,
    again,
    answer_of,
    group,
    interchange,
    one_set,
    opened,
    with_855,
    written,
)

BAD = ["AK4*2*127*6"]


def agreed(charset: str) -> Profile:
    return Profile("quill", ours=PROFILE.ours, theirs=PROFILE.theirs, charset=charset)


def notes(raw: bytes, charset: str) -> list[str]:
    return [one for one in answer_of(opened(raw, agreed(charset))) if one.startswith("AK4")]


@pytest.mark.parametrize(
    ("value", "refusing", "taking"),
    [
        ("UPPER 09 !\"&'()+,-./:;?=", [], ["basic", "extended", "", "ascii", "latin-1", "utf-8"]),
        ("lower", ["basic"], ["extended", "", "ascii", "latin-1"]),
        ("A@B", ["basic"], ["extended", ""]),
        ("A#$%[]_{}\\|<B", ["basic"], ["extended", ""]),
        ("S\xe3o", ["basic", "extended", "", "ascii", "utf-8"], ["latin-1", "cp1252"]),
        ("A\x00B", ["basic", "extended", "", "latin-1", "utf-8"], []),
        ("A\x85B", ["basic", "extended", "", "latin-1"], ["cp1252"]),
    ],
)
def test_x18_characters_by_the_agreed_set(value: str, refusing: list[str], taking: list[str]) -> None:
    raw = with_855(BAK, f"REF*CT*{value}", LINE)
    assert {charset: notes(raw, charset) for charset in refusing} == dict.fromkeys(refusing, BAD)
    assert {charset: notes(raw, charset) for charset in taking} == {charset: [] for charset in taking}


def test_x18_utf_8_is_read_where_it_is_agreed() -> None:
    raw = with_855(BAK, "REF*CT*S\xc3\xa3o", LINE)
    assert notes(raw, "utf-8") == []
    assert notes(raw, "extended") == BAD
    assert notes(raw, "latin-1") == []  # two other letters: what is agreed is believed


def test_separators_of_the_extended_set_separate_where_the_basic_one_is_agreed() -> None:
    raw = again(with_855(BAK, "REF*CT*A", LINE, "CTP***4.5*10*BX>2"), "|^~")
    assert notes(raw, "basic") == []


def test_an_encoding_that_cannot_carry_x12() -> None:
    for name in ("utf-16", "utf-7", "hex", "no-such"):
        with pytest.raises(Refused, match="charset agreed with this partner is not known here"):
            opened(with_855(), agreed(name))
        with pytest.raises(LookupError):
            charsets.encoding(name)


def order(text: str) -> object:
    raw = interchange(group([one_set("850", [GOOD_850[0], f"REF*CT*{text}", *GOOD_850[1:]])], "PO"))
    return opened(raw, agreed("latin-1")).parts[0].node


@pytest.mark.parametrize(
    ("text", "charset", "says"),
    [
        ("lower", "basic", "outside basic"),
        ("A@B", "basic", "outside basic"),
        ("S\xe3o", "extended", "outside extended"),
        ("S\xe3o", "ascii", "outside ascii"),
    ],
)
def test_what_we_write_keeps_to_the_agreed_set(text: str, charset: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as caught:
        written(order(text), "850", charset=charset)
    assert caught.value.place == "REF[1]/REF02"


@pytest.mark.parametrize(("text", "charset"), [("UPPER", "basic"), ("lower@", "extended"), ("S\xe3o", "latin-1")])
def test_what_we_may_write(text: str, charset: str) -> None:
    body = written(order(text), "850", charset=charset).body
    assert text.encode("latin-1") in b"".join(part for part in body if isinstance(part, bytes))


@pytest.mark.parametrize(
    ("segment", "told"),
    [
        ("BIN*4*DATA", ["AK3*BIN*3**6"]),
        ("BDS*ASB*4*DATA", ["AK3*BDS*3**6"]),
        ("BIN*-4*DATA", ["AK3*BIN*3**8", "AK4*1*784*6"]),
        ("BIN*four*DATA", ["AK3*BIN*3**8", "AK4*1*784*6"]),
        ("BIN", ["AK3*BIN*3**8", "AK4*1*784*1"]),
        ("BIN*999999999*DATA", ["AK3*BIN*3**8", "AK4*1*784*5*999999999"]),
        ("BDS*ASB*" + "9" * 40 + "*DATA", ["AK3*BDS*3**8", "AK4*2*784*5*" + "9" * 40]),
        ("BIN*" + "9" * 500_000 + "*DATA", ["AK3*BIN*3**8", "AK4*1*784*5*" + "9" * 99]),
    ],
)
def test_x19_the_length_of_binary_data(segment: str, told: list[str]) -> None:
    start = time.process_time()
    result = opened(with_855(BAK, segment, LINE))
    assert [one for one in answer_of(result) if one.startswith(("AK3", "AK4"))] == told
    assert time.process_time() - start < 1
