"""The daemon's second process comes with the load and never outlives the daemon, however that ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path

import psutil
import pytest

from channels.simulate.ehr import Ehr
from channels.simulate.processes import Running
from channels.simulate.requisitions import Plan, messages
from channels.simulate.words import load
from tests.functional.scene import ROOT, Scene, scene


def worker_of(daemon: Running) -> psutil.Process | None:
    children = psutil.Process(daemon.pid).children()
    for one in children:
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if "engine.worker" in " ".join(one.cmdline()):
                return one
    return None


def flood(stage: Scene, seed: int) -> None:
    """Twelve hospitals as fast as they are answered; nobody buys yet."""

    async def send() -> None:
        ehr = Ehr("127.0.0.1", stage.mllp, messages(Plan(load(ROOT), seed=seed), 200))
        await ehr.start()
        await ehr.finished()
        await ehr.stop()

    asyncio.run(send())


def loaded(stage: Scene) -> tuple[Running, psutil.Process]:
    """A daemon in which work has piled up, and the worker it then has."""
    daemon, found, seeds = stage.start(), list[psutil.Process](), itertools.count(1)

    def working() -> bool:
        flood(stage, next(seeds))
        found.extend(filter(None, [worker_of(daemon)]))
        return bool(found)

    stage.until(working, "a worker")
    return daemon, found[0]


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_worker_ends_with_its_daemon(end: str, tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        daemon, worker = loaded(stage)
        getattr(daemon, end)()
        stage.until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the worker's end")
