"""Trying a partner without daemon or store: its file, its connections, and samples of every message in both ways.

What goes out is an example of its mapping in the partner's envelope, judged by our own reader; what comes in is a file
that was given, or an example, judged as the listener and the pipeline would. Nothing is kept or sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from canonical import Document
from engine.errors import Refused
from engine.mapping.examples import OURS, THEIRS
from engine.onboarding.candidate import as_status
from engine.onboarding.desk import Desk, Heard
from engine.onboarding.sample import documents_of, lenient
from engine.onboarding.verdict import FAILED, OK, SKIPPED, WARNING, Verdict
from engine.plugin import Profile, Registry
from engine.positions import Finding
from engine.site.model import Agreement, ConnectionConfig, Identity, Site
from engine.site.samples import example_files
from engine.site.source import Source

# (reached, in words); None where a kind cannot be tried without sending.
Probe = Callable[[ConnectionConfig], tuple[bool, str] | None]
_SIDES: Final = {"test": "testing", "live": "live"}
# What only the store knows, and what a partner may well say: a sample answers orders that were never sent from here.
_UNKNOWN: Final = frozenset({"ack.unknown", "advice.refused"})
_OWN_SET: Final = re.compile(rb"ST.997.*?(?=SE.)", re.DOTALL)


class Trial:
    """now: us since the Unix epoch. source: files of the site, the partner's among them."""

    def __init__(self, source: Source, name: str, registry: Registry, environ: Mapping[str, str], now: int) -> None:
        self.source, self.name, self.registry, self.environ, self.now = source, name, registry, environ, now

    def run(self, files: Mapping[str, bytes], probe: Probe) -> list[Verdict]:
        """files: name to bytes of what the partner sent, or we sent to it. Without any, examples are read instead."""
        sites = {side: as_status(self.source, self.name, status, self.registry, self.environ)
                 for side, status in _SIDES.items()}  # fmt: skip
        site, found = self._of_its_status(sites)
        verdicts = [*self._file(site, found)]
        if site is None:
            return verdicts
        for side, (sided, wrong) in sites.items():
            verdicts += self._ways(side, sided, wrong, probe)
        verdicts += self._outgoing(site)
        verdicts += self._files(site, files) if files else self._examples(site)
        return verdicts

    def _of_its_status(
        self, sites: Mapping[str, tuple[Site | None, list[Finding]]]
    ) -> tuple[Site | None, list[Finding]]:
        """A draft is tried as it would be in tests; where it has no test block, as it would be live."""
        from engine.site.effective import effective_tree

        tree = effective_tree(self.source, self.name, self.registry)
        status = tree.get("status") if tree else None
        told = str(status.value) if status else ""
        side = "live" if told == "live" or sites["test"][0] is None else "test"
        return sites[side]

    # --- the file and its connections ----------------------------------------------------------------------------
    def _file(self, site: Site | None, found: list[Finding]) -> Iterator[Verdict]:
        for one in found:
            result = FAILED if one.severity == "error" else WARNING
            hint = f"; {one.hint}" if one.hint else ""
            yield Verdict("file", "the file is right", result, str(one.mark), f"{one.text}{hint} [{one.code}]")
        if site is not None and not found:
            yield Verdict("file", "the file is right", place=f"partners/{self.name}.yaml")

    def _ways(self, side: str, site: Site | None, wrong: list[Finding], probe: Probe) -> Iterator[Verdict]:
        rule = f"the {side} connection can be reached"
        if site is None:
            yield Verdict("connection", rule, SKIPPED, f"{side}:", wrong[0].text)
            return
        used = {agreement.connection for agreement in site.partners[self.name].agreements if agreement.connection}
        for name in sorted(used):
            told = probe(site.connections[name]) if name in site.connections else None
            if told is None:
                yield Verdict("connection", rule, SKIPPED, name, "it cannot be tried without sending")
            else:
                reached, text = told
                yield Verdict("connection", rule, OK if reached else FAILED, name, text)

    # --- outgoing ------------------------------------------------------------------------------------------------
    def _outgoing(self, site: Site) -> Iterator[Verdict]:
        for agreement in site.partners[self.name].agreements:
            if agreement.direction != "out" or not agreement.mapping:
                continue
            examples = documents_of(site, agreement.mapping)
            if not examples:
                yield Verdict("outgoing", f"the {agreement.type} can be written", SKIPPED,
                              f"mappings/{agreement.mapping}.yaml", "its mapping has no example")  # fmt: skip
            for example, document in examples:
                yield from self._written(site, agreement, example, document)

    def _written(self, site: Site, agreement: Agreement, example: str, document: Document) -> Iterator[Verdict]:
        case = f"{agreement.type} {example}"
        form = Desk(lenient(site, self.name), self.name, self.registry.format, self.now)
        sent = form.send(document, agreement)
        # The example's own text may hold a mark that separates here: another order can be written all the same.
        marks = [one for one in sent.problems if one.code == "x12.value" and not one.status]
        for one in marks:
            yield Verdict(case, "it can be written", WARNING, one.place, one.text)
        if len(marks) < max(1, len(sent.problems)):
            yield from _problems(case, "it can be written", [one for one in sent.problems if one not in marks])
        if sent.problems:
            return
        yield from _problems(case, "our own reader takes it", self._read_back(site, agreement, sent.raw))
        strict = Desk(site, self.name, self.registry.format, self.now).send(document, agreement)
        words = [one for one in strict.problems if one.code == "map.miss"]
        for one in words:
            yield Verdict(case, "the code tables know its words", WARNING, one.place, one.text)
        if not words:
            yield Verdict(case, "the code tables know its words")

    def _read_back(self, site: Site, agreement: Agreement, raw: bytes) -> list[Refused]:
        partner = site.partners[self.name]
        profile = Profile(
            self.name, agreement.type, frozenset({agreement.type}), partner.identity.usage, partner.charset,
            partner.identity.theirs, partner.identity.ours,
        )  # fmt: skip
        return judged(self.registry, agreement.format, raw, profile)

    # --- incoming ------------------------------------------------------------------------------------------------
    def _examples(self, site: Site) -> Iterator[Verdict]:
        """Examples are between invented parties, in another partner's words: form is judged, words are not."""
        partner = site.partners[self.name]
        invented = replace(partner, identity=Identity(OURS, THEIRS, "P"))
        doorless = replace(site, partners={**site.partners, self.name: invented}, listeners={})
        loose = lenient(doorless, self.name)
        for agreement in partner.agreements:
            if agreement.direction == "in" and agreement.mapping:
                files = example_files(Path(site.root), agreement.mapping) if site.root else {}
                incoming = {name: raw for name, raw in files.items() if ".in." in name}
                for name, raw in sorted(incoming.items()):
                    yield from self._taken(loose, f"{agreement.type} {name.split('.')[0]}", raw, agreement.type)
                if not incoming:
                    yield Verdict("incoming", f"a {agreement.type} can be read", SKIPPED,
                                  f"mappings/{agreement.mapping}.yaml", "its mapping has no example")  # fmt: skip

    def _files(self, site: Site, files: Mapping[str, bytes]) -> Iterator[Verdict]:
        for name, raw in files.items():
            if self._is_ours(site, raw):
                yield from self._sent_before(site, name, raw)
            else:
                yield from self._taken(site, name, raw)

    def _is_ours(self, site: Site, raw: bytes) -> bool:
        """Whether it is something that was sent to the partner, by us or by an engine before us."""
        ours = site.partners[self.name].identity.ours.get("isa", "").rstrip()
        units = self.registry.format(self._format(site)).split(raw, Profile(usage=""))
        return bool(ours) and bool(units) and all(unit.facts.sender == ours for unit in units)

    def _sent_before(self, site: Site, name: str, raw: bytes) -> Iterator[Verdict]:
        partner = site.partners[self.name]
        types = frozenset(agreement.type for agreement in partner.agreements if agreement.direction == "out")
        profile = Profile(
            self.name, accepts=types, usage="", ours=partner.identity.theirs, theirs=partner.identity.ours
        )
        format = self.registry.format(self._format(site))
        for unit in format.split(raw, profile):
            refused = [unit.refusal] if unit.refusal else judged(self.registry, format.name, unit.raw, profile)
            yield from _problems(name, "what was sent to the partner is right", refused)

    def _format(self, site: Site) -> str:
        return next((a.format for a in site.partners[self.name].agreements if a.format), "x12")

    def _taken(self, site: Site, name: str, raw: bytes, type: str = "") -> Iterator[Verdict]:
        desk = Desk(site, self.name, self.registry.format, self.now, believes=True)
        for heard in desk.hear(raw, type):
            yield from _received(name, heard)


