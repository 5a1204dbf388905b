"""Sets that wait for each other, and the one interchange they go in. Pure.

What waits has been written and judged whole, in an interchange without a number; only its set goes on, renumbered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from channels.formats.x12.envelope import read_header
from channels.formats.x12.grammar import TransactionSet
from channels.formats.x12.style import Style, style_of
from channels.formats.x12.write import definition_of, envelop, refs_of, wrapped
from engine.errors import Refused
from engine.message import Template
from engine.plugin import Envelope, Enveloped, Node

_HINT: Final = "replay the exception: it is written anew"


def single(node: Node, envelope: Envelope) -> bytes:
    """One set as it waits for others: in an interchange without a number. Raises Refused as `envelop` does."""
    body = envelop([node], envelope).body
    return b"".join([part if isinstance(part, bytes) else b"0" * (part.width or 1) for part in body])


def gather(singles: Sequence[bytes], envelope: Envelope) -> tuple[Enveloped, list[dict[str, Template]]]:
    """One interchange with sets that waited, numbered in their order; and what answers to each will refer to. Raises
    Refused for one that was written for another envelope."""
    style = style_of(envelope.options, _release_of(singles[0]))
    definition = definition_of(style.group_version, envelope)
    sets = [_taken(one, f"{number:04d}", definition, style) for number, one in enumerate(singles, 1)]
    if len({*map(_release_of, singles)}) > 1:
        raise Refused("x12.set", "these were written for groups of several releases", hint=_HINT)
    enveloped, about = wrapped(sets, definition, style.group_version, style, envelope)
    numbers = range(1, len(sets) + 1)
    return enveloped, [refs_of(enveloped.control_id, (*about, b"/%04d" % number)) for number in numbers]


def _release_of(raw: bytes) -> str:
    """GS08 of an interchange of ours."""
    header = read_header(raw, 0)
    if isinstance(header, Refused):
        raise header
    mark, end = (text.encode() for text in (header.separators.element, header.separators.segment))
    return raw[header.size :].partition(end)[0].split(mark)[-1].decode("latin-1")


def _taken(raw: bytes, number: str, definition: TransactionSet, style: Style) -> bytes:
    """The set that waited, under another number. It was cut by the separators that no value of it holds."""
    mark, new = style.separators.element.encode(), number.encode()
    lines = raw.split(style.end)
    start = mark.join((b"ST", definition.id.encode(), b"0001"))
    if len(lines) < 7 or lines[2] != start or not lines[-4].endswith(mark + b"0001"):
        text = "the partner's envelope is another now than when this was written"
        raise Refused("x12.separators", text, hint=_HINT)
    lines = [start[:-4] + new, *lines[3:-4], lines[-4][:-4] + new, b""]
    return style.end.join(lines)
