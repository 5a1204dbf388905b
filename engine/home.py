"""Where everything lies that Hilum writes: store, control socket, exchange folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STORE = "store.db"
SOCKET = "control.sock"
_DEFAULT = "var"


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """HILUM_HOME, or else ./var."""
    from pathlib import Path  # not above: who only looks needs `store_file`, and pathlib loads urllib

    return Path(environ.get("HILUM_HOME") or _DEFAULT)


def store_file(environ: Mapping[str, str] = os.environ) -> str:
    return os.path.join(environ.get("HILUM_HOME") or _DEFAULT, STORE)
