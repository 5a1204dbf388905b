"""What an X12 segment costs: parsed and judged, mapped, and written again; beside pyx12. `python -m bench.x12`

An order of 1,000 lines and a ship notice of 2,000 levels, everything in one process, the fastest of several turns. Then
a file of many sets in portions, as the daemon takes it, and what memory that takes. No sockets, no store.
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import io
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from bench.processes import ROOT, BenchError
from channels.formats.x12 import FORMAT, grammar
from channels.formats.x12.maps import map_files
from engine import wiring
from engine.mapping import Context, Mapping
from engine.planner import Planner
from engine.plugin import Envelope, Profile

LINES, LEVELS, SETS = 1_000, 2_000, 10_000
TIMES = 20.0  # as fast as pyx12 at what both do, at least
PARTNER = "acme_surgical"
RELEASE = "004010"
ANYONE = Profile(usage="")
GROUPS = {"850": "PO", "856": "SH"}
_AT = dt.datetime(2026, 11, 21, 9, 0)


# --- what is measured ------------------------------------------------------------------------------------------------
def order(number: str, lines: int) -> list[str]:
    """An 850 between ST and SE."""
    body = [f"BEG*00*SA*{number}**20261121", "CUR*BY*USD", "REF*IA*ACME", "N1*ST*Harbor Hospital*92*HARBOR"]
    for line in range(1, lines + 1):
        body += [
            f"PO1*{line}*{line % 40 + 1}*BX*12.5**IN*NH-10003*VN*ASX-2201-L",
            "PID*F****Invented exam glove, large",
        ]
    return [*body, f"CTT*{lines}"]


def notice(number: str, order: str, levels: int) -> list[str]:
    """An 856 between ST and SE: a shipment, an order, and packs with two items each."""
    body = [f"BSN*00*{number}*20261121*0900", "HL*1**S", "HL*2*1*O", f"PRF*{order}"]
    packs = (levels - 2) // 3
    for pack in range(packs):
        first = 3 + 3 * pack
        body += [f"HL*{first}*2*P", f"MAN*GM*{_sscc(pack)}"]
        for item in (first + 1, first + 2):
            line = item - 2
            body += [f"HL*{item}*{first}*I", f"LIN*{line}*IN*NH-10003*VN*ASX-2201-L", f"SN1*{line}*{line % 40 + 1}*BX"]
    return [*body, f"CTT*{2 + 3 * packs}"]


def _sscc(number: int) -> str:
    digits = f"0099999{number:010d}"
    weighed = sum(int(digit) * (3 if at % 2 == 0 else 1) for at, digit in enumerate(digits))
    return digits + str(-weighed % 10)


def interchange(kind: str, sets: Sequence[Sequence[str]]) -> bytes:
    blank, parties = " " * 10, f"01*{'081234567':15}*ZZ*{'NORTHHEALTH':15}"
    segments = [
        f"ISA*00*{blank}*00*{blank}*{parties}*261121*0900*U*00401*000000501*0*P*>",
        f"GS*{GROUPS[kind]}*081234567*NORTHHEALTH*20261121*0900*501*X*{RELEASE}",
    ]
    for number, body in enumerate(sets, 1):
        segments += [f"ST*{kind}*{number:06d}", *body, f"SE*{len(body) + 2}*{number:06d}"]
    return "".join(f"{segment}~" for segment in [*segments, f"GE*{len(sets)}*501", "IEA*1*000000501"]).encode()


@dataclass(frozen=True, slots=True)
class Costs:
    """us a segment."""

    kind: str
    segments: int
    opened: float
    read: float
    written: float
    pyx12: float

    @property
    def times(self) -> float:
        """How many times as fast as pyx12 we do what it does: parse and judge."""
        return self.pyx12 / self.opened

    @property
    def times_all(self) -> float:
        """The same for all that we do: that, mapping, and the whole way back."""
        return self.pyx12 / (self.opened + self.read + self.written)


def costs(kind: str, raw: bytes, mapping: Mapping, context: Context, turns: int) -> Costs:
    segments = raw.count(b"~")
    [part] = FORMAT.open(raw, ANYONE).parts
    if part.refusals:
        raise BenchError(f"the {kind} is refused: {part.refusals[0]}")
    result = mapping.read(part.node, context)
    if result.problems:
        raise BenchError(f"the {kind} cannot be mapped: {result.problems[0]}")
    [document] = result.documents
    ways: list[Callable[[], Any]] = [
        lambda: FORMAT.open(raw, ANYONE),
        lambda: mapping.read(part.node, context),
        lambda: FORMAT.envelop([mapping.write(document, context).node], _envelope(kind)),
    ]
    ours = [_fastest(way, turns) for way in ways]
    theirs = _fastest(functools.partial(validate, raw.decode()), 2)
    return Costs(kind, segments, *(seconds / segments * 1e6 for seconds in [*ours, theirs]))


def _envelope(kind: str) -> Envelope:
    ours, theirs = {"isa": "ZZ:NORTHHEALTH", "gs": "NORTHHEALTH"}, {"isa": "01:081234567", "gs": "081234567"}
    return Envelope(kind, "bench", _AT, "P", ours, theirs)


def _fastest(run: Callable[[], Any], turns: int) -> float:
    taken = []
    for _ in range(turns):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return min(taken)


# --- pyx12 -----------------------------------------------------------------------------------------------------------
def validate(text: str) -> None:
    """pyx12's whole validation, with maps made of our own tables; they are read once, which favours it."""
    import pyx12.map_if
    from pyx12.x12n_document import x12n_document

    if not x12n_document(_settings(), io.StringIO(text), None, None, map_path=_maps()):
        raise BenchError("pyx12 refuses what is measured")
    assert pyx12.map_if is not None


