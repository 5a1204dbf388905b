"""One rule that a partner was tried by, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "FAILED"
SKIPPED: Final = "skipped"


class Verdict(NamedTuple):
    """case: what was played. rule: what must hold. place: file and line, or segment and element, at fault."""

    case: str
    rule: str
    result: str = OK
    place: str = ""
    text: str = ""

    def as_data(self) -> dict[str, Any]:
        return self._asdict()


class Step(NamedTuple):
    """One thing that was said, for the report. who: `ours` or `theirs`."""

    case: str
    who: str
    what: str
    raw: bytes


def passed(verdicts: Iterable[Verdict]) -> bool:
    return not any(one.result == FAILED for one in verdicts)
