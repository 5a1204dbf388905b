"""HL7 v2 (ER7, 2.1 to 2.9): bytes to a lossless tree and back. Pure.

`header` reads MSH of anything; `envelope` is the accept path; `tree` and `syntax` hold text without loss;
`definitions`, `grammar` and `matching` know the standard; `paths`, `locate`, `access` and `structure` are what mappings
address; `writing` makes messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from channels.formats.hl7v2 import envelope as accept
from channels.formats.hl7v2 import writing
from channels.formats.hl7v2.definitions import STRUCTURES, structure_of
from channels.formats.hl7v2.grammar import FLAT, GroupDefinition
from channels.formats.hl7v2.header import BOM, Header, Letterhead, read_header
from channels.formats.hl7v2.leaves import leaves
from channels.formats.hl7v2.matching import Matched, match
from channels.formats.hl7v2.paths import unknown
from channels.formats.hl7v2.structure import MessageScope
from channels.formats.hl7v2.syntax import Syntax, syntax
from channels.formats.hl7v2.tree import Message, NewGroup, cut
from engine.errors import Refused
from engine.plugin import Envelope, Enveloped, Format, Node, Opened, Part, PathError, Profile

_TYPE = re.compile(r"[A-Z0-9]{3}(\^[A-Z0-9]{3}(\^[A-Z0-9_]{3,7})?)?")


class MessageStructure:
    """One message type as a mapping sees it: `OMS^O05` with its groups, or any other type without."""

    def __init__(self, kind: str, definition: GroupDefinition) -> None:
        self.type = kind
        self.scope = MessageScope(None, definition)
        self._definition = definition

    def blank(self) -> Message:
        return Message(NewGroup(self._definition), syntax())

    def leaves(self, node: Message) -> Iterable[tuple[str, str]]:
        return leaves(node)


class HL7v2:
    """The `hl7v2` format."""

    name = "hl7v2"
    answer = None  # MLLP does

    split = staticmethod(accept.split)  # the one message of a frame's payload

    def open(self, raw: bytes, profile: Profile) -> Opened:
        """One Part: the tree, with what is wrong with its structure (`hl7.structure`, 100). Raises Refused."""
        header, _, _ = accept.scan(raw, profile)
        message, matched, warnings = parse(raw, header)
        part = Part(header.letterhead.type, message, "", header.control_id, matched.problems)
        return Opened((part,), (), (), (), warnings)

    def structure(self, header: Mapping[str, str]) -> MessageStructure:
        """From `message: OMS^O05`, and `structure: OMS_O05` for a type that is not defined. Raises PathError."""
        kind, named = header.get("message", ""), header.get("structure", "")
        if not _TYPE.fullmatch(kind):
            raise PathError("a mapping for hl7v2 says which message it is for, like 'message: OMS^O05'", ["OMS^O05"])
        if named and named not in STRUCTURES:
            raise unknown(named, STRUCTURES, "what we have of the standard")
        kind = "^".join(kind.split("^")[:2])
        return MessageStructure(kind, STRUCTURES.get(named or structure_of(kind), FLAT))

    def envelop(self, nodes: Sequence[Node], envelope: Envelope) -> Enveloped:
        """One written tree as one message. Raises Refused."""
        if len(nodes) != 1:
            raise Refused("hl7.multi_msh", f"{len(nodes)} messages for one delivery, which carries one")
        return writing.envelop(nodes[0], envelope)


def parse(raw: bytes, header: Header) -> tuple[Message, Matched, tuple[str, ...]]:
    """The tree of bytes that `envelope.scan` let pass, what its structure says, and warnings.

    `Message.render` gives the same bytes again.
    """
    body = raw.removeprefix(BOM)
    text = body.decode(header.charset)
    letterhead = header.letterhead
    marks, definition, start = letterhead.readings.get(header.charset) or _reading(letterhead, header.charset)
    matched = match(definition, cut(text, marks))
    warnings: tuple[str, ...] = marks.warnings(text, start)
    if matched.unknown:
        warnings = (*warnings, "hl7.unknown_segment")
    return Message(matched.root, marks, raw[: len(raw) - len(body)]), matched, warnings


def _reading(letterhead: Letterhead, charset: str) -> tuple[Syntax, GroupDefinition, int]:
    """Syntax and structure of a message, and where its text goes on behind MSH-2; kept for the next."""
    name = structure_of(letterhead.type, letterhead.structure)
    marks = syntax(letterhead.separators, charset)
    reading = marks, STRUCTURES[name] if name else FLAT, 4 + len(letterhead.separators.encoding)
    letterhead.readings[charset] = reading
    return reading


FORMAT: Format = HL7v2()

__all__ = ["FORMAT", "HL7v2", "Header", "MessageStructure", "parse", "read_header"]
