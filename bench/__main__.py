"""`python -m bench`: the floor and Hilum side by side, in rounds, as a table, JSON and (with --readme) markdown.

A round runs everything once, the floor of each connection count right before what is compared with it. Ratios are taken
inside a round and only then their median, so that a machine that gets slower or faster between rounds does not matter.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from bench import report, scenarios, startup
from bench.processes import ROOT, BenchError, filesystem, workplace
from bench.scenarios import Effort, Result

RESULTS = ROOT / "bench" / "results" / "latest.json"
T = TypeVar("T")


class Scenario(Protocol):
    def __call__(self, place: Path, connections: int, effort: Effort) -> Result: ...


SCENARIOS: dict[str, Scenario] = {
    "floor": scenarios.floor,
    "accept": scenarios.accept,
    "passthrough": scenarios.passthrough,
    "flow": scenarios.flow,
    "saturated": scenarios.saturated,
}


def main() -> int:
    chosen = _options().parse_args()
    if chosen.quick:
        chosen.runs, chosen.seconds, chosen.warmup = 1, min(chosen.seconds, 2.0), 0.5
    wanted = [name for name in SCENARIOS if name == "floor" or name in chosen.only]
    with workplace() as place:
        facts = machine(place, chosen.seconds, chosen.runs)
        print("  ".join(f"{name}: {value}" for name, value in facts.items()), file=sys.stderr)
        started = start_up(place, max(3, chosen.runs))
        rounds = [
            measure(place, wanted, chosen.connections, Effort(chosen.seconds, chosen.warmup, f"N{number}"))
            for number in range(chosen.runs)
        ]
    publish(rounds, started, facts, readme=chosen.readme)
    return 0


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--runs", type=int, default=3, help="rounds; medians need three")
    options.add_argument("--seconds", type=float, default=4.0, help="length of each measured window")
    options.add_argument("--warmup", type=float, default=1.0)
    options.add_argument(
        "--connections", type=lambda text: [int(part) for part in text.split(",")], default=[1, 10, 50]
    )
    options.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    options.add_argument("--quick", action="store_true", help="one short round: a look, not a measurement")
    options.add_argument("--readme", action="store_true", help="print markdown for the README as well")
    return options


def machine(place: Path, seconds: float, runs: int) -> dict[str, str]:
    return {
        "cores": str(os.cpu_count()),
        "disk": f"{filesystem(place)} at {place.parent}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "rounds": f"{runs} of {seconds:g} s",
        "on": time.strftime("%Y-%m-%d"),
    }


def start_up(place: Path, times: int) -> dict[str, float] | None:
    """Median seconds from the start of a process to its first AA: ours, the floor's, their ratio; None if it fails."""
    pairs = []
    try:
        _in_folder(place, startup.start_hilum)  # untimed: it leaves the bytecode that an installed program has
        for _ in range(times):
            pairs.append((_in_folder(place, startup.start_hilum), _in_folder(place, startup.start_floor)))
    except BenchError as failure:
        print(f"start-up: not measured: {failure}", file=sys.stderr)
        return None
    ours, base = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    print(f"start to first AA: {ours:.2f} s, floor {base:.2f} s, {ratio:.1f} x", file=sys.stderr)
    return {"hilum": ours, "floor": base, "ratio": ratio}


def measure(place: Path, wanted: list[str], counts: list[int], effort: Effort) -> list[Result]:
    """One round. A scenario that fails says so and is left out; the others go on."""
    results = []
    for count in counts:
        for name in wanted:
            if name == "saturated" and count != max(counts):
                continue
            started = Effort(effort.seconds, effort.warmup, f"{effort.tag}C{count}")
            try:
                result = _in_folder(place, functools.partial(SCENARIOS[name], connections=count, effort=started))
            except BenchError as failure:
                print(f"{name} at {count}: not measured: {failure}", file=sys.stderr)
                continue
            notes = " ".join(f"{key}={value}" for key, value in result.notes.items())
            print(
                f"{effort.tag} {name:12} {count:3} {result.rate:9,.0f}/s p99 {result.p99:7.2f} ms {notes}",
                file=sys.stderr,
            )
            results.append(result)
    return results


def _in_folder(place: Path, run: Callable[[Path], T]) -> T:
    """Run in a new folder of the workplace and remove it, so that no run pays for another's disk."""
    folder = place / f"run-{time.monotonic_ns()}"
    folder.mkdir()
    try:
        return run(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(
    rounds: list[list[Result]], started: dict[str, float] | None, facts: dict[str, str], *, readme: bool
) -> None:
    table = report.rows(rounds)
    found = report.targets(table, started["hilum"] if started else None)
    print(report.plain(table))
    if started:
        ours, base, ratio = started["hilum"], started["floor"], started["ratio"]
        print(f"\nstart to first AA: {ours:.2f} s, floor {base:.2f} s, {ratio:.1f} x floor")
    print()
    for target in found:
        print(f"{report.verdict(target):12}  {target.text}: {target.value}")
    RESULTS.parent.mkdir(exist_ok=True)
    whole = report.as_json(rounds, table, found, facts) | {"start": started}
    RESULTS.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"\nwritten: {RESULTS.relative_to(ROOT)}")
    if readme:
        print("\n" + report.markdown(table, found, facts))


if __name__ == "__main__":
    raise SystemExit(main())
