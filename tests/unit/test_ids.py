"""Ids fit MSH-10, sort by time and do not repeat."""

from __future__ import annotations

from engine.ids import new_id


def test_ids_are_20_characters_and_unique() -> None:
    made = {new_id() for _ in range(10_000)}
    assert len(made) == 10_000
    assert {len(found) for found in made} == {20}


def test_ids_sort_by_the_time_they_were_made() -> None:
    first = new_id()[:10]
    assert first <= new_id()[:10]
