r"""Separators at work: values to escaped text and back (v2.5.1 ch. 2.7).

Reading unescapes after splitting, writing escapes before joining, so a value can never become structure. Escapes for
formatting (`\.br\`, `\H\`), other charsets (`\C..\`, `\M..\`), local use (`\Z..\`) and unknown ones stay as they are.
"""

from __future__ import annotations

import re
from functools import lru_cache

from channels.formats.hl7v2.header import STANDARD, Separators
from engine.errors import Refused

_NEVER = "\r"  # in place of a separator the sender does not have: it cannot occur inside a segment
_CONTROLS = "".join(chr(code) for code in (*range(0x20), 0x7F) if chr(code) != "\t")
_KEPT = r"H|N|\.(?:br|sp|in|ti|sk|fi|nf|ce)[^{esc}]{{0,16}}|Z[^{esc}]{{1,80}}|C[0-9A-Fa-f]{{4}}|M[0-9A-Fa-f]{{4,6}}"


class Syntax:
    """One set of separators with one codec; shared by all messages that use them, and never changed."""

    __slots__ = (
        "codec", "component", "escape", "field", "kept", "letters", "marks", "read", "repetition", "separators",
        "special", "subcomponent",
    )  # fmt: skip

    def __init__(self, separators: Separators, codec: str) -> None:
        self.separators = separators
        self.codec = codec
        self.field, self.component, self.repetition = separators.field, separators.component, separators.repetition
        self.escape = separators.escape or _NEVER
        self.subcomponent = separators.subcomponent or _NEVER
        # In a message without the 2.7 truncation character, \P\ means nothing.
        pairs = zip("FSRETP", separators, strict=True)
        self.letters = {letter: mark for letter, mark in pairs if mark}
        self.marks = {mark: letter for letter, mark in self.letters.items()}
        self.special = re.compile(f"[{re.escape(_CONTROLS + ''.join(separators))}]")
        mark = re.escape(self.escape)
        letters = "".join(self.letters)
        self.read = re.compile(rf"{mark}(?:([{letters}])|X((?:[0-9A-Fa-f]{{2}})+)|{_KEPT.format(esc=mark)}){mark}")
        self.kept = re.compile(f"{mark}(?:{_KEPT.format(esc=mark)}){mark}")

    def decode(self, text: str) -> str:
        """A value from its text inside one (sub)component."""
        return self.read.sub(self._meant, text) if self.escape in text else text

    def encode(self, value: str) -> str:
        """A value as text that holds no structure. Raises Refused when there is no escape character to do it with."""
        if value.isalnum():
            return value
        if value == '""':
            return self._hexadecimal('"') * 2  # as it stands it would say "delete"
        if self.special.search(value) is None:
            return value
        if self.escape == _NEVER:
            raise Refused("hl7.value", "the value needs escapes, and the message has no escape character")
        return self.special.sub(self._written, value)

    def warnings(self, text: str, start: int = 0) -> tuple[str, ...]:
        """Codes for escapes in a message's text, from start (behind MSH-2) on, that are kept as they are."""
        if text.find(self.escape, start) < 0:
            return ()
        text = text[start:]
        rest = self.read.sub(lambda found: found[0] if found[2] and self._meant(found) == found[0] else "", text)
        bad = ("hl7.bad_escape",) if self.escape in rest else ()
        return (*bad, "hl7.kept_escape") if self.kept.search(text) else bad

    def _meant(self, found: re.Match[str]) -> str:
        letter, digits = found[1], found[2]
        if letter:
            return self.letters[letter]
        if digits:
            return self._characters(digits) or found[0]
        return found[0]

    def _characters(self, digits: str) -> str:
        data = bytes.fromhex(digits)
        if max(data) < 0x80:
            return data.decode("ascii")
        try:
            return data.decode(self.codec)
        except UnicodeDecodeError:
            return ""

    def _written(self, found: re.Match[str]) -> str:
        letter = self.marks.get(found[0])
        return f"{self.escape}{letter}{self.escape}" if letter else self._hexadecimal(found[0])

    def _hexadecimal(self, character: str) -> str:
        return f"{self.escape}X{ord(character):02X}{self.escape}"


@lru_cache(maxsize=256)
def syntax(separators: Separators = STANDARD, codec: str = "utf-8") -> Syntax:
    return Syntax(separators, codec)
