"""Application advice (X12 824), both ways: what a partner's application says of what we sent, and what we say of what
breaks a business rule. Pure.
"""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, get_args

from canonical import ApplicationAdvice, OrderChange
from canonical.advice import AdviceKind, Verdict
from engine.business import Known, Read, sent
from engine.correlate import OPEN, Settlement
from engine.errors import Refused
from engine.store.contract import NewException, Settle
from engine.store.records import Awaited, AwaitedNeed, DocumentNeed, KnownDocument

# What may be awaited for a document by its own number, and an advice settles.
_ANSWERS: Final = ("824", "855", "865")
_KINDS: Final = frozenset(get_args(AdviceKind))
_TEXT, _NOTE, _NOTES = 60, 80, 10  # letters of TED02 and NTE02, and how many of the latter
# "Other unlisted reason": what our rules find has no code of its own in the standard's list.
_OTHER_REASON: Final = "024"


# --- theirs ----------------------------------------------------------------------------------------------------------
def needs(advice: ApplicationAdvice, partner: str) -> Iterator[AwaitedNeed]:
    """What may be awaited for the documents that an advice speaks of."""
    for verdict in advice.verdicts:
        yield from _needs(verdict, partner)


def _needs(verdict: Verdict, partner: str) -> list[AwaitedNeed]:
    """What speaks of an order's change seldom says which: all of them (`4501/1`)."""
    below = verdict.document == OrderChange.TYPE
    return [AwaitedNeed(partner, kind, verdict.number, below) for kind in _ANSWERS]


def settle(
    advice: ApplicationAdvice,
    awaited: Mapping[AwaitedNeed, Sequence[Awaited]],
    known: Known,
    *,
    by: int,
    partner: str,
) -> Settlement:
    """A refusal ends all that is awaited for a document; an acceptance settles the advice that was."""
    result = Settlement()
    for verdict in advice.verdicts:
        rows = [row for need in _needs(verdict, partner) for row in awaited.get(need, ())]
        documents = known.get(DocumentNeed(verdict.document, verdict.number, partner), ())
        result.add(_settled(verdict, rows, sent(documents), by, partner))
    return result


def _settled(
    verdict: Verdict, rows: Sequence[Awaited], known: KnownDocument | None, by: int, partner: str
) -> Settlement:
    message, delivery = _about(rows, known)
    result = Settlement([(message, by, "acknowledges")] if message is not None else [])
    context = {"partner": partner, "acknowledgement": "824", "of": verdict.number, "status": verdict.status}
    if message is None:
        text = f"the 824 of {partner} speaks of {verdict.spoken()}, which we never sent"
        result.exceptions.append(NewException("ack.unknown", text, verdict.number, context))
        return result
    refused = verdict.status == "refused"
    state = "negative" if refused else "positive"
    concerned = [row for row in rows if row.state in OPEN and (refused or row.kind == "824")]
    result.settles = [Settle(row.id, state, row.state, verdict.status) for row in concerned]
    if refused:
        text = f"{partner} says: {verdict.spoken()}"
        place = next((_place_of(error.segment, error.element) for error in verdict.errors if error.segment), "")
        result.exceptions.append(NewException("advice.refused", text, place, context, delivery=delivery))
    return result


def _about(rows: Sequence[Awaited], known: KnownDocument | None) -> tuple[int | None, int | None]:
    """The message that carried what is spoken of, and its delivery."""
    if rows:
        return rows[-1].message, rows[-1].delivery
    return (known.sent, known.delivery) if known is not None else (None, None)


def _place_of(segment: str | None, element: str | None) -> str:
    return f"{segment}{element.zfill(2)}" if segment and element and element.isdecimal() else segment or ""


# --- ours ------------------------------------------------------------------------------------------------------------
def advice(found: Read, refusals: Sequence[Refused], number: str, on: dt.date) -> ApplicationAdvice:
    """That a document breaks business rules. Its texts hold letters, digits and blanks alone: what else they may hold
    can be a separator of the partner's."""
    document, (group, control) = found.document, found.control
    kind = document.TYPE if document.TYPE in _KINDS else "other"
    verdict = {
        "status": "refused",
        "kind": kind,
        "number": document.reference,
        "of": kind,
        "errors": [_error(refusal) for refusal in refusals],
    }
    orders = [order for _, order in document.concerns()]
    verdict |= {"purchase_order": orders[0]} if len(orders) == 1 and document.TYPE != "purchase_order" else {}
    verdict |= {"group": group, "control": control} if group and control else {}
    return ApplicationAdvice.from_fields({"number": number, "advised_on": on, "verdicts": [verdict]})


def _error(refusal: Refused) -> dict[str, object]:
    text, *notes = textwrap.wrap(_plain(refusal.text), _TEXT)
    error: dict[str, object] = {"code": _OTHER_REASON, "text": text}
    element = re.search(r"([A-Z][A-Z0-9]{1,2})([0-9]{2})(?:-[0-9]+)?$", refusal.place)
    if element is not None:
        error |= {"segment": element[1], "element": str(int(element[2]))}
    more = textwrap.wrap(" ".join(notes), _NOTE)[:_NOTES]
    return error | ({"notes": more} if more else {})


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^A-Za-z0-9 .,-]+", " ", text).split())
