"""The worker decides what its parent would; whatever becomes of it, the parent gets its work back and nobody waits.

A real worker process over the reference site.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

import channels
from channels.simulate.requisitions import UNLISTED_ITEM, Plan, messages
from channels.simulate.words import load as load_words
from engine import logs, wiring, worker, workers
from engine.deciding import Deciding
from engine.dispatch import Dispatch
from engine.intake import Reception, Verdicts
from engine.planner import Planner
from engine.site.load import load_snapshot
from engine.site.model import Site
from engine.site.source import Source, unpack
from engine.store.contract import Outcome, Work
from engine.store.temporary import temporary_store
from engine.workers import Workers
from tests.store_kit import accept_orders, claim, delivered
from tests.x12_kit import group, interchange, one_set

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {**os.environ, "HILUM_SITE": str(ROOT)}
REGISTRY = channels.registry()
FORMATS = REGISTRY.format
PATIENCE = 60
UNLISTED = 3

pytestmark = pytest.mark.xdist_group("workers")


@pytest.fixture(scope="module")
def site() -> Site:
    return wiring.load(ENVIRON)


def requisitions(count: int) -> list[bytes]:
    return [one.raw for one in messages(Plan(load_words(ROOT), seed=11, unlisted_at=UNLISTED), count)]


async def received(site: Site, count: int) -> list[Work]:
    """Requisitions as work, from a real store."""
    async with temporary_store() as store:
        reception = Reception(site.listeners["ehr_mllp"], lambda: site, FORMATS("hl7v2"), store, Verdicts())
        await reception.accept(*requisitions(count))
        return await claim(store, "process")


async def ready(hands: Workers, works: Sequence[Work]) -> list[Outcome]:
    """Ask until there is a worker that decides."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await hands.outcomes(works)
            if None not in found:
                return [outcome for outcome in found if outcome is not None]
            await asyncio.sleep(0.02)


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if _is_worker(one)]


