"""Second opinions by the real daemon: what pyx12 sees otherwise is told once and stops nothing; a process that hangs or
ends is replaced."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import channels
from engine import opinions
from engine.site.load import load_site
from engine.store.sqlite import SqliteStore
from tests.functional.bad_kit import Watch, worklist
from tests.functional.scene import copy_site
from tests.functional.x12_desk import Desk, open_desk
from tests.store_kit import incoming

pytest.importorskip("pyx12", reason="pyx12 is not installed")
pytestmark = pytest.mark.xdist_group("second_opinion")

ASKED = {"mapping: x12_855}": "mapping: x12_855, second_opinion: pyx12}",
         '"850": {direction: out,': '"850": {direction: out, second_opinion: pyx12,'}  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("opinion"), ASKED) as found:
        yield found


def progress(desk: Desk) -> dict[str, int]:
    file = desk.stage.home / opinions.FILE
    told: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    return told


def test_where_another_reader_differs_a_person_is_told_once_and_nothing_is_stopped(desk: Desk) -> None:
    watch = Watch(desk.stage)
    desk.take("plain.edi", desk.answer(note="here"))
    desk.take("blank.edi", desk.answer(note="here "))  # X12 only wants no blanks at the end; pyx12 refuses them
    desk.stage.until(lambda: set(desk.expected) <= set(desk.heard()), "both 855s in the ERP")
    found = watch.one("x12.second_opinion", "ST[1]")
    assert "pyx12 refuses a set that we accept: 6 Data element" in found["text"]
    assert "here" not in found["text"]
    assert desk.stage.daemon is not None
    desk.stage.daemon.kill()
    before = progress(desk)["acme_surgical/in"]
    desk.stage.start()
    desk.take("again.edi", desk.answer())
    desk.stage.until(lambda: progress(desk)["acme_surgical/in"] > before, "the opinion of the last")
    assert [row["code"] for row in worklist(desk.stage)].count("x12.second_opinion") == 1
    assert progress(desk)["acme_surgical/out"] > 0


@pytest.mark.parametrize("child", ["import time; time.sleep(60)", "raise SystemExit(1)", "print('x' * 9)"])
def test_a_process_that_hangs_or_ends_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str
) -> None:
    root = copy_site(tmp_path / "site")
    partner = root / "partners/templates/x12_supplier.yaml"
    text = partner.read_text()
    for old, new in ASKED.items():
        text = text.replace(old, new)
    partner.write_text(text)
    site, _ = load_site(root, channels.registry(), {})
    assert site is not None
    monkeypatch.setattr(opinions, "COMMAND", (sys.executable, "-c", child))
    monkeypatch.setattr(opinions, "_PATIENCE", 0.3)
    monkeypatch.setattr(opinions, "_PAUSE", 0.05)

    async def run() -> int:
        store = SqliteStore(tmp_path / "store.db")
        await store.open()
        asked = opinions.Opinions(store, lambda: site, tmp_path)
        await asked.start()
        (row,) = await store.append([incoming(1, partner="acme_surgical", type="855", format="x12")])
        for _ in range(1_000):
            if asked._read().get("acme_surgical/in", 0) >= row.seq:
                break
            await asyncio.sleep(0.02)
        told, kept = asked._read().get("acme_surgical/in"), len(await store.exceptions())
        await asked.stop()
        await store.close()
        assert told == row.seq
        return kept

    assert asyncio.run(run()) == 0
