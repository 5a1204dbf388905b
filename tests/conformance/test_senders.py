"""What every sender promises, whatever its protocol; one row per kind, on both event loops."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from kinds_kit import LOOPS, message, run
from senders_kit import SENDERS, numbered

from engine.errors import Rejected, Unavailable, Unknown
from engine.plugin import Sender, Sent

pytestmark = [pytest.mark.parametrize("kind", SENDERS), pytest.mark.parametrize("loop", LOOPS)]
Patch = pytest.MonkeyPatch


def test_the_bytes_arrive_as_they_are(kind: str, loop: str, tmp_path: Path, monkeypatch: Patch) -> None:
    async def scene(sender: Sender) -> None:
        for number in range(3):
            assert isinstance(await sender.send(numbered(number)), Sent)

    received = run(SENDERS[kind](tmp_path, monkeypatch).play("yes", scene), loop)
    assert received == [message(number) for number in range(3)]


def test_nobody_there_is_unavailable(kind: str, loop: str, tmp_path: Path, monkeypatch: Patch) -> None:
    async def scene() -> None:
        sender = await SENDERS[kind](tmp_path, monkeypatch).unreachable()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await sender.send(numbered(1))
        await sender.close()

    run(scene(), loop)


async def is_rejected(sender: Sender) -> None:
    with pytest.raises(Rejected) as caught:
        await sender.send(numbered(1))
    assert caught.value.code.split(".")[0] in {"mllp", "http", "folder"}


def test_no_is_rejected(kind: str, loop: str, tmp_path: Path, monkeypatch: Patch) -> None:
    run(SENDERS[kind](tmp_path, monkeypatch).play("no", is_rejected), loop)


def test_a_no_taken_for_a_yes_is_caught(kind: str, loop: str, tmp_path: Path, monkeypatch: Patch) -> None:
    """Planted defect: whatever the receiver says is taken for success."""
    for place in ("channels.mllp_sender.judge", "channels.http_sender.judge"):
        monkeypatch.setattr(place, lambda *_, **__: Sent("AA"))
    monkeypatch.setattr("channels.folder_sender.write", lambda *_: "written")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        run(SENDERS[kind](tmp_path, monkeypatch).play("no", is_rejected), loop)


def test_no_answer_is_unknown(kind: str, loop: str, tmp_path: Path, monkeypatch: Patch) -> None:
    async def scene(sender: Sender) -> None:
        with pytest.raises(Unknown):
            await sender.send(numbered(1))

    received = run(SENDERS[kind](tmp_path, monkeypatch).play("lost", scene), loop)
    assert received == [message(1)]


def test_a_delivery_may_be_sent_again(kind: str, loop: str, tmp_path: Path, monkeypatch: Patch) -> None:
    async def scene(sender: Sender) -> None:
        for _ in range(2):
            assert isinstance(await sender.send(numbered(1)), Sent)

    received = run(SENDERS[kind](tmp_path, monkeypatch).play("yes", scene), loop)
    assert set(received) == {message(1)}


def test_many_at_once_all_arrive(kind: str, loop: str, tmp_path: Path, monkeypatch: Patch) -> None:
    async def scene(sender: Sender) -> None:
        await asyncio.gather(*(sender.send(numbered(number, lane=f"lane {number % 3}")) for number in range(30)))

    received = run(SENDERS[kind](tmp_path, monkeypatch).play("yes", scene), loop)
    assert sorted(received) == sorted(message(number) for number in range(30))


def test_closing_twice_is_harmless(kind: str, loop: str, tmp_path: Path, monkeypatch: Patch) -> None:
    async def scene(sender: Sender) -> None:
        await sender.close()
        await sender.close()

    run(SENDERS[kind](tmp_path, monkeypatch).play("yes", scene), loop)
