"""Which characters are agreed: the basic and extended sets of X12.6, or an encoding by its name. Pure.

Nothing is ever changed into something else: a character that is not agreed stays what it is, marked, and its element is
refused.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping
from typing import Final

BASIC: Final = frozenset(string.ascii_uppercase + string.digits + " !\"&'()*+,-./:;?=")
_ASCII: Final = "".join(map(chr, range(128)))
_SETS: Final = {"": "ascii", "basic": "ascii", "extended": "ascii"}
_MARKED: Final = 0xDC00  # lone surrogates, as decoding gives for bytes that an encoding does not have


def encoding(charset: str) -> str:
    """The codec for an agreed character set. Raises LookupError for one that cannot carry X12."""
    name = _SETS.get(charset, charset)
    if _ASCII.encode(name) != _ASCII.encode():
        raise LookupError(name)
    return name


def decode(raw: bytes, charset: str, separators: str) -> str:
    """Characters that are not agreed become lone surrogates. Raises LookupError."""
    text = raw.decode(encoding(charset), "surrogateescape")
    return text.translate(_marks(separators)) if charset == "basic" else text


@functools.lru_cache(64)
def _marks(separators: str) -> Mapping[int, int]:
    """Lower case and the special characters of the extended set, unless they separate."""
    known = BASIC.union(separators)
    return {ord(one): _MARKED + ord(one) for one in _ASCII if one.isprintable() and one not in known}


def lacks(value: str, charset: str) -> bool:
    """Whether a value has a character that the set does not."""
    try:
        value.encode(encoding(charset))
    except UnicodeEncodeError:
        return True
    return charset == "basic" and not BASIC.issuperset(value)
