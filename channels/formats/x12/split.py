"""Received bytes to interchanges, each with its envelope facts. Pure; never raises, and every byte is in one Unit.

Blanks and a byte order mark stay with the interchange they stand before or after; anything else outside ISA..IEA
becomes a Unit of its own, refused.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from channels.formats.x12.envelope import Interchange, find_interchange, find_isa, heads, judge
from engine.errors import Refused
from engine.message import Facts, Key, Unit
from engine.plugin import Profile

FORMAT_NAME: Final = "x12"
_MOST_TYPES: Final = 8
_BLANKS: Final = re.compile(rb"[ \t\r\n]*")


def split(raw: bytes, profile: Profile) -> list[Unit]:
    """One Unit per interchange, in order; what is no interchange is refused."""
    start, warnings = skip_lead(raw)
    if start == len(raw):
        refusal = Refused("x12.empty", "there is nothing in these bytes", hint="ask the partner to send the file again")
        return [Unit(raw, Facts(FORMAT_NAME, warnings=warnings), refusal)]
    if not raw.startswith(b"ISA", start):
        first = find_isa(raw, start)
        text = "these bytes do not begin with ISA"
        strays = [_stray(raw[:first], "x12.not_isa", text)]
        return strays + (split(raw[first:], profile) if first < len(raw) else [])
    return _units(raw, start, warnings, profile)


def skip_lead(raw: bytes) -> tuple[int, tuple[str, ...]]:
    """Where the content begins, after a byte order mark and blanks, with the warnings they deserve."""
    mark = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
    start = _skip_blanks(raw, mark)
    return start, ("x12.bom",) * bool(mark) + ("x12.leading_blank",) * (start > mark)


def _skip_blanks(raw: bytes, start: int) -> int:
    match = _BLANKS.match(raw, start)
    return match.end() if match else start


def _units(raw: bytes, start: int, warnings: tuple[str, ...], profile: Profile) -> list[Unit]:
    """Units of bytes whose first ISA stands at `start`; what leads it belongs to the first."""
    units: list[Unit] = []
    begin = 0
    while begin < len(raw):
        if raw.startswith(b"ISA", start):
            found = find_interchange(raw, start)
            end = _skip_blanks(raw, found.end)
            units.append(_unit(raw, begin, end, found, warnings, profile))
        else:
            end = find_isa(raw, start)
            text = "there is text after the last IEA that is no interchange"
            units.append(_stray(raw[begin:end], "x12.trailing_data", text))
        begin = start = end
        warnings = ()
    return units


def _stray(raw: bytes, code: str, text: str) -> Unit:
    return Unit(raw, Facts(FORMAT_NAME), Refused(code, text, place="ISA", status="022"))


def _unit(
    raw: bytes, begin: int, end: int, found: Interchange, warnings: tuple[str, ...], profile: Profile
) -> Unit:  # fmt: skip
    refusal, _ = judge(found, raw, profile)
    return Unit(raw[begin:end], _facts(raw, found, warnings + found.warnings, refusal), refusal)


def _facts(raw: bytes, found: Interchange, warnings: tuple[str, ...], refusal: Refused | None) -> Facts:
    """What the envelope says. A refused interchange has no duplicate key: its repaired resend is another message."""
    header = found.header
    if header is None:
        return Facts(FORMAT_NAME, warnings=warnings)
    sender = header.sender
    pair = f"{sender}>{header.receiver}"  # ISA13 and GS06 count per pair of parties
    groups = dict.fromkeys(group[5] for group in heads(raw, found, b"GS") if len(group) > 5)
    return Facts(
        FORMAT_NAME,
        type=_type(raw, found),
        control_id=header.control,
        sender=sender,
        dedup="" if refusal else "\x1f".join((header.control, sender, header.receiver)),
        keys=(Key("interchange", header.control, pair), *(Key("group", number, pair) for number in groups)),
        warnings=warnings,
        control_place="ISA13",
    )


def _type(raw: bytes, found: Interchange) -> str:
    """The kinds of set inside, `850` or `850+855`; `TA1` for an interchange that only acknowledges."""
    kinds = dict.fromkeys(re.sub(r"[^A-Za-z0-9]", "", head[0])[:3] for head in heads(raw, found, b"ST"))
    if not kinds:
        return "TA1" if heads(raw, found, b"TA1") else ""
    return "+".join([*kinds][:_MOST_TYPES])
