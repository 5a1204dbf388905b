"""Results to ratios, medians, a table and JSON. Pure: no process, no clock."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.scenarios import Result

TITLES = {
    "floor": "(a) floor",
    "accept": "(b) accept",
    "saturated": "(b) while saturated",
    "passthrough": "(c) passthrough",
    "flow": "(d) flow",
}
COLUMNS = (
    "what", "conns", "msgs/s", "of floor", "p50 ms", "p95 ms", "p99 ms", "CPU us/msg", "x floor", "RSS MB", "x floor",
    "faults",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the rounds of one scenario at one connection count. Ratios are medians of each round's own ratio."""

    scenario: str
    connections: int
    rounds: int
    rate: float
    p50: float
    p95: float
    p99: float
    cpu_us: float
    rss: float
    rate_ratio: float
    cpu_ratio: float
    rss_ratio: float
    p99_ratio: float
    errors: int
    ordered: bool | None
    notes: Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Target:
    """text: what was promised. met: None when it was not measured."""

    text: str
    value: str
    met: bool | None


def rows(rounds: Sequence[Sequence[Result]]) -> list[Row]:
    """One Row per scenario and connection count, in the order they first appear. Each round holds its own floor."""
    order = dict.fromkeys((one.scenario, one.connections) for results in rounds for one in results)
    return [row for place in order if (row := _row(place, rounds)) is not None]


def _row(place: tuple[str, int], rounds: Sequence[Sequence[Result]]) -> Row | None:
    pairs = []
    for results in rounds:
        by_place = {(one.scenario, one.connections): one for one in results}
        mine, base = by_place.get(place), by_place.get(("floor", place[1]))
        if mine and base:
            pairs.append((mine, base))
    if not pairs:
        return None

    def mid(name: str) -> float:
        return float(statistics.median(getattr(mine, name) for mine, _ in pairs))

    def ratio(name: str) -> float:
        return statistics.median(
            getattr(mine, name) / getattr(base, name) if getattr(base, name) else 0.0 for mine, base in pairs
        )

    judged = [mine.ordered for mine, _ in pairs if mine.ordered is not None]
    return Row(
        *place, len(pairs), mid("rate"), mid("p50"), mid("p95"), mid("p99"), mid("cpu_us"), mid("rss"),
        ratio("rate"), ratio("cpu_us"), ratio("rss"), ratio("p99"),
        sum(mine.errors for mine, _ in pairs), all(judged) if judged else None, pairs[-1][0].notes,
    )  # fmt: skip


def targets(table: Sequence[Row], started: float | None) -> list[Target]:
    """The promises, at the greatest connection count measured, with what was found."""
    most = max((row.connections for row in table), default=0)
    at = {row.scenario: row for row in table if row.connections == most}
    accept, passed = at.get("accept"), at.get("passthrough")
    heaviest = max((row.rss for row in table if row.scenario != "floor"), default=None)
    judged = [row.ordered for row in table if row.ordered is not None]
    return [
        _atleast(f"(b) accept at {most}: at least 0.5 of the floor", accept.rate_ratio if accept else None, 0.5),
        _atleast(f"(c) passthrough at {most}: at least 0.2 of the floor", passed.rate_ratio if passed else None, 0.2),
        _atmost(f"p99 of the answer in (b) at {most}: at most 25 ms", accept.p99 if accept else None, 25, " ms"),
        _atmost("resident memory: at most 150 MB", heaviest, 150, " MB"),
        _atmost("start to first AA: at most 1.5 s", started, 1.5, " s"),
        Target("ordered at every connection count", str(all(judged)), all(judged))
        if judged
        else Target("ordered at every connection count", "-", None),
    ]  # fmt: skip


def _atleast(text: str, value: float | None, bound: float) -> Target:
    return Target(text, "-" if value is None else f"{value:.2f}", None if value is None else value >= bound)


def _atmost(text: str, value: float | None, bound: float, unit: str) -> Target:
    return Target(text, "-" if value is None else f"{value:.2f}{unit}", None if value is None else value <= bound)


# --- printing --------------------------------------------------------------------------------------------------------
def cells(row: Row) -> tuple[str, ...]:
    faults = [f"{row.errors} errors"] if row.errors else []
    if row.ordered is not None:
        faults.append("ordered" if row.ordered else "OUT OF ORDER")
    return (
        TITLES[row.scenario], str(row.connections), f"{row.rate:,.0f}", f"{row.rate_ratio:.2f}", f"{row.p50:.2f}",
        f"{row.p95:.2f}", f"{row.p99:.2f}", f"{row.cpu_us:.0f}", f"{row.cpu_ratio:.1f}", f"{row.rss:.0f}",
        f"{row.rss_ratio:.1f}", ", ".join(faults) or "none",
    )  # fmt: skip


def plain(table: Sequence[Row]) -> str:
    """The table for a terminal: words to the left, numbers to the right."""
    lines = [COLUMNS, *(cells(row) for row in table)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at in {0, len(COLUMNS) - 1} else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(table: Sequence[Row], found: Sequence[Target], facts: Mapping[str, Any]) -> str:
    """The table and the promises as the README shows them."""
    rule = ["---" if at == 0 else "---:" for at in range(len(COLUMNS))]
    grid = "\n".join("| " + " | ".join(line) + " |" for line in (COLUMNS, tuple(rule), *(cells(row) for row in table)))
    told = "\n".join(f"- {target.text}: **{target.value}** ({verdict(target)})" for target in found)
    where = ", ".join(f"{name} {value}" for name, value in facts.items())
    return f"{grid}\n\n{told}\n\nMeasured on: {where}."


def verdict(target: Target) -> str:
    return {True: "met", False: "missed", None: "not measured"}[target.met]


def as_json(
    rounds: Sequence[Sequence[Result]], table: Sequence[Row], found: Sequence[Target], facts: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "facts": dict(facts),
        "rows": [asdict(row) for row in table],
        "targets": [asdict(target) for target in found],
        "rounds": [[asdict(result) for result in results] for results in rounds],
    }
