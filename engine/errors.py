"""The errors every part of Hilum speaks: one root, five outcomes; each has a stable code, a place, a plain sentence.

Which class an error has decides what happens next (`engine.retry`); its code decides what `hilum explain` says.
No error text ever holds a value from a message: codes, places and lengths only.
"""

from __future__ import annotations


class HilumError(Exception):
    """Root of all expected failures.

    code:  stable and dotted (`frame.truncated`) or numbered (`CFG102`); `hilum explain CODE` tells about it.
    text:  one plain sentence.
    place: where: `file:line:column`, `RQD[2]-5`, `ST[1]/PO1[2]/PO103` or a JSON pointer; empty when it has none.
    hint:  what to do about it; may be empty.
    context: more about it as plain fields, never for a log: a receiver's own words (`code`, `message`, `pointer`,
             `status`), or the word that a crosswalk does not have (`crosswalk`, `table`, `word`, `way`).
    """

    def __init__(
        self, code: str, text: str, *, place: str = "", hint: str = "", context: dict[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.place = place
        self.hint = hint
        self.context = context or {}

    def __str__(self) -> str:
        where = f" at {self.place}" if self.place else ""
        return f"[{self.code}] {self.text}{where}"


class ConfigError(HilumError):
    """The site's YAML is wrong, or a mapping refers to something that does not exist."""


class Refused(HilumError):
    """The sender's fault: these bytes cannot be accepted as what they claim to be.

    status: the protocol's own word for it: HL7 table 0357 code (`102`), TA1 note code (`023`), HTTP status (`422`).
    reject: true when the refusal has nothing to do with the message's content (HL7 AR instead of AE).
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        place: str = "",
        hint: str = "",
        status: str = "",
        reject: bool = False,
        context: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code, text, place=place, hint=hint, context=context)
        self.status = status
        self.reject = reject


class Unavailable(HilumError):
    """Transient: nothing happened at the other side, try again later."""


class Unknown(HilumError):
    """Ambiguous: the bytes left and no answer came; it may have arrived. Resend only under the same id."""


class Rejected(HilumError):
    """Permanent: the receiver said no; never retry the same bytes.

    reply: the receiver's whole answer, kept as a message of its own when it has a body.
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        place: str = "",
        hint: str = "",
        context: dict[str, str] | None = None,
        reply: bytes | None = None,
    ) -> None:
        super().__init__(code, text, place=place, hint=hint, context=context)
        self.reply = reply
