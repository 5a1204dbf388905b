"""Log lines: a fixed word first, then fields. Ids, codes, counts and lengths only; never a message's content."""

from __future__ import annotations

import logging
import sys

_LOG = logging.getLogger("hilum")


def info(action: str, **fields: object) -> None:
    if _LOG.isEnabledFor(logging.INFO):
        _LOG.info(line(action, fields))


def debug(action: str, **fields: object) -> None:
    if _LOG.isEnabledFor(logging.DEBUG):
        _LOG.debug(line(action, fields))


def warning(action: str, **fields: object) -> None:
    _LOG.warning(line(action, fields))


def failure(action: str, error: BaseException, **fields: object) -> None:
    """A defect of ours: where it was raised, never what was in it (an exception's text may quote a value)."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    _LOG.error(line(action, {**fields, "error": type(error).__name__, "at": " < ".join(reversed(frames[-6:]))}))


def line(action: str, fields: dict[str, object]) -> str:
    return " ".join([action, *(f"{name}={_safe(value)}" for name, value in fields.items() if value not in {"", None})])


def configure(level: str = "INFO") -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    _LOG.handlers[:] = [handler]
    _LOG.setLevel(level)
    _LOG.propagate = False


def _safe(value: object) -> str:
    """One printable word: a partner's id must not forge a log line."""
    text = str(value)[:200]
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    return '"' + text.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'
