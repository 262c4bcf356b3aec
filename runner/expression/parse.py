"""Text to syntax tree: JMESPath over one flat record, in filters and in computed values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from runner.errors import nearest
from runner.expression.functions import FUNCTIONS, arity, only_on_rows
from runner.wire import can_be_held

LONGEST = 4_000
"""Characters of an expression, and parts of a list that one of them is asked for by its place."""
DEEPEST = 50
_SHOWN = 24


class ExpressionError(Exception):
    """An expression is wrong. ``column`` counts from 1, within the expression."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the record."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: text, number, boolean, ``None``, or a list of these."""

    value: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class And:
    """Both."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Or:
    """Either."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function and what it is given."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """Several values in a row."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One of several values; ``position`` counts from 0, and from -1 at the end."""

    inner: Node
    position: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """A part that only jmespath itself can evaluate, one record at a time; ``tree`` is its own."""

    tree: Any
    names: tuple[str, ...]


Node = Field | Literal | Comparison | And | Or | Not | Call | ListOf | Item | Opaque

_OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def parse(text: str) -> Node:
    """Read an expression.

    Raises:
        ExpressionError: it is no JMESPath, too long or too deep, or uses a part of JMESPath that
            has no meaning on a single record (paths into lists, projections, pipes).

    """
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression is longer than {LONGEST} characters")
    try:
        tree = jmespath.compile(text).parsed
    except JMESPathError as error:
        position = getattr(error, "lex_position", None)
        raise ExpressionError(_words(error), (position or 0) + 1) from error
    except RecursionError as error:
        raise ExpressionError("the expression is nested too deep") from error
    return _node(tree, 1)


def fields_of(node: Node) -> tuple[str, ...]:
    """Name the fields that an expression reads, each once, in the order of their first use."""
    return tuple(dict.fromkeys(_fields(node)))


def on_rows_alone(node: Node) -> bool:
    """Whether a part of an expression can only be evaluated one record at a time."""
    return isinstance(node, Opaque) or any(on_rows_alone(part) for part in _parts(node))


def _parts(node: Node) -> tuple[Node, ...]:
    match node:
        case Field() | Literal() | Opaque():
            return ()
        case Not(inner) | Item(inner):
            return (inner,)
        case Call(arguments=parts) | ListOf(parts):
            return parts
        case Comparison(left=left, right=right) | And(left, right) | Or(left, right):
            return (left, right)


def _fields(node: Node) -> list[str]:
    match node:
        case Field(name):
            return [name]
        case Opaque(names=names):
            return list(names)
        case _:
            return [name for part in _parts(node) for name in _fields(part)]


def _node(tree: dict[str, Any], depth: int) -> Node:
    if depth > DEEPEST:
        raise ExpressionError(f"the expression is nested deeper than {DEEPEST} levels")
    kind, children = tree["type"], tree["children"]
    if kind == "index_expression" and children[0]["type"] == "function_expression":
        return Item(_node(children[0], depth + 1), _position(int(children[1]["value"])))
    if kind in _NAMES:
        raise ExpressionError(f"{_NAMES[kind]} cannot be used on a single record")
    if kind == "function_expression" and only_on_rows(tree["value"]):
        return _opaque(tree)
    inner = [_node(child, depth + 1) for child in children]
    match kind:
        case "field":
            return Field(tree["value"])
        case "literal":
            return Literal(_held(tree["value"]))
        case "comparator":
            return Comparison(_OPERATORS[tree["value"]], inner[0], inner[1])
        case "and_expression":
            return And(inner[0], inner[1])
        case "or_expression":
            return Or(inner[0], inner[1])
        case "not_expression":
            return Not(inner[0])
        case "function_expression":
            return _call(tree["value"], inner)
        case "multi_select_list" if all(isinstance(child, Literal) for child in inner):
            return Literal([child.value for child in inner if isinstance(child, Literal)])
        case "multi_select_list":
            return ListOf(tuple(inner))
        case other:
            raise ExpressionError(f"{other} cannot be used on a single record")


def _held(value: Any) -> Any:
    """Refuse numbers that no field could hold.

    JSON as Python reads it also knows ``NaN``, ``Infinity``, and ``1e400``, which is that.
    """
    if isinstance(value, list):
        return [_held(item) for item in value]
    if isinstance(value, int | float) and not can_be_held(value):
        told = repr(value) if len(repr(value)) < _SHOWN else f"{repr(value)[:_SHOWN]}…"
        raise ExpressionError(f"{told} is no number that a field could hold")
    return value


def _position(told: int) -> int:
    if abs(told) > LONGEST:
        raise ExpressionError(f"no list is longer than {LONGEST}")
    return told


def _call(name: str, arguments: list[Node]) -> Call:
    if name not in FUNCTIONS:
        hint = nearest(name, FUNCTIONS) or f"there are {', '.join(sorted(FUNCTIONS))}"
        raise ExpressionError(f"function {name}() is not known here; {hint}")
    least, most = arity(name)
    if not least <= len(arguments) <= most:
        takes = str(least) if least == most else f"{least} or more"
        raise ExpressionError(f"{name}() takes {takes} arguments, not {len(arguments)}")
    return Call(name, tuple(arguments))


def _opaque(tree: dict[str, Any]) -> Opaque:
    """Leave a call to jmespath, fields and all; what is inside ``&…`` are not fields of ours."""
    return Opaque(tree, tuple(dict.fromkeys(_names(tree))))


def _names(tree: dict[str, Any]) -> list[str]:
    if tree["type"] == "field":
        return [tree["value"]]
    if tree["type"] == "expref":
        return []
    return [name for child in tree["children"] for name in _names(child)]


def _words(error: JMESPathError) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    words = lines[0].removeprefix("Invalid jmespath expression: ") if lines else ""
    return words.rstrip(":") or type(error).__name__


_NAMES = {
    "subexpression": "a path (a.b)",
    "index_expression": "an index ([0])",
    "projection": "a projection ([*])",
    "filter_projection": "a filter over a list ([?…])",
    "value_projection": "a projection (*)",
    "flatten": "flattening ([])",
    "pipe": "a pipe (|)",
    "current": "the current node (@)",
    "multi_select_dict": "a hash ({…})",
    "expref": "an expression reference (&)",
}
