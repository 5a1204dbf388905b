"""X12 interchanges (004010, 005010): split, judged, read as trees, written. Pure; exports `FORMAT`."""

from typing import Final

from channels.formats.x12.format import X12

FORMAT: Final = X12()

__all__ = ["FORMAT", "X12"]
