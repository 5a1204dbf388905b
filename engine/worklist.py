"""Exceptions: work for people. Listing, resolving and replaying them; functions that return data, CLI or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import Refused
from engine.store.contract import Store, StoreReader

# Failures after which the same bytes must not go again: the document is rendered anew, under new control numbers.
_RENDER_AGAIN = frozenset({"delivery.render", "delivery.rejected", "ack.rejected"})
# What no second run can change: someone has to talk to someone.
_NOTHING_TO_RUN = frozenset({"ack.conflict", "order.rejected"})
_NAME = re.compile(r"^(?:(?P<exception>EXC-)|(?P<message>M))(?P<number>\d{1,18})$")


class NotFound(Refused):
    """Nothing goes by that name."""


@dataclass(slots=True)
class Plan:
    """What a replay would do: messages to read again, deliveries to send as they were, deliveries to render anew.

    told: one line for each name, saying what goes to whom.
    """

    messages: dict[int, None] = field(default_factory=dict)
    again: dict[int, None] = field(default_factory=dict)
    resend: dict[int, None] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


async def plan(store: StoreReader, names: Sequence[str], *, force: bool = False) -> Plan:
    """What running these again would do; changes nothing.

    Raises NotFound for an unknown name, and Refused for a message whose control id was taken by another, unless
    `force` says that both are meant.
    """
    made = Plan()
    for name in names:
        kind, number = await _named(store, name)
        if kind == "exception":
            (found,) = await store.exceptions(state="", ids=[number])
            if found.code == "dup.conflict" and not force:
                text = f"{name} has the control id of another message; run again, it would act beside that one"
                raise Refused("control.conflict", text, hint="resolve it, or add --force when both are meant")
            if found.code in _NOTHING_TO_RUN:
                raise _nothing(name)
            if found.state != "open" and not force:
                text = f"{name} is resolved: it was run again or closed before"
                raise Refused("control.resolved", text, hint="add --force to run it again all the same")
            kind = "message" if found.delivery is None else "resend" if found.code in _RENDER_AGAIN else "delivery"
            number = found.delivery or found.message or 0
        if kind == "message":
            message = await store.get(number)
            if message is None or message.direction == "out":
                raise _nothing(name)
            made.messages[number] = None
            made.told.append(f"{name}: M{number} is read again; what it yielded before is not sent twice")
        else:
            (made.resend if kind == "resend" else made.again)[number] = None
            made.told.append(f"{name}: {await _sending(store, number, anew=kind == 'resend')}")
    return made


def _nothing(name: str) -> Refused:
    text = f"{name} has nothing to run again"
    return Refused("control.nothing", text, hint="settle it with the partner, then resolve it")


async def _sending(store: StoreReader, delivery: int, *, anew: bool) -> str:
    record = await store.delivery(delivery)
    what = f"the {record.delivery.type}" if record else "a delivery"
    to = record.delivery.destination if record else "its receiver"
    if anew:
        return f"{what} is written anew and sent to {to} under new control numbers"
    return f"{what} goes to {to} again as it is, under the same id"


async def replay(store: Store, names: Sequence[str], *, reason: str, who: str, force: bool = False) -> dict[str, Any]:
    """Run exceptions (`EXC-12`), messages (`M7`) or deliveries (by uid) again.

    A message in exception is read and mapped again; only documents it has not yielded before go on. A delivery that
    may have arrived is tried again as it is; one that was refused or could not be written is rendered anew.
    Raises what `plan` raises; nothing is queued then.
    """
    made = await plan(store, names, force=force)
    queued = await store.replay(
        messages=tuple(made.messages), deliveries=tuple(made.again), resend=tuple(made.resend), reason=reason, who=who
    )
    asked = {"messages": len(made.messages), "deliveries": len(made.again), "resent": len(made.resend)}
    return {"queued": queued, "asked": sum(asked.values()), **asked}


async def resolve(store: Store, names: Sequence[str], *, reason: str, who: str) -> dict[str, Any]:
    """Close exceptions without running anything. Raises NotFound for an unknown name before any is closed."""
    numbers = []
    for name in names:
        kind, number = await _named(store, name)
        if kind != "exception":
            raise NotFound("control.name", f"{name} is no exception", hint="`hilum exceptions` lists them")
        numbers.append(number)
    still_open = [row.id for row in await store.exceptions(state="open", ids=numbers)]
    await store.resolve(still_open, reason=reason, who=who)
    return {"resolved": len(still_open), "asked": len(numbers)}


async def _named(store: StoreReader, name: str) -> tuple[str, int]:
    match = _NAME.match(name)
    if match and match["exception"]:
        number = int(match["number"])
        if await store.exceptions(state="", ids=[number]):
            return "exception", number
    elif match:
        number = int(match["number"])
        if await store.get(number) is not None:
            return "message", number
    else:
        record = await store.delivery(name)
        if record is not None:
            return "delivery", record.delivery.id
    raise NotFound("control.name", f"nothing is called {name}", hint="give EXC-…, M… or a delivery id")
