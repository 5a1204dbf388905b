"""From a stored message to its outcome on the reference site: nothing is dropped, and what is wrong has its place."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import channels
from channels.simulate.requisitions import Plan, messages
from channels.simulate.words import load as load_words
from engine import pipeline, wiring
from engine.message import Delivery, Message
from engine.pipeline import Before
from engine.planner import Planner
from engine.site.model import Site
from engine.store.contract import Outcome, Work
from engine.store.records import Awaited, AwaitedNeed, DeliveryRecord, KnownDocument, StoredDocument
from tests import x12_kit

ROOT = Path(__file__).resolve().parents[2]
FORMATS = channels.registry().format
NOW = 1_795_270_000_000_000  # 2026-11-21
REQUISITION = next(iter(messages(Plan(load_words(ROOT), seed=7), 1))).raw
ORDERS = (ROOT / "mappings/examples/erp_purchase_orders/one_requisition.in.json").read_bytes()


@pytest.fixture(scope="module")
def site() -> Site:
    return wiring.load({"HILUM_SITE": str(ROOT)})


@pytest.fixture
def planner(site: Site) -> Planner:
    return planner_of(site)


def planner_of(site: Site) -> Planner:
    numbers = itertools.count(1)
    return Planner(site, FORMATS, lambda: f"ID-{next(numbers)}")


def work(raw: bytes, partner: str = "ehr", type: str = "OMS^O05", format: str = "hl7v2", step: str = "") -> Work:
    message = Message(5, "in", "ehr_mllp", partner, format, type, "C-1", "OR-3", NOW, len(raw), b"", raw)
    return Work(1, "process", "lane", 5, NOW, message.seq, message, step=step)


def orders() -> Work:
    return work(ORDERS, "erp", "purchase_orders", "json")


def run(
    found: Work,
    planner: Planner,
    before: Before = pipeline.NOTHING,
    awaited: Sequence[Awaited] = (),
    known: Sequence[KnownDocument] = (),
) -> tuple[pipeline.Reading, Outcome]:
    reading = pipeline.read(found.message, planner)
    facts = pipeline.Facts(dict.fromkeys(reading.needs, awaited), dict.fromkeys(reading.lookups, known))
    return reading, pipeline.plan(found, reading, facts, planner, now=NOW, before=before)


def test_a_requisition_becomes_a_document_its_keys_and_a_delivery(planner: Planner) -> None:
    reading, outcome = run(work(REQUISITION), planner)
    assert not reading.problems
    [document], [sent] = outcome.documents, outcome.messages
    assert (outcome.state, document.type, sent.type) == ("processed", "requisition", "requisition")
    assert ("requisition", document.number, "") in outcome.keys
    assert (sent.uid, sent.document, sent.state, sent.destination) == ("ID-1", 0, "planned", "erp")
    assert sent.lane == f"erp/requisition:{document.number}"
    assert ("requisition", (document.number.encode(),), "") in sent.keys
    assert json.loads(b"".join(part for part in sent.body if isinstance(part, bytes)))["number"] == document.number


def test_a_planner_is_the_same_after_any_message(site: Site) -> None:
    """What is kept for the next message is the site's, never a message's."""
    used = planner_of(site)
    for raw in (REQUISITION, b"MSH|^~\\&", REQUISITION.replace(b"OMS^O05", b"ZMS^Z05")):
        run(work(raw), used)
    used.new_id = planner_of(site).new_id
    assert run(orders(), used)[1] == run(orders(), planner_of(site))[1]


def test_types_that_a_sender_invents_do_not_fill_the_memory(planner: Planner) -> None:
    for n in range(2_000):
        pipeline.read(work(b"", type=f"ZZZ^{n}").message, planner)
    assert planner.profile.cache_info().currsize <= 256


def test_a_partner_that_was_taken_out_of_the_site(planner: Planner) -> None:
    _, outcome = run(work(REQUISITION, partner="closed"), planner)
    assert (outcome.state, [found.code for found in outcome.exceptions]) == ("exception", ["route.partner"])


def test_an_answer_that_no_agreement_reads_goes_no_further_by_a_named_rule(planner: Planner) -> None:
    _, outcome = run(work(b"thank you", "erp", pipeline.UNREAD_REPLY, "json"), planner)
    assert (outcome.state, outcome.rule) == ("filtered", pipeline.UNREAD_RULE)
    assert not outcome.exceptions


def test_a_type_without_an_agreement(planner: Planner) -> None:
    _, outcome = run(work(REQUISITION.replace(b"OMS^O05^OMS_O05", b"OMS^O06^OMS_O06")), planner)
    [found] = outcome.exceptions
    assert (outcome.state, found.code) == ("exception", "route.none")
    assert found.context["partner"] == "ehr"
    assert found.context["control_id"] == "C-1"


def test_what_cannot_be_written_for_its_receiver_is_born_dead_and_its_message_is_processed(site: Site) -> None:
    """The supplier's unit table knows no word: the order is kept, and a person sees which delivery lacks it."""
    partners = dict(site.partners)
    for name, partner in site.partners.items():
        tables = {word: dataclasses.replace(table, outward={}) for word, table in partner.crosswalks.items()}
        partners[name] = dataclasses.replace(partner, crosswalks=tables)
    _, outcome = run(orders(), planner_of(dataclasses.replace(site, partners=partners)))
    assert outcome.state == "processed"
    assert outcome.documents
    dead = {position for position, sent in enumerate(outcome.messages) if sent.state == "dead"}
    assert dead == {found.new_delivery for found in outcome.exceptions} == set(range(len(outcome.documents)))
    assert {found.code for found in outcome.exceptions} == {"delivery.render"}
    for found in outcome.exceptions:
        assert found.new_delivery is not None
        sent = outcome.messages[found.new_delivery]
        assert (sent.body, sent.control_id, sent.expect) == ((), (), ())
        assert found.context["partner"] == sent.destination
        assert found.context["number"] == outcome.documents[sent.document or 0].number
        assert found.context["cause"]


