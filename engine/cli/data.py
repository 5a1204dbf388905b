"""What is printed for programs. Nothing here needs click: loading it takes longer than all the rest of a look."""

from __future__ import annotations

import json
import sys
from typing import Any

from engine.cli.reading import at_once, reader


def print_trace(key: str, limit: int = 500) -> int:
    """Print the thread of a key as JSON; returns the exit code: 0, or 5 when nothing goes by that name."""
    data = at_once(find_trace(key, limit))
    if data is None:
        print(unknown(key), file=sys.stderr)
        return 5
    print(as_json(data), flush=True)
    return 0


async def find_trace(key: str, limit: int) -> dict[str, Any] | None:
    from engine import ids, trace

    async with reader() as store:
        return await trace.trace(store, key, now=ids.now(), limit=limit)


def unknown(key: str) -> str:
    return f"nothing here goes by {key}"


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)
