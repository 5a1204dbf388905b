"""A supplier behind an exchange folder: reads 850s and 997s from `out/`, writes its 997s and 855s into `in/`.

What it has read is moved to `out/.taken/`. It never reads the same interchange number twice: a repeat is counted and
not answered. Its record file tells what it received and sent, and lets it go on after a restart.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import sys
from pathlib import Path

from channels.simulate import interchange
from channels.simulate.background import Background, first_of
from channels.simulate.interchange import Group, Identity, Interchange, Malformed, Segment, Separators
from channels.simulate.orderdesk import Count, Habits, Judged, Order, acknowledgement, answer, judge
from channels.simulate.records import Records, Row


class Supplier:
    """silent: reads and records, never answers. late: seconds before the 997; delay: seconds from there to the 855.

    `records` rows have `did`: received (one per set), duplicate, not_ours, malformed, sent, heard (a 997 about an 855).
    A received row's verdict is the 997's: A, E or R; `doubled` marks an order that had been accepted before.
    """

    def __init__(
        self, exchange: Path, ours: Identity, theirs: Identity, *, separators: Separators | None = None,
        habits: Habits | None = None, silent: bool = False, late: float = 0, delay: float = 0.1, poll: float = 0.05,
        record: Path | None = None,
    ) -> None:  # fmt: skip
        self._out, self._in = exchange / "out", exchange / "in"
        self._ours, self._theirs = ours, theirs
        self._separators = separators or Separators()
        self._habits = habits or Habits()
        self._silent, self._late, self._delay, self._poll = silent, late, delay, poll
        self._background = Background()
        self._count = Count()
        self.records = Records(record)
        self._control = len(self.records.where(did="sent"))
        for folder in (self._out, self._in):
            folder.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        self._background.start(self._watch())

    async def stop(self) -> None:
        await self._background.stop()

    async def broken(self) -> None:
        await self._background.broken()

    async def _watch(self) -> None:
        while True:
            for path in self._arrived():
                self._take(path)
            await asyncio.sleep(self._poll)

    def _arrived(self) -> list[Path]:
        names = sorted(name for name in os.listdir(self._out) if not name.startswith(".") and not name.endswith(".tmp"))
        return [self._out / name for name in names if (self._out / name).is_file()]

    # --- receiving -------------------------------------------------------------------------------------------------
    def _take(self, path: Path) -> None:
        try:
            self._receive(path.name, interchange.read(path.read_bytes()))
        except Malformed as fault:
            self.records.add(did="malformed", file=path.name, text=str(fault))
        taken = self._out / ".taken"
        taken.mkdir(exist_ok=True)
        path.replace(taken / path.name)

    def _receive(self, name: str, received: Interchange) -> None:
        if received.receiver != self._ours.isa or received.sender != self._theirs.isa:
            self.records.add(did="not_ours", file=name, interchange=received.control)
            return
        if self.records.where(lambda row: row["did"] in {"received", "heard"}, interchange=received.control):
            self.records.add(did="duplicate", file=name, interchange=received.control)
            return
        for group in received.groups:
            if group.code == "FA":
                self._hear(received, group)
            else:
                self._judge(received, group)

    def _judge(self, received: Interchange, group: Group) -> None:
        judged = [judge(transaction, self._habits) for transaction in group.sets]
        orders = []
        for one in judged:
            row = self._note(received, group, one)
            if one.order and one.verdict != "R" and not row["doubled"]:
                orders.append(one.order)
        if not self._silent:
            self._background.start(self._respond(acknowledgement(group, judged), orders))

    def _note(self, received: Interchange, group: Group, judged: Judged) -> Row:
        order = judged.order
        accepted = (
            self.records.where(lambda row: row["verdict"] != "R", did="received", order=order.number) if order else []
        )
        lines = order.lines if order else ()
        return self.records.add(
            did="received", interchange=received.control, group=group.control, set=judged.set.control,
            usage=received.usage, order=order.number if order else "", purpose=order.purpose if order else "",
            lines=[{"part": line.part, "unit": line.unit, "quantity": f"{line.quantity:f}"} for line in lines],
            verdict=judged.verdict, doubled=bool(accepted) and order is not None and order.purpose == "00",
        )  # fmt: skip

    def _hear(self, received: Interchange, group: Group) -> None:
        """A 997 about what we sent: per set where it says so, else for the whole group."""
        for transaction in group.sets:
            about, inner = "", ""
            for segment in transaction.segments:
                if segment[0] == "AK1":
                    about = segment[2]
                elif segment[0] == "AK2":
                    inner = segment[2]
                elif segment[0] == "AK5" or (segment[0] == "AK9" and not inner):
                    self.records.add(did="heard", interchange=received.control, group=about, set=inner, code=segment[1])

    # --- answering -------------------------------------------------------------------------------------------------
    async def _respond(self, receipt: list[Segment], orders: list[Order]) -> None:
        await asyncio.sleep(self._late)
        self._send("FA", receipt)
        for order in orders:
            await asyncio.sleep(self._delay)
            vendor_order = f"SO-{len(self.records.where(did='sent', type='855')) + 1:06d}"
            self._send("PR", answer(order, vendor_order, _now().date(), self._habits, self._count), order.number)

    def _send(self, code: str, body: list[Segment], order: str = "") -> None:
        self._control += 1
        kind = body[0][0]
        raw = interchange.write(self._separators, self._ours, self._theirs, _now(), self._control, code, [body])
        _write_whole(self._in, f"{kind}-{self._control:09d}.edi", raw)
        self.records.add(
            did="sent", type=kind, interchange=f"{self._control:09d}", group=str(self._control), order=order
        )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _write_whole(folder: Path, name: str, raw: bytes) -> None:
    """A reader sees the whole file or none: temporary name, sync, rename, sync of the folder."""
    temporary = folder / f".{name}.tmp"
    with temporary.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / name)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--exchange", type=Path, required=True, help="folder with out/ (we read) and in/ (we write)")
    parser.add_argument("--ours", type=Identity.parse, required=True, help="the supplier: ISA-QUALIFIER:ID/GS-CODE")
    parser.add_argument("--theirs", type=Identity.parse, required=True, help="the buyer: ISA-QUALIFIER:ID/GS-CODE")
    parser.add_argument("--separators", default="*>~", help="element, component, segment [and what follows it]")
    parser.add_argument("--units", type=_words, default=frozenset(), help="unit codes it knows, A,B,C (default: all)")
    parser.add_argument("--items", type=_words, default=frozenset(), help="vendor parts it knows (default: all)")
    parser.add_argument("--tolerant", action="store_true", help="answer unknown units with 997 E instead of R")
    parser.add_argument(
        "--backorder", type=_words, default=frozenset(), help="vendor parts of which half is backordered"
    )
    parser.add_argument("--backorder-every", type=int, default=0, help="backorder half of every nth line")
    parser.add_argument("--reprice", type=_words, default=frozenset(), help="vendor parts whose price went up")
    parser.add_argument("--postpone", type=_words, default=frozenset(), help="vendor parts that ship two weeks later")
    parser.add_argument("--silent", action="store_true", help="read and never answer")
    parser.add_argument("--late", type=float, default=0, help="seconds before the 997")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds from the 997 to the 855")
    parser.add_argument("--poll", type=float, default=0.05, help="seconds between looks into the folder")
    parser.add_argument("--record", type=Path, help="JSON-lines file of what was received and sent")


async def run(options: argparse.Namespace, stop: asyncio.Event) -> int:
    habits = Habits(
        options.units, options.items, options.tolerant, options.backorder, options.backorder_every, options.reprice,
        options.postpone,
    )  # fmt: skip
    element, component, segment, *after = options.separators.encode().decode("unicode_escape")
    supplier = Supplier(
        options.exchange, options.ours, options.theirs, habits=habits, silent=options.silent, late=options.late,
        separators=Separators(element, component, segment, "".join(after)), delay=options.delay, poll=options.poll,
        record=options.record,
    )  # fmt: skip
    await supplier.start()
    sys.stdout.write(f"watching {options.exchange}\n")
    sys.stdout.flush()
    await first_of(stop.wait(), supplier.broken())
    await supplier.stop()
    return 0
