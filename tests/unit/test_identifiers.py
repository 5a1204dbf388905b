"""Identifiers: what each kind looks like, and what is said of one that is wrong."""

from __future__ import annotations

import datetime as dt

import pytest

from canonical import PurchaseOrder
from canonical.checks import fault, identifier_faults
from canonical.identifiers import Malformed, parse_gtin, parse_ndc, parse_sscc
from canonical.udi import parse_hibc_primary, parse_udi

GS = "\x1d"


@pytest.mark.parametrize(
    ("scheme", "good"),
    [
        ("gtin", "96385074"),
        ("gtin", "036000291452"),
        ("gtin", "4006381333931"),
        ("gtin", "10614141000415"),
        ("gln", "0614141000012"),
        ("sscc", "106141411234567897"),
        ("sscc", "00106141411234567897"),
        ("npi", "1234567893"),
        ("dea", "AB1234563"),
        ("hin", "0K1A2B3"),
        ("hin", "0K1A2B3C4"),
        ("duns", "081234567"),
        ("ndc", "12345678901"),
        ("ndc", "1234-5678-90"),
        ("ndc", "12345-678-90"),
        ("ndc", "12345-6789-0"),
        ("upn", "10614141000415"),
        ("upn", "ACME-NO-PLUS"),
        ("udi", "(01)10614141000415(17)271130(10)LOT-7"),
        ("udi", "+A99912345/$$52001510X33"),
        ("vendor_part", "anything"),
    ],
)
def test_a_good_one_is_left_alone(scheme: str, good: str) -> None:
    assert fault(scheme, good) == ""


@pytest.mark.parametrize(
    ("scheme", "bad", "code"),
    [
        ("gtin", "10614141000416", "check_digit"),
        ("gtin", "1061414100041", "check_digit"),  # a digit short is a GTIN-13, and none
        ("gtin", "106141410004", "check_digit"),
        ("gtin", "10614141000", "form"),
        ("gtin", "00000000000000", "form"),
        ("gtin", "1061414100041²", "form"),
        ("gln", "0614141000013", "check_digit"),
        ("gln", "614141000012", "form"),
        ("sscc", "106141411234567898", "check_digit"),
        ("sscc", "01106141411234567897", "form"),
        ("npi", "1234567890", "check_digit"),
        ("dea", "AB1234567", "check_digit"),
        ("dea", "A11234563", "form"),
        ("hin", "0k1a2b3", "form"),
        ("duns", "08-123-4567", "form"),
        ("ndc", "1234567890", "ambiguous"),
        ("ndc", "123-45678-90", "form"),
        ("ndc", "12345x", "form"),
        ("upn", "10614141000416", "check_digit"),
        ("upn", "+A99912346E", "check_digit"),
        ("udi", "(01)10614141000416", "check_digit"),
        ("udi", "(01)10614141000415(17)271330", "form"),
        ("udi", "(01)10614141000415(99)x", "form"),
        ("udi", "(10)ONLY-A-LOT", "form"),
        ("udi", "(01)10614141000415(10)" + "X" * 21, "form"),
        ("udi", "+A99912345/$$52001510X34", "check_digit"),
        ("udi", "", ""),
    ],
)
def test_a_bad_one_is_named(scheme: str, bad: str, code: str) -> None:
    assert fault(scheme, bad) == (f"identifier.{code}" if code else "")


def test_gtins_of_all_lengths_compare_by_fourteen_digits() -> None:
    assert parse_gtin("036000291452").padded == "00036000291452"
    assert parse_gtin("10614141000415").level == "1"
    assert parse_gtin("00312345678906").ndc == "1234567890"
    assert parse_gtin("10614141000415").ndc == ""


def test_an_sscc_is_the_same_with_its_prefix() -> None:
    assert parse_sscc("00106141411234567897").digits == parse_sscc("106141411234567897").digits


def test_ten_digits_of_an_ndc_may_be_cut_in_three_ways() -> None:
    assert parse_ndc("1234567890").candidates == ("01234567890", "12345067890", "12345678900")
    assert parse_ndc("12345-678-90").candidates == ("12345067890",)


