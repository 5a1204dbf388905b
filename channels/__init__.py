"""Everything that speaks to the world. Two tables name the kinds and formats; each is imported on first use.

A new kind or format is one module here and one line in its table: the module exports `KIND` or `FORMAT`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.plugin import Format, Kind

KINDS: Final = {
    "mllp": "channels.mllp",
    "http": "channels.http",
    "folder": "channels.folder",
}

FORMATS: Final = {
    "hl7v2": "channels.formats.hl7v2",
    "x12": "channels.formats.x12",
    "json": "channels.formats.json",
}


class Tables:
    """The two tables as an `engine.plugin.Registry`. Asking for a name imports its module, and no other."""

    def kind(self, name: str) -> Kind:
        kind: Kind = importlib.import_module(KINDS[name]).KIND
        return kind

    def format(self, name: str) -> Format:
        format: Format = importlib.import_module(FORMATS[name]).FORMAT
        return format

    def kinds(self) -> Sequence[str]:
        return tuple(KINDS)

    def formats(self) -> Sequence[str]:
        return tuple(FORMATS)


def registry() -> Tables:
    return Tables()
