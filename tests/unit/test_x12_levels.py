"""Levels of a ship notice: any arrangement read as one, trees that are none refused at their place, levels written."""

from __future__ import annotations

import time
from typing import Any

import pytest

from channels.formats.x12 import FORMAT, levels
from engine.errors import Refused
from engine.plugin import PathError
from tests.x12_kit import answer_of, filled, group, interchange, one_set, opened, written

BSN = "BSN*00*SHIP-1*20261121*0914"
STRUCTURE = FORMAT.structure({"set": "856"})


def notice(*body: str) -> Any:
    """The one part of an interchange with an 856 of these segments."""
    [part] = opened(interchange(group([one_set("856", [BSN, *body])], "SH"))).parts
    return part


def tree(*body: str) -> Any:
    part = notice(*body)
    assert part.refusals == (), part.refusals
    return part.node


def outline(node: Any, scope: Any = STRUCTURE.scope) -> list[Any]:
    """Each order by its number, with what is below it: tares and packs by mark, items by number."""
    orders = scope.loop("HL[O]")
    return [(_field(orders, "PRF01", order), *_below(orders, order)) for order in orders.nodes(node)]


def _below(loop: Any, level: Any) -> list[Any]:
    found: list[Any] = []
    for code, path in (("T", "MAN02"), ("P", "MAN02"), ("I", "LIN03")):
        inner = loop.scope.loop(f"HL[{code}]")
        found += [(_field(inner, path, one), *_below(inner, one)) for one in inner.nodes(level)]
    return found


def _field(loop: Any, path: str, node: Any) -> Any:
    return loop.scope.field(path).get(node)


def item(number: int, parent: str, id: str) -> list[str]:
    return [f"HL*{number}*{parent}*I", f"LIN*1*VC*{id}", "SN1**1*EA"]


# --- reading ---------------------------------------------------------------------------------------------------------
ORDER_FIRST = ["HL*1**S", "TD1*CTN*1", "HL*2*1*O", "PRF*PO-1", "HL*3*2*P", "MAN*GM*M1", *item(4, "3", "A"),
               *item(5, "3", "B"), "HL*6*2*P", "MAN*GM*M2", *item(7, "6", "C")]  # fmt: skip
ONE_ORDER = [("PO-1", ("M1", ("A",), ("B",)), ("M2", ("C",)))]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param(ORDER_FIRST, ONE_ORDER, id="S-O-P-I"),
        pytest.param(["HL*1**S", "HL*2*1*O", "PRF*PO-1", *item(3, "2", "A"), *item(4, "2", "B")],
                     [("PO-1", ("A",), ("B",))], id="S-O-I"),
        pytest.param(["HL*1**S", "HL*2*1*O", "PRF*PO-1", "HL*3*2*T", "MAN*GM*T1", "HL*4*3*P", "MAN*GM*M1",
                      *item(5, "4", "A")], [("PO-1", ("T1", ("M1", ("A",))))], id="S-O-T-P-I"),
        pytest.param(["HL*1**S", "HL*2*1*P", "MAN*GM*M1", "HL*3*2*O", "PRF*PO-1", *item(4, "3", "A"),
                      *item(5, "3", "B"), "HL*6*1*P", "MAN*GM*M2", "HL*7*6*O", "PRF*PO-1", *item(8, "7", "C")],
                     ONE_ORDER, id="S-P-O-I"),
        pytest.param(["HL*1**S", "HL*2*1*P", "MAN*GM*M1", "HL*3*2*O", "PRF*PO-1", "REF*VN*1", *item(4, "3", "A"),
                      "HL*6*1*P", "MAN*GM*M2", "HL*7*6*O", "PRF*PO-1", "REF*VN*2", *item(8, "7", "C")],
                     [("PO-1", ("M1", ("A",))), ("PO-1", ("M2", ("C",)))], id="one order told in two ways"),
        pytest.param(["HL*1**S", "HL*2*1*P", "MAN*GM*M1", "HL*3*2*O", "PRF*PO-1", *item(4, "3", "A"), "HL*5*2*O",
                      "PRF*PO-2", *item(6, "5", "B")],
                     [("PO-1", ("M1", ("A",))), ("PO-2", ("M1", ("B",)))], id="two orders in one pack"),
        pytest.param(["HL*1**S", "HL*2*1*O", "PRF*PO-1", *item(3, "2", "A"), "HL*4*3*P", "MAN*GM*M1", "HL*5*3*P",
                      "MAN*GM*M2"], [("PO-1", ("A", ("M1",), ("M2",)))], id="S-O-I-P"),
        pytest.param(["HL*1**S", "PRF*PO-1", "HL*2*1*P", "MAN*GM*M1", *item(3, "2", "A"), *item(4, "1", "B")],
                     [("PO-1", ("M1", ("A",)), ("B",))], id="PRF of the shipment"),
        pytest.param(["HL*1**S", "HL*2*1*I", "LIN*1*VC*A", "PRF*PO-1", "HL*3*1*I", "LIN*1*VC*B", "PRF*PO-2", "HL*4*1*I",
                      "LIN*1*VC*C", "PRF*PO-1"], [("PO-1", ("A",), ("C",)), ("PO-2", ("B",))], id="PRF of items"),
        pytest.param(["HL*1**S", *item(2, "1", "A")], [(None, ("A",))], id="no PRF at all"),
        pytest.param(["HL*1**O", "PRF*PO-1", *item(2, "1", "A")], [("PO-1", ("A",))], id="no shipment"),
        pytest.param(["HL*001**S", "HL*002*1*O", "PRF*PO-1", *item(3, "02", "A")], [("PO-1", ("A",))], id="zeros"),
        pytest.param(["HL*7**S", "HL*3*7*O", "PRF*PO-1", *item(5, "3", "A"), "HL*9*7*O", "PRF*PO-2", *item(6, "3", "B"),
                      *item(8, "9", "C")], [("PO-1", ("A",), ("B",)), ("PO-2", ("C",))], id="numbers in any order"),
        pytest.param(["HL*1**S", "HL*2**O", "PRF*PO-1", "HL*3**P", "MAN*GM*M1", *item(4, "", "A"), *item(5, "", "B"),
                      "HL*6**P", "MAN*GM*M2", *item(7, "", "C")], ONE_ORDER, id="no parents"),
        pytest.param(["HL*1**S*0", "HL*2*1*O*0", "PRF*PO-1", "HL*3*2*I*1", "LIN*1*VC*A"], [("PO-1", ("A",))],
                     id="HL04 wrong"),
        pytest.param(["HL*1*0*S", "HL*2*1*O", "PRF*PO-1", *item(3, "2", "A")], [("PO-1", ("A",))], id="parent 0"),
        pytest.param(["HL*1**S"], [], id="only a shipment"),
    ],
)  # fmt: skip
def test_any_arrangement_is_read_as_one(body: list[str], shown: list[Any]) -> None:
    assert outline(tree(*body)) == shown


