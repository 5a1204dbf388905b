"""Certifying a partner: the site judged as if it were live, and its conversation played."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from engine.onboarding.candidate import as_status
from engine.onboarding.conversation import play
from engine.onboarding.desk import Desk
from engine.onboarding.played import Counterpart
from engine.onboarding.sample import enterprise_words, sample_order
from engine.onboarding.verdict import FAILED, SKIPPED, WARNING, Step, Verdict
from engine.plugin import Registry
from engine.positions import Finding
from engine.site.effective import fingerprint
from engine.site.model import Partner
from engine.site.source import Source

_IN_TEXTS: Final = frozenset(" .,:;-/'()&#+%@")

Simulated = Callable[[Partner, dt.datetime], Counterpart]


class Certified(NamedTuple):
    """partner: as it would be live; None where the site has mistakes then, which are the verdicts."""

    partner: Partner | None
    fingerprint: str
    verdicts: list[Verdict]
    steps: list[Step]

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(one.result for one in self.verdicts))


def certify(
    source: Source,
    name: str,
    registry: Registry,
    environ: Mapping[str, str],
    simulated: Simulated,
    now: dt.datetime,
) -> Certified:
    """simulated: makes the other side. now: aware. The partner must have a file in `source`."""
    whole = fingerprint(source, name, registry)
    site, findings = as_status(source, name, "live", registry, environ)
    verdicts = [_found(one) for one in findings if one.severity == "error"]
    if site is None:
        return Certified(None, whole, verdicts, [])
    partner = site.partners[name]
    verdicts = [Verdict("site", "the site is right with the partner live"), *_marks(partner)]
    at = now.astimezone(partner.zone)
    verdicts += _tables(partner, at.date().isoformat())
    instant = int(now.timestamp()) * 1_000_000
    order = sample_order(site, partner, at.date())
    played = play(lambda: Desk(site, name, registry.format, instant), simulated(partner, at), order)
    return Certified(partner, whole, verdicts + played.verdicts, played.steps)


def _found(one: Finding) -> Verdict:
    hint = f"; {one.hint}" if one.hint else ""
    return Verdict(
        "site", "the site is right with the partner live", FAILED, str(one.mark), f"{one.text}{hint} [{one.code}]"
    )


def _marks(partner: Partner) -> list[Verdict]:
    """X12 has no escape: a text that holds a separator cannot be sent."""
    if not any(agreement.format == "x12" for agreement in partner.agreements):
        return []
    common = [key for key in ("element", "component", "segment") if partner.envelope.get(key, "*") in _IN_TEXTS]
    text = "a note such as 'Case at 13:00 - room 4' may hold it, and an order with one could then not be written"
    rule = "no separator is a mark that texts often hold"
    return [Verdict("site", rule, WARNING, f"envelope.{key}", text) for key in common] or [Verdict("site", rule)]


def _tables(partner: Partner, day: str) -> list[Verdict]:
    """A table without rows knows no word: every order would stop at it."""
    found = []
    for name, used in partner.crosswalks.items():
        words = enterprise_words(partner, name, day)
        lenient = used.on_miss != "exception"
        result = Verdict("site", f"the table '{name}' has rows", place=used.source)
        if not words:
            told = "it is empty, and its words pass as they are" if lenient else "it is empty: give each code a row"
            result = result._replace(result=SKIPPED if lenient else FAILED, text=told)
        found.append(result)
    return found
