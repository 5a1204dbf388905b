"""Unique device identifiers, as a barcode holds them, in their parts: GS1 element strings and HIBC codes.

What neither writes (ICCBBA's `=` codes) is taken as it is. Nothing is guessed: a part that cannot be read is a fault of
the whole. Sources: GS1 General Specifications 3 and 7.8, ANSI/HIBC 2.6.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import Final, NamedTuple

from canonical.identifiers import CHECK, FORM, Malformed, are_digits, parse_gtin


class Udi(NamedTuple):
    """issuer: `gs1`, `hibc`, or empty when it is another's. device: the GTIN, or HIBC's labeler, item and unit.

    quantity: as sent. Dates are the last day that holds: a month alone ends with its last day.
    """

    issuer: str = ""
    device: str = ""
    lot: str = ""
    serial: str = ""
    expires_on: dt.date | None = None
    made_on: dt.date | None = None
    quantity: str = ""


def parse_udi(text: str, *, year: int = 2000) -> Udi:
    """Raises Malformed. year: this one, by which two digits of a year are understood; without it dates are only
    checked, and their century is 2000."""
    bare = re.sub(r"\](?:C1|d2|Q3|e0)", "", text, count=1) if text.startswith("]") else text
    if bare.startswith("("):
        return _gs1(_bracketed(bare), year)
    if bare.startswith("+"):
        return _hibc(bare, year)
    if are_digits(bare[:1]) or bare.startswith(_FNC1):
        return _gs1(_elements(bare.lstrip(_FNC1)), year)
    return Udi()


# --- GS1 -------------------------------------------------------------------------------------------------------------
_FNC1: Final = "\x1d"  # how a scanner hands on the function character that ends a value of no fixed length
_FIXED: Final = {"01": 14, "11": 6, "17": 6}
_LONGEST: Final = {"10": 20, "21": 20, "30": 8}
# GS1 character set 82.
_VALUE: Final = re.compile(r"""[!"%&'()*+,\-./0-9:;<=>?A-Z_a-z]+""")


def _bracketed(text: str) -> list[tuple[str, str]]:
    """As people read it: `(01)...(17)...`."""
    pairs = re.findall(r"\(([0-9]{2})\)(.*?)(?=\([0-9]{2}\)|\Z)", text, re.DOTALL)
    if "".join(f"({ai}){value}" for ai, value in pairs) != text:
        raise Malformed(FORM, "what is in brackets are not application identifiers")
    return pairs


def _elements(text: str) -> list[tuple[str, str]]:
    """As a scanner gives it: values of fixed length one after the other, any other ended by FNC1."""
    if len(text) in {8, 12, 13, 14} and are_digits(text):
        return [("01", text)]
    pairs = []
    while text:
        ai, text = text[:2], text[2:]
        if ai in _FIXED:
            value, text = text[: _FIXED[ai]], text[_FIXED[ai] :].removeprefix(_FNC1)
        else:
            value, _, text = text.partition(_FNC1)
        pairs.append((ai, value))
    return pairs


def _gs1(pairs: list[tuple[str, str]], year: int) -> Udi:
    found = dict(pairs)
    if len(found) != len(pairs) or not found.keys() <= _FIXED.keys() | _LONGEST.keys() or "01" not in found:
        raise Malformed(FORM, "a GS1 UDI has 01, and 10, 11, 17, 21 and 30 at most, each once")
    for ai, value in found.items():
        if ai in _LONGEST and not (len(value) <= _LONGEST[ai] and _VALUE.fullmatch(value)):
            raise Malformed(FORM, f"the value of {ai} is too long, empty, or has characters that GS1 does not know")
    if not are_digits(found.get("30", "0")):
        raise Malformed(FORM, "the count (30) is no number")
    return Udi(
        "gs1",
        parse_gtin(found["01"]).padded,
        found.get("10", ""),
        found.get("21", ""),
        _date(found.get("17", ""), "ymd", year),
        _date(found.get("11", ""), "ymd", year),
        found.get("30", ""),
    )


# --- HIBC ------------------------------------------------------------------------------------------------------------
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
_PRIMARY: Final = re.compile(r"\+([A-Z][0-9A-Z]{3}[0-9A-Z]{1,18}[0-9])")
# After `$$`, what the next digit says of the date that follows; without one of these, the date is MMYY.
_DATES: Final = {"2": "mdy", "3": "ymd", "4": "ymdh", "5": "yj", "6": "yjh", "7": ""}
_WIDTHS: Final = {"y": 2, "m": 2, "d": 2, "h": 2, "j": 3}
_QUANTITIES: Final = {"8": 2, "9": 5}


