"""The process that asks pyx12: `python -m channels.second_opinion` reads messages and tells where pyx12 differs.

On stdin each question is a length and an X12 interchange; on stdout each answer a length and JSON: a list of [place,
sentence]. It opens nothing but its own folder of maps, keeps nothing, and ends with its parent. Memory is bounded here,
time by whoever asks.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import os
import re
import resource
import signal
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from channels.formats.x12 import grammar
from channels.formats.x12.maps import map_files
from channels.formats.x12.opinion import copies, disagreement

LENGTH = struct.Struct("!I")
_MOST_MEMORY = 1 << 30
_NICE = 19


def main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # they are for the parent, and its end is ours
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with tempfile.TemporaryDirectory(prefix="maps-") as folder, contextlib.suppress(BrokenPipeError):
        reader = Reader(Path(folder))
        while (raw := _receive(sys.stdin.buffer)) is not None:
            answer = json.dumps([*reader.differences(raw)]).encode()
            sink.write(LENGTH.pack(len(answer)) + answer)
            sink.flush()


def _receive(source: BinaryIO) -> bytes | None:
    """None when the parent is gone."""
    head = source.read(LENGTH.size)
    return source.read(*LENGTH.unpack(head)) if len(head) == LENGTH.size else None


class Reader:
    """pyx12 with our maps, each made and read once."""

    def __init__(self, folder: Path) -> None:
        import pyx12.map_if
        import pyx12.params

        logging.getLogger("pyx12").setLevel(logging.CRITICAL + 1)  # it would log the values of messages
        pyx12.map_if.load_map_file = functools.cache(pyx12.map_if.load_map_file)  # it reads its map for every message
        self._folder = folder
        self._settings = pyx12.params.ParamsBase()
        self._settings.set("charset", "E")
        self._maps = functools.cache(self._made)

    def differences(self, raw: bytes) -> Iterator[tuple[str, str]]:
        """Place and sentence of each set on which the two readers do not agree."""
        for copy in copies(raw):
            try:
                accepted, told = self.opinion(copy.text, copy.release)
            except Exception as failure:
                accepted, told = None, [type(failure).__name__]
            if said := disagreement(copy, accepted, told):
                yield copy.place, said

    def opinion(self, text: str, release: str) -> tuple[bool, list[str]]:
        """Whether pyx12 accepts the one set of an interchange, and what it says of its segments, without values."""
        from pyx12.x12n_document import x12n_document

        told = io.StringIO()
        x12n_document(self._settings, io.StringIO(text), None, None, fd_json=told, map_path=self._maps(release))
        [group] = json.loads(told.getvalue())["interchanges"][0]["groups"]
        [found] = group["transactions"]
        return found["ack_code"] == "A", [*_errors(found)]

    def _made(self, release: str) -> str:
        spoken = grammar.release(release)
        assert spoken is not None
        folder = self._folder / release
        folder.mkdir()
        for name, content in map_files(spoken).items():
            (folder / name).write_text(content)
        return str(folder)


def _errors(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "err_str" in node:
            yield f"{node['err_cde']} {_without_values(node['err_str'], node.get('err_val') or '')}"
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _errors(one)


def _without_values(text: str, value: str) -> str:
    """pyx12 repeats the message's values in its words; ours never leave the message."""
    text = re.sub(r'len\(".*"\)', "length", text, flags=re.DOTALL)
    text = re.sub(r"^Segment (\w+)\*.*? not found", r"Segment \1 not found", text, flags=re.DOTALL)
    return text.replace(value, "…") if value.strip() else text


if __name__ == "__main__":
    main()
