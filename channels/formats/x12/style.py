"""How a partner wants its interchanges written: separators, versions and identities, from its YAML. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from channels.formats.x12.charsets import BASIC, encoding, lacks
from channels.formats.x12.grammar import BASE
from channels.formats.x12.separators import Separators
from engine.errors import Refused

_YAML: Final = "see `envelope:` in the partner's YAML"
_DEFAULTS: Final = {
    "element": "*",
    "component": ">",
    "segment": "~",
    "after_segment": "",
    "acknowledgement_requested": "0",
    "charset": "ascii",
}
# ISA11 and ISA12 as they go with each release.
_BY_RELEASE: Final = {
    "004010": {"standards_id": "U", "version": "00401"},
    "005010": {"standards_id": "^", "version": "00501"},
}


class Identity(NamedTuple):
    """kind, id: ISA05/06 or ISA07/08. group: GS02 or GS03."""

    kind: str
    id: str
    group: str


@dataclass(frozen=True, slots=True)
class Style:
    """How a partner wants its interchanges written.

    end: the segment terminator with the line end after it. guard: finds what no ASCII value may hold. encoding: of
    `charset`.
    """

    separators: Separators
    end: bytes
    guard: re.Pattern[str]
    standards_id: str
    version: str
    acknowledgement_requested: str
    charset: str
    group_version: str
    encoding: str


def style_of(options: Mapping[str, str], release: str = BASE) -> Style:
    """A partner's `envelope:` settings over the defaults. Raises Refused for what no envelope can have.

    release: of what is written, which is that of the group where the partner says no other.
    """
    group_version = options.get("group_version", release)
    usual = {**_DEFAULTS, **_BY_RELEASE.get(group_version[:6], _BY_RELEASE[BASE]), "group_version": group_version}
    told = {**usual, **options}
    unknown = sorted(told.keys() - usual.keys())
    if unknown:
        raise Refused("x12.separators", f"the partner's envelope has the unknown setting '{unknown[0]}'", hint=_YAML)
    repeats = told["version"] >= "00402" and not told["standards_id"].isalnum()
    separators = Separators(
        told["element"], told["component"], told["segment"], told["standards_id"] if repeats else ""
    )  # fmt: skip
    if separators.fault() or told["after_segment"].strip("\r\n") or len(told["standards_id"]) != 1:
        raise Refused("x12.separators", "the partner's envelope has separators that cannot serve", hint=_YAML)
    charset = told["charset"]
    if not _encoding(charset) or len(told["version"]) != 5 or told["acknowledgement_requested"] not in {"0", "1"}:
        raise Refused("x12.envelope", "the partner's envelope has an impossible setting", hint=_YAML)
    end = (separators.segment + told["after_segment"]).encode()
    lacking = "".join(map(chr, range(128))).translate(dict.fromkeys(map(ord, BASIC))) if charset == "basic" else ""
    guard = re.compile(rf"[\x00-\x1f\x7f{re.escape(separators.all + separators.repetition + lacking)}]")
    return Style(
        separators,
        end,
        guard,
        told["standards_id"],
        told["version"],
        told["acknowledgement_requested"],
        charset,
        told["group_version"],
        _encoding(charset),
    )


def _encoding(charset: str) -> str:
    """Empty for a character set that is not known here."""
    try:
        return encoding(charset)
    except LookupError:
        return ""


def identity_of(side: Mapping[str, str], whose: str, style: Style) -> Identity:
    kind, _, id = side.get("isa", "").partition(":")
    group = side.get("gs", "") or id.rstrip()
    fits = len(kind) == 2 and 1 <= len(id) <= 15 and 2 <= len(group) <= 15
    if not fits or any(unwritable(text, style) for text in (kind, id, group)):
        text = f"{whose} identity cannot be written as QUALIFIER:ID in this envelope"
        raise Refused("x12.identity", text, place="ISA", hint="see `identity:` in the partner's YAML")
    return Identity(kind, id, group)


def unwritable(value: str, style: Style) -> str:
    """Why a value cannot stand in these bytes; empty when it can."""
    if value.isascii() and style.guard.search(value) is None:
        return ""
    if not value.isascii() and lacks(value, style.charset):
        return f"the value has a character outside {style.charset}"
    encoded = value.encode(style.encoding)
    if any(mark.encode() in encoded for mark in style.separators.all + style.separators.repetition):
        return "the value holds a separator of this partner's envelope"
    if not value.isprintable():
        return "the value holds a control character"
    return f"the value has a character outside {style.charset}" if lacks(value, style.charset) else ""
