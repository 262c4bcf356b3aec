"""``$filter`` and ``$orderby`` as Dataverse understands them (protocols A4).

Texts are compared whatever their case, with the wildcards of SQL; a blank column fulfils neither
``eq 'x'`` nor ``ne 'x'``; columns may be compared with each other and reached through lookups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse.functions import FUNCTIONS, within
from runner.sandbox.dataverse.navigation import ways
from runner.sandbox.dataverse.operands import (
    COMPARE,
    Tokens,
    compared,
    kind_of,
    matches,
    normal,
)
from runner.sandbox.dataverse.session import BAD, Session

if TYPE_CHECKING:
    from runner.sandbox.dataverse.metadata import Attribute, Entity
    from runner.sandbox.dataverse.navigation import Way
    from runner.sandbox.store import Row

DEEPEST = 100
_TEXT = frozenset({"contains", "startswith", "endswith"})

Scope = Mapping[str, "Row | None"]
"""The record under test, by ``""``, and those that lambdas name."""
Test = Callable[[Scope], bool]
Value = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True)
class _Operand:
    """One side of a comparison: what it is, and how its value is had."""

    kind: str
    value: Value
    literal: Any = None


def read(session: Session, entity: Entity, text: str) -> Callable[[Row], bool]:
    """Read a ``$filter``. Raises ``Refusal`` where the server would not understand it."""
    tokens = Tokens.of(text)
    test = _Reader(session, tokens, {"": entity}).either()
    tokens.end()
    return lambda row: test({"": row})


def order(session: Session, entity: Entity, text: str) -> list[tuple[Callable[[Row], Any], bool]]:
    """Read an ``$orderby``: what it goes by, each with whether it descends."""
    found: list[tuple[Callable[[Row], Any], bool]] = []
    for part in text.split(","):
        words = part.split()
        if len(words) not in (1, 2) or words[1:] not in ([], ["asc"], ["desc"]):
            raise Refusal(400, BAD, f"Syntax error in the $orderby expression '{text}'.")
        tokens = Tokens.of(words[0])
        operand = _Reader(session, tokens, {"": entity}).path()
        tokens.end()
        found.append((partial(_by, operand.value), words[1:] == ["desc"]))
    return found


def _by(value: Value, row: Row) -> tuple[bool, Any]:
    """Sort: blank first, texts whatever their case."""
    held = value({"": row})
    if held is None:
        return False, 0
    return True, held.casefold() if isinstance(held, str) else held


class _Reader:
    """Descends through one filter. Binds as OData does: not, comparison, and, or."""

    def __init__(self, session: Session, tokens: Tokens, known: Mapping[str, Entity]) -> None:
        self._session, self._tokens, self._known = session, tokens, known
        self._depth = 0

    def either(self) -> Test:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Refusal(400, BAD, "The filter is nested too deep.")
        tests = [self._both()]
        while self._tokens.takes("word", "or"):
            tests.append(self._both())
        self._depth -= 1
        return tests[0] if len(tests) == 1 else lambda scope: any(test(scope) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._tokens.takes("word", "and"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else lambda scope: all(test(scope) for test in tests)

    def _single(self) -> Test:
        tokens = self._tokens
        if tokens.takes("word", "not"):
            inner = self._single()
            return lambda scope: not inner(scope)
        if tokens.takes("mark", "("):
            inner = self.either()
            tokens.needs("mark", ")")
            return inner
        kind, word = tokens.peek()
        if kind == "word" and tokens.peek(1) == ("mark", "("):
            return self._function(word)
        return self._comparison()

    def _function(self, name: str) -> Test:
        self._tokens.next()
        self._tokens.needs("mark", "(")
        if name in FUNCTIONS:
            return self._within(name)
        if name not in _TEXT:
            raise Refusal(400, BAD, f"An unknown function with name '{name}' was found.")
        column = self.path()
        self._tokens.needs("mark", ",")
        part = self._tokens.literal()
        self._tokens.needs("mark", ")")
        if column.kind != "text" or part.kind != "text":
            raise Refusal(400, BAD, f"No function signature for '{name}' matches these operands.")
        fits = matches(self._session.manners, name, part.value)
        return lambda scope: (held := column.value(scope)) is not None and fits(held)

    def _within(self, name: str) -> Test:
        """Read a function of Dataverse's own: ``In(PropertyName='x',PropertyValues=["a"])``."""
        given: dict[str, Any] = {}
        while not self._tokens.takes("mark", ")"):
            _, argument = self._tokens.next()
            self._tokens.needs("mark", "=")
            given[argument] = self._tokens.listed()
            self._tokens.takes("mark", ",")
        [property_name] = given.get("PropertyName") or [""]
        entity = self._known[""]
        lookup = entity.attributes.get(property_name)
        attribute = self._attribute(entity, lookup.property if lookup else property_name)
        test = within(self._session, name, attribute, given)
        return lambda scope: test(_held(scope[""], attribute))

    def _comparison(self) -> Test:
        left = self._operand()
        if isinstance(left, _Operand):
            kind, operator = self._tokens.next()
            if kind != "word" or operator not in COMPARE:
                words = f"'{operator}' is not an operator that is supported here."
                raise Refusal(400, BAD, words)
            right = self._operand()
            if isinstance(right, _Operand):
                return self._compared(left, operator, right)
        return left if not isinstance(left, _Operand) else self._wrong()

    def _wrong(self) -> Test:
        raise Refusal(400, BAD, "A collection cannot be compared.")

    def _compared(self, left: _Operand, operator: str, right: _Operand) -> Test:
        kinds = {left.kind, right.kind} - {"null"}
        if len(kinds) > 1 and kinds != {"moment", "date"}:
            raise Refusal(
                400,
                BAD,
                "A binary operator with incompatible types was detected. Found operand types "
                f"'{left.kind}' and '{right.kind}' for operator kind '{operator}'.",
            )
        if left.kind == "date" and right.kind == "moment":
            raise Refusal(400, BAD, "An Edm.Date cannot be compared with an Edm.DateTimeOffset.")
        test = compared(self._session.manners, operator, right.literal, right.kind, left.kind)
        return lambda scope: test(left.value(scope), right.value(scope))

    def _operand(self) -> _Operand | Test:
        kind, word = self._tokens.peek()
        if kind != "word" or word in ("true", "false", "null"):
            told = self._tokens.literal()
            return _Operand(told.kind, lambda _: told.value, told.value)
        return self._reached()

    def path(self) -> _Operand:
        found = self._reached()
        if not isinstance(found, _Operand):
            raise Refusal(400, BAD, "A collection has no value.")
        return found

    def _reached(self) -> _Operand | Test:
        """Read a path: a column, ours or beyond lookups, or a test of a collection."""
        _, word = self._tokens.next()
        name = ""
        passed: list[Way] = []
        if word in self._known and word:
            name = word
            self._tokens.needs("mark", "/")
            _, word = self._tokens.next()
        entity = self._known[name]
        while (way := ways(entity.logical).get(word)) and self._tokens.takes("mark", "/"):
            if way.many:
                return self._lambda(name, passed, way)
            passed.append(way)
            entity = way.target
            _, word = self._tokens.next()
        attribute = self._attribute(entity, word)
        store = self._session.store

        def value(scope: Scope) -> Any:
            row = scope[name]
            for step in passed:
                row = next(step.follow(store, row), None) if row is not None else None
            return _held(row, attribute)

        return _Operand(kind_of(attribute), value)

    def _lambda(self, name: str, passed: list[Way], way: Way) -> Test:
        _, word = self._tokens.next()
        if passed or word not in ("any", "all"):
            raise Refusal(400, BAD, f"'{word}' cannot be asked of a collection here.")
        self._tokens.needs("mark", "(")
        store = self._session.store
        if word == "any" and self._tokens.takes("mark", ")"):
            return lambda scope: (r := scope[name]) is not None and any(way.follow(store, r))
        _, variable = self._tokens.next()
        self._tokens.needs("mark", ":")
        known = {**self._known, variable: way.target}
        inner = _Reader(self._session, self._tokens, known).either()
        self._tokens.needs("mark", ")")
        decide = any if word == "any" else all

        def test(scope: Scope) -> bool:
            row = scope[name]
            others = way.follow(store, row) if row is not None else ()
            return decide(inner({**scope, variable: other}) for other in others)

        return test

    def _attribute(self, entity: Entity, name: str) -> Attribute:
        found = entity.properties.get(name)
        if found is None:
            kind = f"Microsoft.Dynamics.CRM.{entity.logical}"
            words = f"Could not find a property named '{name}' on type '{kind}'."
            raise Refusal(400, BAD, words)
        return found


def _held(row: Row | None, attribute: Attribute) -> Any:
    if row is None:
        return None
    if attribute.name == "versionnumber":
        return row.version
    return normal(kind_of(attribute), row.body.get(attribute.property))
