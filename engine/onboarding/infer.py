"""A partner's YAML proposed from samples: each line says what it is sure of, seen in so many of so many, or guessed.

Pure. Nothing is kept; what no sample shows is left out rather than made up.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from engine.plugin import Seen
from engine.site.model import Site

# Who usually sends a set: buyers order, sellers answer, ship and bill.
_BUYERS: Final = frozenset({"850", "860", "820", "830", "840", "852"})
_SELLERS: Final = frozenset({"855", "856", "865", "810", "832", "857", "843"})
_ANSWERS: Final = frozenset({"997", "999", "TA1"})
_MARKS: Final = ("element", "component", "segment", "after_segment")
_STYLE: Final = {"standards_id": "U", "version": "00401"}
_MOST: Final = 20  # codes of a kind
_CODES: Final = {
    "unit": "unit codes in use, whose meaning the table of units must say",
    "item": "qualifiers of item numbers in use",
    "party": "parties in use, N101 by N103",
}


class Line(NamedTuple):
    """One proposal. key: `live.identity.theirs.isa`. sure: False for a guess. seen, of: in how many interchanges.

    why: where a guess comes from.
    """

    key: str
    value: str
    sure: bool
    seen: int = 0
    of: int = 0
    why: str = ""

    @property
    def comment(self) -> str:
        counted = f"seen in {self.seen} of {self.of}" if self.of else ""
        told = ", ".join(filter(None, [counted, self.why]))
        return f"sure: {told}" if self.sure else f"guessed: {told}"


class Proposal(NamedTuple):
    """lines: in the order of a partner's file. remarks: what a person must know besides. unusable: file to reason.

    codes: `unit`, `item`, `party`: what was met between the two, and how often.
    """

    name: str
    lines: tuple[Line, ...]
    remarks: tuple[str, ...]
    unusable: Mapping[str, str]
    codes: Mapping[str, Mapping[str, int]]


class _Pile:
    """All interchanges between one partner and us, each a list of what was seen in it."""

    def __init__(self, interchanges: Sequence[Sequence[Seen]]) -> None:
        self.all = interchanges

    def count(self, kind: str) -> Counter[str]:
        """In how many interchanges each value of a kind was seen."""
        return Counter(value for one in self.all for value in {seen.value for seen in one if seen.kind == kind})

    def times(self, kind: str) -> Counter[str]:
        return Counter(seen.value for one in self.all for seen in one if seen.kind == kind)

    def part(self, sender: str) -> _Pile:
        return _Pile([one for one in self.all if _one(one, "sender") == sender])


def infer(surveys: Mapping[str, Sequence[Seen]], site: Site | None, ours: str = "") -> Proposal:
    """surveys: by file, what its format saw. ours: our own interchange id, where the site does not say it."""
    interchanges, unusable = _interchanges(surveys)
    if not interchanges:
        return Proposal("", (), (), unusable, {})
    known = ({ours} if ours else set()) | _our_ids(site)
    theirs, us, why = _parties(interchanges, known)
    mine = _Pile([one for one in interchanges if {_one(one, "sender"), _one(one, "receiver")} == {theirs, us}])
    remarks = list(_remarks(mine, interchanges, theirs))
    name, guess = _name(mine.part(theirs), theirs)
    lines = [guess, *_extends(site), Line("status", "draft", True, why="nothing is sent before it is certified")]
    lines += [*_identities(mine, theirs, us, why), *_documents(mine, theirs, site), *_envelope(mine, theirs)]
    codes = {kind: dict(mine.times(kind).most_common(_MOST)) for kind in ("unit", "item", "party")}
    return Proposal(name, tuple(lines), tuple(remarks), unusable, codes)


# --- who is who ------------------------------------------------------------------------------------------------------
def _interchanges(surveys: Mapping[str, Sequence[Seen]]) -> tuple[list[list[Seen]], dict[str, str]]:
    found: list[list[Seen]] = []
    unusable: dict[str, str] = {}
    for file, seen in surveys.items():
        by_number: dict[int, list[Seen]] = {}
        for one in seen:
            by_number.setdefault(one.message, []).append(one)
        usable = [one for one in by_number.values() if _one(one, "sender")]
        found += usable
        if not usable:
            unusable[file] = next((one.value for one in seen if one.kind == "unusable"), "it names no sender")
    return found, unusable


def _our_ids(site: Site | None) -> set[str]:
    partners = site.partners.values() if site else ()
    return {one.identity.ours["isa"].rstrip() for one in partners if one.identity.ours.get("isa")}


def _parties(interchanges: Sequence[Sequence[Seen]], known: Collection[str]) -> tuple[str, str, str]:
    """(their id, our id, why): by our own ids, else by who sends what; of several partners the most frequent."""
    pairs = Counter((_one(one, "sender"), _one(one, "receiver")) for one in interchanges)
    certain = Counter[tuple[str, str]]()
    guessed = Counter[tuple[str, str]]()
    for one in interchanges:
        sender, receiver = _one(one, "sender"), _one(one, "receiver")
        if sender in known or receiver in known:
            certain[(receiver, sender) if sender in known else (sender, receiver)] += 1
        else:
            sets = {seen.value for seen in one if seen.kind == "set"}
            buys, sells = len(sets & _BUYERS), len(sets & _SELLERS)
            if buys != sells:
                guessed[(receiver, sender) if buys > sells else (sender, receiver)] += 1
    if certain:
        return *certain.most_common(1)[0][0], ""
    if guessed:
        return *guessed.most_common(1)[0][0], "buyers send orders, sellers answer them"
    return *pairs.most_common(1)[0][0], "the sender is taken for the partner"


def _remarks(mine: _Pile, interchanges: Sequence[Sequence[Seen]], theirs: str) -> Iterator[str]:
    others = Counter(
        party for one in interchanges if one not in mine.all for party in (_one(one, "sender"), _one(one, "receiver"))
    )
    if others:
        told = ", ".join(f"{party} ({count})" for party, count in others.most_common(4))
        count = len(interchanges) - len(mine.all)
        yield f"{count} of {len(interchanges)} interchanges are of other parties and were left aside: {told}"
    faults = mine.count("fault")
    if faults:
        yield f"{sum(faults.values())} of {len(mine.all)} interchanges are faulty: {'; '.join(faults)}"
    if not mine.part(theirs).all:
        yield "nothing from the partner itself is among the samples: how it writes is not known"


def _name(sent: _Pile, theirs: str) -> tuple[str, Line]:
    named = [name for name, _ in sent.count("name").most_common() if name]
    word = named[0] if named else theirs.partition(":")[2]
    slug = re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")[:40]
    name = slug if re.match(r"[a-z]", slug) else f"partner_{slug}".rstrip("_")
    return name, Line("name", name, False, why="from the name of the seller" if named else "from its interchange id")


# --- the lines -------------------------------------------------------------------------------------------------------
def _extends(site: Site | None) -> Iterator[Line]:
    if site and "partners/templates/x12_supplier.yaml" in _paths(site):
        yield Line("extends", "templates/x12_supplier", False, why="the site's template for suppliers")


def _paths(site: Site) -> Collection[str]:
    from engine.site.source import unpack

    return unpack(site.snapshot).files.keys()


def _identities(mine: _Pile, theirs: str, us: str, why: str) -> Iterator[Line]:
    total = len(mine.all)
    production = mine.count("usage")["P"]
    side = "live" if production or not mine.count("usage")["T"] else "test"
    yield Line(f"{side}.identity.theirs.isa", theirs, not why, total, total, why)
    yield from _group(mine, side, "theirs", theirs)
    yield Line(f"{side}.identity.ours.isa", us, not why, total, total, why)
    yield from _group(mine, side, "ours", us)
    usage, seen = mine.count("usage").most_common(1)[0]
    yield Line(f"{side}.identity.usage", "P" if side == "live" else usage, seen == total, seen, total)


def _group(mine: _Pile, side: str, whose: str, isa: str) -> Iterator[Line]:
    """GS02 of what a party sends, and GS03 of what it gets."""
    codes = Counter[str]()
    for one in mine.all:
        for pair in {seen.value for seen in one if seen.kind == "group"}:
            sender, _, receiver = pair.partition(">")
            codes[sender if _one(one, "sender") == isa else receiver] += 1
    if codes:
        code, seen = codes.most_common(1)[0]
        also = f"also {', '.join(other for other in codes if other != code)}" if len(codes) > 1 else ""
        yield Line(f"{side}.identity.{whose}.gs", code, len(codes) == 1, seen, sum(codes.values()), also)


def _documents(mine: _Pile, theirs: str, site: Site | None) -> Iterator[Line]:
    total = len(mine.all)
    from_them, every = mine.part(theirs).count("set"), mine.count("set")
    for kind in sorted(every):
        if kind in _ANSWERS or not re.fullmatch(r"[0-9]{3}", kind):
            continue
        inward, outward = from_them[kind], every[kind] - from_them[kind]
        way = "both" if inward and outward else "in" if inward else "out"
        mapping = _mapping(site, kind, way)
        told = json.dumps({"direction": way, **({"mapping": mapping} if mapping else {})})
        why = "" if mapping else "the site has no mapping for it yet"
        yield Line(f"documents.{kind}", told, bool(mapping), every[kind], total, why)
    seen = every["997"]
    yield Line("documents.997", '{"direction": "both"}', bool(seen), seen, total if seen else 0,
               "" if seen else "each file is acknowledged, as most agree")  # fmt: skip


def _mapping(site: Site | None, kind: str, way: str) -> str:
    for name, mapping in (site.mappings if site else {}).items():
        able = (mapping.reads or way == "out") and (mapping.writes or way == "in")
        if mapping.format == "x12" and mapping.type == kind and able:
            return name
    return ""


def _envelope(mine: _Pile, theirs: str) -> Iterator[Line]:
    """How the partner writes; where nothing of it is there, how it was written to."""
    sent = mine.part(theirs)
    pile, why = (sent, "as it writes itself") if sent.all else (mine, "as it is written to")
    total = len(pile.all)
    for key in (*_MARKS, *_STYLE):
        counted = pile.count(key)
        if not counted or (key in _STYLE and counted.most_common(1)[0][0] == _STYLE[key]):
            continue
        value, seen = counted.most_common(1)[0]
        if value or key != "after_segment":
            yield Line(f"envelope.{key}", value, seen == total, seen, total, why)
    releases = pile.count("release")
    release, seen = releases.most_common(1)[0] if releases else ("004010", 0)
    if release != "004010":
        yield Line("envelope.group_version", release, len(releases) == 1, seen, total, f"GS08 of {', '.join(releases)}")


def _one(interchange: Iterable[Seen], kind: str) -> str:
    return next((seen.value for seen in interchange if seen.kind == kind), "")


# --- as YAML ---------------------------------------------------------------------------------------------------------
def as_yaml(proposal: Proposal) -> str:
    """A partner's file, each line with its comment."""
    head = [f"# {remark}" for remark in proposal.remarks]
    head += [f"# nothing usable in {file}: {why}" for file, why in proposal.unusable.items()]
    body = ["apiVersion: partner/v1"]
    tree: dict[str, Any] = {}
    for line in proposal.lines:
        *path, last = line.key.split(".")
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        place[last] = line
    body += _block(tree, 0)
    return "\n".join([*head, *body, *_codes(proposal.name, proposal.codes)]) + "\n"


def _block(tree: Mapping[str, Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for key, value in tree.items():
        word = f'"{key}"' if key[:1].isdigit() else key
        if isinstance(value, Line):
            text = value.value if value.key.startswith("documents.") else json.dumps(value.value, ensure_ascii=False)
            off = "# " if value.key.startswith("documents.") and "mapping" not in text and key != "997" else ""
            yield f"{pad}{off}{word}: {text}   # {_plain(value.comment)}"
        else:
            yield f"{pad}{word}:"
            yield from _block(value, depth + 1)


def _codes(name: str, codes: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Tables are remarks: what a code means, only the partner can say."""
    tables = f"{{unit: {name}_units, item: {name}_items}}"
    yield f"# crosswalks: {tables}   # `hilum partner new` makes them"
    for kind, what in _CODES.items():
        if codes[kind]:
            yield f"# {what}: {_plain(', '.join(f'{code} ({count} times)' for code, count in codes[kind].items()))}"


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)
