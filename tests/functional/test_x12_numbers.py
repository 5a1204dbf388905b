"""X27: control numbers of what we send, at their end and through kills of the real daemon."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from channels.simulate.erp import Erp
from tests.functional.parties import played, requisition, send
from tests.functional.scene import Scene, scene


def test_x27_numbers_wrap_at_their_end_and_none_comes_twice_though_the_daemon_is_killed(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        stage.start()
        with played(stage, erp=Erp()):
            _order(stage, 1)
            for last in ("isa", "gs"):
                _kill(stage)
                _count_to(stage, last, 999_999_997)
            stage.start()
            for number in range(2, 7):
                _order(stage, number)
                _kill(stage)
                stage.start()
            stage.settled()
    assert _numbers(stage) == [
        ("000000001", "1"),
        ("999999998", "999999998"),
        ("999999999", "999999999"),
        ("000000001", "1"),
        ("000000002", "2"),
        ("000000003", "3"),
    ]


def _order(stage: Scene, number: int) -> None:
    assert send(stage, requisition(f"REQ-{number}", ("GLV-NTR-L", "1", "Box"))) == ["AA"]
    stage.until(lambda: len(_taken(stage)) == number, "another 850")


def _taken(stage: Scene) -> list[str]:
    """What the supplier has read, as it does: each file is moved away. One that a kill had sent again is the same."""
    taken = stage.outbox("acme_surgical") / ".taken"
    taken.mkdir(parents=True, exist_ok=True)
    for path in stage.outbox("acme_surgical").glob("850-*.edi"):
        path.rename(taken / f"{len([*taken.iterdir()]):03}")
    return [*dict.fromkeys(path.read_text() for path in sorted(taken.iterdir()))]


def _numbers(stage: Scene) -> list[tuple[str, str]]:
    """ISA13 and GS06 of what the supplier took, in order."""
    return [(text.split("*")[13], *re.findall(r"~GS(?:\*[^*]*){5}\*(\d+)\*", text)) for text in _taken(stage)]


def _kill(stage: Scene) -> None:
    assert stage.daemon is not None
    stage.daemon.kill()


def _count_to(stage: Scene, kind: str, number: int) -> None:
    """As if so many had been given out."""
    with sqlite3.connect(stage.home / "store.db") as con:
        changed = con.execute(
            "UPDATE counters SET value = ? WHERE kind = 'control' AND name LIKE ? || ':%'", (number, kind)
        )
        assert changed.rowcount == 1
    con.close()
