"""The documentation, tried: commands of the pages run and print what the pages show.

A block that opens with ```console run is run. `$ ` begins a command (a here-document may follow), `&` at its end leaves
it running until the page ends, `# exits 5` says how it ends. Lines below a command are shown output: each must be one
that it prints, with `…` for any text. Times, durations and counts of attempts may differ. Looking verbs are asked again
until the daemon has come so far. A page runs in a copy of the reference site, with ports of its own and short waits.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from channels.simulate.processes import free_port
from tests.functional.pages import NAMES, PAGES
from tests.functional.scene import PATIENCE, ROOT, copy_site

_BLOCK = re.compile(r"^```console run\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOKS = (
    "hilum trace",
    "hilum exceptions",
    "hilum acks",
    "hilum crosswalk missing",
    "hilum messages",
    "hilum status",
    "cat ",
    "ls ",
)
_VOLATILE = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "INSTANT"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b[\d.]+ (ms|s|min|h)\b( \d+ (s|min))?"), "SPAN"),
    (re.compile(r" attempt \d+"), ""),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "HASH"),
    (re.compile(r"\s+"), " "),
)


# --- running what is shown -------------------------------------------------------------------------------------------
@dataclass
class Command:
    text: str
    shown: list[str] = field(default_factory=list)

    @property
    def ends_with(self) -> int:
        found = re.search(r"# exits (\d+)", self.text)
        return int(found[1]) if found else 0

    @property
    def stays(self) -> bool:
        return self.text.endswith(" &")

    @property
    def looks(self) -> bool:
        return self.text.startswith(_LOOKS)


def commands(page: str) -> list[Command]:
    found: list[Command] = []
    for block in _BLOCK.findall(page):
        lines = iter(block.splitlines())
        for line in lines:
            if not line.startswith("$ "):
                found[-1].shown.append(line)
                continue
            text = line[2:]
            if opened := re.search(r"<<'(\w+)'", text):
                text += "\n" + "\n".join(_until(lines, opened[1]))
            found.append(Command(text))
    return found


def _until(lines: Iterator[str], end: str) -> Iterator[str]:
    for line in lines:
        yield line
        if line == end:
            return


class Terminal:
    """A shell in a folder of its own, with ports of its own; what was left running ends with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in ("2575", "8080", "8090")}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HILUM_")}
        self.environment = clean | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "HILUM_MLLP": f"127.0.0.1:{self.ports['2575']}",
            "HILUM_HTTP": f"127.0.0.1:{self.ports['8080']}",
            "HILUM_ERP_URL": f"http://127.0.0.1:{self.ports['8090']}",
        }
        self._left: list[subprocess.Popen[bytes]] = []

    def leave(self, command: Command) -> None:
        log = (self.folder / f"left-{len(self._left)}.log").open("wb")
        self._left.append(self._start(f"exec {command.text[:-2]}", stdout=log, stderr=log))
        log.close()

    def run(self, command: Command) -> str:
        """Output and talk together; checks the exit code, and waits for what is shown where a verb only looks."""
        until = time.monotonic() + PATIENCE
        while True:
            code, told = self._once(command)
            missing = [line for line in command.shown if not shown_in(line, told)]
            good = code == command.ends_with and not missing
            if good or not command.looks or time.monotonic() > until:
                break
            time.sleep(0.2)
        assert code == command.ends_with, f"$ {command.text}\nended with {code}:\n{told}{self._logs()}"
        lacking = "\n".join(missing)
        assert not missing, f"$ {command.text}\ndoes not print:\n{lacking}\nbut:\n{told}{self._logs()}"
        return told

    def close(self) -> None:
        for process in reversed(self._left):
            process.send_signal(signal.SIGTERM)
        for process in self._left:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _logs(self) -> str:
        """The last words of what was left running."""
        logs = sorted(self.folder.glob("left-*.log"))
        return "".join(f"\n{log.name}:\n{log.read_text(errors='replace')[-2000:]}" for log in logs)

    def _once(self, command: Command) -> tuple[int, str]:
        process = self._start(command.text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        told, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, told.decode("utf-8", "replace")

    def _start(self, text: str, **streams: Any) -> subprocess.Popen[bytes]:
        text = text.replace("--wait 10", f"--wait {PATIENCE}")
        for shown, ours in self.ports.items():
            text = text.replace(f"127.0.0.1:{shown}", f"127.0.0.1:{ours}")
        return subprocess.Popen(["bash", "-c", text], cwd=self.folder, env=self.environment, **streams)


def plain(text: str) -> str:
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return text.strip()


def shown_in(line: str, told: str) -> bool:
    """Whether a shown line is one of those printed."""
    wanted = re.compile(".*".join(re.escape(part.strip()) for part in plain(line).split("…")))
    return any(wanted.fullmatch(plain(printed)) for printed in told.replace("\r", "\n").splitlines())


def impatient(site: Path) -> Path:
    """The site with the ERP asked again soon after a failure."""
    connections = site / "config" / "connections.yaml"
    connections.write_text(connections.read_text().replace("first: 1s", "first: 200ms").replace("most: 1m", "most: 1s"))
    return site


RUN = [name for name, page in zip(NAMES, PAGES, strict=True) if commands(page.read_text())]


@pytest.mark.parametrize("name", RUN)
def test_what_a_page_shows_is_what_happens(name: str, tmp_path: Path) -> None:
    terminal = Terminal(impatient(copy_site(tmp_path / "hilum")))
    try:
        for command in commands((ROOT / name).read_text()):
            if command.stays:
                terminal.leave(command)
            else:
                terminal.run(command)
    finally:
        terminal.close()


def test_a_page_that_shows_something_else_is_caught(tmp_path: Path) -> None:
    terminal = Terminal(copy_site(tmp_path / "hilum"))
    (sound,) = commands("```console run\n$ hilum explain map.miss\nmap.miss: No row in a crosswalk\n```\n")
    terminal.run(sound)
    with pytest.raises(AssertionError, match="does not print"):
        terminal.run(Command(sound.text, ["map.miss: No row"]))
    with pytest.raises(AssertionError, match="ended with 0"):
        terminal.run(Command(f"{sound.text} # exits 5"))
