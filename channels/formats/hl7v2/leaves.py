"""Every value of a tree with its canonical path: what a ledger of unmapped data is made from."""

from __future__ import annotations

from collections.abc import Iterator

from channels.formats.hl7v2.access import Spot
from channels.formats.hl7v2.grammar import GroupDefinition
from channels.formats.hl7v2.paths import route, spell_spot
from channels.formats.hl7v2.tree import Group, Message, Segment


def leaves(message: Message) -> Iterator[tuple[str, str]]:
    r"""(canonical path, value) of all that is not empty, but for MSH-1 and MSH-2; `""` stays `""`.

    `PID-3(2).4`, `ORDER[1]/RQD-2.1`, `ORDER[1]/NTE[2]-3`.
    """
    yield from _of_group(message.at, message.at.definition, "", ())


def _of_group(group: Group, scope: GroupDefinition, prefix: str, pending: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """scope: the innermost repeating group, spelled in prefix; pending: the groups since, which may go unspelled."""
    counts: dict[str, int] = {}
    for child in group.children:
        name = child.id if isinstance(child, Segment) else child.definition.name
        counts[name] = count = counts.get(name, 0) + 1
        if isinstance(child, Segment):
            occurrence = f"[{count}]" if count > 1 else ""
            before = prefix + _shown(scope, pending, name)
            yield from ((f"{before}{name}{occurrence}{spot}", value) for spot, value in _of_segment(child))
            continue
        element = group.definition.element(name)
        if element and element.repeats:
            before = f"{prefix}{_shown(scope, (*pending, name), name)}"
            yield from _of_group(child, child.definition, f"{before.removesuffix(name + '/')}{name}[{count}]/", ())
        else:
            yield from _of_group(child, scope, prefix, (*pending, name))


def _shown(scope: GroupDefinition, pending: tuple[str, ...], name: str) -> str:
    way = route(scope, [name])
    return "" if way is None or way == pending else "/".join(pending) + "/"


def _of_segment(segment: Segment) -> Iterator[tuple[str, str]]:
    syntax = segment.syntax
    start = 3 if segment.id == "MSH" else 1
    for number, text in enumerate(segment.fields[start:], start):
        if not text:
            continue
        for r, repetition in enumerate(text.split(syntax.repetition)):
            for c, component in enumerate(repetition.split(syntax.component)):
                for s, part in enumerate(component.split(syntax.subcomponent)):
                    if part:
                        yield spell_spot(segment.id, Spot(number, r, c, s)), syntax.decode(part)
