"""A mapping's examples, run: what is read must be the expected documents, what is written the expected bytes, and
reading what was written must give the same document again (the round-trip law). Bytes come as arguments.

An example is NAME.json, the expected document or list of documents, beside NAME.in.EXT to be read, NAME.out.EXT to be
written, or both. With NAME.json alone, the round trip is all there is to check.
"""

from __future__ import annotations

import collections.abc
import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import pydantic

from canonical import Document
from engine.errors import HilumError, Refused
from engine.mapping.compiled import Mapping
from engine.mapping.lineage import derived_fields, field_of, mapped_fields, trace_read, trace_write
from engine.mapping.run import Context
from engine.message import Slot
from engine.plugin import Envelope, Format, Node, Profile

Files = collections.abc.Mapping[str, bytes]

# The names examples are written under: ours and an invented partner's.
OURS: Final = {"isa": "ZZ:NORTHHEALTH", "gs": "NORTHHEALTH", "hl7": "HILUM|NORTHHEALTH"}
THEIRS: Final = {"isa": "ZZ:EXAMPLE", "gs": "EXAMPLE", "hl7": "INVENTORY|EXAMPLE"}
OPTIONS: Final = {"element": "*", "component": ">", "segment": "~", "after_segment": "\n"}
AT: Final = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=-6)))


@dataclass(frozen=True, slots=True)
class Difference:
    """pointer: where. expected, actual: what stands there as text; None where nothing does."""

    pointer: str
    expected: str | None
    actual: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of one example. kind: document | output | round trip | files. error: why it could not be run."""

    example: str
    kind: str
    differences: tuple[Difference, ...] = ()
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.differences and not self.error


@dataclass(frozen=True, slots=True)
class Report:
    """covered, uncovered: the mapping's fields that some example exercises, and those that none does."""

    mapping: str
    checks: tuple[Check, ...] = ()
    covered: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


@dataclass(frozen=True, slots=True)
class Setting:
    """Under whose names the examples are read and written: a partner as an example invents one."""

    profile: Profile = field(default_factory=lambda: Profile("example", ours=OURS, theirs=THEIRS))
    envelope: Envelope = field(default_factory=lambda: Envelope("", "EXAMPLE1", AT, "P", OURS, THEIRS, OPTIONS))


def run_examples(
    mapping: Mapping, files: Files, format: Format, context: Context, setting: Setting | None = None
) -> Report:
    """files: names without folder to bytes, all that lie in the mapping's folder of examples."""
    bench = _Bench(mapping, format, context, setting or Setting())
    checks = tuple(check for name in _names(files) for check in bench.example(name, files))
    mapped = mapped_fields(mapping)
    covered = tuple(name for name in mapped if name in bench.covered)
    return Report(mapping.name, checks, covered, tuple(name for name in mapped if name not in bench.covered))


def _names(files: Files) -> list[str]:
    return sorted({name.split(".")[0] for name in files if not name.startswith(".")})


