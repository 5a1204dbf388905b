"""Signals at any time of the daemon's life, its first moments and its last included: it ends in order, or goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from channels.simulate.processes import Program, Running
from tests.functional.scene import HILUM, PATIENCE, Scene, scene

HELD = sum(1 << (number - 1) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))


def begin(stage: Scene) -> Running:
    """Start the daemon and return in its first moment: before that the process is Python that starts, not yet ours."""
    stage.daemon = stage.crew.start(Program("hilum", (HILUM, "run"), stage.environment))
    stage.until(lambda: holds_signals(stage.daemon), "signals to be held", pause=0.001)
    return stage.daemon


def holds_signals(daemon: Running | None) -> bool:
    assert daemon is not None
    assert daemon.alive, daemon.tail()
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    (blocked,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk:"))
    return blocked & HELD == HELD


def test_signals_are_held_before_anything_is_loaded_that_takes_time() -> None:
    code = (
        "import sys\nfrom engine import cli, signals\n"
        "signals.hold = lambda: sys.exit(print(sys.modules.keys() & {'click', 'asyncio', 'yaml', 'pydantic'}))\n"
        "cli.main(['run'])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


@pytest.mark.parametrize("delay", [0, 0.3, 0.8])
def test_a_stop_at_any_moment_of_the_start_ends_it_in_order(tmp_path: Path, delay: float) -> None:
    with scene(tmp_path) as stage:
        daemon = begin(stage)
        time.sleep(delay)
        os.kill(daemon.pid, signal.SIGTERM)
        assert daemon.wait(PATIENCE) == 0, stage.log()
        assert "stopping" in stage.log()
        assert "Traceback" not in stage.log()


def test_an_interrupt_again_and_again_ends_it_once_and_in_order(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        daemon = begin(stage)

        def interrupted() -> bool:
            os.kill(daemon.pid, signal.SIGINT)
            return not daemon.alive

        stage.until(interrupted, "the end", pause=0.005)
        assert daemon.code() == 0, stage.log()
        assert "stopping" in stage.log()
        assert "Traceback" not in stage.log()


def test_a_reload_asked_for_during_the_start_is_done_after_it(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        daemon = begin(stage)
        os.kill(daemon.pid, signal.SIGHUP)
        stage.until(lambda: "reloaded" in stage.log(), "the reload")
        assert stage.log().index("ready") < stage.log().index("reloaded")
        assert daemon.stop() == 0
