"""Where a site lies: the one that is asked for, the one of this folder, or the reference site that ships with Hilum."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

MARKER: Final = Path("config", "engine.yaml")
PARTS: Final = ("config", "partners", "mappings")


def reference_root() -> Path:
    """The reference site: inside the installed package, or the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "reference_site"
    return installed if (installed / MARKER).is_file() else package.parent


def site_root(environ: Mapping[str, str], here: Path = Path()) -> Path:
    """$HILUM_SITE, else this folder if it holds config/engine.yaml, else the reference site."""
    if named := environ.get("HILUM_SITE"):
        return Path(named)
    return here if (here / MARKER).is_file() else reference_root()