async def gone(one: psutil.Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while one in children():  # noqa: ASYNC110 - its end is nothing that could be awaited
            await asyncio.sleep(0.02)


def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why workers were ended, as the log tells it."""
    told = list[str]()

    def info(action: str, **fields: Any) -> None:
        if action == "worker_ended":
            told.append(fields["because"])

    monkeypatch.setattr(logs, "info", info)
    return told


def _is_worker(one: psutil.Process) -> bool:
    try:
        return "engine.worker" in " ".join(one.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return False


async def played(
    site: Callable[[], Site], test: Callable[[Workers], Awaitable[None]], environ: dict[str, str] = ENVIRON
) -> None:
    hands = Workers(site, environ)
    await hands.start()
    try:
        await test(hands)
    finally:
        await hands.stop()
    assert not children()


def play(site: Callable[[], Site], test: Callable[[Workers], Awaitable[None]]) -> None:
    asyncio.run(played(site, test))


def test_the_worker_asks_the_very_tables_of_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large ones are in no snapshot: both map the same files."""
    monkeypatch.setattr("engine.site.source.LARGE", 0)
    environ = {**ENVIRON, "HILUM_HOME": str(tmp_path)}
    site = wiring.load(environ, keep=True)
    with zipfile.ZipFile(io.BytesIO(site.snapshot)) as kept:
        assert b"BX" not in kept.read("config/crosswalks/ehr_units.csv")

    async def test(hands: Workers) -> None:
        works = await received(site, 12)
        there = await ready(hands, works)
        assert [outcome.state for outcome in there].count("processed") == 11
        (missed,) = [found for outcome in there for found in outcome.exceptions]
        assert missed.code == "map.miss"
        assert missed.context["word"] == UNLISTED_ITEM

    asyncio.run(played(lambda: site, test, environ))


def shape(outcome: Outcome) -> tuple[Any, ...]:
    """An outcome without the ids and times that differ each time it is decided."""
    made = [(new.destination, new.type, new.lane, new.keys, len(new.body)) for new in outcome.messages]
    return outcome.state, outcome.documents, outcome.keys, outcome.exceptions, outcome.site, made


def test_the_worker_decides_what_its_parent_would(site: Site) -> None:
    async def test(hands: Workers) -> None:
        works = await received(site, 12)
        planner = Planner(site, FORMATS, lambda: "0" * 26)
        here = [worker.decide(work, planner) or Outcome(work) for work in works]
        there = await ready(hands, works)
        assert [outcome.work for outcome in there] == works
        assert [shape(outcome) for outcome in there] == [shape(outcome) for outcome in here]
        assert [bool(outcome.exceptions) for outcome in there].count(True) == 1

    play(lambda: site, test)


def test_the_worker_is_told_what_it_asks_for(site: Site) -> None:
    async def test(hands: Workers) -> None:
        async with temporary_store() as store:
            await store.commit([delivered(work) for work in await accept_orders(store, *range(1, 9))])
            raws = [answer_to(number) for number in range(1, 10)]  # the last answers an order that was never sent
            reception = Reception(site.listeners["acme_surgical"], lambda: site, FORMATS("x12"), store, Verdicts())
            for raw in raws:
                await reception.accept(raw)
            works = await claim(store, "process")
            deciding = Deciding(store, lambda: site, FORMATS, asyncio.Lock(), hands)
            async with asyncio.timeout(PATIENCE):
                while None in (there := await deciding.beside(works)):  # noqa: ASYNC110 - as in `ready`
                    await asyncio.sleep(0.02)
            here = [await deciding.decide(work) for work in works]
            assert [shape(outcome) for outcome in there if outcome] == [shape(outcome) for outcome in here]
            assert [len(outcome.settles) for outcome in there if outcome] == [1] * 8 + [0]
            assert [outcome.settles for outcome in there if outcome] == [outcome.settles for outcome in here]
            assert [row.status for row in await store.commit([one for one in there if one])] == ["done"] * 9

    play(lambda: site, test)


def answer_to(order: int) -> bytes:
    theirs = {"isa05": "01", "isa06": "081234567".ljust(15), "isa07": "ZZ", "isa08": "NORTHHEALTH".ljust(15)}
    body = [f"BAK*00*AD*PO-{order}*20261121", "PO1*1*10*BX*4.5**IN*NH-10003", "CTT*1"]
    return interchange(group([one_set("855", body)], "PR"), control=f"{order:09d}", **theirs)


def test_little_work_needs_no_worker(site: Site) -> None:
    async def test(hands: Workers) -> None:
        works = await received(site, 2)
        assert await hands.outcomes(works) == [None, None]
        assert not children()

    play(lambda: site, test)


def test_work_that_needs_the_store_or_fails_comes_back(site: Site) -> None:
    async def test(hands: Workers) -> None:
        works = await received(site, 9)
        broken = works[0]._replace(message=works[0].message._replace(format="none such"))
        await ready(hands, works)
        found = await hands.outcomes([broken, *works[1:]])
        assert [outcome is None for outcome in found] == [True] + [False] * 8

    play(lambda: site, test)


def test_a_killed_worker_gives_its_work_back_and_is_replaced(site: Site) -> None:
    async def test(hands: Workers) -> None:
        works = await received(site, 9)
        await ready(hands, works)
        (first,) = children()
        asked = [asyncio.create_task(hands.outcomes(works)) for _ in range(3)]
        await asyncio.sleep(0)
        first.kill()
        async with asyncio.timeout(PATIENCE):
            for found in await asyncio.gather(*asked):
                assert len(found) == len(works)
        await ready(hands, works)
        assert [one.pid for one in children()] != [first.pid]

    play(lambda: site, test)


def test_work_for_a_worker_that_is_just_dead_comes_back_at_once(site: Site) -> None:
    """Neither the closed pipe nor the pause before the next worker may hold it up, on either event loop."""

    async def test(hands: Workers) -> None:
        works = await received(site, 9)
        await ready(hands, works)
        (first,) = children()
        asked = [asyncio.create_task(hands.outcomes(works)) for _ in range(3)]
        await asyncio.sleep(0)
        first.kill()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*asked)
            while hands._worker and hands._worker.ready:
                assert len(await hands.outcomes(works)) == len(works)
                await asyncio.sleep(0)
        assert await hands.outcomes(works) == [None] * 9

    play(lambda: site, test)
    uvloop.run(played(lambda: site, test))


def edited(site: Site) -> Site:
    """The site with another name, as after an edit and a reload."""
    source = unpack(site.snapshot)
    engine = source.files["config/engine.yaml"].replace(b"name:", b"name: Another", 1)
    fresh, _ = load_snapshot(Source("", {**source.files, "config/engine.yaml": engine}).snapshot(), REGISTRY, ENVIRON)
    assert fresh is not None
    assert fresh.version != site.version
    return fresh


def test_after_a_reload_the_next_worker_has_the_new_site(site: Site) -> None:
    now = site

    async def test(hands: Workers) -> None:
        nonlocal now
        works = await received(site, 9)
        assert {outcome.site for outcome in await ready(hands, works)} == {site.version}
        (first,) = children()
        now = edited(site)
        assert await hands.outcomes(works) == [None] * 9
        assert {outcome.site for outcome in await ready(hands, works)} == {now.version}
        assert not first.is_running()

    play(lambda: now, test)


def test_an_edit_that_is_not_reloaded_changes_nothing_for_the_worker(site: Site, tmp_path: Path) -> None:
    """It decides by the site that its parent runs, whatever stands in the folder when it is started."""

    async def test() -> None:
        hands = Workers(lambda: site, {**ENVIRON, "HILUM_SITE": str(tmp_path)})
        await hands.start()
        works = await received(site, 9)
        assert {outcome.site for outcome in await ready(hands, works)} == {site.version}
        await hands.stop()

    asyncio.run(test())


