"""What every store promises, whatever it is made of. SQL lives behind this and nowhere else.

One call of `append` or `commit` is one transaction, durable (synced) when it returns. `seq` orders messages within a
lane and is never a watermark. Time and control numbers come from the store's commit, not from its callers.
Times are microseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from engine.message import Delivery, Key, Message, Template
from engine.store.records import (
    Awaited,
    AwaitedNeed,
    DeliveryRecord,
    DocumentNeed,
    ExceptionRecord,
    KnownDocument,
    Missed,
    Page,
    Search,
    StoredDocument,
    Thread,
    Waiting,
)

if TYPE_CHECKING:
    from engine.plugin import TemplateKey

MANY = 1 << 30
LARGE = 1 << 20  # bytes: work to process a larger message comes without its body
NOTHING: Mapping[str, str] = MappingProxyType({})
GATHERED = "gathered/"  # how the lane of a message begins that carries others


# --- what comes in -------------------------------------------------------------------------------------------------
class NewException(NamedTuple):
    """Work for a person. context: business words (`partner`, `document`, `keys`, `pointer` ...), no payload.

    problem: what it belongs to when that is known: a delivery of the same outcome by its position, or an id.
    """

    code: str
    text: str
    place: str = ""
    context: Mapping[str, str] = NOTHING
    delivery: int | None = None  # id of an existing delivery
    new_delivery: int | None = None  # position in Outcome.messages of the delivery it belongs to


class Incoming(NamedTuple):
    """One received message to store. refusal makes it an exception at once, with no work.

    control_place: where in the message its control id stands (`MSH-10`): the place of a conflict.
    answered: one that is refused, a duplicate or a conflict is work, too: to be answered by a message, and no more.
    """

    raw: bytes
    channel: str
    partner: str
    format: str
    type: str = ""
    control_id: str = ""
    sender: str = ""
    dedup: str = ""
    keys: tuple[Key, ...] = ()
    warnings: tuple[str, ...] = ()
    site: str = ""
    lane: str = ""
    priority: int = 5
    refusal: NewException | None = None
    control_place: str = ""
    answered: bool = False


class Appended(NamedTuple):
    """seq is always the stored row: also a duplicate or conflict is kept, with its bytes. of: the first of its kind.

    duplicate: same dedup key and same bytes; kept, no work. conflict: same dedup key, other bytes; kept as an exception
    `dup.conflict` with no work. Where it is `answered`, either is work for that.
    """

    seq: int
    status: str  # new | duplicate | conflict
    of: int | None = None


# --- work ----------------------------------------------------------------------------------------------------------
class Work(NamedTuple):
    """A claimed piece of work with all it needs, so that the hot path reads nothing more.

    kind: process (subject: message seq) | deliver (subject: delivery id) | deadline (subject: acknowledgement id), or
    aside (subject: message seq): claimed by nobody, for exceptions that are found when all that is over.
    message: the message to process or deliver, body included; for a deadline, the message awaited upon, without body,
    and so one to process that is LARGE.
    step: for `process`: empty; `replay` or `resend:<delivery id>` when a person asked for it; `answer:refused`,
    `answer:duplicate` or `answer:conflict` for what is only to be answered; `gather:<lane>` to let go what waits there;
    or what an outcome said.
    """

    id: int
    kind: str
    lane: str
    priority: int
    due_at: int
    subject: int
    message: Message
    delivery: Delivery | None = None
    step: str = ""


# --- what the engine decided ---------------------------------------------------------------------------------------
class NewDocument(NamedTuple):
    type: str
    number: str
    summary: str  # one line for people, made now: looking later needs no model of the document
    body: str  # JSON
    place: str = ""


class Expectation(NamedTuple):
    """An acknowledgement to await for a delivery. ref may hold slots. within: microseconds from its success."""

    kind: str
    ref: Template
    within: int


class Carried(NamedTuple):
    """A delivery that goes with others in one message. expect: awaited for it; refs may hold slots of that message."""

    delivery: int
    expect: tuple[Expectation, ...] = ()


class NewMessage(NamedTuple):
    """One outbound message and its delivery.

    document: position in Outcome.documents, or the id of a stored document when `stored_document` is set.
    state: planned, or dead (with an exception that names it by new_delivery) when it could not be rendered; then body
    is empty. held: waits for a person. gathering: waits for others of its lane, as process work with the step
    `gather:<lane>` decides; carries: those that go in this one, as soon as it does. Where one of them no longer waits,
    the outcome is a conflict.
    """

    uid: str
    body: Template
    destination: str
    connection: str
    channel: str
    format: str
    type: str
    lane: str
    control_id: Template = ()
    keys: tuple[TemplateKey, ...] = ()
    document: int | None = None
    stored_document: int | None = None
    state: str = "planned"
    priority: int = 5
    options: Mapping[str, str] = NOTHING
    expect: tuple[Expectation, ...] = ()
    replaces: int | None = (
        None  # delivery id this one is sent again for; that one, unless delivered, becomes `replaced`
    )
    carries: tuple[Carried, ...] = ()


class Settle(NamedTuple):
    """Settle an awaited acknowledgement. was: the state it was read in; another state now is a conflict.

    A negative one makes what else is awaited for the delivery `not_expected`; one that was overdue resolves its
    `ack.overdue` exceptions.
    """

    id: int
    state: str  # positive | negative | overdue | not_expected
    was: str
    code: str = ""


class Attempt(NamedTuple):
    """One try of a delivery. outcome: delivered | transient | ambiguous | permanent. started: us. ms: duration."""

    started: int
    ms: int
    outcome: str
    code: str
    text: str = ""


class Outcome(NamedTuple):
    """All that one piece of work led to; committed whole or not at all.

    status: done | retry (at `at`) | dead (delivery failed for good) | more (`process` only: all this stands, and the
    work goes on at once, at `step`). For `process` work that ends `state` is the message's new state (processed |
    filtered | exception) and `rule` the name of what filtered it.
    keys: more keys for the message itself. edges: (from seq, to seq, kind) to existing messages.
    reply: the receiver's answer, stored as a message caused by the delivery's message (edge kind `reply`).
    resolves: exception ids closed by this outcome.
    warnings: tolerated departures that only reading the whole message has shown; kept with those of its envelope.
    known: (type, number, id of the newest) of documents it was decided by; a newer one is a conflict.
    dues: of a delivery that is done, when acknowledgements are due, by kind, where that is not simply so long after it.
    """

    work: Work
    status: str = "done"
    at: int = 0
    state: str = ""
    rule: str = ""
    documents: tuple[NewDocument, ...] = ()
    messages: tuple[NewMessage, ...] = ()
    keys: tuple[Key, ...] = ()
    edges: tuple[tuple[int, int, str], ...] = ()
    exceptions: tuple[NewException, ...] = ()
    settles: tuple[Settle, ...] = ()
    attempt: Attempt | None = None
    reply: Incoming | None = None
    resolves: tuple[int, ...] = ()
    site: str = ""
    warnings: tuple[str, ...] = ()
    step: str = ""
    known: tuple[tuple[str, str, int], ...] = ()
    dues: tuple[tuple[str, int], ...] = ()


class TakenOver(NamedTuple):
    """A document that another engine sent to a partner. keys: what it can be found by. uid: of its delivery.

    Plain data, which may come from another process as lists.
    """

    document: NewDocument
    partner: str
    connection: str
    format: str
    type: str
    uid: str
    keys: tuple[Key, ...]

    @classmethod
    def of(cls, told: Sequence[Any]) -> TakenOver:
        """From lists, as JSON has them."""
        document, partner, connection, format, type, uid, keys = told
        known = tuple(Key(*key) for key in keys)
        return cls(NewDocument(*document), partner, connection, format, type, uid, known)


class Committed(NamedTuple):
    """status: done, or conflict: something in `settles` or `known` changed meanwhile, and nothing of it was kept."""

    status: str
    messages: tuple[int, ...] = ()  # seqs of Outcome.messages
    reply: int | None = None


# --- the contract ---------------------------------------------------------------------------------------------------
class StoreReader(Protocol):
    """Looking at a store: beside a running daemon, or with it down."""

    async def close(self) -> None: ...
    async def get(self, seq: int) -> Message | None:
        """A message without its body."""
        ...

    async def body(self, seq: int) -> bytes:
        """The bytes, checked against their SHA-256. Raises Unavailable (`store.corrupt`) when they do not match."""
        ...

    async def window(self, seq: int, start: int, length: int) -> bytes:
        """So many bytes of a body, or as many as there are. One that starts at 0 is checked as `body` is, whole."""
        ...

    async def find(self, search: Search) -> Page: ...
    async def seqs(self, word: str, limit: int = 50) -> list[tuple[int, str]]:
        """Messages a person may mean by a word: (seq, what it was found as), any key kind, control id or message id."""
        ...

    async def thread(self, seqs: Sequence[int], limit: int = 500) -> Thread:
        """The bounded walk over edges, deliveries, documents and transaction keys, from some messages."""
        ...

    async def documents(self, ids: Sequence[int]) -> list[StoredDocument]: ...
    async def delivery(self, ref: int | str) -> DeliveryRecord | None:
        """By id or by uid."""
        ...

    async def exceptions(
        self, *, state: str = "open", ids: Sequence[int] = (), limit: int = 100, before: int = 0
    ) -> list[ExceptionRecord]: ...
    async def awaited(
        self, *, overdue_at: int = 0, partner: str = "", limit: int = 100, ids: Sequence[int] = ()
    ) -> list[Awaited]:
        """Acknowledgements that have not come for what its receiver has, the earliest due first: awaited or overdue.

        overdue_at: those due before it. ids: just these, whatever became of them.
        """
        ...

    async def acknowledgements(self, deliveries: Sequence[int]) -> list[Awaited]:
        """All that were ever awaited for some deliveries."""
        ...

    async def missed(self, *, partner: str = "") -> list[Missed]:
        """Words that crosswalks did not have, those with most open exceptions first. Reads every exception."""
        ...

    async def gathering(self, lane: str, limit: int) -> list[Waiting]:
        """Deliveries that wait for others of their lane, oldest first."""
        ...

    async def site(self, version: str) -> bytes | None: ...
    async def stats(self) -> dict[str, Any]:
        """Counters kept, not counted: received, duplicate, processed, filtered, exception, in_flight, deliveries by
        state, open exceptions, awaited, size in bytes."""
        ...

    async def ledger(self) -> dict[str, int]:
        """The conservation law, counted for a test: every inbound message in exactly one of duplicate, exception,
        in_flight, filtered, delivered. `received`, which was counted as each was stored, must be their sum."""
        ...


class Store(StoreReader, Protocol):
    async def open(self) -> None:
        """Open, migrate, and claim the store for writing. Raises Unavailable when another process holds it."""
        ...

    async def append(self, batch: Sequence[Incoming]) -> list[Appended]:
        """Store received messages; returns after commit and sync. Raises Unavailable when that failed."""
        ...

    async def pull(
        self, kind: str, limit: int, wait: float = 0.0, lanes: int = MANY, bytes: int = MANY
    ) -> list[tuple[str, list[Work]]]:
        """Claim due work of a kind by priority then age: per lane, consecutive items in order, oldest first.

        limit: pieces in all, which the lanes share evenly. lanes: how many of them at most; fewer leave others for
        whoever pulls next while these are closed. bytes: of the messages' bodies together; only the very first piece is
        given whatever its size.

        A lane with unfinished claimed work, or whose head is not due, gives nothing. Waits up to `wait` seconds for
        the first item. Claims live as long as this process: after a crash all work is there again, and deliveries
        that were open then come back with possible_duplicate set.
        """
        ...

    async def commit(self, outcomes: Sequence[Outcome], *, hurry: bool = False) -> list[Committed]:
        """Keep what was decided. Outcomes of one call share a transaction; each stands or conflicts alone.

        hurry: somebody waits for them, so they must not wait for others to share a transaction with.
        """
        ...

    async def release(self, works: Sequence[Work]) -> None:
        """Give claimed work back untouched (on a conflict, or when stopping)."""
        ...

    async def facts(self, needs: Sequence[AwaitedNeed]) -> list[tuple[Awaited, ...]]: ...
    async def known(self, needs: Sequence[DocumentNeed]) -> list[tuple[KnownDocument, ...]]:
        """The documents of each need, oldest first."""
        ...

    async def resolve(self, ids: Sequence[int], *, reason: str, who: str) -> None: ...
    async def replay(
        self,
        *,
        messages: Sequence[int] = (),
        deliveries: Sequence[int] = (),
        resend: Sequence[int] = (),
        reason: str,
        who: str,
    ) -> int:
        """Queue work again; returns how many pieces were queued. Keeps who and why; resolves their open exceptions.

        messages: processed again (step `replay`). deliveries: sent again as they are, a delivered one as a possible
        duplicate. resend: the documents of these deliveries are rendered anew (process work of the message that caused
        the delivery, step `resend:<delivery id>`).
        """
        ...

    async def take_over(self, orders: Sequence[TakenOver], *, reason: str, who: str) -> int:
        """Keep documents that another engine sent before us as sent: what answers them finds them. Those that are known
        as sent already are left alone; returns how many were kept. Keeps who and why."""
        ...

    async def seed(self, counters: Mapping[str, int], *, reason: str, who: str) -> dict[str, int]:
        """Have each of these counters give this number next. Raises Refused (`control.number`), and changes none, when
        one has given it or a later one already. Keeps who and why."""
        ...

    async def keep_site(self, version: str, snapshot: bytes) -> None: ...

    async def audit(self, who: str, action: str, subject: str, reason: str) -> None: ...

    async def health(self) -> None:
        """Raises Unavailable when the store cannot take a message."""
        ...
