"""What to do after a failed attempt: again later, or never. Pure; the error's class decides, never its text."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import HilumError, Refused, Rejected, Unavailable, Unknown
from engine.site.model import RetryPolicy


@dataclass(frozen=True, slots=True)
class Again:
    at: int  # microseconds since the epoch


@dataclass(frozen=True, slots=True)
class Dead:
    code: str
    text: str


def outcome_of(error: HilumError) -> str:
    """transient (nothing happened there), ambiguous (it may have arrived) or permanent."""
    if isinstance(error, Unavailable):
        return "transient"
    if isinstance(error, Unknown):
        return "ambiguous"
    return "permanent"


def decide(
    error: HilumError, *, attempt: int, policy: RetryPolicy, now: int, since: int, jitter: float
) -> Again | Dead:
    """Decide after the `attempt`-th try (from 1) failed.

    since: when the delivery was planned. jitter: a random number in [0, 1). An ambiguous failure is tried again like
    a transient one because every attempt carries the same delivery id and control numbers.
    """
    if isinstance(error, (Rejected, Refused)):
        return Dead("delivery.rejected", "the receiver refused it for good")
    wait = backoff(policy, attempt, jitter)
    if policy.attempts and attempt >= policy.attempts:
        return Dead("delivery.exhausted", f"{attempt} attempts failed")
    if now + wait - since > policy.deadline:
        return Dead("delivery.exhausted", "the time allowed for delivery has passed")
    return Again(now + wait)


def backoff(policy: RetryPolicy, attempt: int, jitter: float) -> int:
    """Microseconds to wait after the `attempt`-th failure: exponential, capped, spread by ±policy.jitter."""
    grown = policy.first * policy.factor ** min(attempt - 1, 40)
    spread = 1 + policy.jitter * (2 * jitter - 1)
    return int(min(grown, policy.most) * spread)
