"""The parties of a scene, played in this process, and what hospitals send. No party shares code with the engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import hl7

from channels.simulate.erp import Erp
from channels.simulate.interchange import Identity, Separators
from channels.simulate.supplier import Supplier
from tests.functional.scene import PATIENCE, Scene

OURS = Identity.parse("ZZ:NORTHHEALTH/NORTHHEALTH")
ACME = Identity.parse("01:081234567/081234567")
BRAVO = Identity.parse("ZZ:BRAVOMED/BRAVOMED")
BRAVO_SEPARATORS = Separators("|", "^", "~", "\n")


class Loop:
    """A thread with an event loop for the simulated parties, so that tests stay plain functions."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@contextmanager
def played(stage: Scene, **parties: Any) -> Iterator[dict[str, Any]]:
    """Parties running beside the daemon; `erp` listens on the scene's ERP port."""
    loop = Loop()
    try:
        for name, party in parties.items():
            loop.run(party.start(port=stage.erp) if name == "erp" else party.start())
        yield parties
    finally:
        for party in parties.values():
            loop.run(party.stop())
        loop.close()


def requisition(
    number: str, *lines: tuple[str, str, str], control: str = "", message: str = "OMS^O05^OMS_O05", stat: bool = False
) -> bytes:
    """An invented OMS^O05 from Harbor Point. lines: (local item, quantity, local unit)."""
    segments = [
        f"MSH|^~\\&|INVSYS01|HARBOR|HILUM|NORTHHEALTH|20261123071500-0600||{message}|{control or number}|P|2.5.1",
    ]
    for position, (item, quantity, unit) in enumerate(lines, 1):
        segments.append(f"ORC|NW|{number}-{position}^INVSYS01||{number}|||||20261123071500-0600")
        segments.append(f"TQ1|1||||||20261123130000-0600||{'S' if stat else 'R'}")
        segments.append(f"RQD|{position}|{item}^Invented item||{item}|{quantity}|{unit}|OR|||20261123")
    return ("\r".join(segments) + "\r").encode()


def send(stage: Scene, *payloads: bytes) -> list[str]:
    """Send by an MLLP client that is not ours; the MSA-1 of each answer."""
    from hl7.client import MLLPClient

    codes = []
    with MLLPClient("127.0.0.1", stage.mllp) as client:
        for payload in payloads:
            client.socket.settimeout(PATIENCE)
            answer = hl7.parse(client.send_message(payload).decode().strip("\x0b\x1c\r"))
            codes.append(str(answer.segment("MSA")[1]))
    return codes


def supplier(stage: Scene, name: str, identity: Identity, **options: Any) -> Supplier:
    return Supplier(stage.home / "exchange" / name, identity, OURS, **options)


def bravo_medical(stage: Scene, **options: Any) -> Supplier:
    return supplier(stage, "bravo_medical", BRAVO, separators=BRAVO_SEPARATORS, **options)


def done(erp: Erp, acknowledgements: int) -> Callable[[], bool]:
    return lambda: erp.stats()["order_acknowledgements"] >= acknowledgements
