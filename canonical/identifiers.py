"""Numbers that carry their own check: parsed and checked, never changed.

GTIN, GLN, SSCC and NPI by their check digits, DEA by its own rule, NDC and UDI by their parts, HIN and DUNS by their
form. Nothing here refuses a document: whoever asks is told what is wrong, and what was sent stays as it was sent.
Sources: GS1 General Specifications 7.9 (check digits) and 3 (application identifiers), ANSI/HIBC 2.6, 21 CFR 207 (NDC),
21 CFR 1301 (DEA), 45 CFR 162.406 (NPI).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# What is wrong with an identifier, as codes that `hilum explain` knows.
FORM: Final = "identifier.form"
CHECK: Final = "identifier.check_digit"
AMBIGUOUS: Final = "identifier.ambiguous"  # well formed, and it may mean more than one thing


class Malformed(ValueError):
    """Why a text is not the identifier it is said to be. code: FORM or CHECK."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


# --- GS1 keys --------------------------------------------------------------------------------------------------------
class Gtin(NamedTuple):
    """digits: as sent, 8, 12, 13 or 14 of them. padded: 14 digits, by which GTINs are compared."""

    digits: str
    padded: str

    @property
    def level(self) -> str:
        """The packaging level: `0` the item itself, `1` to `8` a package of it, `9` of variable measure."""
        return self.padded[0]

    @property
    def ndc(self) -> str:
        """The ten digits of the NDC that a GTIN with the prefix 03 holds (GS1 US); empty when it holds none."""
        return self.padded[3:13] if self.padded[1:3] == "03" else ""


class Sscc(NamedTuple):
    """digits: 18 of them. prefixed: it came with its application identifier 00, as 20."""

    digits: str
    prefixed: bool


def gs1_check(digits: str) -> str:
    """The check digit for the digits before it: weights 3 and 1 in turn, 3 next to the check digit."""
    total = sum(int(digit) * (3, 1)[at % 2] for at, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def parse_gtin(text: str) -> Gtin:
    """Raises Malformed."""
    _digits(text, (8, 12, 13, 14), "a GTIN has 8, 12, 13 or 14 digits")
    if not text.strip("0"):
        raise Malformed(FORM, "a GTIN of zeros names nothing")
    _checked(text)
    return Gtin(text, text.zfill(14))


def parse_gln(text: str) -> str:
    """Raises Malformed."""
    _digits(text, (13,), "a GLN has 13 digits")
    return _checked(text)


def parse_sscc(text: str) -> Sscc:
    """18 digits, or 20 with the application identifier 00. Raises Malformed."""
    _digits(text, (18, 20), "an SSCC has 18 digits, or 20 with the 00 before them")
    prefixed = len(text) == 20
    if prefixed and not text.startswith("00"):
        raise Malformed(FORM, "an SSCC of 20 digits begins with 00")
    return Sscc(_checked(text[-18:]), prefixed)


def are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _digits(text: str, lengths: tuple[int, ...], rule: str) -> None:
    if len(text) not in lengths or not are_digits(text):
        raise Malformed(FORM, rule)


def _checked(text: str) -> str:
    if gs1_check(text[:-1]) != text[-1]:
        raise Malformed(CHECK, "the last digit does not agree with the others")
    return text


# --- national drug codes ---------------------------------------------------------------------------------------------
class Ndc(NamedTuple):
    """candidates: every NDC of 11 digits (5-4-2) that the text may mean: one, or three for ten without dashes."""

    candidates: tuple[str, ...]

    @property
    def ambiguous(self) -> bool:
        return len(self.candidates) > 1


# Of the FDA's ten digits: labeler, product, package. Billing's eleven put a zero before the part that is short.
_NDC: Final = ((4, 4, 2), (5, 3, 2), (5, 4, 1))


def parse_ndc(text: str) -> Ndc:
    """Raises Malformed."""
    parts = text.split("-")
    lengths = tuple(map(len, parts))
    if not are_digits("".join(parts)):
        raise Malformed(FORM, "an NDC has digits, and dashes at most")
    if lengths in {(11,), (5, 4, 2)}:
        return Ndc(("".join(parts),))
    if lengths in _NDC:
        return Ndc((_eleven(*parts),))
    if lengths == (10,):
        return Ndc(tuple(_eleven(text[:a], text[a : a + b], text[a + b :]) for a, b, _ in _NDC))
    raise Malformed(FORM, "an NDC has 11 digits, or 10 as 4-4-2, 5-3-2 or 5-4-1")


def _eleven(labeler: str, product: str, package: str) -> str:
    return labeler.zfill(5) + product.zfill(4) + package.zfill(2)


# --- parties ---------------------------------------------------------------------------------------------------------
def parse_duns(text: str) -> str:
    """Nine digits; they have had no check digit since 2006. Raises Malformed."""
    _digits(text, (9,), "a DUNS number has 9 digits")
    return text


def parse_hin(text: str) -> str:
    """A Health Industry Number: seven characters, and two more that name the place. Raises Malformed."""
    if re.fullmatch(r"[0-9A-Z]{7}(?:[0-9A-Z]{2})?", text) is None:
        raise Malformed(FORM, "a HIN has 9 capitals and digits, 7 without its suffix")
    return text


def parse_npi(text: str) -> str:
    """Ten digits with Luhn's check digit, counted as if 80840 stood before them. Raises Malformed."""
    _digits(text, (10,), "an NPI has 10 digits")
    doubled = [int(digit) * (1, 2)[at % 2] for at, digit in enumerate(reversed("80840" + text))]
    if sum(value // 10 + value % 10 for value in doubled) % 10:
        raise Malformed(CHECK, "the last digit does not agree with the others")
    return text


def parse_dea(text: str) -> str:
    """Two letters (the second may be a 9) and seven digits, the last of which checks the others. Raises Malformed."""
    if re.fullmatch(r"[A-Z][A-Z9][0-9]{7}", text) is None:
        raise Malformed(FORM, "a DEA number has two capitals and seven digits")
    odd, even = (sum(int(digit) for digit in text[first:8:2]) for first in (2, 3))
    if (odd + 2 * even) % 10 != int(text[8]):
        raise Malformed(CHECK, "the last digit does not agree with the others")
    return text
