"""kill -9 under load: what was answered is stored once, bought once and ordered once, and the ledger adds up.

HILUM_KILLS says how many kills, HILUM_SEED which; `make crash` makes 300. The planted defects show that the campaign
can fail.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.functional.campaign import campaign, faults
from tests.functional.scene import HILUM, conserved, scene

KILLS = int(os.environ.get("HILUM_KILLS", "30"))
SEED = int(os.environ.get("HILUM_SEED", "20261123"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.xdist_group("crash")
def test_what_was_answered_survives_every_kill(tmp_path: Path) -> None:
    print(f"seed {SEED}, {KILLS} kills")
    with scene(tmp_path) as stage:
        result = asyncio.run(campaign(stage, (HILUM, "run"), KILLS, SEED, most=3 * KILLS))
        ledger = stage.ledger()
    print(result, ledger)
    assert faults(result) == []
    assert len(result.accepted) > KILLS * 10
    assert min(result.struck.values()) > 0, f"no kill struck where it hurts: {result}"
    conserved(ledger)
    assert ledger["in_flight"] == ledger["exception"] == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.xdist_group("crash")
@pytest.mark.parametrize(
    ("defect", "symptom"),
    [
        ("answers_early", "was answered and is not stored"),
        ("forgets_keys", "was bought 2 times"),
        ("renumbers", "was sent 0 times"),  # a file of that number is there, and is not overwritten
        ("skips", "have gaps or repeat"),
    ],
)
def test_the_campaign_sees(defect: str, symptom: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    command = (sys.executable, "-m", "tests.functional.defective", defect)
    with scene(tmp_path) as stage:
        result = asyncio.run(campaign(stage, command, 1, SEED))
    assert [fault for fault in faults(result) if symptom in fault]
