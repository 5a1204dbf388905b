"""Signals that come before the daemon can answer them, or when it has ended: the kernel keeps them, so that no default
action ends the process half way."""

from __future__ import annotations

import signal

HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hold() -> None:
    """From now on what is sent waits, once of each kind. Threads and programs started meanwhile inherit it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)


def release() -> None:
    """What was sent comes now, and from now on at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