@pytest.mark.parametrize("prefix", ["", "]d2", GS])
def test_a_scanned_gs1_code_in_its_parts(prefix: str) -> None:
    found = parse_udi(f"{prefix}01106141410004151727110010LOT-7{GS}21SER(1)", year=2026)
    assert (found.issuer, found.device, found.lot, found.serial) == ("gs1", "10614141000415", "LOT-7", "SER(1)")
    assert found.expires_on == dt.date(2027, 11, 30)  # the day 00 is the month's last


def test_a_gs1_code_as_people_read_it() -> None:
    found = parse_udi("(01)10614141000415(11)260102(30)12", year=2026)
    assert (found.made_on, found.quantity) == (dt.date(2026, 1, 2), "12")
    assert parse_udi("10614141000415").device == "10614141000415"


@pytest.mark.parametrize(("two", "whole"), [("76", 2076), ("77", 1977), ("26", 2026), ("75", 2075)])
def test_two_digits_of_a_year_are_the_nearest_century(two: str, whole: int) -> None:
    found = parse_udi(f"(01)10614141000415(17){two}0101", year=2026).expires_on
    assert found is not None
    assert found.year == whole


@pytest.mark.parametrize(
    ("secondary", "expected"),
    [
        ("$$3271130LOT7", ("LOT7", "", dt.date(2027, 11, 30), "")),
        ("$$2113027LOT7", ("LOT7", "", dt.date(2027, 11, 30), "")),
        ("$$1127LOT7", ("LOT7", "", dt.date(2027, 11, 30), "")),
        ("$$427113016LOT7", ("LOT7", "", dt.date(2027, 11, 30), "")),
        ("$$527334LOT7", ("LOT7", "", dt.date(2027, 11, 30), "")),
        ("$$7LOT7", ("LOT7", "", None, "")),
        ("$$8123271130LOT7", ("LOT7", "", dt.date(2027, 11, 30), "12")),
        ("$$900012", ("", "", None, "00012")),
        ("$$+7SER7", ("", "SER7", None, "")),
        ("$LOT7", ("LOT7", "", None, "")),
        ("$+SER7", ("", "SER7", None, "")),
        ("27334LOT7", ("LOT7", "", dt.date(2027, 11, 30), "")),
        ("$LOT7/SSER7/14D20271130", ("LOT7", "SER7", dt.date(2027, 11, 30), "")),
    ],
)
def test_an_hibc_code_in_its_parts(secondary: str, expected: tuple[object, ...]) -> None:
    from canonical.udi import hibc_check

    body = f"+A99912345/{secondary}"
    found = parse_udi(body + hibc_check(body), year=2026)
    assert (found.lot, found.serial, found.expires_on, found.quantity) == expected
    assert (found.issuer, found.device) == ("hibc", "A99912345")
    alone = f"+{secondary}L"  # the link character of its primary
    assert parse_udi(alone + hibc_check(alone), year=2026)[2:] == found[2:]


def test_what_is_no_hibc_code_is_refused() -> None:
    for text in ("", "+", "+A1", "A99912345", "+a99912345x"):
        with pytest.raises(Malformed):
            parse_hibc_primary(text)


def test_the_places_of_bad_ones_in_a_document() -> None:
    ids = [{"scheme": "buyer_part", "value": "NH-1"}, {"scheme": "gtin", "value": "10614141000416"}]
    line = {"number": "1", "item": {"ids": ids}, "quantity": {"value": "1", "unit": "EA"}}
    party = {"role": "ship_to", "id": {"scheme": "gln", "value": "123"}}
    order = PurchaseOrder.from_fields({"number": "P", "supplier": "S", "lines": [line], "parties": [party]})
    assert sorted(identifier_faults(order)) == [
        ("/lines/0/item/ids/1/value", "identifier.check_digit"),
        ("/parties/0/id/value", "identifier.form"),
    ]
