"""The load: N senders over N MLLP connections, each with one message outstanding: send, read the answer, send.

A process of its own, so that what it costs is not the daemon's. It warms up, measures for a while, and prints one JSON
object: messages/s, latency of the answers, everything that was not AA, and the daemon's own CPU in that window.
It bounds itself in time and count, and never opens anything but loopback.

`python -m bench.load --connect 127.0.0.1:2575 --connections 50 --seconds 4 [--pid PID]`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field

import uvloop

from bench.messages import Feed, feed
from bench.processes import cpu_seconds

STALL = 20.0  # seconds without any answer after which a run is given up


@dataclass(slots=True)
class Plan:
    """How much to send. most: messages in all, 0 for no bound but time."""

    warmup: float
    seconds: float
    most: int = 0


@dataclass(slots=True)
class Tally:
    """What all senders saw. Latencies are nanoseconds, of the measured window only."""

    plan: Plan
    sent: int = 0
    answered: int = 0
    errors: int = 0
    lost: int = 0
    measuring: bool = False
    finished: bool = False
    latencies: list[int] = field(default_factory=list)
    sample: bytes = b""  # the first answer that was not AA

    def may_send(self) -> bool:
        return not self.finished and not (self.plan.most and self.sent >= self.plan.most)


class Sender(asyncio.Protocol):
    """One connection. The next message leaves in the call that reads the answer to the last."""

    def __init__(self, source: Feed, tally: Tally) -> None:
        self.source = source
        self.tally = tally
        self.n = 0
        self.expected = b""
        self.buffer = b""
        self.started = 0
        self.outstanding = False
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]

    def send(self) -> None:
        tally = self.tally
        if self.transport is None or not tally.may_send():
            return
        self.n += 1
        tally.sent += 1
        number = self.source.number(self.n)
        self.expected = b"|AA|" + number
        self.outstanding = True
        frame = self.source.frame(number)
        self.started = time.perf_counter_ns()
        self.transport.write(frame)

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        if not data.endswith(b"\x1c\r"):
            self.buffer = data
            return
        self.buffer = b""
        tally = self.tally
        if tally.measuring:
            tally.latencies.append(time.perf_counter_ns() - self.started)
        tally.answered += 1
        self.outstanding = False
        if self.expected not in data:
            tally.errors += 1
            tally.sample = tally.sample or data[:300]
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self.outstanding:
            self.outstanding = False
            self.tally.lost += 1


async def connect(host: str, port: int, tag: str, count: int, tally: Tally) -> list[Sender]:
    loop = asyncio.get_running_loop()
    senders = [Sender(feed(tag, number), tally) for number in range(count)]
    for sender in senders:
        await loop.create_connection(lambda sender=sender: sender, host, port)  # type: ignore[misc]
    return senders


async def run(host: str, port: int, tag: str, connections: int, plan: Plan, pid: int | None) -> dict[str, object]:
    """Warm up, measure, then wait for the last answers. Raises OSError when a connection is refused."""
    tally = Tally(plan)
    senders = await connect(host, port, tag, connections, tally)
    opened = time.time()
    for sender in senders:
        sender.send()
    await _while_flowing(tally, senders, plan.warmup)
    cpu, answered = cpu_seconds(pid), tally.answered
    own, began = time.process_time(), time.perf_counter()
    tally.measuring = True
    await _while_flowing(tally, senders, plan.seconds)
    tally.measuring = False
    took = time.perf_counter() - began
    own = time.process_time() - own
    measured = tally.answered - answered
    spent = cpu_seconds(pid) - cpu
    tally.finished = True
    await _while_flowing(tally, senders, STALL, drain=True)
    ended = time.time()
    for sender in senders:
        if sender.transport:
            sender.transport.close()
    return {
        "tag": tag, "connections": connections, "opened": opened, "ended": ended, "sent": tally.sent,
        "answered": tally.answered, "measured": measured, "seconds": took, "rate": measured / took,
        "errors": tally.errors, "lost": tally.lost, "sample": tally.sample.decode("ascii", "replace"),
        "cpu_us": spent / measured * 1e6 if measured else 0.0, "load_cpu": own / took,
        **percentiles(tally.latencies),
    }  # fmt: skip


async def _while_flowing(tally: Tally, senders: list[Sender], seconds: float, *, drain: bool = False) -> None:
    """Sleep for `seconds`, or less: until all is answered that may be sent, or nothing moves any more."""
    end = time.perf_counter() + seconds
    seen, since = tally.answered, time.perf_counter()
    while (now := time.perf_counter()) < end:
        waiting = any(sender.outstanding for sender in senders)
        if not waiting and (drain or not tally.may_send()):
            return
        if tally.answered != seen:
            seen, since = tally.answered, now
        if now - since > STALL:
            return
        await asyncio.sleep(min(0.02, end - now))


def percentiles(latencies: list[int]) -> dict[str, float]:
    """p50, p95, p99 and the greatest, in milliseconds."""
    ranked = sorted(latencies)
    if not ranked:
        return {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
    at = {f"p{part}": ranked[min(len(ranked) - 1, len(ranked) * part // 100)] / 1e6 for part in (50, 95, 99)}
    return {**at, "max": ranked[-1] / 1e6}


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    options.add_argument("--connect", default="127.0.0.1:2575")
    options.add_argument("--connections", type=int, default=50)
    options.add_argument("--warmup", type=float, default=1.0)
    options.add_argument("--seconds", type=float, default=4.0)
    options.add_argument("--most", type=int, default=0, help="messages in all, 0: as many as fit the time")
    options.add_argument("--tag", default=f"T{int(time.time()):x}".upper())
    options.add_argument("--pid", type=int, help="the daemon, for its CPU per message")
    chosen = options.parse_args()
    host, _, port = chosen.connect.rpartition(":")
    plan = Plan(chosen.warmup, chosen.seconds, chosen.most)
    print(json.dumps(uvloop.run(run(host, int(port), chosen.tag, chosen.connections, plan, chosen.pid))))


if __name__ == "__main__":
    main()
