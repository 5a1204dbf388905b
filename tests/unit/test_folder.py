"""The folder kind on a real folder, looked at step by step: nothing waits for time to pass."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from channels import folder_listener, folder_sender
from channels.folder_listener import FolderListener, FolderListenerOptions
from channels.folder_sender import FolderSender, FolderSenderOptions, file_name
from engine.errors import Refused, Rejected, Unavailable
from engine.message import Delivery, Facts, Message
from engine.plugin import Outbound, Verdict

ISA = b"ISA*00*TOY~"


class Intake:
    """Stores in a list; the same bytes again are a duplicate, bytes with `bad` are refused."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.verdicts: list[str] = []
        self.odd: list[tuple[str, str, int]] = []
        self.full = False

    async def accept(self, *raws: bytes, type: str = "", control_id: str = "") -> list[Verdict]:
        (raw,) = raws
        await asyncio.sleep(0)
        if self.full:
            raise Unavailable("store.full", "full")
        refusal = Refused("x12.empty", "nothing in it") if not raw or b"bad" in raw else None
        status = "refused" if refusal else "duplicate" if raw in self.stored else "accepted"
        self.stored.append(raw)
        self.verdicts.append(status)
        return [Verdict(status, "M1", 1, Facts("x12"), refusal)]

    async def refuse(self, raw: bytes, refusal: Refused) -> Verdict:
        self.odd.append((refusal.code, refusal.place, len(raw)))
        return Verdict("refused", "M1", 1, Facts("x12"), refusal)

    async def processed(self, verdict: Verdict) -> Refused | None:
        raise AssertionError("not asked for")


def listen(folder: Path, intake: Intake, **options: Any) -> FolderListener:
    return FolderListener("toy", FolderListenerOptions(fetch=folder, **options), intake)


def polls(folder: Path, intake: Intake, count: int = 2, **options: Any) -> FolderListener:
    listener = listen(folder, intake, **options)
    run(*[listener.poll] * count)
    return listener


def run(*steps: Callable[[], Awaitable[object]]) -> None:
    async def whole() -> None:
        for step in steps:
            await step()

    asyncio.run(whole())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


# --- listener --------------------------------------------------------------------------------------------------------
def test_a_file_is_taken_when_it_was_the_same_twice(tmp_path: Path) -> None:
    intake = Intake()
    (tmp_path / "a.edi").write_bytes(ISA)
    listener = polls(tmp_path, intake, 1)
    assert intake.stored == []
    (tmp_path / "a.edi").write_bytes(ISA + b"more")
    run(listener.poll)
    assert intake.stored == []
    run(listener.poll)
    assert intake.stored == [ISA + b"more"]
    assert names(tmp_path) == [".done/a.edi"]


def test_replaced_between_polls_is_not_the_same(tmp_path: Path) -> None:
    intake = Intake()
    path, other = tmp_path / "a.edi", tmp_path / ".b"
    path.write_bytes(b"one")
    other.write_bytes(b"two")
    os.utime(other, ns=(1, path.stat().st_mtime_ns))
    listener = polls(tmp_path, intake, 1)
    other.replace(path)  # same size and time, another file
    run(listener.poll)
    assert intake.stored == []


def test_some_names_are_passed_over(tmp_path: Path) -> None:
    intake = Intake()
    for name in (".hidden", "a.tmp", ".a.edi.tmp"):
        (tmp_path / name).write_bytes(ISA)
    (tmp_path / "archive").mkdir()
    polls(tmp_path, intake, 3)
    assert (intake.stored, intake.odd) == ([], [])
    assert names(tmp_path) == [".a.edi.tmp", ".hidden", "a.tmp"]


def test_files_are_taken_in_the_order_they_were_written(tmp_path: Path) -> None:
    intake = Intake()
    for number, name in enumerate("cab"):
        path = tmp_path / f"{name}.edi"
        path.write_bytes(name.encode())
        os.utime(path, ns=(number * 10**9, number * 10**9))
    polls(tmp_path, intake)
    assert intake.stored == [b"c", b"a", b"b"]


def test_refused_and_empty_files_go_to_error(tmp_path: Path) -> None:
    intake = Intake()
    (tmp_path / "bad.edi").write_bytes(b"bad")
    (tmp_path / "empty.edi").write_bytes(b"")
    (tmp_path / "good.edi").write_bytes(ISA)
    polls(tmp_path, intake)
    assert names(tmp_path) == [".done/good.edi", ".error/bad.edi", ".error/empty.edi"]


def test_a_name_used_again_overwrites_nothing(tmp_path: Path) -> None:
    intake = Intake()
    listener = listen(tmp_path, intake)
    for body in (b"one", b"two", b"three"):
        (tmp_path / "a.edi").write_bytes(body)
        run(listener.poll, listener.poll)
    assert {path.name: path.read_bytes() for path in (tmp_path / ".done").iterdir()} == {
        "a.edi": b"one",
        "a.edi.1": b"two",
        "a.edi.2": b"three",
    }


