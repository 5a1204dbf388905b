"""What every store promises of documents that a decision depends on: they are found, and a newer one is a conflict."""

from __future__ import annotations

from engine.message import Key
from engine.store.contract import NewDocument, Outcome, Store, Work
from engine.store.records import DocumentNeed, KnownDocument
from tests.conformance.stores_kit import Make, on
from tests.store_kit import Clock, claim, commit, incoming, order

INVOICE = DocumentNeed("invoice", "INV-1", "acme_surgical")


def kept(work: Work, body: str = "{}", known: int | None = None, type: str = "invoice") -> Outcome:
    return Outcome(
        work,
        state="processed",
        documents=(NewDocument(type, "INV-1", "an invoice", body),),
        keys=(Key(type, "INV-1", "acme_surgical"), Key("purchase_order", "PO-1")),
        known=((type, "INV-1", known),) if known is not None else (),
    )


async def received(store: Store, *numbers: int) -> list[Work]:
    await store.append([incoming(number, partner="acme_surgical", lane=f"lane-{number}") for number in numbers])
    return sorted(await claim(store, "process"), key=lambda work: work.subject)


def test_documents_are_found_by_type_and_number_oldest_first(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        one, two, other = await received(store, 1, 2, 3)
        await commit(store, kept(one, '{"a": 1}'), kept(two, '{"a": 2}'), kept(other, type="order_change"))
        found, absent, another = await store.known(
            [INVOICE, DocumentNeed("invoice", "PO-1", "acme_surgical"), DocumentNeed("invoice", "INV-2", "x")]
        )
        assert [(row.message, row.sender, row.body) for row in found] == [
            (one.subject, "acme_surgical", '{"a": 1}'),
            (two.subject, "acme_surgical", '{"a": 2}'),
        ]
        assert (absent, another) == ((), ())
        assert await store.known([]) == []

    on(make, test)


def test_a_document_says_whether_the_partner_was_sent_it(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        (work,) = await received(store, 1)
        outcome = kept(work, type="purchase_order")
        (sent,) = await commit(store, outcome._replace(messages=(order(1, expect=()),)))
        needs = [DocumentNeed("purchase_order", "INV-1", name) for name in ("acme_surgical", "bravo_medical")]
        (ours,), (theirs,) = await store.known(needs)
        assert ours.sent == sent.messages[0]
        assert ours.delivery is not None
        assert theirs == ours._replace(sent=None, delivery=None)
        assert isinstance(ours, KnownDocument)

    on(make, test)


def test_what_was_decided_without_a_newer_document_is_a_conflict(make: Make) -> None:
    """Two messages with one number, decided side by side: the second is decided again, with the first in sight."""

    async def test(store: Store, _: Clock) -> None:
        one, two = await received(store, 1, 2)
        first, second = await commit(store, kept(one, known=0), kept(two, known=0))
        assert (first.status, second.status) == ("done", "conflict")
        (row,) = (await store.known([INVOICE]))[0]
        (again,) = await claim(store, "process")
        assert again.subject == two.subject
        (done,) = await commit(store, kept(again, known=row.id))
        assert done.status == "done"
        assert len((await store.known([INVOICE]))[0]) == 2

    on(make, test)
