"""Lanes and backlogs, without a store: order, priority, time, and a backlog longer than memory."""

from __future__ import annotations

from collections.abc import Iterable

from engine.message import Message
from engine.store.backlog import Backlog
from engine.store.contract import MANY
from engine.store.lanes import Item, Lanes
from engine.store.pulling import Loaded


def item(id: int, lane: str = "a", priority: int = 5, due_at: int = 0) -> Item:
    return Item(id, lane, priority, due_at, subject=id)


def taken(lanes: Lanes, limit: int, now: int = 0) -> list[int]:
    return [piece.id for _, pieces in lanes.claim(limit, now, MANY) for piece in pieces]


def of(*items: Item) -> Lanes:
    lanes = Lanes()
    for piece in items:
        lanes.add(piece)
    return lanes


def test_lanes_share_what_is_asked_for() -> None:
    lanes = of(*[item(n, lane) for n, lane in enumerate("aaaaaabbbc", 1)])
    shared = {lane: [piece.id for piece in pieces] for lane, pieces in lanes.claim(6, 0, MANY)}
    assert shared == {"a": [1, 2], "b": [7, 8], "c": [10]}


def test_older_lanes_go_first_and_urgent_ones_before_them() -> None:
    lanes = of(item(1, "a"), item(2, "b"), item(3, "c", priority=1))
    assert taken(lanes, 1) == [3]
    assert taken(lanes, 1) == [1]
    assert taken(lanes, 1) == [2]


def test_an_urgent_piece_pulls_its_lane_forward_also_when_it_comes_later() -> None:
    lanes = of(item(1, "a"), item(2, "b"))
    lanes.add(item(3, "b", priority=1))
    assert taken(lanes, 1) == [2]
    lanes.done(2)
    assert taken(lanes, 1) == [3]


def test_a_postponed_head_holds_its_lane_until_it_is_due() -> None:
    lanes = of(item(1), item(2))
    assert taken(lanes, 9) == [1, 2]
    lanes.postpone(1, 100)
    assert taken(lanes, 9) == []
    lanes.release(2)
    assert taken(lanes, 9, now=99) == []
    assert lanes.next_due() == 100
    lanes.add(item(3))
    assert taken(lanes, 9, now=99) == []
    assert taken(lanes, 9, now=100) == [1, 2, 3]
    assert lanes.next_due() is None


def test_a_run_ends_before_a_piece_that_is_not_due() -> None:
    lanes = of(item(1), item(2, due_at=50), item(3))
    assert taken(lanes, 9, now=10) == [1]


def test_pieces_may_be_done_in_any_order_and_also_unclaimed() -> None:
    lanes = of(item(1), item(2), item(3))
    assert taken(lanes, 2) == [1, 2]
    lanes.done(2)
    lanes.done(3)
    lanes.done(1)
    lanes.done(77)
    assert len(lanes) == 0
    lanes.add(item(4))
    assert taken(lanes, 1) == [4]


def test_what_waits_for_time_does_not_count_as_moving() -> None:
    lanes = of(item(1, "a"), item(2, "a"), item(3, "b"))
    lanes.claim(9, 0, MANY)
    lanes.postpone(1, 100)
    lanes.release(2)
    lanes.release(3)
    assert taken(lanes, 9) == [3]
    assert lanes.moving == 1
    lanes.add(item(4, "a"))
    lanes.done(2)
    assert taken(lanes, 9) == []
    assert (lanes.moving, len(lanes)) == (1, 3)
    assert taken(lanes, 9, now=100) == [1, 4]
    assert lanes.moving == 3


def test_a_long_backlog_is_loaded_in_order_and_nothing_twice() -> None:
    table = [item(n, "ab"[n % 2]) for n in range(1, 31)]
    backlog = Backlog(last=20, most=6)
    seen: list[int] = []
    while len(seen) < 30:
        if asked := backlog.room():
            known, last = (20 if len(seen) < 10 else 30), backlog.last
            page = [piece for piece in table if backlog.horizon < piece.id <= known][:asked]
            if len(seen) >= 4 and backlog.last == 20:
                for piece in table[20:]:
                    backlog.offer([piece])  # commits that end while the page is being read
            backlog.admit(page, asked=asked, last=last)
        for _, pieces in backlog.lanes.claim(3, 0, MANY):
            for piece in pieces:
                seen.append(piece.id)
                backlog.done([piece.id])
    assert sorted(seen) == list(range(1, 31))
    for parity in (0, 1):
        mine = [id for id in seen if id % 2 == parity]
        assert mine == sorted(mine)
    assert backlog.complete


