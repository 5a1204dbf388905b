"""`python -m channels.simulate ehr|erp|supplier`: one simulated party a process, until SIGTERM or all is done."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence

from channels.simulate import ehr, erp, supplier

Run = Callable[[argparse.Namespace, asyncio.Event], Awaitable[int]]
PARTIES = {"ehr": ehr, "erp": erp, "supplier": supplier}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run the party, return its exit code: 0, or 1 when the party says its work is unfinished."""
    parser = argparse.ArgumentParser(prog="python -m channels.simulate", description=__doc__)
    parties = parser.add_subparsers(dest="party", required=True)
    for name, module in PARTIES.items():
        module.add_options(
            parties.add_parser(name, description=module.__doc__, help=(module.__doc__ or "").split("\n")[0])
        )
    chosen = parser.parse_args(arguments)
    return asyncio.run(_until_told(PARTIES[chosen.party].run, chosen))


async def _until_told(run: Run, options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on a loop
            loop.add_signal_handler(signal_number, stop.set)
    return await run(options, stop)


if __name__ == "__main__":
    raise SystemExit(main())
