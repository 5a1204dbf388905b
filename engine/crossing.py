"""What goes between a daemon and its worker, as plain data: a message there, what was decided about it back.

Pickled, since nothing else of Python's own carries bytes as fast; but only records of ours may stand in a frame, and
nothing that a frame names is ever called. Records made for every message cross as bare tuples, which costs least.
"""

from __future__ import annotations

import io
import pickle
import struct
from functools import partial
from typing import Any, Final

from engine.message import Key, Message, Slot, record
from engine.plugin import TemplateKey
from engine.store.contract import Expectation, NewDocument, NewException, NewMessage, Outcome, Work

LENGTH: Final = struct.Struct("<Q")
_RECORDS: Final = {(kind.__module__, kind.__qualname__): kind for kind in (Slot, Expectation)}
Fields = tuple[Any, ...]
_KEYS: Final = NewMessage._fields.index("keys")
_SIZE: Final = len(Message._fields)

_message = partial(record, Message)
_key, _template_key = partial(record, Key), partial(record, TemplateKey)
_document, _delivery = partial(record, NewDocument), partial(record, NewMessage)
_exception, _outcome = partial(record, NewException), partial(record, Outcome)


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


# --- back ------------------------------------------------------------------------------------------------------------
def answer(outcome: Outcome) -> Fields:
    """An outcome that settles nothing: it needed no facts."""
    messages: list[list[Any]] = [[*new] for new in outcome.messages]
    for new in messages:
        new[_KEYS] = [*map(tuple, new[_KEYS])]
    documents, keys = [*map(tuple, outcome.documents)], [*map(tuple, outcome.keys)]
    exceptions = [*map(tuple, outcome.exceptions)] if outcome.exceptions else ()
    step = outcome.step if outcome.status == "more" else None
    return outcome.state, outcome.rule, documents, messages, keys, exceptions, outcome.warnings, step


def answered(work: Work, fields: Fields, site: str) -> Outcome:
    """The outcome again. site: the version of the worker's."""
    state, rule, documents, messages, keys, exceptions, warnings, step = fields
    for new in messages:
        new[_KEYS] = tuple(map(_template_key, new[_KEYS]))
    return _outcome(
        (
            work, "done" if step is None else "more", 0, state, rule, tuple(map(_document, documents)),
            tuple(map(_delivery, messages)), tuple(map(_key, keys)), (), tuple(map(_exception, exceptions)), (), None,
            None, (), site, warnings, step or "", (),
        )
    )  # fmt: skip
