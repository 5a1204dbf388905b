"""The simulated supplier over a real folder: what it answers, refuses, counts and remembers."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from channels.simulate import interchange
from channels.simulate.background import Background
from channels.simulate.interchange import Identity, Interchange, Malformed, Segment, Separators
from channels.simulate.orderdesk import Habits
from channels.simulate.supplier import Supplier

NORTH, ACME = Identity.parse("ZZ:NORTHHEALTH/NORTHHEALTH"), Identity.parse("01:081234567")
NOON = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
CORVUS_STYLE = Separators("\x1d", "\x1f", "\n")


def order(number: str, *lines: tuple[str, str, str], purpose: str = "00") -> list[Segment]:
    """An 850 of (vendor part, quantity, unit) lines."""
    body: list[Segment] = [["850"], ["BEG", purpose, "SA", number, "", "20261123"], ["CUR", "BY", "USD"]]
    for position, (part, quantity, unit) in enumerate(lines, 1):
        body.append(["PO1", str(position), quantity, unit, "4.50", "", "VN", part, "IN", f"NH-1000{position}"])
    return [*body, ["CTT", str(len(lines))]]


def interchange_of(
    control: int, *sets: list[Segment], separators: Separators = CORVUS_STYLE, code: str = "PO"
) -> bytes:
    return interchange.write(separators, NORTH, ACME, NOON, control, code, sets)


class Scene:
    """A supplier at work on a folder; `put` is what Hilum does, `answers` what it would find."""

    def __init__(self, exchange: Path) -> None:
        self.exchange = exchange

    def put(self, name: str, raw: bytes) -> None:
        (self.exchange / "out" / name).write_bytes(raw)

    def answers(self) -> list[Interchange]:
        return [
            interchange.read(path.read_bytes()) for path in sorted((self.exchange / "in").glob("*.edi"), key=_number)
        ]

    def sets(self, code: str) -> list[list[Segment]]:
        found = (one for answer in self.answers() for group in answer.groups for one in group.sets)
        return [list(one.segments) for one in found if one.code == code]


def _number(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def run(supplier: Supplier, done: Callable[[], bool]) -> None:
    async def scene() -> None:
        await supplier.start()
        try:
            async with asyncio.timeout(60):
                while not done():  # noqa: ASYNC110 (a folder is polled)
                    await asyncio.sleep(0.005)
        finally:
            await supplier.stop()

    asyncio.run(scene())


def make(exchange: Path, *, habits: Habits | None = None, silent: bool = False, record: Path | None = None) -> Supplier:
    return Supplier(exchange, ACME, NORTH, habits=habits, silent=silent, delay=0, poll=0.005, record=record)


def only(rows: list[Segment], *names: str) -> list[Segment]:
    return [row for row in rows if row[0] in names]


@pytest.mark.parametrize("separators", [Separators(), Separators("|", "^", "~", "\n"), CORVUS_STYLE])
def test_what_it_writes_it_reads_back_whatever_the_separators(separators: Separators) -> None:
    raw = interchange_of(
        7, order("4501", ("A-1", "10", "BX")), order("4502", ("A-2", "1", "EA")), separators=separators
    )
    read = interchange.read(raw)
    assert (read.sender, read.receiver, read.control, read.usage) == (NORTH.isa, ACME.isa, "000000007", "P")
    assert [(one.code, one.control, one.fault) for one in read.groups[0].sets] == [
        ("850", "0001", ""),
        ("850", "0002", ""),
    ]
    assert read.groups[0].sets[0].segments[1][3] == "4501"
    assert len(raw.split(separators.segment.encode())[0]) == 105


def test_a_value_cannot_become_structure() -> None:
    raw = interchange_of(7, order("45*01~SE", ("A>1", "10", "BX")), separators=Separators())
    assert interchange.read(raw).groups[0].sets[0].segments[1][3] == "45 01 SE"


@pytest.mark.parametrize("raw", [b"", b"ISA*", b"MSH|^~\\&|" + b"x" * 200, interchange_of(7, order("4501"))[:-12]])
def test_what_is_no_interchange_is_kept_apart(raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        interchange.read(raw)
    supplier, scene = make(tmp_path), Scene(tmp_path)
    scene.put("850-1.edi", raw)
    run(supplier, lambda: bool(supplier.records.where(did="malformed")))
    assert not scene.answers()


def test_an_order_is_acknowledged_twice_over(tmp_path: Path) -> None:
    supplier, scene = make(tmp_path), Scene(tmp_path)
    scene.put("850-000000088.edi", interchange_of(88, order("4501000001", ("A-1", "10", "BX"), ("A-2", "3", "EA"))))
    run(supplier, lambda: len(scene.sets("855")) == 1)
    assert [(answer.sender, answer.receiver) for answer in scene.answers()] == [(ACME.isa, NORTH.isa)] * 2
    receipt = scene.sets("997")[0][1:-1]
    assert receipt == [["AK1", "PO", "88"], ["AK2", "850", "0001"], ["AK5", "A"], ["AK9", "A", "1", "1", "1"]]
    told = scene.sets("855")[0]
    assert told[1][:5] == ["BAK", "00", "AD", "4501000001", "20261123"]
    assert [ack[:4] for ack in only(told, "ACK")] == [["ACK", "IA", "10", "BX"], ["ACK", "IA", "3", "EA"]]
    assert (tmp_path / "out" / ".taken" / "850-000000088.edi").is_file()
    assert supplier.records.where(did="received")[0]["lines"][0] == {"part": "A-1", "unit": "BX", "quantity": "10"}


def test_an_unknown_unit_is_rejected_and_the_corrected_order_accepted(tmp_path: Path) -> None:
    supplier, scene = make(tmp_path, habits=Habits(units=frozenset({"EA", "CT"}))), Scene(tmp_path)
    scene.put("1.edi", interchange_of(88, order("4501000001", ("A-1", "10", "EA"), ("A-2", "3", "CA"))))
    run(supplier, lambda: len(scene.sets("997")) == 1)
    assert only(scene.sets("997")[0], "AK3", "AK4", "AK5", "AK9") == [
        ["AK3", "PO1", "5", "", "8"],
        ["AK4", "3", "355", "7", "CA"],
        ["AK5", "R", "5"],
        ["AK9", "R", "1", "1", "0"],
    ]
    scene.put("2.edi", interchange_of(89, order("4501000001", ("A-1", "10", "EA"), ("A-2", "3", "CT"))))
    run(supplier, lambda: len(scene.sets("855")) == 1)
    assert [row["verdict"] for row in supplier.records.where(did="received")] == ["R", "A"]
    assert not supplier.records.where(doubled=True)


def test_a_tolerant_supplier_accepts_with_errors(tmp_path: Path) -> None:
    supplier = make(tmp_path, habits=Habits(units=frozenset({"EA"}), tolerant=True))
    scene = Scene(tmp_path)
    scene.put("1.edi", interchange_of(88, order("4501000001", ("A-2", "3", "CA"))))
    run(supplier, lambda: len(scene.sets("855")) == 1)
    assert only(scene.sets("997")[0], "AK5", "AK9") == [["AK5", "E", "5"], ["AK9", "E", "1", "1", "1"]]


def test_one_bad_set_does_not_stop_the_others(tmp_path: Path) -> None:
    supplier, scene = make(tmp_path, habits=Habits(units=frozenset({"EA"}))), Scene(tmp_path)
    scene.put("1.edi", interchange_of(88, order("1", ("A", "1", "EA")), order("2", ("A", "1", "XX"))))
    run(supplier, lambda: len(scene.sets("855")) == 1)
    assert only(scene.sets("997")[0], "AK9") == [["AK9", "P", "2", "2", "1"]]


def test_wrong_counts_are_named(tmp_path: Path) -> None:
    supplier, scene = make(tmp_path), Scene(tmp_path)
    raw = interchange_of(88, order("1", ("A", "1", "EA")), separators=Separators()).replace(b"SE*6*", b"SE*9*")
    scene.put("1.edi", raw)
    run(supplier, lambda: len(scene.sets("997")) == 1)
    assert only(scene.sets("997")[0], "AK5") == [["AK5", "R", "4"]]


def test_each_kind_of_answer_adds_up_to_what_was_ordered(tmp_path: Path) -> None:
    habits = Habits(
        items=frozenset({"A", "B", "C", "D", "E"}),
        backorder=frozenset({"B", "E"}),
        reprice=frozenset({"C"}),
        postpone=frozenset({"D"}),
    )
    supplier, scene = make(tmp_path, habits=habits), Scene(tmp_path)
    parts = ("A", "B", "C", "D", "E", "X")
    quantities = {"A": "10", "B": "7", "C": "4", "D": "2.5", "E": "1", "X": "6"}
    scene.put("1.edi", interchange_of(88, order("1", *((part, quantities[part], "EA") for part in parts))))
    run(supplier, lambda: len(scene.sets("855")) == 1)
    told: dict[str, list[Segment]] = {}
    prices: dict[str, str] = {}
    part = ""
    for row in scene.sets("855")[0]:
        if row[0] == "PO1":
            part = row[7]
            prices[part] = row[4]
        elif row[0] == "ACK":
            told.setdefault(part, []).append(row)
    codes = {part: [row[1] for row in rows] for part, rows in told.items()}
    assert codes == {"A": ["IA"], "B": ["IA", "IB"], "C": ["IP"], "D": ["DR"], "E": ["IB"], "X": ["IR"]}
    for part, rows in told.items():
        assert sum(Decimal(row[2]) for row in rows) == Decimal(quantities[part])
    assert prices["A"] == "4.50"
    assert prices["C"] == "4.73"
    assert scene.sets("855")[0][1][2] == "AC"


def test_every_nth_line_is_backordered(tmp_path: Path) -> None:
    supplier, scene = make(tmp_path, habits=Habits(backorder_every=2)), Scene(tmp_path)
    scene.put("1.edi", interchange_of(88, order("1", *((part, "4", "EA") for part in "ABCD"))))
    run(supplier, lambda: len(scene.sets("855")) == 1)
    assert [row[1] for row in only(scene.sets("855")[0], "ACK")] == ["IA", "IA", "IB", "IA", "IA", "IB"]


def test_an_interchange_seen_before_is_counted_and_not_answered(tmp_path: Path) -> None:
    exchange, record = tmp_path / "exchange", tmp_path / "record.jsonl"
    raw = interchange_of(88, order("1", ("A", "1", "EA")))
    supplier, scene = make(exchange, record=record), Scene(exchange)
    scene.put("1.edi", raw)
    run(supplier, lambda: len(scene.sets("855")) == 1)
    restarted = make(exchange, record=record)
    scene.put("2.edi", raw)
    scene.put("3.edi", interchange_of(89, order("2", ("A", "1", "EA"))))
    run(restarted, lambda: len(scene.sets("855")) == 2)
    assert len(restarted.records.where(did="duplicate")) == 1
    assert [answer.control for answer in scene.answers()] == [f"{number:09d}" for number in (1, 2, 3, 4)]


def test_the_same_order_under_a_new_number_is_doubled(tmp_path: Path) -> None:
    """The count tests rely on must be able to rise."""
    supplier, scene = make(tmp_path), Scene(tmp_path)
    scene.put("1.edi", interchange_of(88, order("1", ("A", "1", "EA"))))
    scene.put("2.edi", interchange_of(89, order("1", ("A", "1", "EA"))))
    scene.put("3.edi", interchange_of(90, order("1", ("A", "2", "EA"), purpose="04")))
    run(supplier, lambda: len(scene.sets("855")) == 2 and len(scene.sets("997")) == 3)
    assert [row["doubled"] for row in supplier.records.where(did="received")] == [False, True, False]


def test_a_silent_supplier_reads_and_says_nothing(tmp_path: Path) -> None:
    supplier, scene = make(tmp_path, silent=True), Scene(tmp_path)
    scene.put("1.edi", interchange_of(88, order("1", ("A", "1", "EA"))))
    run(supplier, lambda: bool(supplier.records.where(did="received")) and not (tmp_path / "out" / "1.edi").exists())
    assert not scene.answers()


def test_it_hears_what_we_say_of_its_answers(tmp_path: Path) -> None:
    supplier, scene = make(tmp_path), Scene(tmp_path)
    inner: list[Segment] = [["AK2", "855", "0001"], ["AK5", "A"]]
    with_sets = [["997"], ["AK1", "PR", "2"], *inner, ["AK9", "A", "1", "1", "1"]]
    group_only: list[Segment] = [["997"], ["AK1", "PR", "4"], ["AK9", "R", "1", "1", "0"]]
    scene.put("1.edi", interchange_of(88, with_sets, group_only, code="FA"))
    run(supplier, lambda: len(supplier.records.where(did="heard")) == 2)
    assert [(row["group"], row["set"], row["code"]) for row in supplier.records] == [("2", "0001", "A"), ("4", "", "R")]
    assert not scene.answers()


def test_mail_for_someone_else_is_left_alone(tmp_path: Path) -> None:
    stranger = Supplier(tmp_path, Identity.parse("ZZ:OTHER"), NORTH, poll=0.005)
    scene = Scene(tmp_path)
    scene.put("1.edi", interchange_of(88, order("1", ("A", "1", "EA"))))
    scene.put(".2.edi.tmp", b"half")
    run(stranger, lambda: bool(stranger.records.where(did="not_ours")))
    assert not scene.answers()
    assert (tmp_path / "out" / ".2.edi.tmp").exists()


def test_a_failure_beside_the_work_is_not_swallowed() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def scene() -> None:
        background = Background()
        background.start(fail())
        await background.broken()
        await background.stop()

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(scene())
