"""The standard's tables as maps for pyx12, another reader of X12, whose opinion is asked for beside ours. Pure.

pyx12 ships no maps for purchasing. What it needs is written here from the same tables: an index, the data elements, and
one map for each set and release, with the envelope around it. Nothing here reads or judges a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element as Node
from xml.etree.ElementTree import SubElement, tostring

from channels.formats.x12.grammar import Element, Loop, Release, Segment, Slot

# The elements of ISA and IEA, and those of GS that no set has (X12.5): number, type, least/most length. B: anything.
_ENVELOPE: Final = """
I01 ID 2/2
I02 AN 10/10
I03 ID 2/2
I04 AN 10/10
I05 ID 2/2
I06 AN 15/15
I07 AN 15/15
I08 DT 6/6
I09 TM 4/4
I10 B 1/1
I11 ID 5/5
I12 N0 9/9
I13 ID 1/1
I14 ID 1/1
I15 B 1/1
I16 N0 1/5
455 ID 1/2
"""
_ISA: Final = "I01 I02 I03 I04 I05 I06 I05 I07 I08 I09 I10 I11 I12 I13 I14 I15"
_GS: Final = "479 142 124 373 337 28 455 480"
INTERCHANGE_VERSIONS: Final = {"004010": "00401", "005010": "00501"}  # ISA12 that pyx12 takes each release under
_IMPLEMENTATION: Final = ("005010X231A1", "005010X231")  # GS08 under which the map is that of 999, not of 997


def map_files(spoken: Release, versions: Iterable[str] = ()) -> dict[str, str]:
    """All files of a map folder by name; a folder has one dictionary of elements, and so one release.

    versions: further GS08 of the release that must be found, for pyx12 looks for the very text.
    """
    interchange = INTERCHANGE_VERSIONS[spoken.name]
    index = Node("maps")
    entries = SubElement(index, "version", icvn=interchange)
    files = {"codes.xml": _codes(spoken), "dataele.xml": _elements(spoken)}
    for id, group in spoken.groups.items():
        file = f"{id}.{spoken.name}.xml"
        files[file] = _map(spoken, id)
        for version in _IMPLEMENTATION if id == "999" else dict.fromkeys([spoken.name, *versions]):
            SubElement(entries, "map", vriic=version, fic=group, abbr=id).text = file
    files[f"x12.control.{interchange}.xml"] = _map(spoken, "")
    files["maps.xml"] = tostring(index, "unicode")
    return files


def _elements(spoken: Release) -> str:
    root = Node("data_elements")
    rows = [line.split() for line in _ENVELOPE.split("\n") if line]
    rows += [[one.number, one.kind, f"{one.least}/{one.most}"] for one in spoken.elements.values()]
    for number, kind, lengths in rows:
        least, _, most = lengths.partition("/")
        SubElement(root, "data_ele", ele_num=number, data_type=kind, min_len=least, max_len=most, name=number)
    return tostring(root, "unicode")


def _codes(spoken: Release) -> str:
    """Our closed lists, by element number; maps name them instead of repeating them."""
    root = Node("codesets")
    for one in spoken.elements.values():
        if one.codes:
            listed = SubElement(root, "codeset")
            SubElement(listed, "id").text = one.number
            version = SubElement(listed, "version")
            for code in sorted(one.codes):
                SubElement(version, "code").text = code
    return tostring(root, "unicode")


def _map(spoken: Release, id: str) -> str:
    """The map of a set; of the envelope alone without an id."""
    root = Node("transaction", xid=id or "control")
    interchange = _loop(root, "ISA_LOOP", 1, "R", 0)
    _envelope(interchange, "ISA", 10, _ISA.split(), version=INTERCHANGE_VERSIONS[spoken.name])
    group = _loop(interchange, "GS_LOOP", 20, "S", 0)
    _envelope(group, "GS", 10, _GS.split())
    definition = spoken.transaction_set(id) if id else None
    if definition is not None:
        body = _loop(group, "ST_LOOP", 20, "R", 0)
        _segment(body, spoken.segments["ST"], 10, "R", 1)
        last = _places(body, definition.root, 20)
        _segment(body, spoken.segments["SE"], last + 10, "R", 1)
    _envelope(group, "GE", 30, ["97", "28"])
    _envelope(interchange, "IEA", 30, ["I16", "I12"])
    return tostring(root, "unicode")


def _loop(parent: Node, id: str, position: int, usage: str, most: int) -> Node:
    repeat = str(most) if most else ">1"
    return SubElement(parent, "loop", xid=id, type="explicit", usage=usage, pos=str(position), repeat=repeat, name=id)


def _places(parent: Node, loop: Loop, first: int) -> int:
    """Everything of a loop, at positions from `first` on; returns the last."""
    position = first
    for place in loop.places:
        usage = "R" if place.required else "S"
        if place.opens and not (loop.opener and place.index == 0):
            inner = _loop(parent, f"{place.segment.id}_LOOP", position, usage, place.most)
            _places(inner, place.loop, 10)
        else:
            _segment(parent, place.segment, position, usage, place.most)
        position += 10
    return position


def _segment(parent: Node, segment: Segment, position: int, usage: str, most: int) -> None:
    node = SubElement(
        parent, "segment", xid=segment.id, usage=usage, pos=str(position), max_use=str(most or ">1"), name=segment.name
    )
    for rule in segment.rules:
        SubElement(node, "syntax").text = rule.kind + "".join(f"{at:02d}" for at in rule.positions)
    for at, slot in enumerate(segment.slots, 1):
        _slot(node, f"{segment.id}{at:02d}", at, slot)


def _slot(parent: Node, name: str, at: int, slot: Slot) -> None:
    of, usage = slot.of, "R" if slot.required else "S"
    if isinstance(of, Element):
        node = _element(parent, name, at, of.number, usage, of.name)
        if of.codes:
            SubElement(node, "valid_codes", external=of.number)
        return
    node = SubElement(
        parent, "composite", xid=name, data_ele=of.number, usage=usage, seq=str(at), name=of.name, repeat=str(slot.most)
    )
    for inner, part in enumerate(of.components, 1):
        _slot(node, f"{name}-{inner:02d}", inner, part)


def _element(parent: Node, name: str, at: int, number: str, usage: str, title: str) -> Node:
    return SubElement(parent, "element", xid=name, data_ele=number, usage=usage, seq=f"{at:02d}", name=title)


def _envelope(parent: Node, id: str, position: int, numbers: list[str], version: str = "") -> None:
    """A segment around the sets, whose elements are only looked at for their form. version: the one ISA12 may have."""
    node = SubElement(parent, "segment", xid=id, usage="R", pos=str(position), max_use="1", name=id)
    for at, number in enumerate(numbers, 1):
        element = _element(node, f"{id}{at:02d}", at, number, "R", number)
        if version and number == "I11":
            SubElement(SubElement(element, "valid_codes"), "code").text = version