def test_nobody_waits_for_a_worker_that_hangs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was asked comes back soon, what comes then at once; and when it goes on it is asked again."""
    monkeypatch.setattr(workers, "_PATIENCE", 0.4)

    async def test(hands: Workers) -> None:
        works = await received(site, 9)
        await ready(hands, works)
        (first,) = children()
        first.suspend()
        began = time.monotonic()
        for found in await asyncio.gather(*[hands.outcomes(works) for _ in range(3)]):
            assert found == [None] * 9
        assert 0.4 <= time.monotonic() - began < 2.0
        began = time.monotonic()
        assert await hands.outcomes(works) == [None] * 9
        assert time.monotonic() - began < 0.1
        first.resume()
        there = await ready(hands, works)
        assert [outcome.work for outcome in there] == works  # and not what one of the late answers speaks of
        assert children() == [first]

    play(lambda: site, test)


def test_a_worker_that_goes_on_hanging_is_replaced(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ends(monkeypatch)

    async def test(hands: Workers) -> None:
        works = await received(site, 9)
        await ready(hands, works)
        (first,) = children()
        first.suspend()
        with monkeypatch.context() as hasty:
            hasty.setattr(workers, "_PATIENCE", 0.2)
            hasty.setattr(workers, "_REST", 0.6)
            assert await hands.outcomes(works) == [None] * 9
            await gone(first)
        await ready(hands, works)
        assert children() != [first]

    play(lambda: site, test)
    assert told == ["silent"]


def test_a_worker_without_work_ends_until_there_is_some(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ends(monkeypatch)

    async def test(hands: Workers) -> None:
        works = await received(site, 9)
        for _ in range(2):
            await ready(hands, works)
            with monkeypatch.context() as hasty:
                hasty.setattr(workers, "_REST", 0.3)
                await gone(*children())
            await asyncio.sleep(0.5)
            assert not children()

    play(lambda: site, test)
    assert told == ["idle", "idle"]


def test_processing_goes_on_beside_a_worker_that_hangs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also under load, with a round asked whenever there is one: it costs its patience once, and no more."""
    monkeypatch.setattr(workers, "_PATIENCE", 0.5)

    async def test(hands: Workers) -> None:
        async with temporary_store() as store, asyncio.timeout(PATIENCE):
            verdicts, raws = Verdicts(), requisitions(600)
            reception = Reception(site.listeners["ehr_mllp"], lambda: site, FORMATS("hl7v2"), store, verdicts)
            await ready(hands, await received(site, 9))
            (first,) = children()
            first.suspend()
            dispatch = Dispatch(store, lambda: site, FORMATS, verdicts, hands)
            await dispatch.start()
            began = time.monotonic()
            for at in range(0, 600, 60):
                await reception.accept(*raws[at : at + 60])
            while (await store.stats())["processed"] < 500:  # noqa: ASYNC110 - asked, as a person would
                await asyncio.sleep(0.02)
            assert time.monotonic() - began < 10
            await dispatch.stop()

    play(lambda: site, test)


def test_a_worker_that_cannot_start_is_tried_again_only_for_work(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while the site's files are wrong: it would start and end for ever, at the cost of those who work."""
    started = list[Any]()
    whole = asyncio.create_subprocess_exec

    async def start(*args: Any, **options: Any) -> Any:
        started.append(args)
        return await whole(*args, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", ""))
    monkeypatch.setattr(workers, "_UNFIT", 0.0)

    async def test(hands: Workers) -> None:
        works = await received(site, 9)
        for tries in (1, 2):
            assert await hands.outcomes(works) == [None] * 9
            async with asyncio.timeout(PATIENCE):
                while len(started) < tries or children():  # noqa: ASYNC110 - its end is nothing to await
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)
            assert len(started) == tries

    play(lambda: site, test)


def test_dispatch_keeps_what_the_worker_decided_and_decides_the_rest(site: Site) -> None:
    """The first half comes while there is no worker yet, the rest when there is one."""

    async def test(hands: Workers) -> None:
        async with temporary_store() as store, asyncio.timeout(PATIENCE):
            verdicts, raws = Verdicts(), requisitions(120)
            reception = Reception(site.listeners["ehr_mllp"], lambda: site, FORMATS("hl7v2"), store, verdicts)
            dispatch = Dispatch(store, lambda: site, FORMATS, verdicts, hands)
            await reception.accept(*raws[:60])
            await dispatch.start()
            await ready(hands, await received(site, 9))
            await reception.accept(*raws[60:])
            while (await store.stats())["in_flight"]:  # noqa: ASYNC110 - the store is asked, as a person would
                await asyncio.sleep(0.02)
            await dispatch.stop()
            works = await claim(store, "deliver", 200)
            assert len(works) == 119
            assert (await store.ledger())["exception"] == 1

    play(lambda: site, test)