def test_levels_at_any_depth_and_the_nearest_above() -> None:
    node = tree(*ORDER_FIRST)
    items = STRUCTURE.scope.loop("HL[O]").scope.loop("*/HL[I]")
    [order] = STRUCTURE.scope.loop("HL[O]").nodes(node)
    near = [
        items.scope.field(path)
        for path in ("LIN03", "HL[P]/MAN02", "HL[O]/PRF01", "HL[S]/TD101", "HL[T]/MAN02", "BSN02")
    ]
    assert [[field.get(one) for field in near] for one in items.nodes(order)] == [
        ["A", "M1", "PO-1", "CTN", None, "SHIP-1"],
        ["B", "M1", "PO-1", "CTN", None, "SHIP-1"],
        ["C", "M2", "PO-1", "CTN", None, "SHIP-1"],
    ]


def test_the_set_reads_its_shipment() -> None:
    node = tree("HL*1**S", "REF*BM*B-1", "N1*SF*Quill", "N1*ST*Lakeside", "N4*Lakeside*TN", "HL*2*1*O", "PRF*PO-1")
    assert STRUCTURE.scope.field("HL[S]/REF[BM]02").get(node) == "B-1"
    parties = STRUCTURE.scope.loop("HL[S]/N1")
    assert [parties.scope.field("N102").get(one) for one in parties.nodes(node)] == ["Quill", "Lakeside"]
    assert [parties.scope.field("N402").get(one) for one in parties.nodes(node)] == [None, "TN"]
    assert parties.place(node, 1) == "$HL[S]/N1[2]"
    assert STRUCTURE.scope.loop("HL[T]/N1").nodes(node) == ()


def test_places_are_of_the_set_as_it_came() -> None:
    node = tree(*ORDER_FIRST)
    orders = STRUCTURE.scope.loop("HL[O]")
    packs = orders.scope.loop("HL[P]")
    [order] = orders.nodes(node)
    assert orders.place(node, 0) == "$HL[O]"
    assert packs.place(order, 1) == "$HL[6]"
    assert {path for path, _ in STRUCTURE.leaves(node)} >= {
        "HL[S]/TD101",
        "HL[O]/PRF01",
        "HL[6]/MAN[GM]02",
        "HL[7]/LIN03",
    }


@pytest.mark.parametrize("path", ["HL[O]/ZZZ01", "HL[OOO]/PRF01", "HL[O]PRF01", "*/HL[O]/PRF01", "HL[O]/"])
def test_wrong_paths(path: str) -> None:
    with pytest.raises(PathError):
        STRUCTURE.scope.field(path)
    with pytest.raises(PathError):
        FORMAT.structure({"set": "850"}).scope.loop("HL[O]")


