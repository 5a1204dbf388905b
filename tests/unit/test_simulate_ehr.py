"""The simulated hospitals: their messages, and a sender that lives through a receiver that dies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import hl7
import pytest

from channels.simulate.ehr import Ehr, read_answer
from channels.simulate.records import Records
from channels.simulate.requisitions import DIALECTS, UNLISTED_ITEM, Plan, make, messages
from channels.simulate.words import Words, load

SITE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def words() -> Words:
    return load(SITE)


def test_a_message_depends_on_seed_and_number_alone(words: Words) -> None:
    plan = Plan(words)
    in_order = list(messages(plan, 24))
    shuffled = list(range(1, 25))
    random.Random(3).shuffle(shuffled)
    assert {n: make(plan, n) for n in shuffled} == dict(enumerate(in_order, 1))
    assert [one.raw for one in messages(replace(plan, seed=2), 24)] != [one.raw for one in in_order]


def test_numbers_are_unique_and_hospitals_take_turns(words: Words) -> None:
    made = list(messages(Plan(words, seed=20261123), 400))
    assert len({one.control_id for one in made}) == len({one.number for one in made}) == 400
    assert max(len(one.control_id) for one in made) <= 20  # MSH-10 before 2.7
    assert [one.hospital for one in made[:13]] == [*range(1, 13), 1]
    assert {one.type for one in made} == {"OMS^O05", "OMN^O07", "ORM^O01"}
    assert {len(one.items) for one in made} == {1, 2, 3, 4, 5, 6}


def test_every_message_is_read_by_a_foreign_parser(words: Words) -> None:
    """python-hl7 takes the separators from MSH and unescapes each text back to the words it was made from."""
    listed = {item.partner: item.description for item in words.items}
    for one in messages(Plan(words), 48):
        dialect = DIALECTS[one.hospital - 1]
        message = hl7.parse(one.raw.decode(dialect.encoding))
        assert str(message.segment("MSH")[10]) == one.control_id
        requests = message.segments("RQD")
        assert tuple(str(request[2][0][0]) for request in requests) == one.items
        assert all(str(request[2][0][1]) == listed[str(request[2][0][0])] for request in requests)
        assert {str(order[4][0][0]) for order in message.segments("ORC")} == {one.number}


def test_texts_cannot_become_structure(words: Words) -> None:
    notes = [
        segment
        for one in messages(Plan(words), 300)
        for segment in one.raw.decode(DIALECTS[one.hospital - 1].encoding).split("\r")
        if segment.startswith("NTE")
    ]
    assert len(notes) > 20
    assert {note.count("|") for note in notes} == {3}
    assert any("\\T\\" in note for note in notes)
    assert any("\\F\\" in note for note in notes)
    assert any("\\E\\" in note for note in notes)


def test_the_stat_order_says_so_and_when(words: Words) -> None:
    one = make(Plan(words, stat_at=400), 400)
    assert one.stat
    timing = [segment.split("|") for segment in one.raw.decode().split("\r") if segment.startswith("TQ1")]
    assert {(row[7][8:14], row[9]) for row in timing} == {("130000", "S")}
    assert not make(Plan(words, stat_at=400), 399).stat


def test_an_older_system_says_it_in_orc_7(words: Words) -> None:
    raw = make(Plan(words, stat_at=11), 11).raw.decode()
    assert "TQ1" not in raw
    assert "|^^^20261123130000^^S|" in raw


def test_the_unlisted_item_is_in_no_crosswalk(words: Words) -> None:
    assert UNLISTED_ITEM in make(Plan(words, unlisted_at=3), 3).items
    assert UNLISTED_ITEM not in {item.partner for item in words.items}


def test_an_answer_is_read_with_its_own_separators() -> None:
    good = b"\x0bMSH|^~\\&|HILUM|NORTHHEALTH\rMSA|AA|X-1\r\x1c\r"
    bad = b"\x0bMSH!^~\\&!A!B\rMSA!AE!X-2\rERR!!RQD^1^5!102^Data type error!E\r\x1c\r"
    assert read_answer(good) == ("AA", "X-1", "")
    assert read_answer(bad) == ("AE", "X-2", "102^Data type error")
    assert read_answer(b"\x0bnonsense\x1c\r") == ("", "", "")


# --- the sender, over real sockets ---------------------------------------------------------------------------------
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """A receiver played by hand: keeps each frame it read, answers AA, and dies at the frames it is told to."""

    def __init__(self, *, dies_at: frozenset[int] = frozenset(), wrong_first: bool = False) -> None:
        self.frames: list[bytes] = []
        self.connections = 0
        self._dies_at = dies_at
        self._wrong_first = wrong_first

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                frame = await reader.readuntil(b"\x1c\r")
                self.frames.append(frame)
                if len(self.frames) in self._dies_at:
                    return
                control_id = frame.split(frame[4:5])[9]
                if self._wrong_first and len(self.frames) == 1:
                    writer.write(b"\x0bMSH|^~\\&|A\rMSA|AA|SOMEONE-ELSES\r\x1c\r")
                writer.write(b"\x0bMSH|^~\\&|A\rMSA|AA|" + control_id + b"\r\x1c\r")
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


async def _send(receiver: Receiver, words: Words, count: int, record: Path | None = None) -> Ehr:
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ehr = Ehr("127.0.0.1", port, messages(Plan(words), count), timeout=60, record=record)
        await ehr.start()
        await ehr.finished()
        await ehr.stop()
        return ehr


def test_each_hospital_keeps_its_connection_and_its_order(words: Words) -> None:
    receiver = Receiver()
    ehr = asyncio.run(_send(receiver, words, 36))
    assert receiver.connections == 12
    assert sorted(ehr.accepted()) == sorted(one.control_id for one in messages(Plan(words), 36))
    for hospital in range(1, 13):
        own = [row["control_id"] for row in ehr.records if row["hospital"] == hospital]
        assert own == sorted(own)


def test_the_same_bytes_are_sent_again_after_a_crash(words: Words) -> None:
    receiver = Receiver(dies_at=frozenset({3, 4, 9}))
    ehr = asyncio.run(_send(receiver, words, 24))
    assert len(ehr.accepted()) == 24
    assert ehr.resent >= 3
    assert len(receiver.frames) == 27
    assert len(set(receiver.frames)) == 24


def test_another_messages_answer_is_not_taken_for_ours(words: Words) -> None:
    ehr = asyncio.run(_send(Receiver(wrong_first=True), words, 1))
    assert ehr.strays == 1
    assert len(ehr.accepted()) == 1


def test_the_record_file_spares_what_was_answered(words: Words, tmp_path: Path) -> None:
    record = tmp_path / "sent.jsonl"
    asyncio.run(_send(Receiver(), words, 5, record))
    with record.open("a") as file:
        file.write('{"control_id": "torn')
    receiver = Receiver()
    ehr = asyncio.run(_send(receiver, words, 8, record))
    assert len(receiver.frames) == 3
    assert len(ehr.accepted()) == 8
    assert len(Records(record)) == 8
