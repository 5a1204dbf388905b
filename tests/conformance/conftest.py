"""What the suites of the contracts are run against."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.stores_kit import IMPLEMENTATIONS, Make


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a store over the same file each time it is called, of each implementation in turn."""
    return IMPLEMENTATIONS[request.param](tmp_path)