def test_a_replay_adds_only_what_is_missing(planner: Planner) -> None:
    found = orders()
    _, first = run(found, planner)
    documents = tuple(
        StoredDocument(100 + n, 5, new.type, new.number, new.summary, new.body, new.place)
        for n, new in enumerate(first.documents)
    )
    deliveries = tuple(
        DeliveryRecord(Delivery(n, new.uid, 9, new.destination, "", new.type, "", "dead", 1, 0), 100 + n, (), None)
        for n, new in enumerate(first.messages)
    )
    _, again = run(found, planner, Before(documents, deliveries))
    assert (again.documents, again.messages, again.keys) == ((), (), first.keys)
    _, half = run(found, planner, Before(documents, deliveries[1:]))
    assert [(new.stored_document, new.document) for new in half.messages] == [(100, None)]


def test_a_document_is_sent_again_in_place_of_a_delivery(planner: Planner) -> None:
    _, first = run(work(REQUISITION), planner)
    kept = StoredDocument(100, 5, *first.documents[0])
    outcome = pipeline.plan_again(work(REQUISITION), kept, "erp", 41, planner, now=NOW)
    [sent] = outcome.messages
    assert (sent.stored_document, sent.replaces, sent.body) == (100, 41, first.messages[0].body)
    lost = pipeline.plan_again(work(REQUISITION), kept, "quill", 41, planner, now=NOW)
    assert (lost.state, [found.code for found in lost.exceptions]) == ("exception", ["route.none"])


# --- answers ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def supplied(site: Site) -> Planner:
    """Acme under the identity of the X12 kit's interchanges."""
    acme = site.partners["acme_surgical"]
    identity = dataclasses.replace(acme.identity, ours={"isa": "ZZ:NORTH"}, theirs={"isa": "ZZ:QUILL"})
    known = {**site.partners, acme.name: dataclasses.replace(acme, identity=identity)}
    return planner_of(dataclasses.replace(site, partners=known))


def answer(*body: str) -> Work:
    return work(x12_kit.with_855(*body or x12_kit.GOOD_855), "acme_surgical", "855", "x12")


def test_an_answer_to_an_order_we_never_sent_goes_no_further(supplied: Planner) -> None:
    reading, outcome = run(answer(), supplied)
    assert reading.needs == [AwaitedNeed("acme_surgical", "855", "PO-7001")]
    assert "ack.unknown" in [found.code for found in outcome.exceptions]
    assert not outcome.documents
    assert ("purchase_order", "PO-7001", "") in outcome.keys
    assert [sent.type for sent in outcome.messages] == ["997"]  # that its syntax was sound is still said


def test_an_answer_settles_the_order_and_goes_to_whom_it_concerns(supplied: Planner) -> None:
    row = Awaited(7, 3, 20, "acme_surgical", "855", "PO-7001", "awaited")
    _, outcome = run(answer(), supplied, awaited=[row])
    assert [(settle.id, settle.state) for settle in outcome.settles] == [(7, "positive")]
    assert outcome.edges == ((20, 5, "acknowledges"),)
    assert [sent.destination for sent in outcome.messages] == ["erp", "acme_surgical"]
    sent = outcome.messages[1]
    assert (sent.type, sent.format, sent.lane) == ("997", "x12", "acme_surgical/997:5")


# --- warnings --------------------------------------------------------------------------------------------------------
BAD_GTIN = "10614141000416"  # its check digit is 5


def test_a_bad_check_digit_is_a_warning_at_its_place_and_holds_nothing_up(supplied: Planner) -> None:
    row = Awaited(7, 3, 20, "acme_surgical", "855", "PO-7001", "awaited")
    line = f"{x12_kit.LINE}*UK*{BAD_GTIN}"
    _, outcome = run(answer(x12_kit.BAK, x12_kit.LINE, line, x12_kit.ACK, "CTT*2"), supplied, awaited=[row])
    assert outcome.warnings == ("identifier.check_digit ST[1]/PO1[2]/PO109",)
    assert (outcome.state, [sent.destination for sent in outcome.messages]) == ("processed", ["erp", "acme_surgical"])
    assert BAD_GTIN in outcome.documents[0].body


def test_many_bad_identifiers_are_told_up_to_a_number(supplied: Planner) -> None:
    row = Awaited(7, 3, 20, "acme_surgical", "855", "PO-7001", "awaited")
    lines = [f"{x12_kit.LINE}*UK*{BAD_GTIN}"] * 30
    _, outcome = run(answer(x12_kit.BAK, *lines, x12_kit.ACK, "CTT*30"), supplied, awaited=[row])
    assert len(outcome.warnings) == 21
    assert outcome.warnings[-1] == "identifier.more"


def test_a_mapping_that_reads_no_identifier_with_a_check_pays_nothing(site: Site) -> None:
    told = {name: mapping.identifies for name, mapping in site.mappings.items()}
    assert told["x12_855"]
    assert told["erp_purchase_orders"]
    assert not told["hl7v2_oms_o05"]
