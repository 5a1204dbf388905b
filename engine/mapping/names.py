"""What the names in a condition stand for, fields of a document or places of a message, as closures that test them."""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Protocol

from engine.mapping.schema import Model, Target, targets
from engine.mapping.tokens import ExpressionError, Token
from engine.plugin import Node, Null, PathError, Scope
from engine.positions import did_you_mean

Test = Callable[[Any], bool]
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class Names(Protocol):
    """What names mean: how to test the thing a name stands for."""

    def exists(self, name: str, at: int) -> Test: ...
    def compare(self, name: str, word: str, literal: Token, at: int) -> Test: ...


class DocumentNames:
    """Names are dotted fields of a canonical document. A comparison with nothing is false, except `!=`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def exists(self, name: str, at: int) -> Test:
        steps, target = self._walk(name, at)
        if target.many:
            return lambda thing: bool(_follow(thing, steps))
        return lambda thing: _follow(thing, steps) is not None

    def compare(self, name: str, word: str, literal: Token, at: int) -> Test:
        steps, target = self._walk(name, at)
        if target.many or target.record:
            raise ExpressionError("MAP404", f"'{name}' is a list or record: it can only be asked to 'exist'", at)
        value = _typed(literal, target)
        compare = _OPERATORS[word]
        if word not in {"=", "!="} and target.type in {str, bool}:
            raise ExpressionError("MAP404", f"'{name}' has no order: only = and != make sense", at)
        absent = word == "!="

        def test(thing: Any) -> bool:
            found = _follow(thing, steps)
            return absent if found is None else compare(found, value)

        return test

    def _walk(self, name: str, at: int) -> tuple[tuple[str, ...], Target]:
        steps = tuple(name.split("."))
        model: Model | None = self.model
        target: Target | None = None
        for step in steps:
            known = targets(model) if model is not None else {}
            if step not in known:
                raise ExpressionError("MAP402", f"there is no field '{name}'", at, did_you_mean(step, known))
            if target is not None and target.many:
                raise ExpressionError("MAP404", f"'{target.name}' is a list: its entries have no one value", at)
            target = known[step]
            model = target.record
        assert target is not None
        return steps, target


def _follow(thing: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if thing is None:
            return None
        thing = getattr(thing, step)
    return thing


def _typed(literal: Token, target: Target) -> object:
    """The literal as a value that the field's own can be compared with."""
    value: object = None
    try:
        if target.type is bool:
            value = {"true": True, "false": False}.get(literal.kind)
        elif target.type is Decimal:
            value = Decimal(literal.value) if literal.kind == "number" else None
        elif literal.kind == "text" and target.type is dt.date:
            value = dt.date.fromisoformat(literal.value)
        elif literal.kind == "text" and target.type is dt.datetime:
            value = dt.datetime.fromisoformat(literal.value)
            value = value if value.tzinfo else None
        elif literal.kind == "text":
            value = literal.value
    except ValueError:
        value = None
    if value is None:
        kinds = {bool: "true or false", Decimal: "a number", dt.date: "a date like '2026-12-01'"}
        text = kinds.get(target.type, "a time with its offset" if target.type is dt.datetime else "a text in quotes")
        raise ExpressionError("MAP404", f"'{target.name}' is compared with {text}", literal.at)
    if target.choices and value not in target.choices:
        hint = did_you_mean(str(value), target.choices)
        raise ExpressionError("MAP404", f"'{target.name}' is never '{value}'", literal.at, hint)
    return value


class SourceNames:
    """Names are paths of a message; their values are texts. Numbers are compared as numbers."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def exists(self, name: str, at: int) -> Test:
        get = self._get(name, at)
        return lambda node: isinstance(get(node), str)

    def compare(self, name: str, word: str, literal: Token, at: int) -> Test:
        get = self._get(name, at)
        compare = _OPERATORS[word]
        absent = word == "!="
        if literal.kind != "number":
            if word not in {"=", "!="}:
                raise ExpressionError("MAP404", "texts have no order: only = and != make sense", literal.at)
            value = literal.value
            return lambda node: compare(found, value) if isinstance(found := get(node), str) else absent
        number = Decimal(literal.value)

        def test(node: Node) -> bool:
            found = get(node)
            if not isinstance(found, str) or re.fullmatch(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", found, re.ASCII) is None:
                return absent
            return compare(Decimal(found), number)

        return test

    def _get(self, name: str, at: int) -> Callable[[Node], str | Null | None]:
        try:
            return self.scope.field(name).get
        except PathError as wrong:
            hint = f"did you mean '{wrong.nearest[0]}'?" if wrong.nearest else ""
            raise ExpressionError("MAP301", wrong.text, at, hint) from wrong
