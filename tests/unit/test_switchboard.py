"""A connection that many partners share: whose a message is, and what is nobody's."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from channels.formats.x12 import FORMAT
from engine.options import ListenerOptions
from engine.site.model import Identity, ListenerConfig, Partner, Site
from engine.switchboard import Switchboard

ZONE = ZoneInfo("America/Chicago")
OURS = {"isa": "ZZ:NORTHHEALTH", "gs": "NORTHHEALTH"}
THEIRS = {
    "acme": {"isa": "ZZ:HUB", "gs": "ACME"},
    "bravo": {"isa": "ZZ:HUB", "gs": "BRAVO"},
    "delta": {"isa": "ZZ:HUB", "gs": "SHARED", "n1": "SE:92:55"},
    "echo": {"isa": "ZZ:HUB", "gs": "SHARED", "n1": "SE:92:66"},
    "own": {"isa": "01:OWN"},
}


def partner(name: str, theirs: dict[str, str]) -> Partner:
    return Partner(name, "live", "desk", Identity(OURS, theirs), ZONE, (), {})


PARTNERS = {name: partner(name, theirs) for name, theirs in THEIRS.items()} | {"far": partner("far", {"isa": "ZZ:FAR"})}
HUB = ListenerConfig("hub", "folder", "x12", "acme", "desk", ListenerOptions(), "P", carries=tuple(THEIRS))
BOARD = Switchboard(Site("v", "Clinic", "", ZONE, PARTNERS, {"hub": HUB}, {}, (), {}), HUB, FORMAT)


def interchange(isa: str, *groups: tuple[str, str, str], usage: str = "P", date: str = "261121") -> bytes:
    """groups: (GS01, GS02, N104 of the seller)."""
    kind, id = isa.split(":")
    body = []
    for number, (code, sender, seller) in enumerate(groups, 1):
        body += [f"GS*{code}*{sender}*NORTHHEALTH*20261121*0900*{number}*X*004010"]
        body += ["ST*855*0001", f"N1*SE*Invented*92*{seller}", "SE*3*0001"] if code != "FA" else []
        body += [f"GE*{int(code != 'FA')}*{number}"]
    head = (
        f"ISA*00*          *00*          *{kind}*{id:15}*ZZ*NORTHHEALTH    *{date}*0900*U*00401*000000001*0*{usage}*>"
    )
    return "".join(f"{segment}~" for segment in [head, *body, f"IEA*{len(groups)}*000000001"]).encode()


@pytest.mark.parametrize(
    ("raw", "whose"),
    [
        (interchange("ZZ:HUB", ("PR", "ACME", "1")), "acme"),
        (interchange("ZZ:HUB", ("PR", "BRAVO", "1")), "bravo"),
        (interchange("ZZ:HUB", ("PR", "SHARED", "55")), "delta"),
        (interchange("ZZ:HUB", ("PR", "SHARED", "66")), "echo"),
        (interchange("ZZ:HUB", ("PR", "ACME", "1"), ("FA", "ACME", "")), "acme"),
        (interchange("01:OWN", ("PR", "ANYTHING", "1")), "own"),
        (
            interchange("ZZ:HUB", ("FA", "SHARED", "")),
            "delta",
        ),  # an acknowledgement names no party; its peers are asked
        (interchange("ZZ:HUB"), "acme"),  # of TA1s alone
    ],
)
def test_whose_a_message_is(raw: bytes, whose: str) -> None:
    ((name, unit),) = BOARD.sort(raw)
    assert name == whose
    assert unit.raw == raw
    assert unit.refusal is None or not raw.count(b"GS*")


@pytest.mark.parametrize(
    ("raw", "code", "place"),
    [
        (interchange("ZZ:STRANGER", ("PR", "ACME", "1")), "security.sender_spoof", "ISA06"),
        (interchange("ZZ:FAR", ("PR", "ACME", "1")), "security.sender_spoof", "ISA06"),
        (interchange("ZZ:STRANGER", ("PR", "ACME", "1"), date="269999"), "security.sender_spoof", "ISA06"),
        (interchange("ZZ:HUB", ("PR", "NOBODY", "1")), "route.partner", "GS02"),
        (interchange("ZZ:HUB", ("PR", "SHARED", "77")), "route.partner", "N1"),
        (interchange("ZZ:HUB", ("PR", "SHARED", "55"), ("PR", "SHARED", "66")), "route.partner", "N1"),
        (interchange("ZZ:HUB", ("PR", "ACME", "1"), ("PR", "BRAVO", "1")), "route.partner", "GS02"),
        (interchange("ZZ:HUB", ("PR", "ACME", "1"), ("PR", "NOBODY", "1")), "route.partner", "GS02"),
        (b"no interchange", "x12.not_isa", "ISA"),
        (b"", "x12.empty", ""),
    ],
)
def test_what_is_nobodys_is_held_whole_and_answered_with_nothing(raw: bytes, code: str, place: str) -> None:
    ((name, unit),) = BOARD.sort(raw)
    assert (name, unit.raw, unit.facts.dedup) == ("hub", raw, "")
    assert unit.refusal is not None
    assert (unit.refusal.code, unit.refusal.place) == (code, place)
    if not code.startswith("x12."):
        assert unit.refusal.status == ""
        assert FORMAT.answer(raw, unit.refusal) == ()


def test_a_partner_is_judged_by_its_own_agreement() -> None:
    ((name, unit),) = BOARD.sort(interchange("ZZ:HUB", ("PR", "ACME", "1"), usage="T"))
    assert name == "acme"
    assert unit.refusal is not None
    assert unit.refusal.status == "020"


def test_several_interchanges_of_a_file_are_sorted_one_by_one() -> None:
    parts = [interchange("ZZ:HUB", ("PR", "ACME", "1")), interchange("ZZ:EVIL", ("PR", "ACME", "1")),
             interchange("01:OWN", ("PR", "X", "1")), b"and a rest"]  # fmt: skip
    found = BOARD.sort(b"\n".join(parts))
    assert [name for name, _ in found] == ["acme", "hub", "own", "hub"]
    assert b"".join(unit.raw for _, unit in found) == b"\n".join(parts)