def judged(registry: Registry, format: str, raw: bytes, profile: Profile) -> list[Refused]:
    """All that is wrong with a message, as its format sees it."""
    try:
        opened = registry.format(format).open(raw, profile)
    except Refused as refusal:
        return [refusal]
    return [*opened.problems, *(refusal for part in opened.parts for refusal in part.refusals)]


def _received(name: str, heard: Heard) -> Iterator[Verdict]:
    wrong = [one for one in heard.exceptions if one.code not in _UNKNOWN]
    for one in wrong:
        yield Verdict(name, "it is taken", FAILED, one.place, f"{one.text} [{one.code}]")
    if heard.status in {"duplicate", "conflict"}:
        yield Verdict(name, "it is taken", WARNING, "ISA13", f"this number stands in the file twice ({heard.status})")
    elif not wrong:
        told = [f"{one.TYPE} {one.summary()}" for one in heard.documents] + list(heard.receipts)
        yield Verdict(name, "it is taken", text="; ".join(told))
    for answer in heard.answers:
        yield Verdict(name, "what we would answer", text=spoken(answer))


def spoken(raw: bytes) -> str:
    """An acknowledgement without its envelope, one line."""
    found = _OWN_SET.search(raw)
    text = (found[0] if found else raw).decode("ascii", "replace")
    return "".join(one if one.isprintable() else " " for one in text).strip()


def _problems(case: str, rule: str, problems: Sequence[Refused]) -> Iterator[Verdict]:
    for one in problems:
        hint = f"; {one.hint}" if one.hint else ""
        yield Verdict(case, rule, FAILED, one.place, f"{one.text} [{one.code}]{hint}")
    if not problems:
        yield Verdict(case, rule)
