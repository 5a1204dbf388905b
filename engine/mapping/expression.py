"""Conditions in YAML: a closed language of comparisons, with its own tokenizer and parser, compiled to closures.

    condition = all { "or" all };  all = one { "and" one };  one = "not" one | "(" condition ")" | test
    test = name "exists" | name ("=" "!=" "<" "<=" ">" ">=") literal | name ["not"] "in" "(" literal { "," literal } ")"
    literal = 'text' | "text" | number | true | false

A name is a document's field (`line.quantity.value`, in routes) or a path of the message (in a mapping's `when`; one
with parentheses stands in backquotes). No calls, no attributes of Python, no arithmetic; size and depth have caps.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from canonical import Document
from engine.mapping.schema import Model, Target, targets
from engine.plugin import Node, Null, PathError, Scope
from engine.positions import Findings, Mark, did_you_mean

MAX_LENGTH: Final = 1000
MAX_DEPTH: Final = 20

Test = Callable[[Any], bool]
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_WORDS: Final = frozenset({"and", "or", "not", "in", "exists", "true", "false"})
# A name may hold what paths of messages are made of, but a bracket only around a selector without spaces.
_TOKENS: Final = re.compile(
    r"""\s*(?:(?P<text>'[^']*'|"[^"]*")
        |(?P<quoted>`[^`]+`)
        |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.\[]))
        |(?P<name>[$A-Za-z_](?:[\w.$-]|\[[^\[\]\s'"]*\])*)
        |(?P<operator>!=|<=|>=|=|<|>)
        |(?P<mark>[(),])
        |(?P<end>$))""",
    re.VERBOSE | re.ASCII,
)


class ExpressionError(Exception):
    """at: how many characters into the text. hint: the nearest right word."""

    def __init__(self, code: str, text: str, at: int, hint: str = "") -> None:
        super().__init__(text)
        self.code, self.text, self.at, self.hint = code, text, at, hint


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # text | name | number | operator | mark | end, or the word itself
    value: str
    at: int


class Names(Protocol):
    """What names mean: how to test the thing a name stands for."""

    def exists(self, name: str, at: int) -> Test: ...
    def compare(self, name: str, word: str, literal: Token, at: int) -> Test: ...


def compile_expression(text: str, mark: Mark, findings: Findings, model: Model) -> Callable[[Document], bool] | None:
    """A condition on a document's fields; None when it is refused, with the reason in `findings`."""
    return _compile(text, mark, findings, DocumentNames(model))


def compile_condition(text: str, mark: Mark, findings: Findings, scope: Scope) -> Callable[[Node], bool] | None:
    """A condition on the places of a message that `scope` knows."""
    return _compile(text, mark, findings, SourceNames(scope))


def _compile(text: str, mark: Mark, findings: Findings, names: Names) -> Test | None:
    try:
        if len(text) > MAX_LENGTH:
            raise ExpressionError("MAP403", f"a condition has at most {MAX_LENGTH} characters", 0)
        return _Parser(_tokens(text), names).whole()
    except ExpressionError as wrong:
        quote = mark.length > len(text)  # then the text begins behind it
        findings.error(wrong.code, wrong.text, Mark(mark.file, mark.line, mark.column + quote + wrong.at), wrong.hint)
        return None


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position = 0
    while not found or found[-1].kind != "end":
        match = _TOKENS.match(text, position)
        if match is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            raise ExpressionError("MAP401", "a condition has names, texts, numbers and comparisons only", at)
        kind = str(match.lastgroup)
        word = match[kind]
        if kind in {"text", "quoted"}:
            kind, word = ("text" if kind == "text" else "name"), word[1:-1]
        elif kind == "name" and word in _WORDS:
            kind = word
        found.append(Token(kind, word, match.start(match.lastgroup or 0)))
        position = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens; each rule gives the closure of what it read."""

    def __init__(self, tokens: Sequence[Token], names: Names) -> None:
        self.tokens = tokens
        self.names = names
        self.position = 0
        self.depth = 0

    def whole(self) -> Test:
        test = self.any()
        if self.next.kind != "end":
            raise ExpressionError("MAP401", "expected 'and', 'or' or the end of the condition", self.next.at)
        return test

    @property
    def next(self) -> Token:
        return self.tokens[self.position]

    def take(self, kind: str, value: str = "") -> Token | None:
        token = self.next
        if token.kind != kind or (value and token.value != value):
            return None
        self.position += 1
        return token

    def expect(self, kind: str, value: str, what: str) -> Token:
        token = self.take(kind, value)
        if token is None:
            raise ExpressionError("MAP401", f"expected {what}", self.next.at)
        return token

    def any(self) -> Test:
        tests = [self.all()]
        while self.take("or"):
            tests.append(self.all())
        return tests[0] if len(tests) == 1 else lambda thing: any(test(thing) for test in tests)

    def all(self) -> Test:
        tests = [self.one()]
        while self.take("and"):
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda thing: all(test(thing) for test in tests)

    def one(self) -> Test:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError("MAP403", f"a condition nests at most {MAX_DEPTH} deep", self.next.at)
        test = self.nested()
        self.depth -= 1
        return test

    def nested(self) -> Test:
        if self.take("not"):
            inner = self.one()
            return lambda thing: not inner(thing)
        if self.take("mark", "("):
            inner = self.any()
            self.expect("mark", ")", "')'")
            return inner
        return self.test()

    def test(self) -> Test:
        name = self.expect("name", "", "the name of a field")
        if self.take("exists"):
            return self.names.exists(name.value, name.at)
        if sign := self.take("operator"):
            return self.names.compare(name.value, sign.value, self.literal(), name.at)
        negated = self.take("not") is not None
        if self.take("in"):
            return self.among(name, negated)
        text = "expected a comparison, 'in (...)' or 'exists' after the name"
        raise ExpressionError("MAP401", text, self.next.at)

    def among(self, name: Token, negated: bool) -> Test:
        self.expect("mark", "(", "'(' after 'in'")
        tests = [self.names.compare(name.value, "=", self.literal(), name.at)]
        while self.take("mark", ","):
            tests.append(self.names.compare(name.value, "=", self.literal(), name.at))
        self.expect("mark", ")", "')' or ',' in the list")
        return lambda thing: any(test(thing) for test in tests) != negated

    def literal(self) -> Token:
        for kind in ("text", "number", "true", "false"):
            if token := self.take(kind):
                return token
        raise ExpressionError("MAP401", "expected a text in quotes, a number, true or false", self.next.at)


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
