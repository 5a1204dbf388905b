"""X12 interchanges (850, 855, 997 of 004010): split, judged, read as trees, written. Pure; exports `FORMAT`."""

from typing import Final

from channels.formats.x12.format import X12

FORMAT: Final = X12()

__all__ = ["FORMAT", "X12"]