# --- trees that are none ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "place", "told"),
    [
        (["HL*1**S", "HL*1*1*O"], "HL[2]/HL01", "used twice"),
        (["HL*1**S", "HL*01*1*O"], "HL[2]/HL01", "used twice"),
        (["HL*1**S", "HL*2*9*O"], "HL[2]/HL02", "9, does not exist"),
        (["HL*1**S", "HL*2*3*O", "HL*3*2*P"], "HL[2]/HL02", "comes after it or is itself"),
        (["HL*1**S", "HL*2*2*O"], "HL[2]/HL02", "comes after it or is itself"),
        (["HL*1*1*S"], "HL[1]/HL02", "comes after it or is itself"),
        (["HL*1**S", "HL*2*1*S"], "HL[2]/HL03", "S cannot stand below a level S"),
        (["HL*1**S", "HL*2*1*I", "HL*3*2*O"], "HL[3]/HL03", "O cannot stand below a level I"),
        (["HL*1**S", "HL*2**P", "HL*3**O"], "HL[3]/HL02", "in doubt"),
        (["HL*1**S", "HL*2**I", "HL*3**K"], "HL[3]/HL02", "in doubt"),
        (["HL*1**I", *[f"HL*{n}*{n - 1}*I" for n in range(2, 20)]], "HL[14]/HL02", "more than 12 deep"),
    ],
)
def test_what_makes_no_tree_is_refused_at_its_place(body: list[str], place: str, told: str) -> None:
    [refusal] = notice(*body).refusals
    assert (refusal.code, refusal.place) == ("x12.hl_tree", f"ST[1]/{place}")
    assert told in refusal.text


def test_the_syntax_of_such_a_set_is_accepted() -> None:
    result = opened(interchange(group([one_set("856", [BSN, "HL*1*1*S"])], "SH")))
    assert "AK5*A" in answer_of(result)


@pytest.mark.parametrize("last", ["HL*{n}*{n}*I", "HL*{n}*1*S", "HL*{n}*{m}*I"])
def test_many_levels_are_judged_quickly(last: str) -> None:
    body = ["HL*1**S", "HL*2*1*O", "PRF*PO-1", *[f"HL*{n}*2*I" for n in range(3, 20_000)]]
    start = time.process_time()
    assert notice(*body, last.format(n=20_000, m=20_001)).refusals
    assert time.process_time() - start < 4


def test_without_the_judgement_a_circle_would_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the refusals above are its doing."""
    monkeypatch.setattr(levels.LevelledSet, "arrange", lambda self: None)
    assert notice("HL*1*1*S").refusals == ()


def test_a_wrong_number_of_levels_is_told() -> None:
    [problem] = opened(interchange(group([one_set("856", [BSN, "HL*1**S", "CTT*2"])], "SH"))).problems
    assert (problem.code, problem.place) == ("x12.totals", "ST[1]/CTT[1]/CTT01")


# --- writing ---------------------------------------------------------------------------------------------------------
def test_levels_are_put_in_order_and_numbered() -> None:
    root, scope = STRUCTURE.blank(), STRUCTURE.scope
    for path, value in {"BSN01": "00", "BSN02": "SHIP-1", "BSN03": "20261121", "BSN04": "0914"}.items():
        scope.field(path).put(root, value)
    orders = scope.loop("HL[O]")
    packs, items = orders.scope.loop("HL[P]"), orders.scope.loop("HL[I]")
    one, two = orders.new(root), orders.new(root)
    orders.scope.field("PRF01").put(two, "PO-2")
    orders.scope.field("PRF01").put(one, "PO-1")
    loose = items.new(one)
    pack = packs.new(one)
    assert packs.place(one, 0) == "$HL[4]"
    packs.scope.field("MAN[GM]02").put(pack, "M1")
    inner = packs.scope.loop("HL[I]").new(pack)
    for level, id in ((loose, "A"), (inner, "B")):
        items.scope.field("LIN02").put(level, "VC")
        items.scope.field("LIN03").put(level, id)
    scope.field("HL[S]/TD102").put(root, "2")  # last, and still the outermost
    parties = scope.loop("HL[S]/N1[SF]")
    parties.scope.field("N102").put(parties.new(root), "Quill")
    body = filled(written(root, "856").body).decode().split("~")[2:-3]
    assert body == [
        "ST*856*0001", BSN, "HL*1**S*1", "TD1**2", "N1*SF*Quill",
        "HL*2*1*O*1", "PRF*PO-1", "HL*3*2*I*0", "LIN**VC*A", "HL*4*2*P*1", "MAN*GM*M1", "HL*5*4*I*0", "LIN**VC*B",
        "HL*6*1*O*0", "PRF*PO-2", "CTT*6", "SE*17*0001",
    ]  # fmt: skip
    assert filled(written(root, "856").body).decode().split("~")[2:-3] == body
    assert outline(tree(*body[2:-1])) == [("PO-1", ("M1", ("B",)), ("A",)), ("PO-2",)]


def test_nothing_is_written_into_a_level_that_is_not_there() -> None:
    root = STRUCTURE.blank()
    orders = STRUCTURE.scope.loop("HL[O]")
    with pytest.raises(Refused, match="no level P stands above this O"):
        orders.scope.field("HL[P]/MAN02").put(orders.new(root), "M1")


def test_what_was_read_is_written_as_it_came() -> None:
    node = tree(*ORDER_FIRST)
    assert "~".join(ORDER_FIRST) in filled(written(node, "856").body).decode()