def test_a_receiver_that_is_down_does_not_keep_the_others_work_out() -> None:
    backlog = Backlog(last=0, most=4)
    for n in range(1, 5):
        backlog.offer([item(n, "down")])
    ids = [piece.id for _, pieces in backlog.lanes.claim(9, 0, MANY) for piece in pieces]
    backlog.lanes.postpone(ids[0], 1_000)
    for id in ids[1:]:
        backlog.lanes.release(id)
    assert taken(backlog.lanes, 9) == []
    backlog.offer([item(5, "up")])
    assert taken(backlog.lanes, 9) == [5]


# --- reading ahead ----------------------------------------------------------------------------------------------------
def message(seq: int, body: bytes = b"x" * 1_000) -> Message:
    return Message(seq, "out", "erp", "erp", "json", "requisition", "", "", 0, len(body), b"", body)


def loaded(*ids: int) -> dict[int, Loaded]:
    """Each takes 2,000 bytes of a backlog's memory."""
    return {id: Loaded(message(id)) for id in ids}


def numbers(pieces: Iterable[Item]) -> list[int]:
    return [piece.id for piece in pieces]


def long_backlog() -> Backlog:
    """Nine pieces in three lanes, and memory for the messages of four."""
    backlog = Backlog(last=0, memory=4 * 2_000)
    for n in range(1, 10):
        piece = item(n, "abc"[n % 3])
        piece.message = message(n)
        backlog.offer([piece])
    return backlog


def test_messages_are_read_ahead_in_order_when_half_of_the_memory_is_free() -> None:
    backlog = long_backlog()
    assert backlog.ahead() == ([], 0)
    backlog.done([1])
    assert backlog.ahead()[0] == []
    backlog.done([2, 3])
    asked, free = backlog.ahead()
    assert (numbers(asked), free) == ([5, 6, 7], 3_000)
    backlog.keep(asked, loaded(5, 6))  # no more of them fitted
    backlog.done([4, 5])
    assert numbers(backlog.ahead()[0]) == [7, 8, 9]


def test_what_befalls_a_piece_meanwhile_counts_for_more_than_what_was_read_of_it() -> None:
    backlog = long_backlog()
    backlog.done([1, 2, 3])
    asked, _ = backlog.ahead()
    pieces = {piece.id: piece for piece in asked}
    assert sorted(taken(backlog.lanes, 6)) == [4, 5, 6, 7, 8, 9]
    backlog.postpone(5, 0)  # tried without success, and due again at once
    backlog.done([6])
    backlog.release(7, message(7, b"as it is now"), None)
    backlog.keep(asked, loaded(5, 6, 7))
    kept = {id: piece.message.body for id, piece in pieces.items() if piece.message is not None}
    assert kept == {7: b"as it is now"}


def test_a_message_that_was_altered_is_left_to_whoever_claims_it() -> None:
    backlog = long_backlog()
    backlog.done([1, 2, 3])
    asked, _ = backlog.ahead()
    backlog.keep(asked, {5: Loaded(message(5), corrupt=True), **loaded(6, 7)})
    assert asked[0].message is None
    assert asked[1].message is not None


def test_what_is_done_is_forgotten_also_while_a_receiver_that_is_down_takes_all_memory() -> None:
    backlog = Backlog(last=0, memory=4 * 2_000)
    for n in range(1, 5):
        stuck = item(n, "down")
        stuck.message = message(n)
        backlog.offer([stuck])
    for n in range(5, 5_000):
        piece = item(n, "up")
        piece.message = message(n)
        backlog.offer([piece])
        backlog.done([n])
    assert backlog.ahead()[0] == []
    assert len(backlog._bare) < 1_000
