"""X12 as the engine sees it (`engine.plugin.Format`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from channels.formats.x12 import paths, portions, ta1, together, write
from channels.formats.x12.claims import claims
from channels.formats.x12.guide import X12Guide
from channels.formats.x12.opening import open_interchange
from channels.formats.x12.split import FORMAT_NAME, split
from channels.formats.x12.survey import survey
from engine.errors import Refused
from engine.message import Template, Unit
from engine.plugin import Answer, Claims, Envelope, Enveloped, Guide, Node, Opened, Portion, Profile, Seen, Structure


class X12:
    """Interchanges of any legal separators in and out; the sets of `standard.sets` inside."""

    name: str = FORMAT_NAME

    def split(self, raw: bytes, profile: Profile) -> list[Unit]:
        return split(raw, profile)

    def open(self, raw: bytes, profile: Profile) -> Opened:
        return open_interchange(raw, profile)

    def window(self, state: str) -> int:
        return portions.window(state)

    def open_portion(self, raw: bytes, at: int, state: str, profile: Profile, *, last: bool) -> Portion | None:
        return portions.open_portion(raw, at, state, profile, last=last)

    def single(self, node: Node, envelope: Envelope) -> bytes:
        return together.single(node, envelope)

    def gather(
        self, singles: Sequence[bytes], envelope: Envelope
    ) -> tuple[Enveloped, Sequence[Mapping[str, Template]]]:
        return together.gather(singles, envelope)

    def answer(self, raw: bytes, refusal: Refused) -> tuple[Answer, ...]:
        return ta1.rejection(raw, refusal)

    def structure(self, header: Mapping[str, str]) -> Structure:
        return paths.structure(header)

    def guide(self, header: Mapping[str, str]) -> Guide:
        return X12Guide(header)

    def claims(self, raw: bytes, *, parties: bool) -> Claims:
        return claims(raw, parties=parties)

    def survey(self, raw: bytes) -> list[Seen]:
        return survey(raw)

    def envelop(self, nodes: Sequence[Node], envelope: Envelope) -> Enveloped:
        return write.envelop(nodes, envelope)
