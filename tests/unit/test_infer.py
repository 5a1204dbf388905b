"""Samples to a proposal: what is sure, what was guessed, and what holds nothing to go by."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import registry
from channels.formats.x12 import FORMAT
from engine.onboarding.infer import Proposal, as_yaml, infer
from engine.plugin import Seen, Surveyor
from engine.positions import Findings
from engine.site.load import require_site
from engine.site.reference import reference_root
from engine.site.yaml import read_tree

SITE = require_site(reference_root(), registry(), os.environ)


def interchange(
    sender: str, receiver: str, sets: list[str], *, marks: str = "*>~", control: int = 1, usage: str = "P",
    groups: tuple[str, str] = ("DELTA", "NORTHHEALTH"), release: str = "004010",
) -> bytes:  # fmt: skip
    e, c, s = marks[:3]
    (kind, id), (other, their_id) = sender.split(":"), receiver.split(":")
    body = [
        f"ISA*00*          *00*          *{kind}*{id:15}*{other}*{their_id:15}*261121*0900*U*00401*{control:09d}*0*"
        f"{usage}*",
        f"GS*PR*{groups[0]}*{groups[1]}*20261121*0900*{control}*X*{release}",
        *[part for number, one in enumerate(sets, 1) for part in (
            f"ST*{one}*{number:04d}", "N1*SE*Delta Medical*92*55", "PO1*1*2*CT*1**VN*D-1*IN*NH-10003",
            f"SE*4*{number:04d}")],
        f"GE*{len(sets)}*{control}", f"IEA*1*{control:09d}",
    ]  # fmt: skip
    text = body[0].replace("*", e) + c + s
    return (text + "".join(part.replace("*", e) + s for part in body[1:])).encode()


def proposed(*samples: bytes, site: Any = SITE, ours: str = "") -> Proposal:
    return infer({f"sample-{number}": FORMAT.survey(raw) for number, raw in enumerate(samples, 1)}, site, ours)


THEM, US = "14:0812345990001", "ZZ:NORTHHEALTH"


def test_what_every_sample_shows_is_sure() -> None:
    found = proposed(
        interchange(THEM, US, ["855"]), interchange(THEM, US, ["855", "855"], control=2),
        interchange(US, THEM, ["850"], groups=("NORTHHEALTH", "DELTA")),
    )  # fmt: skip
    lines = {line.key: line for line in found.lines}
    assert found.name == "delta_medical"
    assert not lines["name"].sure
    for key, value in {
        "live.identity.theirs.isa": THEM, "live.identity.ours.isa": US, "live.identity.theirs.gs": "DELTA",
        "live.identity.ours.gs": "NORTHHEALTH", "live.identity.usage": "P", "envelope.element": "*",
    }.items():  # fmt: skip
        assert (lines[key].value, lines[key].sure) == (value, True), key
    assert lines["documents.855"].comment == "sure: seen in 2 of 3"
    assert lines["documents.850"].value == '{"direction": "out", "mapping": "x12_850"}'
    assert not lines["documents.997"].sure
    assert found.codes["unit"] == {"CT": 4}
    assert found.codes["item"] == {"VN": 4, "IN": 4}


def test_who_is_who_is_guessed_by_who_orders() -> None:
    raw = interchange("ZZ:BUYER", "01:SELLER", ["850"])
    found = {line.key: line for line in proposed(raw, site=None).lines}
    assert found["live.identity.theirs.isa"].value == "01:SELLER"
    assert (
        found["live.identity.theirs.isa"].comment == "guessed: seen in 1 of 1, buyers send orders, sellers answer them"
    )
    told = {line.key: line for line in proposed(raw, site=None, ours="01:SELLER").lines}
    assert (told["live.identity.theirs.isa"].value, told["live.identity.theirs.isa"].sure) == ("ZZ:BUYER", True)


def test_other_separators_are_told_as_often_as_they_are_seen() -> None:
    samples = [interchange(THEM, US, ["855"], control=number, marks="\x1d\x1f\n") for number in (1, 2, 3)]
    found = {line.key: line for line in proposed(*samples, interchange(THEM, US, ["855"], control=4)).lines}
    assert (found["envelope.element"].value, found["envelope.element"].sure) == ("\x1d", False)
    assert found["envelope.element"].comment == "guessed: seen in 3 of 4, as it writes itself"


def test_strangers_are_left_aside_with_a_word() -> None:
    found = proposed(interchange(THEM, US, ["855"]), interchange("ZZ:A", "ZZ:B", ["214"]))
    assert found.remarks == ("1 of 2 interchanges are of other parties and were left aside: ZZ:A (1), ZZ:B (1)",)


def test_test_traffic_alone_makes_a_test_block() -> None:
    keys = {line.key: line.value for line in proposed(interchange(THEM, US, ["855"], usage="T")).lines}
    assert keys["test.identity.usage"] == "T"
    assert not any(key.startswith("live.") for key in keys)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "there is nothing in it"),
        (b"  \r\n", "there is nothing in it"),
        (b"UNA:+.? 'UNB+", "text that is no interchange"),
        (b"ISA*00", "the bytes end inside ISA"),
        (b"<html>", "text that is no interchange"),
    ],
)
def test_a_file_with_nothing_usable_says_so(raw: bytes, why: str) -> None:
    found = proposed(raw)
    assert (found.lines, found.unusable) == ((), {"sample-1": why})


def test_the_proposal_is_yaml_that_reads_as_it_says() -> None:
    found = proposed(interchange(THEM, US, ["855", "856"], marks="|^\n"), b"nothing\x07here")
    findings = Findings()
    tree = read_tree(as_yaml(found).encode(), "proposed.yaml", findings)
    assert tree is not None, findings.found
    plain: Any = tree.plain()
    assert plain["live"]["identity"]["theirs"] == {"isa": THEM, "gs": "DELTA"}
    assert plain["envelope"]["element"] == "|"
    assert plain["envelope"]["segment"] == "\n"
    assert plain["documents"]["855"] == {"direction": "in", "mapping": "x12_855"}


_PIECES = st.sampled_from(
    [interchange(THEM, US, ["855"]), b"ISA", b"IEA*1*1~", b"\x00", b"~", b"*", b"GS*PR*A*B~", b"ST*855"]
)


@given(st.lists(st.one_of(_PIECES, st.binary(max_size=40)), max_size=6).map(b"".join))
def test_any_bytes_are_survived(raw: bytes) -> None:
    found = proposed(raw)
    tree = read_tree(as_yaml(found).encode(), "proposed.yaml", Findings()) if found.lines else None
    assert (tree is None) == (not found.lines)


def test_the_format_is_a_surveyor() -> None:
    assert isinstance(FORMAT, Surveyor)
    assert FORMAT.survey(b"")[0] == Seen(1, "unusable", "there is nothing in it")
