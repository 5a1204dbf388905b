"""What every store promises of finding messages, and of the ledger that accounts for all of them."""

from __future__ import annotations

from engine.message import Key
from engine.store.contract import NewException, Outcome, Store
from engine.store.records import Search
from tests.conformance.stores_kit import Make, on
from tests.store_kit import (
    Clock,
    accept_orders,
    claim,
    commit,
    dead,
    delivered,
    fill,
    incoming,
    processed,
)


def test_find_pages_newest_first_and_combines_filters(make: Make) -> None:
    async def test(store: Store, clock: Clock) -> None:
        for number in range(5):
            await store.append([incoming(number, partner="ehr" if number % 2 else "erp")])
            clock.pass_by(10)
        page = await store.find(Search(limit=2))
        assert [m.seq for m in page.messages] == [5, 4]
        rest = await store.find(Search(limit=9, cursor=page.cursor))
        assert ([m.seq for m in rest.messages], rest.cursor) == ([3, 2, 1], "")
        assert [m.seq for m in (await store.find(Search(partner="ehr"))).messages] == [4, 2]
        late = Search(since=clock.now - 20, until=clock.now - 10, direction="in", state="received", channel="ehr_mllp")
        assert [m.seq for m in (await store.find(late)).messages] == [4]
        assert [m.seq for m in (await store.find(Search(key="CTL000003"))).messages] == [4]
        assert (await store.find(Search(key="CTL000003", kind="invoice"))).messages == ()

    on(make, test)


def test_words_find_messages_by_key_control_id_uid_and_name(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        (work,) = await accept_orders(store, 1)
        assert await store.seqs("M1") == [(1, "message")]
        assert await store.seqs("REQ-1") == [(1, "requisition")]
        assert await store.seqs("CTL000001") == [(1, "control")]
        assert await store.seqs("uid-1") == [(work.message.seq, "delivery")]
        assert await store.seqs("M99") == []
        assert await store.seqs("") == []

    on(make, test)


def test_a_thread_joins_by_transaction_keys_and_not_by_others(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        shared = (Key("purchase_order", "PO-7"), Key("lot", "L1"))
        other = (Key("lot", "L1"), Key("purchase_order", "PO-7", "elsewhere"))
        await store.append([incoming(1, keys=shared), incoming(2, keys=shared[:1]), incoming(3, keys=other)])
        assert [m.seq for m in (await store.thread([1])).messages] == [1, 2]
        assert [m.seq for m in (await store.thread([3])).messages] == [3]
        assert (await store.thread([99])).messages == ()

    on(make, test)


def test_a_thread_is_bounded(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await store.append([incoming(n, keys=(Key("shipment", "SHP-1"),)) for n in range(50)])
        thread = await store.thread([25], limit=10)
        assert (len(thread.messages), thread.truncated) == (10, True)
        assert 25 in {m.seq for m in thread.messages}
        whole = await store.thread([25], limit=50)
        assert (len(whole.messages), whole.truncated) == (50, False)

    on(make, test)


def test_the_ledger_puts_each_message_in_one_place(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        refusal = NewException("hl7.header", "no MSH")
        await store.append([*[incoming(n) for n in range(6)], incoming(0), incoming(9, refusal=refusal)])
        works = await claim(store, "process")
        await commit(
            store, processed(works[0], 1), processed(works[1], 2), processed(works[2], 3), processed(works[3]),
            Outcome(works[4], state="filtered", rule="no_catalogues"),
        )  # fmt: skip
        first, second, _ = await claim(store, "deliver")
        await commit(store, delivered(first), dead(second))
        assert await store.ledger() == {
            "duplicate": 1, "exception": 2, "in_flight": 2, "filtered": 1, "delivered": 2, "received": 8,
        }  # fmt: skip
        stats = await store.stats()
        counted = ("received", "duplicate", "processed", "filtered", "exception", "in_flight")
        assert [stats[name] for name in counted] == [8, 1, 4, 1, 1, 1]

    on(make, test)


def test_a_filled_store_adds_up(make: Make) -> None:
    async def test(store: Store, _: Clock) -> None:
        await fill(store, 1200, batch=100)
        stats = await store.stats()
        assert (stats["received"], stats["deliveries"]["delivered"], stats["awaited"]) == (600, 600, 1200)
        assert (await store.ledger())["delivered"] == 600
        assert [m.control_id for m in (await store.find(Search(direction="out", limit=1))).messages] == ["000000600"]

    on(make, test)
