"""A trace's data as a tree to be drawn: what became of what, each step once, with its lights. Pure.

A message hangs below what caused it: the document it was rendered from, the delivery it answers, the order it
acknowledges. What is expected and missing hangs where it will arrive.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.verdict import below_each, concerned, verdict_of

Light = Literal["good", "waiting", "bad", "none"]
SIGNS: Mapping[Light, str] = {"good": "✓", "waiting": "⧖", "bad": "✕", "none": "·"}


@dataclass(frozen=True, slots=True)
class Lights:
    """Four answers per message, never one word for all."""

    valid: Light = "none"
    delivered: Light = "none"
    acknowledged: Light = "none"
    matched: Light = "none"

    def items(self) -> tuple[tuple[str, Light], ...]:
        return (
            ("valid", self.valid),
            ("delivered", self.delivered),
            ("acknowledged", self.acknowledged),
            ("matched", self.matched),
        )


@dataclass(slots=True)
class Step:
    """One line of the story. at: RFC 3339 or empty for what has not happened."""

    at: str
    what: str
    who: str = ""
    note: str = ""
    id: str = ""
    missing: bool = False
    bad: bool = False
    lights: Lights = field(default_factory=Lights)
    children: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Story:
    """verdict: how it stands with what was asked for. whole: how with its thread, where that is another word."""

    title: str
    verdict: str
    whole: str
    took: str
    steps: tuple[Step, ...]


def story(data: Mapping[str, Any]) -> Story:
    """From the data of `engine.trace.trace`."""
    builder = _Builder(data)
    roots = builder.roots()
    times = [at for step in roots for at in _times(step)]
    span = _seconds(min(times), max(times)) if times else 0.0
    count = len(data["messages"])
    verdict, whole = verdict_of(concerned(data)), verdict_of(data)
    return Story(
        title=_title(data),
        verdict=verdict,
        whole=whole if whole != verdict else "",
        took=f"{spoken(span)}, {count} message{'' if count == 1 else 's'}",
        steps=tuple(roots),
    )


def spoken(seconds: float) -> str:
    """A duration as people say it: `14 ms`, `0.9 s`, `8 h 15 min`."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = int(seconds // 60) % 60, int(seconds // 3600)
    if not hours:
        return f"{minutes} min {int(seconds % 60)} s"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