def hibc_check(text: str) -> str:
    """The check character (modulo 43) for the text before it, its plus included. Raises Malformed."""
    try:
        return _ALPHABET[sum(map(_ALPHABET.index, text)) % 43]
    except ValueError:
        raise Malformed(FORM, "HIBC has capitals, digits, blanks and - . $ / + %") from None


def parse_hibc_primary(text: str) -> Udi:
    """The code of an item alone. Raises Malformed."""
    return Udi("hibc", _primary(_unchecked(text)))


def _hibc(text: str, year: int) -> Udi:
    """A primary code, a secondary code, or both in one; each ends with a check character."""
    body = _unchecked(text)
    if not body[1:2].isalpha():  # a secondary alone ends with the check character of its primary, which links them
        first, *more = body[1:-1].split("/")
        return _secondary(first, more, year)._replace(issuer="hibc")
    primary, *rest = body.split("/")
    found = _secondary(rest[0], rest[1:], year) if rest else Udi()
    return found._replace(issuer="hibc", device=_primary(primary))


def _unchecked(text: str) -> str:
    if not text.startswith("+") or len(text) < 4:
        raise Malformed(FORM, "an HIBC code begins with + and ends with a check character")
    if hibc_check(text[:-1]) != text[-1]:
        raise Malformed(CHECK, "the last character does not agree with the others")
    return text[:-1]


def _primary(body: str) -> str:
    match = _PRIMARY.fullmatch(body)
    if match is None:
        raise Malformed(FORM, "an HIBC primary code is a labeler, an item, and a digit for its unit")
    return match[1]


def _secondary(first: str, more: list[str], year: int) -> Udi:
    """first: lot or serial, with date and count before it. more: what further slashes announce."""
    found = _first(first, year)
    for part in more:
        if part.startswith("14D"):
            found = found._replace(expires_on=_date(part[5:], "ymd", year, century=part[3:5]))
        elif part.startswith("16D"):
            found = found._replace(made_on=_date(part[5:], "ymd", year, century=part[3:5]))
        elif part.startswith("S"):
            found = found._replace(serial=part[1:])
        elif part.startswith("Q"):
            found = found._replace(quantity=part[1:])
        else:
            raise Malformed(FORM, "an HIBC code has data that nothing announces")
    return found


def _first(text: str, year: int) -> Udi:
    if text.startswith("$$"):
        serial, rest = text.startswith("$$+"), text[2:].removeprefix("+")
        count = ""
        if rest[:1] in _QUANTITIES:
            width = _QUANTITIES[rest[0]]
            count, rest = rest[1 : 1 + width], rest[1 + width :]
        shape = _DATES.get(rest[:1], "my")
        date, rest = _cut(rest[1:] if rest[:1] in _DATES else rest, shape)
        found = Udi(quantity=count, expires_on=_date(date, shape, year))
        return found._replace(serial=rest) if serial else found._replace(lot=rest)
    if text.startswith("$"):
        return Udi(serial=text[2:]) if text.startswith("$+") else Udi(lot=text[1:])
    date, lot = _cut(text, "yj")
    return Udi(lot=lot, expires_on=_date(date, "yj", year))


def _cut(text: str, shape: str) -> tuple[str, str]:
    """The date that a text begins with, and the rest."""
    width = sum(_WIDTHS[part] for part in shape)
    return text[:width], text[width:]


# --- dates -----------------------------------------------------------------------------------------------------------
def _date(digits: str, shape: str, year: int, century: str = "") -> dt.date | None:
    """shape: what the digits are in turn. Nothing is no date; a day 00 is the month's last."""
    if not digits or not shape:
        return None
    if len(digits) != sum(_WIDTHS[part] for part in shape) or not are_digits(digits + century):
        raise Malformed(FORM, "a date in it has not the digits that it must have")
    told, at = {}, 0
    for part in shape:
        told[part], at = int(digits[at : at + _WIDTHS[part]]), at + _WIDTHS[part]
    whole = int(century) * 100 + told["y"] if century else _full_year(told["y"], year)
    try:
        if "j" in told:
            return _of_year(whole, told["j"])
        last = calendar.monthrange(whole, told["m"])[1]
        return dt.date(whole, told["m"], told.get("d") or last)
    except ValueError:  # calendar's own error for a month is one too
        raise Malformed(FORM, "a date in it does not exist") from None


def _of_year(year: int, day: int) -> dt.date:
    found = dt.date(year, 1, 1) + dt.timedelta(days=day - 1)
    if found.year != year:
        raise ValueError
    return found


def _full_year(two: int, year: int) -> int:
    """GS1 General Specifications 7.12: 51 to 99 years ahead are of the last century, 50 to 99 behind of the next."""
    ahead = two - year % 100
    return year - year % 100 + two + (-100 if ahead >= 51 else 100 if ahead <= -50 else 0)
