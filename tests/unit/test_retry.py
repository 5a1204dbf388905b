"""What happens after a failed attempt depends on the error's class, the policy and the clock alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import HilumError, Refused, Rejected, Unavailable, Unknown
from engine.retry import Again, Dead, backoff, decide, outcome_of
from engine.site.model import RetryPolicy

POLICY = RetryPolicy(first=1_000, factor=2, most=10_000, jitter=0.0, attempts=5, deadline=1_000_000)


def _decide(error: HilumError, attempt: int = 1, now: int = 0) -> Again | Dead:
    return decide(error, attempt=attempt, policy=POLICY, now=now, since=0, jitter=0.5)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unavailable("x", "x"), "transient"),
        (Unknown("x", "x"), "ambiguous"),
        (Rejected("x", "x"), "permanent"),
        (Refused("x", "x"), "permanent"),
    ],
)
def test_failures_are_grouped_by_class(error: HilumError, outcome: str) -> None:
    assert outcome_of(error) == outcome


def test_transient_and_ambiguous_failures_are_tried_again() -> None:
    assert _decide(Unavailable("x", "x")) == Again(1_000)
    assert _decide(Unknown("x", "x"), attempt=3) == Again(4_000)


def test_a_refusal_is_never_tried_again() -> None:
    assert _decide(Rejected("x", "x")) == Dead("delivery.rejected", "the receiver refused it for good")


def test_attempts_and_time_run_out() -> None:
    last = _decide(Unavailable("x", "x"), attempt=5)
    late = _decide(Unavailable("x", "x"), attempt=2, now=999_999)
    assert isinstance(last, Dead)
    assert isinstance(late, Dead)
    assert last.code == late.code == "delivery.exhausted"


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_back_off_stays_within_its_cap_and_spread(attempt: int, jitter: float) -> None:
    policy = RetryPolicy(first=1_000, factor=2, most=60_000, jitter=0.2)
    assert 800 <= backoff(policy, attempt, jitter) <= 72_000
