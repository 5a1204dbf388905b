"""Every code that is raised is explained, and every explanation is of a code that is raised."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.codes import CODES, explain, parse

ROOT = Path(__file__).resolve().parents[2]
BUSINESS = "order|identifier|match|advice|ack"
FAMILIES = f"{BUSINESS}|frame|hl7|x12|json|map|route|dup|delivery|http|folder|mllp|store|control|internal|security"
CODE = re.compile(rf"(?:CFG|MAP)\d{{3}}|(?:{FAMILIES})\.[a-z][a-z0-9_]*")
OTHER_NAMES = {"store.db", "control.sock", "http.disconnect"}  # two files, and a word of ASGI


def texts(source: str) -> Iterator[str]:
    """Every string constant of a program; what is joined at run time is not a code anyone could look up."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def raised() -> set[str]:
    found = set()
    for folder in ("engine", "channels", "canonical"):
        for path in (ROOT / folder).rglob("*.py"):
            if "simulate" not in path.parts:
                found |= {text for text in texts(path.read_text()) if CODE.fullmatch(text)}
    return found - OTHER_NAMES


def test_every_code_is_explained() -> None:
    assert sorted(raised() - CODES.keys()) == []


def test_nothing_is_explained_that_does_not_exist() -> None:
    assert sorted(CODES.keys() - raised()) == []


def test_a_code_is_found_however_it_is_written() -> None:
    one = explain("cfg102")
    assert one is not None
    assert one == explain("CFG102")
    assert one.title == "Unknown key"
    assert explain("CFG999") is None


def test_explanations_are_sentences() -> None:
    for code in CODES.values():
        assert code.title[0].isupper() or not code.title[0].isalpha(), code.code
        assert code.meaning.endswith("."), code.code
        assert code.fix.endswith("."), code.code


@pytest.mark.parametrize("text", ["CFG001|only|three", "CFG001|a||d", "CFG001|a|b|c\nCFG001|a|b|c"])
def test_a_spoiled_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_the_search_finds_what_is_raised() -> None:
    assert "CFG999" in set(texts('raise ConfigError("CFG999", "text")'))
    assert CODE.fullmatch("hl7.header")
    assert not CODE.fullmatch("engine.site")