def test_what_cannot_be_stored_stays_and_is_tried_again(tmp_path: Path) -> None:
    intake = Intake()
    intake.full = True
    (tmp_path / "a.edi").write_bytes(ISA)
    listener = polls(tmp_path, intake, 1)
    for _ in range(3):
        with pytest.raises(Unavailable):
            run(listener.poll)
    assert names(tmp_path) == ["a.edi"]
    intake.full = False
    run(listener.poll)
    assert names(tmp_path) == [".done/a.edi"]


def test_a_crash_between_store_and_move_shows_a_duplicate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object) -> bool:
        raise Killed

    intake = Intake()
    (tmp_path / "a.edi").write_bytes(ISA)
    with monkeypatch.context() as patch:
        patch.setattr(folder_listener, "move", kill)
        with pytest.raises(Killed):
            polls(tmp_path, intake)
    assert names(tmp_path) == ["a.edi"]
    polls(tmp_path, intake)
    assert intake.verdicts == ["accepted", "duplicate"]
    assert names(tmp_path) == [".done/a.edi"]


def test_what_cannot_be_moved_is_not_taken_again(tmp_path: Path) -> None:
    intake = Intake()
    (tmp_path / "a.edi").write_bytes(ISA)
    (tmp_path / ".done").write_bytes(b"in the way")
    listener = polls(tmp_path, intake, 5)
    assert intake.verdicts == ["accepted"]
    (tmp_path / ".done").unlink()
    run(listener.poll)
    assert names(tmp_path) == [".done/a.edi"]


def test_changed_after_it_was_stored_it_is_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    intake = Intake()
    path = tmp_path / "a.edi"
    path.write_bytes(ISA)
    read = folder_listener.read

    def read_then_replaced(*given: Any) -> Any:
        taken = read(*given)
        path.write_bytes(b"another")
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(folder_listener, "read", read_then_replaced)
        listener = polls(tmp_path, intake)
    assert names(tmp_path) == ["a.edi"]
    run(listener.poll, listener.poll)
    assert intake.stored == [ISA, b"another"]
    assert names(tmp_path) == [".done/a.edi"]


@pytest.mark.parametrize("kind", ["symlink", "dangling", "fifo", "folder", "hard link"])
def test_odd_things_are_refused_once_and_never_read(tmp_path: Path, kind: str) -> None:
    inbox, secret = tmp_path / "in", tmp_path / "secret"
    inbox.mkdir()
    secret.write_bytes(b"not for you")
    odd = inbox / "odd.edi"
    match kind:
        case "symlink":
            odd.symlink_to(secret)
        case "dangling":
            odd.symlink_to(tmp_path / "nowhere")
        case "fifo":
            os.mkfifo(odd)
        case "folder":
            odd.mkdir()
        case "hard link":
            os.link(secret, odd)
    intake = Intake()
    polls(inbox, intake, 4)
    assert intake.odd == [("folder.type", "odd.edi", 0)]
    assert intake.stored == []
    assert os.path.lexists(inbox / ".error" / "odd.edi")
    assert secret.read_bytes() == b"not for you"


def test_a_link_put_in_place_of_a_file_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted defect below: without O_NOFOLLOW and the second look, the link's target would be read."""
    inbox, secret = tmp_path / "in", tmp_path / "secret"
    inbox.mkdir()
    secret.write_bytes(b"not for you")
    (inbox / "a.edi").write_bytes(ISA)
    stamp = folder_listener.look(inbox)["a.edi"]
    (inbox / "a.edi").unlink()
    (inbox / "a.edi").symlink_to(secret)
    found = folder_listener.Found("a.edi", stamp)
    with pytest.raises(OSError, match="symbolic"):
        folder_listener.read(inbox, found, 100)
    monkeypatch.setattr(os, "O_NOFOLLOW", 0)
    assert folder_listener.read(inbox, found, 100) is None
    monkeypatch.setattr(folder_listener, "_stamp", lambda _: stamp)
    taken = folder_listener.read(inbox, found, 100)
    assert taken is not None
    assert taken.raw == b"not for you"


def test_too_large_a_file_is_kept_in_error(tmp_path: Path) -> None:
    intake = Intake()
    (tmp_path / "a.edi").write_bytes(b"x" * 200_000)
    (tmp_path / "b.edi").write_bytes(b"y" * 100_000)
    polls(tmp_path, intake, max_file=100_000)
    assert intake.odd == [("folder.too_large", "a.edi", 65536)]
    assert intake.stored == [b"y" * 100_000]
    assert (tmp_path / ".error" / "a.edi").stat().st_size == 200_000


