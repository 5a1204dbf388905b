"""One run of a conversation: our desk, the other side, all that was said and found; and rules that many cases ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from canonical import Document
from engine.onboarding.desk import Desk, Heard, Sent
from engine.onboarding.verdict import FAILED, OK, SKIPPED, Step, Verdict
from engine.site.model import Agreement

_NOT_READ: Final = Heard("refused")


class Counterpart(Protocol):
    """The other side: bytes in, bytes out. `understand` raises ValueError for what it cannot read."""

    def understand(self, raw: bytes) -> Any: ...
    def acknowledge(self, raw: bytes, *, reject: bool = False) -> bytes: ...
    def answer(self, raw: bytes, how: str = "accepted") -> bytes: ...
    def ship(self, raw: bytes, how: str = "whole") -> bytes: ...
    def bill(self, raw: bytes, how: str = "whole") -> bytes: ...
    def damaged(self, raw: bytes) -> bytes: ...
    def disguised(self, raw: bytes) -> bytes: ...
    def of_other_usage(self, raw: bytes) -> bytes: ...


class Played:
    """One run: the desk, the other side, and all that was said and found."""

    def __init__(self, desk: Callable[[], Desk], other: Counterpart, order: Document) -> None:
        self._make_desk, self.other, self.order = desk, other, order
        self.verdicts: list[Verdict] = []
        self.steps: list[Step] = []
        self.case = ""
        self.desk = desk()

    def begin(self, case: str) -> None:
        """A case has a desk of its own: what another case left awaited is none of its business."""
        self.case, self.desk = case, self._make_desk()

    def check(self, rule: str, held: bool, place: str = "", text: str = "") -> bool:
        self.verdicts.append(Verdict(self.case, rule, OK if held else FAILED, place, text))
        return held

    def skip(self, rule: str, text: str) -> None:
        self.verdicts.append(Verdict(self.case, rule, SKIPPED, "", text))

    def send(self, agreement: Agreement) -> Sent:
        sent = self.desk.send(self.order, agreement)
        self.steps.append(Step(self.case, "ours", agreement.type, sent.raw))
        return sent

    def hear(self, what: str, raw: bytes) -> Heard:
        self.steps.append(Step(self.case, "theirs", what, raw))
        heard = self.desk.hear(raw)
        answer = heard[0] if heard else _NOT_READ
        self.steps += [Step(self.case, "ours", f"our answer to the {what}", body) for body in answer.answers]
        return answer


Case = Callable[[Played, Sent], None]


# --- what several rules ask ------------------------------------------------------------------------------------------
def agreed(played: Played, type: str) -> bool:
    if played.desk.partner.incoming(type) is None:
        played.skip(f"the {type} is read", f"there is no agreement about an {type}")
        return False
    return True


def settles(played: Played, heard: Heard, kind: str, state: str) -> None:
    expecting = {one for agreement in played.desk.partner.agreements for one, _ in agreement.expect}
    if kind not in expecting:
        played.skip(f"the {kind} settles what was awaited", f"no agreement expects a {kind}")
        return
    settled = [told for told in heard.settled if told[0] == kind]
    fine = bool(settled) and all(told[2] == state for told in settled)
    played.check(f"the {kind} settles what was awaited", fine, "", ", ".join(" ".join(told) for told in settled))


def our_997(played: Played, heard: Heard, verdict: str) -> None:
    if played.desk.partner.outgoing_type("997") is None:
        played.skip("our 997 answers it", "there is no agreement that sends a 997")
        return
    told = b"".join(heard.answers)
    element = played.desk.partner.envelope.get("element", "*").encode()
    said = b"AK9" + element + verdict.encode() in told
    played.check(f"our 997 answers it with {verdict}", said, "AK9", f"{len(heard.answers)} sent")


def no_exceptions(played: Played, heard: Heard, what: str) -> None:
    first = heard.exceptions[0] if heard.exceptions else None
    text = f"{first.text} [{first.code}]" if first else ""
    played.check(f"the {what} raises no exception", first is None, first.place if first else "", text)


def exception(heard: Heard, code: str) -> Any:
    return next((one for one in heard.exceptions if one.code == code), None)


def codes(heard: Heard) -> str:
    return ", ".join([heard.status, *(one.code for one in heard.exceptions)])
