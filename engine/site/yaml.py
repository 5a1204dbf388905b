"""YAML bytes -> `Tree`: every scalar stays the text it was written as, and every node knows its place.

Built from libyaml's events with an explicit stack, so that nesting can never exhaust Python's own, and an alias bomb
is counted before it is walked. Refused with a place: duplicate keys, tags, recursive or many aliases, keys that are
no plain text, several documents in a file, bytes that are not UTF-8. Nothing is ever constructed from a tag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from engine.positions import Findings, Mark, Tree

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_ALIASES: Final = 100
MAX_EXPANDED: Final = 10_000  # nodes that all aliases of a file may add together
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
# What YAML 1.2 allows (ch. 5.1), less NEL, LS and PS, which YAML 1.1 readers and editors disagree on as line ends.
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_tree(source: Path | bytes, file: str, findings: Findings) -> Tree | None:
    """The one document of a file. None when nothing of it can be used; what is wrong is in `findings` (CFG001-009)."""
    raw = source.read_bytes() if isinstance(source, Path) else source
    text = _decode(raw, file, findings)
    if text is None:
        return None
    builder = _Builder(file, findings)
    loader = _Loader(text)
    try:
        while loader.check_event() and builder.take(loader.get_event()):
            pass
    except yaml.YAMLError as error:
        _report_syntax(error, text, file, findings)
        return None
    finally:
        loader.dispose()
    if builder.root is None and not builder.stopped:
        findings.error("CFG009", "the file holds no YAML document", Mark(file))
    return builder.root


def lines_of(text: str) -> list[str]:
    """The lines of a file as YAML counts them."""
    return re.split(r"\r\n|\r|\n", text)


def dump(plain: object) -> str:
    """Plain dicts, lists and scalars as YAML, in the order they have."""
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)
    return text


def _decode(raw: bytes, file: str, findings: Findings) -> str | None:
    if len(raw) > MAX_BYTES:
        findings.error("CFG006", f"the file has {len(raw):,} bytes; at most {MAX_BYTES:,} are read", Mark(file))
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        findings.error("CFG007", "the file is not UTF-8 from here on", _mark_after(before, file), "save it as UTF-8")
        return None
    if strange := _FORBIDDEN.search(text):
        where = _mark_after(text[: strange.start()], file)
        name = f"U+{ord(strange.group()):04X}"
        findings.error("CFG007", f"the character {name} may not stand here", where, 'write it as an escape in "..."')
        return None
    return text


def _mark_after(before: str, file: str) -> Mark:
    lines = lines_of(before)
    return Mark(file, len(lines), len(lines[-1]) + 1)


def _report_syntax(error: yaml.YAMLError, text: str, file: str, findings: Findings) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file)
    problem = str(getattr(error, "problem", "") or "the text cannot be read")
    lines = lines_of(text)
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    hint = ""
    if "\t" in line[: len(line) - len(line.lstrip())] or line[place.column - 1 : place.column] == "\t":
        hint = "indent with spaces, not tabs"
    elif "mapping values" in problem:
        hint = "quote a text that holds ': '"
    findings.error("CFG001", f"this is not YAML: {problem}", place, hint)


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence being read. key: the mapping key whose value comes next; `size` and `height` in nodes."""

    tree: Tree
    anchor: str | None
    key: Tree | None = None
    awaits_key: bool = True
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class _Known:
    """An anchored node: what an alias to it would add. None while it is still being read."""

    tree: Tree | None = None
    size: int = 0
    height: int = 0


class _Builder:
    """Events in, one tree out. `take` says whether it wants more."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.root: Tree | None = None
        self.stopped = False
        self._file = file
        self._findings = findings
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Known] = {}
        self._aliases = 0
        self._expanded = 0

    def take(self, event: yaml.Event) -> bool:
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event)
            plain_null = not event.style and event.value in _NULLS
            tree = Tree(None if plain_null else event.value, self._mark(event))
            self._add(tree, event.anchor, merge=not event.style and event.value == "<<")
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._expand(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._findings.error("CFG009", "a second document starts here; a file holds one", self._mark(event))
            self.stopped = True
        return not self.stopped

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Mark(self._file, start.line + 1, start.column + 1, max(length, 1))

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            hint = "remove it: every value is text until its key says otherwise"
            self._findings.error("CFG003", f"the tag {event.tag[:60]!r} is not allowed", self._mark(event), hint)

    def _open(self, event: Any) -> None:
        self._refuse_tag(event)
        start = Mark(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
        if len(self._stack) >= MAX_DEPTH:
            self._stop("CFG005", f"nested deeper than {MAX_DEPTH} levels", start)
            return
        if event.anchor:
            self._anchors[event.anchor] = _Known()
        empty: dict[str, Tree] | list[Tree] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._stack.append(_Frame(Tree(empty, start), event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        self._add(frame.tree, frame.anchor, frame.size, frame.height)

    def _add(self, tree: Tree, anchor: str | None, size: int = 1, height: int = 1, *, merge: bool = False) -> None:
        if anchor:
            self._anchors[anchor] = _Known(tree, size, height)
        if not self._stack:
            self.root = tree
            return
        frame = self._stack[-1]
        frame.size += size
        frame.height = max(frame.height, height + 1)
        if isinstance(frame.tree.value, list):
            frame.tree.value.append(tree)
        elif frame.awaits_key:
            frame.key, frame.awaits_key = self._checked_key(tree, merge), False
        else:
            self._put(frame, tree)

    def _checked_key(self, tree: Tree, merge: bool) -> Tree | None:
        if merge:
            self._findings.error("CFG008", "the merge key '<<' is not allowed", tree.mark, "write the keys out")
        elif not isinstance(tree.value, str):
            self._findings.error("CFG008", f"a key must be text, not {tree.kind}", tree.mark, "quote it")
        else:
            return tree
        return None

    def _put(self, frame: _Frame, tree: Tree) -> None:
        frame.awaits_key = True
        key = frame.key
        if key is None or not isinstance(key.value, str) or not isinstance(frame.tree.value, dict):
            return
        if key.value in frame.tree.value:
            first = frame.tree.keys[key.value]
            text = f"key '{key.value}' stands here for the second time; the first is on line {first.line}"
            self._findings.error("CFG002", text, key.mark, "remove one of them")
            return
        frame.tree.value[key.value] = tree
        frame.tree.keys[key.value] = key.mark

    def _expand(self, event: Any) -> None:
        known = self._anchors.get(event.anchor)
        mark = self._mark(event)
        if known is None or known.tree is None:
            what = "stands inside itself" if known else "is not known"
            self._stop("CFG004", f"the alias '*{event.anchor}' {what}", mark)
            return
        self._aliases += 1
        self._expanded += known.size
        if self._aliases > MAX_ALIASES or self._expanded > MAX_EXPANDED:
            self._stop("CFG004", f"more than {MAX_ALIASES} aliases, or {MAX_EXPANDED:,} nodes by them", mark)
        elif len(self._stack) + known.height - 1 > MAX_DEPTH:
            self._stop("CFG005", f"nested deeper than {MAX_DEPTH} levels by this alias", mark)
        else:
            self._add(known.tree, None, known.size, known.height)

    def _stop(self, code: str, text: str, mark: Mark) -> None:
        self._findings.error(code, text, mark)
        self.root, self.stopped = None, True