def test_more_files_than_one_batch(tmp_path: Path) -> None:
    intake = Intake()
    bodies = [b"%03d" % number for number in range(150)]
    for number, body in enumerate(bodies):
        path = tmp_path / f"{body.decode()}.edi"
        path.write_bytes(body)
        os.utime(path, ns=(number, number))
    polls(tmp_path, intake)
    assert intake.stored == bodies
    assert len(names(tmp_path)) == 150


def test_an_unreadable_file_is_left_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = folder_listener._read_unchanged

    def denied(path: Path, *given: Any) -> bytes | None:
        if path.name == "a.edi":
            raise PermissionError(errno.EACCES, "planted")
        return real(path, *given)

    monkeypatch.setattr(folder_listener, "_read_unchanged", denied)
    intake = Intake()
    for name in ("a.edi", "b.edi"):
        (tmp_path / name).write_bytes(name.encode())
    polls(tmp_path, intake, 3)
    assert names(tmp_path) == [".done/b.edi", "a.edi"]


# --- sender ----------------------------------------------------------------------------------------------------------
def carried(body: bytes = ISA, control_id: str = "000004127", type: str = "850", format: str = "x12") -> Outbound:
    message = Message(9, "out", "toy", "toys", format, type, control_id, "", 0, len(body), b"", body)
    return Outbound(Delivery(1, "D-1", 9, "toys", "toy", type, "lane", "planned", 0, 0), message)


def send(folder: Path, *outs: Outbound) -> list[str]:
    async def whole() -> list[str]:
        sender = FolderSender("toys", FolderSenderOptions(send=folder))
        return [(await sender.send(out)).code for out in outs]

    return asyncio.run(whole())


@pytest.mark.parametrize(
    ("type", "control_id", "format", "name"),
    [
        ("850", "000004127", "x12", "850-000004127.edi"),
        ("OMS^O05", "N/1", "hl7v2", "OMS_O05-N_1.hl7"),
        ("requisition", "../../x", "json", "requisition-.._.._x.json"),
        ("", "..", "csv", "message.dat"),
        ("850", "", "x12", "850-M9.edi"),
    ],
)
def test_file_names(type: str, control_id: str, format: str, name: str) -> None:
    assert file_name(carried(type=type, control_id=control_id, format=format).message) == name


def test_the_folder_is_made_and_the_file_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "exchange" / "out"
    assert send(folder, carried(), carried(b"two", "000004128")) == ["written", "written"]
    assert names(folder) == ["850-000004127.edi", "850-000004128.edi"]
    assert (folder / "850-000004127.edi").read_bytes() == ISA


def test_the_same_file_again_is_done_already(tmp_path: Path) -> None:
    assert send(tmp_path, carried(), carried()) == ["written", "present"]


def test_another_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "850-000004127.edi").write_bytes(b"another")
    with pytest.raises(Rejected) as caught:
        send(tmp_path, carried())
    assert caught.value.code == "folder.exists"
    assert (tmp_path / "850-000004127.edi").read_bytes() == b"another"


def test_left_over_temporary_files_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".850-000004127.edi.tmp").write_bytes(b"half")
    (tmp_path / ".850-000004999.edi.tmp").write_bytes(b"half")
    (tmp_path / ".keep").write_bytes(b"not ours")
    assert send(tmp_path, carried()) == ["written"]
    assert names(tmp_path) == [".keep", "850-000004127.edi"]


def test_it_is_synced_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_sync(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    send(tmp_path, carried())
    assert steps == ["file", "rename", "folder"]


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_or_broken_disk_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int) -> None:
    def broken(_: int) -> None:
        raise OSError(reason, "planted")

    with monkeypatch.context() as patch:
        patch.setattr(folder_sender.os, "fsync", broken)
        with pytest.raises(Unavailable) as caught:
            send(tmp_path, carried())
    assert errno.errorcode[reason] in caught.value.text
    assert names(tmp_path) == []
    assert send(tmp_path, carried()) == ["written"]


def test_a_connection_without_a_send_folder(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        asyncio.run(FolderSender("toy", FolderSenderOptions()).send(carried()))


def test_in_a_shared_folder_a_file_names_its_partner(tmp_path: Path) -> None:
    """Each partner's control numbers begin at 1: two files may have one type and number."""
    sender = FolderSender("hub", FolderSenderOptions(send=tmp_path))

    async def both() -> None:
        for name in ("acme", "bravo"):
            out = carried(name.encode(), "000000001")
            await sender.send(out._replace(delivery=out.delivery._replace(destination=name)))

    asyncio.run(both())
    assert names(tmp_path) == ["850-acme-000000001.edi", "850-bravo-000000001.edi"]
