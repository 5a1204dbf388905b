"""The documentation, tried: commands of the pages run and print what the pages show, and what they name exists.

A block that opens with ```console run is run. `$ ` begins a command (a here-document may follow), `&` at its end leaves
it running until the page ends, `# exits 5` says how it ends. Lines below a command are shown output: each must be one
that it prints, with `…` for any text. Times, durations and counts of attempts may differ. Looking verbs are asked again
until the daemon has come so far. A page runs in a copy of the reference site, with ports of its own and short waits.
"""

from __future__ import annotations

import json
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

import click
import pytest

from channels import FORMATS, KINDS, registry
from channels.simulate.processes import free_port
from engine.cli import VERBS
from engine.cli.verbs import hilum
from engine.codes import CODES
from engine.site.shapes import FILES
from tests.functional.scene import PATIENCE, ROOT, copy_site

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
_BLOCK = re.compile(r"^```console run\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOKS = ("hilum trace", "hilum exceptions", "hilum acks", "hilum messages", "hilum status", "cat ", "ls ")
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


# --- what is named exists --------------------------------------------------------------------------------------------
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TICKS = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FAMILIES = {code.split(".")[0] for code in CODES if "." in code}
_TOPS = {"engine", "channels", "canonical", "config", "partners", "mappings", "tests", "bench", "docs", ".ci"}


def words(page: Path) -> list[str]:
    return _TICKS.findall(re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_and_tests_that_are_named_exist(page: Path) -> None:
    for word in words(page):
        path, _, test = word.partition("::")
        if path.split("/")[0] not in _TOPS or "/" not in path or re.search(r"[A-Z]{4}|[ {<]|/v\d$", path):
            continue
        found = list(ROOT.glob(path.rstrip("/")))
        assert found, word
        assert not test or f"def {test}(" in found[0].read_text(), word


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_codes_that_are_named_are_known(page: Path) -> None:
    for word in words(page):
        if word.endswith((".yaml", ".sock", ".db", ".md", ".py")):
            continue
        code = re.fullmatch(r"(?:CFG|MAP)\d{3}|([a-z0-9]+)\.[a-z][a-z0-9_]*", word)
        if code and (code[1] is None or code[1] in _FAMILIES):
            assert word in CODES, word


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_verbs_and_options_that_are_named_exist(page: Path) -> None:
    shown = re.findall(r"^\$ (hilum (?!.*# exits 2).+)$", page.read_text(), re.MULTILINE)
    for word in [*(word for word in words(page) if word.startswith("hilum ")), *shown]:
        command, options = _command(word.split())
        assert command is not None, word
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert options <= known | {"--help", "-h"}, word


def _command(spoken: list[str]) -> tuple[click.Command | None, set[str]]:
    """The command a line names, and the options it gives."""
    context = click.Context(hilum)
    command: click.Command | None = hilum
    for word in spoken[1:]:
        if not isinstance(command, click.Group) or not re.fullmatch(r"[a-z]+", word):
            break
        command = command.get_command(context, word)
    return command, {word.split("=")[0] for word in spoken if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}


def test_environment_variables_that_are_named_are_read() -> None:
    sources = [*ROOT.glob("engine/**/*.py"), *ROOT.glob("config/*.yaml"), *ROOT.glob("tests/**/*.py")]
    sources += [*ROOT.glob("bench/*.py"), ROOT / "Makefile"]
    read = {name for path in sources for name in re.findall(r"HILUM_[A-Z]+(?:_[A-Z]+)*", path.read_text())}
    named = {name for page in PAGES for name in re.findall(r"HILUM_[A-Z]+(?:_[A-Z]+)*", page.read_text())}
    assert named <= read


# --- what exists is told ---------------------------------------------------------------------------------------------
def test_every_verb_and_exit_code_is_told() -> None:
    page = (ROOT / "docs/cli.md").read_text()
    assert [verb for verb in VERBS if f"`hilum {verb}" not in page] == []


def test_every_key_of_a_site_is_told() -> None:
    page = (ROOT / "docs/site.md").read_text()
    keys = {key for shape in FILES.values() for key in _keys(shape.model_json_schema(by_alias=True))}
    for name in KINDS:
        kind = registry().kind(name)
        for options in filter(None, (kind.listener_options, kind.sender_options)):
            keys |= set(options.model_fields)
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def _keys(schema: dict[str, Any]) -> set[str]:
    parts = [schema, *schema.get("$defs", {}).values()]
    return {key for part in parts for key in part.get("properties", {})}


def test_every_key_of_a_mapping_is_told() -> None:
    from engine.mapping import compiled, parse, values

    page = (ROOT / "docs/mapping.md").read_text()
    keys = {*compiled._KEYS, *values._KEYS, *parse._RECORD_KEYS, *parse._PAIR_KEYS, *parse._DERIVE_KEYS}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def test_every_kind_and_format_is_told() -> None:
    page = (ROOT / "docs/site.md").read_text()
    assert [name for name in (*KINDS, *FORMATS) if f"`{name}`" not in page] == []


def test_every_dependency_is_told() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    page = (ROOT / "docs/dependencies.md").read_text().lower()
    names = {re.split(r"[<>=; ]", one)[0].lower() for one in listed}
    assert sorted(name for name in names if name not in page) == []


def test_every_field_of_a_trace_is_told() -> None:
    from engine import trace
    from engine.store.records import Thread

    page = (ROOT / "docs/trace.md").read_text()
    source = Path(trace.__file__).read_text()
    fields = set(re.findall(r'^\s+"([a-z_0-9]+)":', source, re.MULTILINE)) | set(trace.tell(Thread(), "x", [], 0))
    assert sorted(name for name in fields if f"`{name}`" not in page) == []
    shown = re.search(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert set(json.loads(shown[1])) == set(trace.tell(Thread(), "x", [], 0))


def test_the_mapping_and_the_conditions_that_are_shown_compile() -> None:
    from canonical import PurchaseOrder
    from engine.mapping import compile_expression, compile_mapping
    from engine.positions import Findings, Mark
    from engine.site.yaml import read_tree

    findings = Findings()
    page = (ROOT / "docs/mapping.md").read_text()
    shown = re.search(r"^```yaml\n(apiVersion.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown is not None
    tree = read_tree(shown[1].encode(), "shown.yaml", findings)
    assert tree is not None
    assert compile_mapping("shown", tree, registry().format("hl7v2"), findings, {"shown": tree}), findings.found
    told = re.findall(r"^```\n(urgency .*?)^```$", page, re.MULTILINE | re.DOTALL)
    told += re.findall(r"`when` \| always \| .*: `(.+)` \|$", (ROOT / "docs/site.md").read_text(), re.MULTILINE)
    assert len(told) == 2
    assert all(compile_expression(one.strip(), Mark("shown"), findings, PurchaseOrder) for one in told), findings.found


def test_every_codec_is_told() -> None:
    from engine.mapping.codecs import NAMES

    page = (ROOT / "docs/mapping.md").read_text()
    assert [name for name in NAMES if f"`{name}`" not in page] == []