@functools.cache
def _settings() -> Any:
    import pyx12.map_if
    import pyx12.params

    logging.getLogger("pyx12").setLevel(logging.CRITICAL)
    pyx12.map_if.load_map_file = functools.cache(pyx12.map_if.load_map_file)
    settings = pyx12.params.ParamsBase()
    settings.set("charset", "E")
    return settings


@functools.cache
def _maps() -> str:
    spoken = grammar.release(RELEASE)
    assert spoken is not None
    folder = Path(tempfile.mkdtemp(prefix="maps-"))
    for name, content in map_files(spoken).items():
        (folder / name).write_text(content)
    return str(folder)


# --- memory ----------------------------------------------------------------------------------------------------------
def in_portions(raw: bytes) -> tuple[int, float]:
    """Sets found, and the most memory (MB) that was taken beside what there was before."""
    process = psutil.Process()
    before = most = process.memory_info().rss
    found, at, state, wide = 0, 0, "", 0
    while True:
        wide = max(wide, FORMAT.window(state))
        seen = raw[at : at + wide]
        portion = FORMAT.open_portion(seen, at, state, ANYONE, last=at + len(seen) >= len(raw))
        if portion is None:
            wide *= 2
            continue
        found += len(portion.opened.parts)
        most = max(most, process.memory_info().rss)
        if portion.done:
            return found, (most - before) / 1e6
        at, state, wide = portion.at, portion.state, 0


def _memory(sets: int) -> tuple[int, float, float]:
    """In a process of its own: sets, MB of the file, MB taken beside it."""
    code = (
        "import sys; from bench import x12; n = int(sys.argv[1]);"
        "raw = x12.interchange('850', [x12.order(f'PO{k:07d}', 20) for k in range(n)]);"
        "found, taken = x12.in_portions(raw); print(found, len(raw) / 1e6, taken)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(sets)], cwd=ROOT, capture_output=True, text=True, check=True)
    found, size, taken = done.stdout.split()
    if int(found) != sets:
        raise BenchError(f"{found} of {sets} sets were found")
    return sets, float(size), float(taken)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m bench.x12", description=__doc__)
    options.add_argument("--turns", type=int, default=7, help="of which the fastest counts")
    turns = options.parse_args().turns
    planner = Planner(wiring.load({"HILUM_SITE": str(ROOT)}), wiring.registry().format, lambda: "bench")
    _, context = planner.moment(PARTNER, int(_AT.timestamp()))
    subjects = {"850": order("PO-1", LINES), "856": notice("SH-1", "PO-1", LEVELS)}
    print(f"{'':4} {'segments':>9} {'parse, check':>13} {'map':>6} {'write':>6} {'pyx12':>7}   us a segment")
    met = True
    for kind, body in subjects.items():
        one = costs(kind, interchange(kind, [body]), planner.site.mappings[f"x12_{kind}"], context, turns)
        met = met and one.times >= TIMES
        print(
            f"{kind:4} {one.segments:9,} {one.opened:13.1f} {one.read:6.1f} {one.written:6.1f} {one.pyx12:7.1f}"
            f"   {one.times:.0f} times as fast (promised: {TIMES:.0f}); with map and write {one.times_all:.0f} times"
        )
    for sets, size, taken in map(_memory, (SETS // 10, SETS)):
        print(f"{sets:,} sets, {size:.1f} MB: {taken:.1f} MB of memory beside the file")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
