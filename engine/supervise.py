"""Keeps a part of the daemon going: what spoils one round of it is told and never ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from engine import logs
from engine.errors import Unavailable

AGAIN = 0.5  # seconds until a round is tried again


async def forever(part: str, round: Callable[[], Awaitable[None]]) -> None:
    """Run a round again and again until cancelled."""
    while True:
        await once(part, round)


async def once(part: str, round: Callable[..., Awaitable[None]], *given: object) -> None:
    """Run a round. An ailing store or a defect of ours costs a pause, no more."""
    try:
        await round(*given)
    except Unavailable as failure:
        logs.warning("stalled", part=part, code=failure.code)
        await asyncio.sleep(AGAIN)
    except Exception as error:
        logs.failure("defect", error, part=part)
        await asyncio.sleep(AGAIN)
