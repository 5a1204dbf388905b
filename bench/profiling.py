"""Where the time of one scenario goes, sampled by py-spy while the load runs. `bench/profile.sh` is its front door.

Shares are of all samples in which a thread was not idle. A program bound by the interpreter is better seen with --gil,
which keeps only the samples that hold it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from bench.__main__ import RESULTS, SCENARIOS
from bench.processes import BenchError, workplace
from bench.scenarios import Effort

_LINE = re.compile(r":\d+\)$")


def main() -> int:
    options = argparse.ArgumentParser(prog="bench/profile.sh", description=__doc__)
    options.add_argument("scenario", choices=list(SCENARIOS))
    options.add_argument("connections", type=int, nargs="?", default=50)
    options.add_argument("seconds", type=float, nargs="?", default=8.0)
    options.add_argument("--gil", action="store_true", help="only samples that hold the interpreter")
    options.add_argument("--native", action="store_true", help="frames of C libraries too (slower)")
    chosen = options.parse_args()
    if shutil.which("py-spy") is None:
        print("py-spy is not on the PATH: pip install py-spy", file=sys.stderr)
        return 2
    RESULTS.parent.mkdir(exist_ok=True)
    record = RESULTS.parent / f"profile-{chosen.scenario}.txt"
    flags = ["--gil"] * chosen.gil + ["--native"] * chosen.native
    watchers: list[threading.Thread] = []

    def watch(pid: int) -> None:
        watchers.append(threading.Thread(target=_record, args=(pid, record, chosen.seconds, flags)))
        watchers[-1].start()

    with workplace() as place:
        effort = Effort(chosen.seconds, 1.0, "P", watch)
        result = SCENARIOS[chosen.scenario](place, connections=chosen.connections, effort=effort)
        for watcher in watchers:
            watcher.join(chosen.seconds + 60)
    print(f"{chosen.scenario} at {chosen.connections}: {result.rate:,.0f} messages/s (slowed by being watched)\n")
    print(summary(record.read_text()))
    print(f"\nwhole record: {record}")
    return 0


def _record(pid: int, record: Path, seconds: float, flags: list[str]) -> None:
    arguments = ["py-spy", "record", "-p", str(pid), "-d", str(round(seconds)), "-r", "250", "-t", "-f", "raw"]
    subprocess.run(
        [*arguments, "--nonblocking", *flags, "-o", str(record)], capture_output=True, timeout=seconds + 50, check=False
    )


def summary(raw: str, most: int = 30) -> str:
    """A collapsed-stack record by thread, by module, and by function: own time, and with what it calls."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    threads: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    total = 0
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        total += int(count)
        threads[frames[0]] += int(count)
        own[frames[-1]] += int(count)
        modules[frames[-1].rpartition("(")[2].rstrip(")")] += int(count)
        for frame in set(frames[1:]):
            within[frame] += int(count)
    if not total:
        return "nothing was sampled"
    parts = (("threads", threads), ("modules", modules), ("own time", own), ("with callees", within))
    return "\n\n".join(
        f"{title}\n" + "\n".join(f"{count / total:7.1%}  {name}" for name, count in counter.most_common(most))
        for title, counter in parts
    )


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except BenchError as failure:
        raise SystemExit(str(failure)) from failure
