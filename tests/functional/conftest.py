"""Every functional test ends with the conservation law, whatever made the stores it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.scene import conserved, ledger


@pytest.fixture(autouse=True)
def nothing_is_missing(tmp_path: Path) -> Iterator[None]:
    yield
    for store in tmp_path.rglob("store.db"):
        conserved(ledger(store))
