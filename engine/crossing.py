"""What goes between a daemon and its worker, as plain data: a message there, what was decided about it back. Where that
takes facts of the store the worker asks for them, and is told.

Pickled, since nothing else of Python's own carries bytes as fast; but only records of ours may stand in a frame, and
nothing that a frame names is ever called. Records made for every message cross as bare tuples, which costs least.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from engine.message import Key, Message, Slot, record
from engine.pipeline import Facts, Reading
from engine.plugin import TemplateKey
from engine.store.contract import Expectation, NewDocument, NewException, NewMessage, Outcome, Settle, Work
from engine.store.records import Awaited, AwaitedNeed, DocumentNeed, KnownDocument

LENGTH: Final = struct.Struct("<Q")
WORK, FACTS = "work", "facts"  # what a list that goes there holds
_RECORDS: Final = {(kind.__module__, kind.__qualname__): kind for kind in (Slot, Expectation)}
Fields = tuple[Any, ...]


class Asks(NamedTuple):
    """What must be known before a message can be decided."""

    needs: tuple[AwaitedNeed, ...]
    lookups: tuple[DocumentNeed, ...] = ()


class Found(NamedTuple):
    """What the store knows of each thing asked, in order."""

    awaited: Sequence[Sequence[Awaited]]
    documents: Sequence[Sequence[KnownDocument]] = ()


_KEYS: Final = NewMessage._fields.index("keys")
_SIZE: Final = len(Message._fields)

_message = partial(record, Message)
_key, _template_key = partial(record, Key), partial(record, TemplateKey)
_document, _delivery = partial(record, NewDocument), partial(record, NewMessage)
_exception, _outcome = partial(record, NewException), partial(record, Outcome)
_settle, _need, _awaited = partial(record, Settle), partial(record, AwaitedNeed), partial(record, Awaited)
_lookup, _known = partial(record, DocumentNeed), partial(record, KnownDocument)


def frame(value: object) -> bytes:
    body = pickle.dumps(value, protocol=5)
    return LENGTH.pack(len(body)) + body


def unframe(body: bytes) -> Any:
    """What stands in a frame, behind its length. Raises pickle.UnpicklingError for anything but plain data."""
    return _Unpickler(io.BytesIO(body)).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _RECORDS[module, name]
        except KeyError:
            raise pickle.UnpicklingError("a frame holds something that is no plain data") from None


# --- there -----------------------------------------------------------------------------------------------------------
def question(work: Work) -> Fields:
    return (*work.message, work.step) if work.step else tuple(work.message)


def asked(fields: Fields) -> Work:
    """As much of the work as deciding it takes."""
    step = fields[_SIZE] if len(fields) > _SIZE else ""
    message = _message(fields[:_SIZE] if step else fields)
    return Work(0, "process", "", 0, 0, message.seq, message, None, step)


def facts(work: Work, found: Found) -> Fields:
    return work.subject, *([[tuple(row) for row in rows] for rows in kind] for kind in found)


def told(fields: Fields) -> tuple[int, Found]:
    """The number of the message, and what was found for it."""
    seq, awaited, documents = fields
    known = [tuple(map(_known, rows)) for rows in documents]
    return seq, Found([tuple(map(_awaited, rows)) for rows in awaited], known)


def facts_of(reading: Reading, found: Found) -> Facts:
    """As the pipeline wants them."""
    awaited = dict(zip(reading.needs, found.awaited, strict=True))
    return Facts(awaited, dict(zip(reading.lookups, found.documents, strict=True)))


# --- back ------------------------------------------------------------------------------------------------------------
def asks(needs: Sequence[AwaitedNeed], lookups: Sequence[DocumentNeed]) -> list[list[Fields]]:
    """In the place of an answer."""
    return [[*map(tuple, needs)], [*map(tuple, lookups)]]


def answer(outcome: Outcome) -> Fields:
    messages: list[list[Any]] = [[*new] for new in outcome.messages]
    for new in messages:
        new[_KEYS] = [*map(tuple, new[_KEYS])]
    documents, keys = [*map(tuple, outcome.documents)], [*map(tuple, outcome.keys)]
    exceptions = [*map(tuple, outcome.exceptions)] if outcome.exceptions else ()
    step = outcome.step if outcome.status == "more" else None
    settles = [*map(tuple, outcome.settles)] if outcome.settles else ()
    decided = outcome.state, outcome.rule, documents, messages, keys, exceptions, outcome.warnings, step
    return (*decided, outcome.edges, settles, outcome.known)


def answered(work: Work, fields: Fields | list[list[Fields]] | None, site: str) -> Outcome | Asks | None:
    """What the worker said of a piece of work; None when nothing. site: the version of the worker's."""
    if fields is None:
        return None
    if isinstance(fields, list):
        needs, lookups = fields
        return Asks(tuple(map(_need, needs)), tuple(map(_lookup, lookups)))
    state, rule, documents, messages, keys, exceptions, warnings, step, edges, settles, known = fields
    for new in messages:
        new[_KEYS] = tuple(map(_template_key, new[_KEYS]))
    return _outcome(
        (
            work, "done" if step is None else "more", 0, state, rule, tuple(map(_document, documents)),
            tuple(map(_delivery, messages)), tuple(map(_key, keys)), edges, tuple(map(_exception, exceptions)),
            tuple(map(_settle, settles)), None, None, (), site, warnings, step or "", known, (),
        )
    )  # fmt: skip
