"""How far a message has come, by what came for it."""

from __future__ import annotations

import pytest

from engine.acks import reached, stage
from engine.store.records import Awaited


def came(*kinds: str) -> list[Awaited]:
    """`997+` came and says yes, `997-` no, `997?` has not come."""
    states = {"+": "positive", "-": "negative", "?": "awaited", "!": "overdue"}
    return [Awaited(1, 1, 1, "acme_surgical", kind[:-1], "1", states[kind[-1]]) for kind in kinds]


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ((), "handed over"),
        (("TA1?", "997?", "855?"), "handed over"),
        (("TA1+", "997!", "855?"), "network accepted"),
        (("TA1-", "997?"), "handed over"),
        (("TA1+", "997+", "855?"), "acknowledged"),
        (("TA1?", "999+", "855?"), "acknowledged"),
        (("997-", "855?"), "handed over"),
        (("997?", "855+"), "answered"),  # in whatever order
        (("997+", "855-"), "answered"),  # an answer may say no
    ],
)
def test_how_far_it_has_come(kinds: tuple[str, ...], told: str) -> None:
    assert reached(came(*kinds)) == told


def test_what_an_acknowledgement_brings() -> None:
    stages = [stage(kind) for kind in ("TA1", "997", "999", "855", "order_acknowledgement")]
    assert stages == ["network accepted", "acknowledged", "acknowledged", "answered", "answered"]
