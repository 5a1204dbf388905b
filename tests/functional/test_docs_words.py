"""The documentation's words: the files, codes, verbs and variables that a page names exist, and what exists is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from channels import FORMATS, KINDS, registry
from engine.cli import VERBS
from engine.cli.verbs import hilum
from engine.codes import CODES
from engine.site.shapes import FILES
from tests.functional.pages import NAMES, PAGES
from tests.functional.scene import ROOT

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
        if not isinstance(command, click.Group) or not re.fullmatch(r"[a-z]+(-[a-z]+)*", word):
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


def test_every_word_of_the_log_is_told() -> None:
    sources = [path for folder in ("engine", "channels") for path in (ROOT / folder).rglob("*.py")]
    calls = r'logs\.(?:debug|info|warning|failure)\(\s*"([a-z_]+)"'
    found = {word for path in sources for word in re.findall(calls, path.read_text())}
    assert len(found) > 10
    page = (ROOT / "docs/operating.md").read_text()
    assert sorted(word for word in found if f"`{word}`" not in page) == []


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
