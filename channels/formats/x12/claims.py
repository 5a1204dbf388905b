"""What an interchange says of its sender beyond ISA: application codes of its groups, and who is named in it. Pure."""

from __future__ import annotations

from typing import Final

from channels.formats.x12.envelope import find_interchange, heads
from channels.formats.x12.split import skip_lead
from engine.plugin import Claims

_ACKNOWLEDGING: Final = "FA"


def claims(raw: bytes, *, parties: bool) -> Claims:
    """Of the bytes of one Unit. parties: also look for N1 segments, which takes reading all of it."""
    start, _ = skip_lead(raw)
    if not raw.startswith(b"ISA", start):
        return Claims()
    found = find_interchange(raw, start)
    groups = [head for head in heads(raw, found, b"GS") if len(head) > 1]
    named = heads(raw, found, b"N1") if parties else []
    return Claims(
        tuple(dict.fromkeys(head[1].strip() for head in groups)),
        frozenset(f"{head[0]}:{head[2]}:{head[3].strip()}" for head in named if len(head) > 3),
        all(head[0] == _ACKNOWLEDGING for head in groups),
    )
