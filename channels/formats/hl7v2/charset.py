"""Which characters the bytes mean: MSH-18 names (table 0211, and what senders write instead) to codecs.

A byte that cannot be decoded is refused, never replaced: what we keep as text must give the same bytes again.
"""

from __future__ import annotations

import codecs
from functools import lru_cache

from engine.errors import Refused

DEFAULT = "cp1252"  # unnamed 8-bit text in a United States feed is Windows-1252 in practice
_NAMES = {
    "ASCII": "ascii", "US-ASCII": "ascii", "ISO IR6": "ascii", "ISO IR14": "shift_jis", "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1", "GB 18030-2000": "gb18030", "GB18030": "gb18030", "KS X 1001": "euc_kr",
    "BIG-5": "big5", "BIG5": "big5", "UNICODE UTF-8": "utf-8", "UTF-8": "utf-8", "UTF8": "utf-8",
    "WINDOWS-1250": "cp1250", "WINDOWS-1251": "cp1251", "WINDOWS-1252": "cp1252", "CP1252": "cp1252",
    "ANSI": "cp1252", "LATIN1": "iso8859-1",
}  # fmt: skip
_PARTS = (*range(1, 12), 13, 14, 15, 16)
_SPELLINGS = [f"{body}{mark}{{}}" for body in ("8859", "ISO-8859", "ISO8859", "ISO 8859", "ISO_8859") for mark in "/-"]
CODECS = _NAMES | {name.format(part): f"iso8859-{part}" for part in _PARTS for name in _SPELLINGS}
_BIJECTIVE = frozenset({"ascii", "utf-8", "cp1250", "cp1251", "cp1252"} | {f"iso8859-{part}" for part in _PARTS})


@lru_cache(maxsize=256)
def codec_named(name: str) -> str:
    """The codec of an MSH-18 name or of a codec's own name; empty when there is none we may use."""
    known = CODECS.get(" ".join(name.split()).upper(), "")
    if known:
        return known
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    return found.name if found.name in CODECS.values() else ""


def decide(raw: bytes, character_set: str, setting: str, fallback: str) -> str:
    """The codec of a message, byte order mark taken off.

    Raises Refused (`hl7.charset`, 102) when its text cannot be read without loss.
    character_set: the first repetition of MSH-18. setting: the partner's own charset, which overrules it.
    fallback: for bytes that are named by nobody and are not UTF-8.
    """
    if setting or character_set:
        codec = codec_named(setting or character_set)
        if not codec:
            raise _refused("the character set is not one we read", "MSH-18")
    elif raw.isascii() or _decodes(raw, "utf-8"):
        codec = "utf-8"
    else:
        codec = codec_named(fallback) or DEFAULT
    if not raw.isascii() or codec.startswith("iso2022"):
        _check(raw, codec)
    return codec


def _decodes(raw: bytes, codec: str) -> bool:
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _check(raw: bytes, codec: str) -> None:
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError as error:
        raise _refused(f"a byte is not {codec} text", place_of(raw, error.start)) from None
    if codec not in _BIJECTIVE and text.encode(codec, "replace") != raw:
        raise _refused(f"the text would not give the same {codec} bytes again", "MSH-18")


def place_of(raw: bytes, offset: int) -> str:
    """The segment a byte stands in, `OBX[2]`."""
    lines = raw[:offset].splitlines() or [b""]
    if raw[offset - 1 : offset] in (b"\r", b"\n"):
        lines.append(raw[offset : offset + 3])
    name = lines[-1][:3]
    count = sum(line[:3] == name for line in lines)
    if not (name.isascii() and name.isalnum()):
        return f"segment {len(lines)}"
    return f"{name.decode('ascii')}[{count}]"


def _refused(text: str, place: str) -> Refused:
    return Refused("hl7.charset", text, place=place, status="102")