class _Builder:
    """Walks the edges from each root once."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._messages = {row["id"]: row for row in data["messages"]}
        self._documents = {row["id"]: row for row in data["documents"]}
        self._deliveries: dict[str, dict[str, Any]] = {row["message"]: row for row in data["deliveries"]}
        self._children = below_each(data)
        self._told: set[str] = set()

    def roots(self) -> list[Step]:
        below = {child for children in self._children.values() for child in children}
        first = [row["id"] for row in self._data["messages"] if row["id"] not in below]
        steps = [self._message(name) for name in first if name not in self._told]
        # a cycle of edges has no root: what is left is told all the same
        steps += [self._message(name) for name in self._messages if name not in self._told]
        return steps

    def _message(self, name: str) -> Step:
        self._told.add(name)
        row = self._messages[name]
        delivery = self._deliveries.get(name)
        step = Step(
            at=row["at"],
            what=self._what(row),
            who=_who(row),
            note=", ".join(filter(None, [self._settled(name), *self._again(name), _note(row, delivery)])),
            id=name,
            bad=row["state"] == "exception" or bool(delivery and delivery["state"] == "dead"),
            lights=self._lights(row, delivery),
        )
        for child in self._children.get(name, ()):
            if child in self._messages and child not in self._told:
                step.children.append(self._message(child))
        step.children += self._exceptions(name, delivery) + self._missing(name, delivery)
        return step

    def _what(self, row: Mapping[str, Any]) -> str:
        made = [found["summary"] for found in self._documents.values() if found["message"] == row["id"]]
        delivery = self._deliveries.get(row["id"])
        if not made and delivery and delivery["document"] in self._documents:
            made = [self._documents[delivery["document"]]["number"]]
        controls = row["control_ids"]
        numbers = " ".join(f"{word} {controls[kind]}" for kind, word in _CONTROL.items() if kind in controls)
        told = "; ".join(made[:3]) + (f" and {len(made) - 3} more" if len(made) > 3 else "")
        return "  ".join(filter(None, [row["type"] or row["format"], numbers, told]))

    def _settled(self, name: str) -> str:
        """What this message told us about something we sent, and how long that took."""
        told = {
            f"{ack['code'] or ack['state']}  +{spoken(ack['after_ms'] / 1000)}"
            for ack in self._data["acknowledgements"]
            if ack["by"] == name and ack["after_ms"] is not None
        }
        return ", ".join(sorted(told)) or self._said_later(name)

    def _again(self, name: str) -> list[str]:
        """Which earlier message this one repeats or updates."""
        edges = self._data["edges"]
        return [f"{edge['kind']} {edge['from']}" for edge in edges if edge["to"] == name and edge["kind"] in _AGAINST]

    def _said_later(self, name: str) -> str:
        """What a message says of what was settled before: the same again, or another word, which is an exception."""
        for found in self._data["exceptions"]:
            said = found["context"]
            if found["message"] == name and "acknowledgement" in said and "status" in said:
                against = f", against the first ({found['id']})" if found["code"] == "ack.conflict" else ""
                return f"{said['status']}{against}"
        sent = {edge["from"] for edge in self._data["edges"] if (edge["to"], edge["kind"]) == (name, "acknowledges")}
        kind = self._messages[name]["type"]
        states = {
            ack["state"] for ack in self._data["acknowledgements"] if ack["message"] in sent and ack["kind"] == kind
        }
        return ", ".join(word for state, word in _AGAIN.items() if state in states)

    def _lights(self, row: Mapping[str, Any], delivery: Mapping[str, Any] | None) -> Lights:
        waiting = [ack["state"] for ack in self._data["acknowledgements"] if ack["message"] == row["id"]]
        valid: Light = "bad" if row["state"] == "exception" else "waiting" if row["state"] == "received" else "good"
        return Lights(valid, _delivered(delivery), _acknowledged(waiting))

    def _exceptions(self, name: str, delivery: Mapping[str, Any] | None) -> list[Step]:
        uid = delivery["id"] if delivery else None
        return [
            Step(found["opened"], found["id"], "", _told(found, delivery), found["id"], bad=found["state"] == "open")
            for found in self._data["exceptions"]
            if (found["delivery"] == uid if found["delivery"] else found["message"] == name)
        ]

    def _missing(self, name: str, delivery: Mapping[str, Any] | None) -> list[Step]:
        steps = [
            Step("", ack["kind"], "", _promise(ack), missing=True, bad=ack["state"] == "overdue")
            for ack in self._data["acknowledgements"]
            if ack["message"] == name and ack["state"] in {"awaited", "overdue"}
        ]
        if delivery and delivery["state"] in {"planned", "retrying", "held", "gathering"}:
            steps.append(Step("", "delivery", f"to {delivery['destination']}", _outlook(delivery), missing=True))
        return steps


_AGAINST = frozenset({"repeats", "updates"})
_AGAIN = {"positive": "accepted again", "negative": "rejected again"}
_CONTROL = {"interchange": "ISA", "group": "GS"}


def _told(found: Mapping[str, Any], delivery: Mapping[str, Any] | None) -> str:
    """The sentence and its place; of a refused delivery also what the receiver itself said."""
    said = ""
    if delivery and delivery["refusal"] and "cause" in found["context"]:
        words = [delivery["refusal"].get(name) for name in ("code", "message")]
        said = f" ({delivery['destination']} says {': '.join(filter(None, words))})" if any(words) else ""
    place = f" at {found['place']}" if found["place"] else ""
    over = f" ({found['state']}: {found['reason']})" if found["state"] != "open" else ""
    return f"{found['code']}: {found['text']}{said}{place}{over}"


def _outlook(delivery: Mapping[str, Any]) -> str:
    """What is known of a delivery that has not ended. An attempt is stored when it has ended, never before."""
    if delivery["state"] == "held":
        return "held, until a person lets it go"
    if delivery["state"] == "gathering":
        return "it waits for others, to go in one interchange"
    attempts = delivery["attempts"]
    if not attempts:
        return f"no attempt has ended since {delivery['created'][11:19]}: it is being sent, or waits for its turn"
    last = attempts[-1]
    if last["outcome"] not in {"transient", "ambiguous"}:
        return f"it goes again after attempt {len(attempts)}, by a person's wish"
    why = f"{last['code']}: {last['text']}" if last["text"] else last["code"]
    return f"attempt {len(attempts)} of {last['at'][11:19]} failed ({why}); it goes again by itself"


def _who(row: Mapping[str, Any]) -> str:
    return f"{row['partner']} → hilum" if row["direction"] == "in" else f"hilum → {row['partner']}"


def _note(row: Mapping[str, Any], delivery: Mapping[str, Any] | None) -> str:
    told = []
    if row["duplicate_of"]:
        told.append(f"duplicate of {row['duplicate_of']}")
    if delivery and delivery["attempts"]:
        last = delivery["attempts"][-1]
        sign = SIGNS[_delivered(delivery)]
        number = f" attempt {len(delivery['attempts'])}" if len(delivery["attempts"]) > 1 else ""
        told.append(f"{sign} {last['code']}{number}  {spoken(last['ms'] / 1000)}")
    elif delivery:
        sign = SIGNS[_delivered(delivery)]
        told.append(f"{sign} under way" if delivery["state"] == "planned" else f"{sign} {delivery['state']}")
    if delivery and delivery["state"] == "replaced":
        told.append("sent again as another message")
    if row["state"] in {"filtered", "exception"}:
        told.append(row["state"])
    if delivery and delivery["possible_duplicate"]:
        told.append("may have been sent twice")
    told += [warning.replace(" ", " at ") for warning in row["warnings"] if " " in warning]  # they name their place
    return ", ".join(told)


def _delivered(delivery: Mapping[str, Any] | None) -> Light:
    if delivery is None:
        return "none"
    return {"delivered": "good", "dead": "bad", "replaced": "none"}.get(delivery["state"], "waiting")  # type: ignore[return-value]


def _acknowledged(states: Sequence[str]) -> Light:
    if "negative" in states or "overdue" in states:
        return "bad"
    if "awaited" in states:
        return "waiting"
    return "good" if "positive" in states else "none"


def _promise(ack: Mapping[str, Any]) -> str:
    if ack["state"] == "overdue":
        return f"overdue since {ack['due']}"
    return f"expected by {ack['due']}" if ack["due"] else "expected after delivery"


def _title(data: Mapping[str, Any]) -> str:
    for row in data["documents"]:
        if row["number"] == data["key"]:
            return f"{row['type'].replace('_', ' ')} {row['summary']}"
    return str(data["key"])


def _times(step: Step) -> Iterator[str]:
    if step.at:
        yield step.at
    for child in step.children:
        yield from _times(child)


def _seconds(first: str, last: str) -> float:
    return (dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)).total_seconds()
