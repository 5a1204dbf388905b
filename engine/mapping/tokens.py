"""The words of a condition: names, texts, numbers and signs, each with its place in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORDS: Final = frozenset({"and", "or", "not", "in", "exists", "true", "false"})
# A name may hold what paths of messages are made of, but a bracket only around a selector without spaces.
_TOKENS: Final = re.compile(
    r"""\s*(?:(?P<text>'[^']*'|"[^"]*")
        |(?P<quoted>`[^`]+`)
        |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.\[]))
        |(?P<name>[$A-Za-z_](?:[\w.$-]|\[[^\[\]\s'"]*\])*)
        |(?P<operator>!=|<=|>=|=|<|>)
        |(?P<mark>[(),])
        |(?P<end>$))""",
    re.VERBOSE | re.ASCII,
)


class ExpressionError(Exception):
    """at: how many characters into the text. hint: the nearest right word."""

    def __init__(self, code: str, text: str, at: int, hint: str = "") -> None:
        super().__init__(text)
        self.code, self.text, self.at, self.hint = code, text, at, hint


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # text | name | number | operator | mark | end, or the word itself
    value: str
    at: int


def tokens(text: str) -> list[Token]:
    """Raises ExpressionError (MAP401)."""
    found: list[Token] = []
    position = 0
    while not found or found[-1].kind != "end":
        match = _TOKENS.match(text, position)
        if match is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionError("MAP401", "a condition has names, texts, numbers and comparisons only", at)
        kind = str(match.lastgroup)
        word = match[kind]
        if kind in {"text", "quoted"}:
            kind, word = ("text" if kind == "text" else "name"), word[1:-1]
        elif kind == "name" and word in _WORDS:
            kind = word
        found.append(Token(kind, word, match.start(match.lastgroup or 0)))
        position = match.end()
    return found
