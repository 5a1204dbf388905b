"""Tables of text, one thing a line, its id first: read line by line when something is asked for. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

_Made = TypeVar("_Made")


class Table(Mapping[str, _Made]):
    """Lines by id, each made into what it says when it is first asked for."""

    def __init__(self, lines: Mapping[str, str], make: Callable[[str], _Made]) -> None:
        self._lines = lines
        self._make = make
        self._made: dict[str, _Made] = {}

    def __getitem__(self, id: str) -> _Made:
        made = self._made.get(id)
        if made is None:
            made = self._made[id] = self._make(self._lines[id])
        return made

    def __contains__(self, id: object) -> bool:
        return id in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


@functools.cache
def lines(table: str) -> dict[str, str]:
    """By first word, with indented continuations joined on."""
    joined = table.replace("\n    ", " ").splitlines()
    return {line.split(maxsplit=1)[0]: line for line in joined if line.strip()}
