"""H25: the store's disk fails under a running daemon, for real. No AA is given for what is not kept, the sender is told
as agreed with it, and once there is room again the daemon goes on by itself."""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from channels.simulate.erp import Erp
from channels.simulate.processes import free_port
from tests.functional.bad_kit import Answer, connected, verb
from tests.functional.parties import played, requisition
from tests.functional.scene import Scene, copy_site, scene

_TINY = 32 * 1024  # bytes: more than the daemon's log, less than one commit
_ROOM = 4 << 20

Failing = Callable[[Scene], contextlib.AbstractContextManager[None]]


@contextmanager
def file_size_limit(stage: Scene) -> Iterator[None]:
    """The system refuses the daemon every write beyond a file's first bytes (EFBIG)."""
    assert stage.daemon is not None
    before = resource.prlimit(stage.daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(stage.daemon.pid, resource.RLIMIT_FSIZE, (_TINY, before[1]))
    try:
        yield
    finally:
        resource.prlimit(stage.daemon.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def no_room(stage: Scene) -> Iterator[None]:
    """The store's own small disk is full (ENOSPC)."""
    ballast = stage.home / "ballast"
    try:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
    finally:
        ballast.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "hilum-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    ("failing", "code"), [(file_size_limit, "store.write"), (no_room, "store.full")], ids=["no write", "no room"]
)
def test_a_store_that_cannot_write_answers_no_aa_and_recovers(tmp_path: Path, failing: Failing, code: str) -> None:
    site = copy_site(tmp_path / "site")
    nak = free_port()
    channels = site / "config" / "channels.yaml"
    entry = f'    kind: mllp\n    format: hl7v2\n    partner: ehr\n    owner: tests\n    listen: "127.0.0.1:{nak}"\n'
    channels.write_text(channels.read_text() + f"  ehr_nak:\n{entry}    on_overload: nak\n")
    with contextlib.ExitStack() as stack:
        if failing is no_room:
            stack.enter_context(small_disk(tmp_path / "home"))
        stage = stack.enter_context(scene(tmp_path, site=site))
        daemon, erp = stage.start(), Erp()
        with played(stage, erp=erp):
            pid = daemon.pid
            assert _told(stage.mllp, "H25-1") == ("AA", "")
            stage.until(lambda: erp.stats()["requisitions"] == 1, "the requisition in the ERP")
            with failing(stage):
                for _ in range(3):
                    assert _told(stage.mllp, "H25-2") == ("", "")  # closed without an answer
                    assert _told(nak, "H25-3") == ("AR", "207")
                status = json.loads(verb(stage, "status", "--json"))
                assert (status["ready"], status["trouble"]) == (False, code)
                assert verb(stage, "messages", "H25-2", code=5) == b""
            for control, port in (("H25-2", stage.mllp), ("H25-3", nak)):
                stage.until(lambda c=control, p=port: _told(p, c) == ("AA", ""), "an AA again")  # type: ignore[misc]
            stage.until(lambda: erp.stats()["requisitions"] == 3, "all requisitions in the ERP")
            assert json.loads(verb(stage, "status", "--json"))["ready"]
            assert stage.settled()["exception"] == 0
        assert (daemon.pid, daemon.alive) == (pid, True)
        assert erp.stats()["doubled"] == 0


def _told(port: int, control: str) -> tuple[str, str]:
    """MSA-1 and ERR-3 of the answer to one requisition; empty when the connection was closed instead."""
    with connected(port) as peer:
        answer: Answer | None = peer.ask(requisition(control, ("GLV-NTR-L", "1", "Box")))
    return (answer.code, answer.status) if answer else ("", "")


def test_an_answer_given_before_the_commit_is_caught(tmp_path: Path) -> None:
    stage = Scene(tmp_path)
    try:
        stage.start(defect="answers_early")
        with file_size_limit(stage):
            assert _told(stage.mllp, "H25-4") == ("AA", "")  # what the test above would see
    finally:
        stage.crew.stop()
