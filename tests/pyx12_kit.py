"""pyx12's opinion of single sets, by maps from our own tables."""

from __future__ import annotations

import functools
import io
import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyx12.map_if
import pyx12.params
from pyx12.x12n_document import x12n_document

from channels.formats.x12 import grammar
from channels.formats.x12.maps import map_files
from channels.formats.x12.separators import Elements, Separators, text_of

logging.getLogger("pyx12").setLevel(logging.CRITICAL)
pyx12.map_if.load_map_file = functools.cache(pyx12.map_if.load_map_file)  # it reads its map anew for every message

_ISA12 = {"004010": "00401", "005010": "00501"}


@functools.cache
def folder(name: str) -> str:
    """A folder with the maps of a release."""
    spoken = grammar.release(name)
    assert spoken is not None
    made = Path(tempfile.mkdtemp(prefix="maps-"))
    for file, content in map_files(spoken).items():
        (made / file).write_text(content)
    return str(made)


@functools.cache
def _settings() -> pyx12.params.ParamsBase:
    settings = pyx12.params.ParamsBase()
    settings.set("charset", "E")
    return settings


def interchange(name: str, kind: str, segments: Sequence[Elements], marks: Separators) -> str:
    """A clean interchange of a release around a set as it came, ST to SE."""
    mark, end = marks.element, marks.segment
    repetition = (marks.repetition or "\x1e") if name == "005010" else "U"
    isa = ["ISA", "00", " " * 10, "00", " " * 10, "ZZ", "QUILL".ljust(15), "ZZ", "NORTH".ljust(15), "261121", "0914",
           repetition, _ISA12[name], "000000001", "0", "P", marks.component]  # fmt: skip
    version = "005010X231A1" if segments[0][1] == "999" else name
    gs = ["GS", kind, "QUILL", "NORTH", "20261121", "0914", "1", "X", version]
    body = [[text_of(value, marks.component, marks.repetition) for value in segment] for segment in segments]
    rows = [isa, gs, *body, ["GE", "1", "1"], ["IEA", "1", "000000001"]]
    return "".join(mark.join(row) + end for row in rows)


def opinion(text: str, name: str) -> tuple[bool, list[str]]:
    """Whether pyx12 accepts the one set of an interchange, and what it says of its segments."""
    told = io.StringIO()
    x12n_document(_settings(), io.StringIO(text), None, None, fd_json=told, map_path=folder(name))
    [group] = json.loads(told.getvalue())["interchanges"][0]["groups"]
    [found] = group["transactions"]
    return found["ack_code"] == "A", [*_errors(found)]


def _errors(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "err_str" in node:
            yield f"{node['err_cde']} {node['err_str']}"
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _errors(one)
