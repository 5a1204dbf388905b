"""The records that cross every wall: envelope facts, messages, deliveries. Frozen, plain, and free of behaviour.

Times are integers: microseconds since the Unix epoch, UTC. Annotations are real types, not texts, since a named tuple
would compile each text on import.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from engine.errors import Refused


class Key(NamedTuple):
    """A word a message can be found by. Keys with the same kind, scope and value name the same thing.

    kind:  `requisition`, `purchase_order`, `interchange`, `group`, `control` ...
    scope: whose numbering it is; empty for numbers that are unique across the site.
    """

    kind: str
    value: str
    scope: str = ""


# Keys of these kinds join messages to one thread; all others only find messages.
TRANSACTION_KINDS = frozenset({"requisition", "purchase_order", "shipment", "invoice", "interchange"})


# Whose numbers of these are meant must be told: two suppliers may have an invoice 1001.
NUMBERED_BY_PARTNER = frozenset({"shipment", "invoice"})


class Facts(NamedTuple):
    """What a format reads from the envelope alone, without looking at the business content.

    type:       the partner's word for it: `OMS^O05`, `850`, `purchase_orders`.
    control_id: MSH-10, ISA13, Idempotency-Key; empty when the format has none.
    control_place: where it stands, as the format names places (`MSH-10`).
    sender:     the identity the message claims (`APP|FACILITY`, `ZZ:ACME`); the lane inside a channel.
    dedup:      the technical duplicate key, control id first; empty when it cannot be recognised again.
    keys:       control numbers to find it by.
    warnings:   codes of tolerated departures (`hl7.lf_segments`).
    context:    what the protocol needs to answer (HL7: separators, version, MSH fields); never stored.
    """

    format: str
    type: str = ""
    control_id: str = ""
    sender: str = ""
    dedup: str = ""
    keys: tuple[Key, ...] = ()
    warnings: tuple[str, ...] = ()
    context: object = None
    control_place: str = ""


# Makes a named tuple from all its fields, in half the time of its own constructor: for those that every message needs.
record = tuple.__new__


class Unit(NamedTuple):
    """One message found in received bytes: a frame's message, a file's interchange, an HTTP body."""

    raw: bytes
    facts: Facts
    refusal: Refused | None = None


class Message(NamedTuple):
    """Immutable bytes in or out, as the store keeps them. `id` is what people see; `seq` is the store's."""

    seq: int
    direction: str  # in | out
    channel: str
    partner: str
    format: str
    type: str
    control_id: str
    sender: str
    at: int
    size: int
    sha256: bytes
    body: bytes = b""
    state: str = "received"  # received | processed | filtered | exception | duplicate
    duplicate_of: int | None = None
    site: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"M{self.seq}"


class Slot(NamedTuple):
    """A control number still to be allocated by the commit that stores the body.

    counter: the sequence it comes from (`isa:ZZ:NORTH>01:0812`). All slots of one counter in one body get one number.
    width:   zero-filled to this many digits; 0 writes it as it is.
    """

    counter: str
    width: int = 0


Template = tuple["bytes | Slot", ...]


class Delivery(NamedTuple):
    """One outbound job: a message to a destination. `uid` is stable over all attempts (the Idempotency-Key)."""

    id: int
    uid: str
    message: int
    destination: str  # partner name
    connection: str
    type: str
    lane: str
    state: str  # planned | retrying | delivered | dead | held
    attempts: int
    created_at: int
    possible_duplicate: bool = False
    options: Mapping[str, str] = MappingProxyType({})
