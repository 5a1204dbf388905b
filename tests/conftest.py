"""What every test stands on: the same generated examples on every run, and nothing of the caller's own settings.

`HYPOTHESIS_PROFILE=search` looks for new examples instead: others on every run, and ten times as many.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

OURS = {"HILUM_KILLS", "HILUM_SEED"}  # what tests themselves are asked by

# how long an example takes, or making one, says something of the machine and nothing of us
ANY_MACHINE: dict[str, Any] = {
    "print_blob": True, "deadline": None, "suppress_health_check": [HealthCheck.too_slow],
}  # fmt: skip
settings.register_profile("suite", derandomize=True, max_examples=100, **ANY_MACHINE)
settings.register_profile("search", derandomize=False, max_examples=1000, **ANY_MACHINE)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
    for name in [name for name in os.environ if name.startswith("HILUM_") and name not in OURS]:
        del os.environ[name]  # a site or store named in the caller's shell is none of the tests' business
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        _share_bytecode(config)


def _share_bytecode(config: pytest.Config) -> None:
    """Where nothing may be written beside the sources, each of the hundreds of programs that tests start would compile
    them anew, which is a third of its start. They share a folder that goes when the tests are done."""
    folder = tempfile.TemporaryDirectory(prefix="hilum-bytecode-")
    os.environ["PYTHONPYCACHEPREFIX"] = folder.name
    config.add_cleanup(folder.cleanup)


def pytest_report_header(config: pytest.Config) -> str:
    told = " ".join(f"{name}={os.environ[name]}" for name in sorted(OURS) if name in os.environ)
    return f"hypothesis profile: {os.environ.get('HYPOTHESIS_PROFILE', 'suite')}; {told or 'seeds as in the tests'}"
