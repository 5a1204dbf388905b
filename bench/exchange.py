"""The far side of the whole flow: the 850 files in the exchange folders of the reference site's suppliers."""

from __future__ import annotations

import os
import re
from pathlib import Path

SUPPLIERS = {  # as partners/*.yaml know them: ISA and GS identity, separators
    "acme_surgical": ("01:081234567/081234567", "*>~"),
    "bravo_medical": ("ZZ:BRAVOMED/BRAVOMED", r"|^~\n"),
    "corvus_supply": ("12:3125550142/CORVUS", r"\x1d\x1f\n"),
}
_ORDER_FILE = re.compile(r"850-.+\.edi")


def order_files(home: Path) -> set[tuple[str, str]]:
    """(supplier, file name) of every 850 written so far: still in `out`, or taken by its supplier."""
    return {
        (supplier, entry.name)
        for supplier in SUPPLIERS
        for folder in ("out", "out/.taken")
        for entry in _entries(home / "exchange" / supplier / folder)
        if _ORDER_FILE.fullmatch(entry.name)
    }


def last_written(home: Path) -> float:
    """When the newest 850 was written; call it when nothing is moved any more."""
    files = ((home / "exchange" / supplier).rglob("850-*.edi") for supplier in SUPPLIERS)
    return max((_written(file) for found in files for file in found), default=0.0)


def _written(file: Path) -> float:
    """0 for a file that its supplier has just taken away."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    return list(os.scandir(folder)) if folder.exists() else []
