"""Conditions in YAML: a closed language of comparisons, with a parser of its own, compiled to closures.

    condition = all { "or" all };  all = one { "and" one };  one = "not" one | "(" condition ")" | test
    test = name "exists" | name ("=" "!=" "<" "<=" ">" ">=") literal | name ["not"] "in" "(" literal { "," literal } ")"
    literal = 'text' | "text" | number | true | false

A name is a document's field (`line.quantity.value`, in routes) or a path of the message (in a mapping's `when`; one
with parentheses stands in backquotes). No calls, no attributes of Python, no arithmetic; size and depth have caps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from canonical import Document
from engine.mapping.names import DocumentNames, Names, SourceNames, Test
from engine.mapping.schema import Model
from engine.mapping.tokens import ExpressionError, Token, tokens
from engine.plugin import Node, Scope
from engine.positions import Findings, Mark

MAX_LENGTH: Final = 1000
MAX_DEPTH: Final = 20


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
        return _Parser(tokens(text), names).whole()
    except ExpressionError as wrong:
        quote = mark.length > len(text)  # then the text begins behind it
        findings.error(wrong.code, wrong.text, Mark(mark.file, mark.line, mark.column + quote + wrong.at), wrong.hint)
        return None


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
