"""What looking at the store returns: rows as they are, never judged.

Named tuples, since a dataclass takes ten times as long to define and a verb's process lives short. Times are
microseconds since the Unix epoch, UTC.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.message import Delivery, Key, Message


class AwaitedNeed(NamedTuple):
    """The acknowledgements of one partner that `ref` speaks of. below: those under it, too (`PO/88/0001`).

    control: instead, of any kind, those of the last message sent to the partner under the control id `ref`; of a
    delivery of it that awaits none, one without id and kind.
    """

    partner: str
    kind: str
    ref: str
    below: bool = False
    control: bool = False


class Awaited(NamedTuple):
    """An acknowledgement, settled or not. by: the seq of the message that settled it. message: what was sent."""

    id: int
    delivery: int
    message: int
    partner: str
    kind: str
    ref: str
    state: str  # awaited | positive | negative | overdue | not_expected
    code: str = ""
    due_at: int = 0
    settled_at: int = 0
    by: int | None = None
    created_at: int = 0


class DocumentNeed(NamedTuple):
    """All documents of a type and number. partner: to whom it matters whether they were sent."""

    type: str
    number: str
    partner: str


class KnownDocument(NamedTuple):
    """sender: the partner whose message it was read from. sent, delivery: the last message it went to the partner of
    the need in, and its delivery; None when it never did."""

    id: int
    message: int
    sender: str
    body: str
    sent: int | None = None
    delivery: int | None = None


class ExceptionRecord(NamedTuple):
    id: int
    code: str
    text: str
    place: str
    context: Mapping[str, str]
    state: str  # open | resolved
    message: int | None
    delivery: int | None
    opened_at: int
    resolved_at: int | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        return f"EXC-{self.id}"

    def as_data(self) -> dict[str, Any]:
        return {
            "id": self.name,
            "code": self.code,
            "text": self.text,
            "place": self.place,
            "state": self.state,
            "message": f"M{self.message}" if self.message else None,
            "delivery": self.delivery,
            "context": dict(self.context),
            "opened": self.opened_at,
            "resolved": self.resolved_at,
            "reason": self.reason,
        }


class Missed(NamedTuple):
    """A word that a partner's crosswalk did not have when traffic asked for it. table: the files it was looked for in.

    way: in (the partner's word) or out (ours). open, resolved: exceptions. first, last: messages that asked for it.
    """

    partner: str
    crosswalk: str
    table: str
    way: str
    word: str
    open: int
    resolved: int
    first: int
    last: int
    last_at: int


class StoredDocument(NamedTuple):
    id: int
    message: int
    type: str
    number: str
    summary: str
    body: str
    place: str = ""

    @property
    def name(self) -> str:
        return f"D{self.id}"


class AttemptRecord(NamedTuple):
    delivery: int
    number: int
    started: int
    ms: int
    outcome: str
    code: str
    text: str


class DeliveryRecord(NamedTuple):
    delivery: Delivery
    document: int | None
    attempts: tuple[AttemptRecord, ...]
    replaces: int | None


class Waiting(NamedTuple):
    """A delivery that waits for others to go with. since: when it began to."""

    delivery: int
    message: int
    document: int | None
    since: int


class Edge(NamedTuple):
    source: int
    target: int
    kind: str  # causes | carried | reply | acknowledges | follows | repeats | updates | duplicate | replay


class Page(NamedTuple):
    messages: tuple[Message, ...]
    cursor: str  # empty at the end


class Search(NamedTuple):
    """Filters of a message search; all optional, all combined. Newest first, keyset paged."""

    key: str = ""
    kind: str = ""
    partner: str = ""
    channel: str = ""
    type: str = ""
    state: str = ""
    direction: str = ""
    since: int = 0
    until: int = 0
    limit: int = 50
    cursor: str = ""


class Thread(NamedTuple):
    """Everything a bounded walk found: rows, not judgements."""

    messages: tuple[Message, ...] = ()  # without bodies
    documents: tuple[StoredDocument, ...] = ()
    edges: tuple[Edge, ...] = ()
    deliveries: tuple[DeliveryRecord, ...] = ()
    acknowledgements: tuple[Awaited, ...] = ()
    exceptions: tuple[ExceptionRecord, ...] = ()
    keys: tuple[tuple[int, Key], ...] = ()  # (message seq, key)
    truncated: bool = False
