"""What a crosswalk is told beside a word: other values of the same entry of a loop, in words of ours.

`by: {item: "item.ids[buyer_part]"}` lets one unit mean another thing for another item; `../item.ids[buyer_part]` is
that of the entry around. When reading, those values are known only after that is read, so the word waits as `Pending`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.mapping.schema import Model, Target, targets
from engine.positions import Tree, did_you_mean

if TYPE_CHECKING:
    from engine.mapping.parse import Parser

_PLACE: Final = re.compile(r"([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*)(?:\[([a-z][a-z0-9_]*)\])?")
_PAIR: Final = ("scheme", "value")


class Pending:
    """A word that waits for what stands beside it. place: where it stands in the message."""

    __slots__ = ("place", "raw")

    def __init__(self, raw: str, place: str) -> None:
        self.raw = raw
        self.place = place


class Item(NamedTuple):
    """What paths of `by` start from: an entry of a loop, or the document. around: where `../` leads."""

    model: Model
    around: Item | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """The value of a column of crosswalks. steps: fields from the item. scheme: which one of a list of identifiers."""

    column: str
    steps: tuple[str, ...]
    scheme: str = ""

    def told(self, item: Any) -> str:
        """item: a record, or the fields of one. Empty where there is no such value."""
        found = item
        for step in self.steps:
            found = _field(found, step)
        if self.scheme:
            entries = found or ()
            found = next((_field(one, "value") for one in entries if _field(one, "scheme") == self.scheme), None)
        return found if isinstance(found, str) else ""


def _field(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def others(besides: tuple[Beside, ...], item: Any) -> dict[str, str]:
    return {one.column: told for one in besides if (told := one.told(item))}


# --- parsing ---------------------------------------------------------------------------------------------------------
def parse_by(parser: Parser, tree: Tree) -> tuple[tuple[Beside, ...], int]:
    """column: place, checked against the model of the loop's entries; and 1 when all are in the entry around.

    What is wrong is a finding (MAP102, MAP201, MAP208).
    """
    if tree.kind != "mapping":
        parser.error("MAP102", "'by' needs columns and the fields they are: {item: item.ids[buyer_part]}", tree.mark)
        return (), 0
    texts = {column: text for column, child in tree.items() if (text := parser.text(child, "a field"))}
    up = {text.startswith("../") for text in texts.values()}
    start = parser.item if True not in up else parser.item and parser.item.around
    if start is None or len(up) > 1:
        text = "'by' reads from the entry of a loop, or all of it from the one around (`../`), never from a fixed place"
        parser.error("MAP208", text, tree.mark)
        return (), 0
    return tuple(_parsed(parser, start.model, tree, texts)), int(True in up)


def _parsed(parser: Parser, model: Model, tree: Tree, texts: Mapping[str, str]) -> Iterator[Beside]:
    for column, text in texts.items():
        child, found = tree.get(column) or tree, _PLACE.fullmatch(text.removeprefix("../"))
        if found is None:
            parser.error("MAP102", f"'{text}' is no field: item.description, item.ids[buyer_part]", child.mark)
        elif _is_text(parser, model, found[1].split("."), found[2], child):
            yield Beside(column, tuple(found[1].split(".")), found[2] or "")


def _is_text(parser: Parser, model: Model, steps: list[str], scheme: str | None, tree: Tree) -> bool:
    record: Model | None = model
    target: Target | None = None
    for step in steps:
        known: Mapping[str, Target] = targets(record) if record is not None and not (target and target.many) else {}
        if step not in known:
            parser.error("MAP201", f"there is no field '{'.'.join(steps)}' here", tree.mark, did_you_mean(step, known))
            return False
        target = known[step]
        record = target.record
    assert target is not None
    if not scheme:
        fits = target.type is str and not target.many
    else:
        pair = targets(record) if record is not None and target.many else {}
        fits = tuple(pair) == _PAIR and scheme in pair["scheme"].choices
    if not fits:
        text = f"'{'.'.join(steps)}' has no one text: name a text, or one of a list of identifiers by its scheme"
        parser.error("MAP208", text, tree.mark)
    return fits
