"""What is printed for programs. Nothing here needs click: loading it takes longer than all the rest of a look."""

from __future__ import annotations

import json
import sys
from typing import Any

from engine.cli.reading import at_once, reader


def print_trace(key: str, limit: int = 500) -> int:
    """Print the thread of a key as JSON; returns the exit code: 0, or 5 when nothing goes by that name."""
    data = at_once(find_trace(key, limit))
    print(as_json(data), flush=True)
    if not data["found"]:
        print(unknown(key, data["unprocessed"]), file=sys.stderr)
        return 5
    return 0


async def find_trace(key: str, limit: int) -> dict[str, Any]:
    from engine import ids, trace

    async with reader() as store:
        return await trace.trace(store, key, now=ids.now(), limit=limit)


def unknown(key: str, unprocessed: int = 0) -> str:
    return f"nothing here goes by {key}{not_yet(unprocessed)}"


def not_yet(unprocessed: int) -> str:
    """What follows where a key was not found: it may stand in a message that nobody has looked into."""
    if not unprocessed:
        return ""
    wait = "1 message is" if unprocessed == 1 else f"{unprocessed:,} messages are"
    return f" yet: {wait} waiting to be processed, with numbers that are not known until then"


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)
