"""YAML with its places kept, and the findings that point at them. Pure: the tree is made by `engine.site`.

Scalars are text as written (`NO`, `0012` and `12:30` stay text); a plain null is None. What a text means (number,
boolean, duration) is decided by the model that reads it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file: 1-based line and column, and how many characters it covers."""

    file: str
    line: int = 1
    column: int = 1
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Tree:
    """One YAML node: a mapping, a sequence, a text or None. `keys` holds where each key of a mapping stands."""

    value: dict[str, Tree] | list[Tree] | str | None
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        names: dict[type, str] = {dict: "mapping", list: "sequence", str: "text"}
        return names.get(type(self.value), "nothing")

    def get(self, key: str) -> Tree | None:
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> Iterator[tuple[str, Tree]]:
        return iter(self.value.items()) if isinstance(self.value, dict) else iter(())

    def plain(self) -> object:
        """The tree without its places: dicts, lists, texts and None."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake or warning: stable code, plain sentence, place, what to do."""

    code: str
    text: str
    mark: Mark
    hint: str = ""  # `did you mean 'match'?`, or what to do
    severity: str = "error"  # error | warning


@dataclass(slots=True)
class Findings:
    """Collects every mistake of every file; nothing stops at the first."""

    found: list[Finding] = field(default_factory=list)

    def error(self, code: str, text: str, mark: Mark, hint: str = "") -> None:
        self.found.append(Finding(code, text, mark, hint))

    def warn(self, code: str, text: str, mark: Mark, hint: str = "") -> None:
        self.found.append(Finding(code, text, mark, hint, "warning"))

    @property
    def errors(self) -> int:
        return sum(1 for finding in self.found if finding.severity == "error")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'match'?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""