class _Bench:
    """One mapping with all that running its examples takes; collects the fields they exercise."""

    def __init__(self, mapping: Mapping, format: Format, context: Context, setting: Setting) -> None:
        self.mapping, self.format, self.context, self.setting = mapping, format, context, setting
        self.covered: set[str] = set()

    def example(self, name: str, files: Files) -> Iterator[Check]:
        sources = [raw for file, raw in sorted(files.items()) if file.startswith(f"{name}.in.")]
        targets = [raw for file, raw in sorted(files.items()) if file.startswith(f"{name}.out.")]
        if f"{name}.json" not in files:
            yield Check(name, "files", error=f"{name}.json with the expected documents is missing")
            return
        try:
            expected = self.documents(files[f"{name}.json"])
        except ValueError as wrong:  # pydantic's and json's refusals are both ValueErrors
            yield Check(name, "files", error=f"{name}.json holds no {self.mapping.document}: {_reason(wrong)}")
            return
        for source in sources:
            yield self.attempt(name, "document", partial(self.read_check, source, expected))
        for target in targets:
            yield self.attempt(name, "output", partial(self.write_check, target, expected))
        if self.mapping.writes and self.mapping.reads:
            yield self.attempt(name, "round trip", partial(self.round_trip, expected))

    def attempt(self, name: str, kind: str, check: Callable[[], list[Difference]]) -> Check:
        try:
            return Check(name, kind, tuple(check()))
        except HilumError as failure:
            return Check(name, kind, error=str(failure))

    def documents(self, raw: bytes) -> list[Document]:
        plain = json.loads(raw)
        listed = plain if isinstance(plain, list) else [plain]
        return [self.mapping.model.from_json(json.dumps(entry)) for entry in listed]

    def read_check(self, raw: bytes, expected: Sequence[Document]) -> list[Difference]:
        return differences(_plain(expected), _plain(self.read(raw)))

    def write_check(self, raw: bytes, expected: Sequence[Document]) -> list[Difference]:
        written = b"".join(self.write(document) for document in expected)
        return [] if written.strip() == raw.strip() else _lines(raw, written)

    def round_trip(self, expected: Sequence[Document]) -> list[Difference]:
        again = [found for document in expected for found in self.read(self.write(document), own=True)]
        gains = derived_fields(self.mapping)
        found = differences(_plain(expected), _plain(again))
        return [one for one in found if not (one.expected is None and _gained(one.pointer, gains))]

    def read(self, raw: bytes, *, own: bool = False) -> list[Document]:
        """own: we wrote these bytes ourselves, so sender and receiver are the other way round."""
        found: list[Document] = []
        for node in self.nodes(raw, own):
            result = self.mapping.read(node, self.context)
            for problem in result.problems:
                raise problem
            found += result.documents
            for _, pointer in trace_read(self.mapping, node, self.context).rows:
                self.covered.add(field_of(pointer))
        return found

    def nodes(self, raw: bytes, own: bool) -> list[Node]:
        """The nodes of every part an engine would map; refuses as the engine would."""
        profile = replace(self.setting.profile, type=self.mapping.type)
        if own:
            profile = replace(profile, ours=profile.theirs, theirs=profile.ours)
        opened = self.format.open(raw, profile)
        refusals: list[Refused] = [*opened.problems, *(one for part in opened.parts for one in part.refusals)]
        for refusal in refusals:
            raise refusal
        return [part.node for part in opened.parts]

    def write(self, document: Document) -> bytes:
        written = self.mapping.write(document, self.context)
        for problem in written.problems:
            raise problem
        for pointer, _ in trace_write(self.mapping, document, self.context).rows:
            self.covered.add(field_of(pointer))
        body = self.format.envelop([written.node], self.envelope()).body
        return b"".join(b"1".zfill(part.width) if isinstance(part, Slot) else part for part in body)

    def envelope(self) -> Envelope:
        kind = self.mapping.header.get("message") or self.mapping.type
        return self.setting.envelope._replace(type=kind)


def _reason(wrong: ValueError) -> str:
    if isinstance(wrong, pydantic.ValidationError):
        first = wrong.errors(include_input=False, include_url=False)[0]
        return f"/{'/'.join(str(step) for step in first['loc'])}: {first['msg']}"
    return str(wrong)


# --- comparing -------------------------------------------------------------------------------------------------------
def _plain(documents: Sequence[Document]) -> Any:
    """What was set and to what; presence counts, and a lone document stands for itself."""
    plain = [document.model_dump(exclude_unset=True) for document in documents]
    return plain[0] if len(plain) == 1 else plain


def differences(expected: Any, actual: Any, pointer: str = "") -> list[Difference]:
    """All places where two plain trees differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = dict.fromkeys((*expected, *actual))
        return [one for name in names for one in _entry(expected, actual, name, f"{pointer}/{name}")]
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        found = []
        for position in range(max(len(expected), len(actual))):
            found += _entry(dict(enumerate(expected)), dict(enumerate(actual)), position, f"{pointer}/{position}")
        return found
    return [] if expected == actual else [Difference(pointer, str(expected), str(actual))]


def _entry(expected: dict[Any, Any], actual: dict[Any, Any], key: Any, pointer: str) -> list[Difference]:
    if key not in actual:
        return [Difference(pointer, str(expected[key]), None)]
    if key not in expected:
        return [Difference(pointer, None, str(actual[key]))]
    return differences(expected[key], actual[key], pointer)


def _gained(pointer: str, gains: frozenset[str]) -> bool:
    return field_of(pointer) in gains


def _lines(expected: bytes, actual: bytes) -> list[Difference]:
    """Where two renderings differ, by line."""
    pairs = [
        text.decode("utf-8", "backslashreplace").replace("\r", "\n").strip().split("\n") for text in (expected, actual)
    ]
    plain = differences(pairs[0], pairs[1], "line")
    return plain or [Difference("line ends", None, None)]
