"""Laws of identifiers: what is made right is found right, one digit changed is found out, and nothing crashes."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from canonical.checks import CHECKED, fault
from canonical.identifiers import gs1_check, parse_gtin, parse_ndc
from canonical.udi import hibc_check, parse_udi

DIGITS = "0123456789"
HIBC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def digits(length: int) -> st.SearchStrategy[str]:
    return st.text(DIGITS, min_size=length, max_size=length).filter(lambda text: text.strip("0") != "")


@given(st.sampled_from([("gtin", 7), ("gtin", 11), ("gtin", 12), ("gtin", 13), ("gln", 12), ("sscc", 17)]), st.data())
def test_a_changed_digit_is_found(kind: tuple[str, int], data: st.DataObject) -> None:
    scheme, length = kind
    body = data.draw(digits(length))
    good = body + gs1_check(body)
    assert fault(scheme, good) == ""
    at = data.draw(st.integers(0, length))
    other = data.draw(st.sampled_from(DIGITS))
    assume(other != good[at])
    bad = good[:at] + other + good[at + 1 :]
    assert fault(scheme, bad) in {"identifier.check_digit", "identifier.form"}


@pytest.mark.parametrize("scheme", ["npi", "dea"])
@given(data=st.data())
def test_a_changed_digit_of_a_party_is_found(scheme: str, data: st.DataObject) -> None:
    head, length = ("AB", 6) if scheme == "dea" else ("", 9)
    body = data.draw(digits(length))
    [good] = [head + body + last for last in DIGITS if fault(scheme, head + body + last) == ""]
    at = data.draw(st.integers(len(head), len(good) - 1))
    other = data.draw(st.sampled_from(DIGITS))
    assume(other != good[at])
    # The DEA's own rule doubles every other digit, and so cannot see one that is off by five there.
    assume(scheme == "npi" or abs(int(other) - int(good[at])) != 5)
    assert fault(scheme, good[:at] + other + good[at + 1 :]) == "identifier.check_digit"


@given(digits(13), st.text(HIBC, min_size=1, max_size=20), st.text(HIBC, min_size=1, max_size=20))
def test_the_parts_of_a_gs1_code_are_found_again(body: str, lot: str, serial: str) -> None:
    device = body + gs1_check(body)
    scanned = parse_udi(f"01{device}17271130" + f"10{lot}\x1d21{serial}")
    read = parse_udi(f"(01){device}(17)271130(10){lot}(21){serial}")
    assert scanned == read
    assert (scanned.device, scanned.lot, scanned.serial) == (device, lot, serial)


@given(st.text(HIBC, min_size=1, max_size=18), st.text(HIBC, min_size=1, max_size=20), st.data())
def test_the_parts_of_an_hibc_code_are_found_again(item: str, lot: str, data: st.DataObject) -> None:
    body = f"+A999{item}1/$$3271130{lot}"
    good = body + hibc_check(body)
    found = parse_udi(good)
    assert (found.device, found.lot) == (f"A999{item}1", lot)
    at = data.draw(st.integers(1, len(good) - 1))
    other = data.draw(st.sampled_from(HIBC))
    assume(other != good[at])
    assert fault("udi", good[:at] + other + good[at + 1 :]) == "identifier.check_digit"


@given(st.tuples(digits(5), digits(4), digits(2)))
def test_an_ndc_is_the_same_with_and_without_dashes(parts: tuple[str, str, str]) -> None:
    assert parse_ndc("-".join(parts)) == parse_ndc("".join(parts))


@given(digits(7))
def test_a_padded_gtin_is_a_gtin(body: str) -> None:
    short = parse_gtin(body + gs1_check(body))
    assert parse_gtin(short.padded).padded == short.padded


@given(st.sampled_from(sorted(CHECKED)), st.text(max_size=40) | st.text("0123456789()+/$-\x1d]dCAS²٣", max_size=40))
def test_nothing_crashes(scheme: str, text: str) -> None:
    assert fault(scheme, text) in {"", "identifier.form", "identifier.check_digit", "identifier.ambiguous"}
