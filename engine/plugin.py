"""The contracts between the engine and everything that speaks to the world. Both sides see this module and no further.

A *format* turns bytes into trees and trees into bytes (pure). A *kind* is a protocol: it makes listeners that hand
received bytes to an `Intake`, and senders that deliver. `Registry` holds both; only `engine.wiring` fills it.

What is made for every message is a named tuple, since a frozen dataclass takes several times as long to make.
Annotations are real types, not texts, since a named tuple would compile each text on import.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from engine.errors import Refused
from engine.message import Delivery, Facts, Message, Template, Unit
from engine.options import ListenerOptions, Options


class Null:
    """The explicit "delete this" of a protocol (HL7 `""`, JSON null), as against a value that was not sent (None)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL"


class Bare(str):
    """A number, true or false that a mapping writes: without quotes where a format tells them from texts (JSON)."""

    __slots__ = ()


_NOTHING: Mapping[str, Any] = MappingProxyType({})

NULL: Final = Null()
Value = str | Null | None
Node = Any  # a format's own tree node; opaque to everyone else


# --- formats -------------------------------------------------------------------------------------------------------
class PathError(Exception):
    """A mapping names a place the structure does not have. nearest: the right words that look most like it."""

    def __init__(self, text: str, nearest: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.nearest = tuple(nearest)


class Field(Protocol):
    """One addressable place of a structure, compiled once from its path."""

    @property
    def path(self) -> str: ...  # canonical spelling, as lineage shows it
    def get(self, node: Node) -> Value: ...
    def put(self, node: Node, value: str | Null) -> None: ...


class Loop(Protocol):
    """A repeating place: nodes to read, or new nodes to write; `scope` compiles the paths inside it."""

    @property
    def path(self) -> str: ...
    @property
    def scope(self) -> "Scope": ...
    def nodes(self, node: Node) -> Sequence[Node]: ...
    def new(self, node: Node) -> Node: ...
    def place(self, node: Node, position: int) -> str:
        """How people name the nodes()[position] of this loop: `ORDER[2]`, `PO1[1]`, `/lines/0`."""
        ...


# Writes into a node what a list of texts has for each of some fields ("" nothing), as `put` would one after the other.
# False when nothing was done, because one of them is no plain text or may be refused.
Fill = Callable[[Node, Sequence[Any]], bool]


class Want(NamedTuple):
    """A field whose text belongs into a record. nullable: a deletion is kept there, as None."""

    record: int
    name: str
    field: Field
    nullable: bool


class Scope(Protocol):
    """A format that can write many fields at once has besides `filler(fields) -> (count, Fill)`.

    fields: (number of its text, Field) in the order they are put. count: how many of the first of them the Fill writes.

    One that can read many at once has `gather(wants, count)`: a function from a node to so many records, dicts of texts
    by name, filled with what each wanted field's `get` would give where that is not None.
    """

    def field(self, path: str) -> Field: ...  # raises PathError
    def loop(self, path: str) -> Loop: ...  # raises PathError


class Structure(Protocol):
    """What a mapping may address in one message type, made by the format from the mapping's header keys."""

    @property
    def type(self) -> str: ...  # the message type it reads and writes: `OMS^O05`, `850`; empty when any
    @property
    def scope(self) -> Scope: ...
    def blank(self) -> Node:
        """A root node to write into."""
        ...

    def leaves(self, node: Node) -> Iterable[tuple[str, str]]:
        """All (canonical path, value) of a tree: what the unmapped ledger is made from."""
        ...


class Narrowing(NamedTuple):
    """One rule of a partner's guide. path: as mappings name places. 0 and empty: as the standard has it.

    use: `required` or `never`. most: how often. codes: the only ones. least, longest: length in characters.
    source: file:line:column of the rule.
    """

    path: str
    use: str = ""
    most: int = 0
    codes: tuple[str, ...] = ()
    least: int = 0
    longest: int = 0
    source: str = ""


class Guide(Protocol):
    """What a partner narrows of a structure; a format judges by those of a Profile and an Envelope."""

    @property
    def type(self) -> str: ...  # the message type it is for: `850`
    def add(self, rule: Narrowing) -> None: ...  # raises PathError


@dataclass(frozen=True, slots=True)
class Profile:
    """What is agreed with a sender, as far as reading its envelope needs it.

    type:     the message type when the bytes cannot say it themselves (JSON).
    accepts:  the types the channel takes; empty takes all.
    usage:    P or T: the traffic this channel is for.
    ours, theirs: identities as the partner's YAML gives them (`isa: "ZZ:NORTH"`, `gs: NORTH`).
    charset:  text encoding that overrules what the message says of itself; empty: believe the message.
    limits:   caps by name (`segments`, `repetitions`, `field`, `depth`); a format has its own defaults.
    options:  the listener's switches for this format (`allow_empty_control_id`, `strict_segment_ends` ...).
    tolerates: faults that only warn, by the element and code of the answer that would tell them (`AK502 4`).
    whole:    types of which a group stands only if all its sets do.
    answers:  the functional acknowledgements it gets (`997`), each with the release it wants, empty for the group's.
    guides:   what this sender narrows, by message type.
    strangers: identities of other partners, which must never come from this one.
    """

    partner: str = ""
    type: str = ""
    accepts: frozenset[str] = frozenset()
    usage: str = "P"
    charset: str = ""
    ours: Mapping[str, str] = field(default_factory=dict)
    theirs: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    tolerates: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    answers: Mapping[str, str] = field(default_factory=dict)
    guides: Mapping[str, Guide] = field(default_factory=dict)
    strangers: frozenset[str] = frozenset()


class Part(NamedTuple):
    """One business message inside a stored message: an HL7 message, one X12 transaction set, one JSON body.

    control_id, group: its number, and that of the group it came in (ST02, GS06), where its format has them.
    """

    type: str
    node: Node
    place: str = ""  # `ST[2]`; empty when the message has one part
    control_id: str = ""
    refusals: tuple[Refused, ...] = ()  # why it may not be mapped
    group: str = ""


class Receipt(NamedTuple):
    """What a received acknowledgement says about something we sent.

    kind:     `997`. ref: what it speaks of, `PO/88/0001` (group code, GS06, ST02) or `PO/88` for a whole group.
    whole:    it speaks of a whole message of ours, and `ref` is that one's control id (`TA1`).
    also:     a kind that it may stand for: whoever awaits a 997 may get a 999.
    positive: accepted (with or without errors). code: the standard's own (`A`, `E`, `P`, `R`).
    details:  each fault in plain words with its place: `PO1[2]/PO103: code value not in the list`.
    """

    kind: str
    ref: str
    positive: bool
    code: str
    details: tuple[str, ...] = ()
    whole: bool = False
    also: str = ""


class Answer(NamedTuple):
    """Acknowledgements of one type that go back to a message's sender, ready for `envelop`."""

    type: str  # `997`, `TA1`
    nodes: tuple[Node, ...]


class Opened(NamedTuple):
    """A stored message's content, judged."""

    parts: tuple[Part, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    problems: tuple[Refused, ...] = ()  # faults of the whole, each an exception
    answers: tuple[Answer, ...] = ()
    warnings: tuple[str, ...] = ()


class Envelope(NamedTuple):
    """Who writes to whom and when; everything a format needs to wrap what a mapping wrote.

    type: the partner's word for what is sent (`850`, `OMS^O05^OMS_O05`). id: unique and stable, for MSH-10.
    at:   in the partner's zone. options: the partner's `envelope:` settings (separators, versions ...).
    guide: what the receiver narrows of this type.
    """

    type: str
    id: str
    at: dt.datetime
    usage: str = "P"
    ours: Mapping[str, str] = _NOTHING
    theirs: Mapping[str, str] = _NOTHING
    options: Mapping[str, str] = _NOTHING
    guide: Guide | None = None


class TemplateKey(NamedTuple):
    kind: str
    value: Template
    scope: str = ""


class Enveloped(NamedTuple):
    """Bytes ready to store, with slots for the control numbers that the commit will allocate.

    refs: by acknowledgement kind, what an answer to it will refer to (`{"997": (b"PO/", Slot(...), b"/0001")}`).
    """

    body: Template
    control_id: Template
    keys: tuple[TemplateKey, ...] = ()
    refs: Mapping[str, Template] = _NOTHING


class Claims(NamedTuple):
    """What a message says of its sender beyond its envelope's: application codes of its groups (GS02), parties that are
    named in it (`SE:92:55`), and whether it holds nothing but acknowledgements."""

    groups: tuple[str, ...] = ()
    parties: frozenset[str] = frozenset()
    acknowledges: bool = False


@runtime_checkable
class Claiming(Protocol):
    """A format whose messages tell apart partners that share a connection."""

    def claims(self, raw: bytes, *, parties: bool) -> Claims:
        """Of the bytes of one Unit. parties: whether these are wanted, too. Never raises."""
        ...


class Seen(NamedTuple):
    """One observation in bytes of an unknown sender. message: which of them, from 1.

    kind: sender, receiver, usage, group, release, set, unit, item, party, name, a setting of an envelope, or `fault`
    and `unusable` with the reason in words.
    """

    message: int
    kind: str
    value: str


@runtime_checkable
class Surveyor(Protocol):
    """A format that can say what unknown bytes show of their sender."""

    def survey(self, raw: bytes) -> list[Seen]:
        """Never raises, and judges nothing."""
        ...


class Format(Protocol):
    name: str

    @property
    def answer(self) -> Callable[[bytes, Refused], tuple[Answer, ...]] | None:
        """What the sender of one message that is refused as a whole is told by a message of ours; none where it must
        not be told. A refusal `dup.conflict`: its number was used before. None: the sender's protocol answers it."""
        ...

    def split(self, raw: bytes, profile: Profile) -> list[Unit]:
        """Find the messages in received bytes and read their envelopes; never raises, and loses no byte."""
        ...

    def open(self, raw: bytes, profile: Profile) -> Opened:
        """Parse and judge one stored message (the bytes of one Unit). Raises Refused when nothing of it can be used."""
        ...

    def structure(self, header: Mapping[str, str]) -> Structure:
        """From a mapping's header keys (`message`, `set`, `release`). Raises PathError."""
        ...

    def envelop(self, nodes: Sequence[Node], envelope: Envelope) -> Enveloped:
        """Wrap written trees. Raises Refused at the place of a value the format cannot carry."""
        ...


@runtime_checkable
class Guided(Protocol):
    """A format whose messages a partner's guide can narrow."""

    def guide(self, header: Mapping[str, str]) -> Guide:
        """One without rules, from the guide's header keys (`set`, `release`). Raises PathError."""
        ...


@runtime_checkable
class Gathering(Protocol):
    """A format that puts several written trees into one message."""

    def single(self, node: Node, envelope: Envelope) -> bytes:
        """A tree as it waits for others. Raises Refused as `envelop` does."""
        ...

    def gather(
        self, singles: Sequence[bytes], envelope: Envelope
    ) -> tuple[Enveloped, Sequence[Mapping[str, Template]]]:
        """One message with all of them; and, for each of them, what an answer to it will refer to, by kind. Raises
        Refused for one that does not fit the envelope as it is now."""
        ...


class Portion(NamedTuple):
    """Some of a message's content. at: where its next one begins, in bytes. state: for that; done: there is none."""

    opened: Opened
    at: int
    state: str
    done: bool = False


@runtime_checkable
class Portioned(Protocol):
    """A format whose messages may be long, and that can open one in portions."""

    def window(self, state: str) -> int:
        """How many bytes the next portion would best see."""
        ...

    def open_portion(self, raw: bytes, at: int, state: str, profile: Profile, *, last: bool) -> Portion | None:
        """Parse and judge what comes next; all portions together hold what `open` would find in the whole.

        raw: the bytes from `at`, where the last portion said. state: what it left, empty for the first. last: nothing
        comes behind them. None when they are too few. Raises Refused when nothing more of the message can be used.
        """
        ...


# --- kinds ---------------------------------------------------------------------------------------------------------
class Verdict(NamedTuple):
    """What became of one received message. `refusal` is set when status is refused or conflict."""

    status: str  # accepted | duplicate | conflict | refused
    message: str  # message id
    seq: int
    facts: Facts
    refusal: Refused | None = None


class Intake(Protocol):
    """The one door by which received bytes come in; bound to one listener."""

    async def accept(self, *raws: bytes, type: str = "", control_id: str = "") -> list[Verdict]:
        """Store, then return: one verdict per message found in `raws`, in order. Raises Unavailable if not stored.

        An MLLP frame always gives one; a file may hold several. All of one call share a commit.
        """
        ...

    async def refuse(self, raw: bytes, refusal: Refused) -> Verdict:
        """Keep bytes that are no message (a broken frame) as an exception. Raises Unavailable if not stored."""
        ...

    async def processed(self, verdict: Verdict) -> Refused | None:
        """Wait for the pipeline's verdict on an accepted message: None when it went well. Raises Unavailable."""
        ...


class Listener(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None:
        """Take nothing more, finish answering what was stored, release the socket or folder."""
        ...


class Outbound(NamedTuple):
    """A delivery with the message it carries, as a sender gets it."""

    delivery: Delivery
    message: Message


class Sent(NamedTuple):
    """The receiver has it. code: its own word (`AA`, `201`, `written`). reply: a body to keep as a message."""

    code: str
    reply: bytes | None = None


class Sender(Protocol):
    async def send(self, out: Outbound) -> Sent:
        """Raises Unavailable (nothing happened), Unknown (it may have arrived) or Rejected (never again)."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One protocol: its option sets and constructors. A module of `channels` exports one as `KIND`."""

    name: str
    listener_options: type[ListenerOptions] | None = None
    make_listener: Callable[[str, Any, Intake], Listener] | None = None
    sender_options: type[Options] | None = None
    make_sender: Callable[[str, Any], Sender] | None = None


class Registry(Protocol):
    """Kinds and formats by name, imported on first use. Raises KeyError for an unknown name."""

    def kind(self, name: str) -> Kind: ...
    def format(self, name: str) -> Format: ...
    def kinds(self) -> Sequence[str]: ...
    def formats(self) -> Sequence[str]: ...
