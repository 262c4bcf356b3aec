"""Text to syntax tree: the part of JMESPath that filters over one record are written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

LONGEST = 4_000
DEEPEST = 50


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


Node = Field | Literal | Comparison | And | Or | Not | Call

_OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_FUNCTIONS = {"contains": 2, "starts_with": 2, "ends_with": 2}


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


def _fields(node: Node) -> list[str]:
    match node:
        case Field(name):
            return [name]
        case Literal():
            return []
        case Not(inner):
            return _fields(inner)
        case Call(arguments=arguments):
            return [name for argument in arguments for name in _fields(argument)]
        case Comparison(left=left, right=right) | And(left, right) | Or(left, right):
            return _fields(left) + _fields(right)


def _node(tree: dict[str, Any], depth: int) -> Node:
    if depth > DEEPEST:
        raise ExpressionError(f"the expression is nested deeper than {DEEPEST} levels")
    if tree["type"] in _NAMES and tree["type"] != "multi_select_list":
        raise ExpressionError(f"{_NAMES[tree['type']]} cannot be used on a single record")
    inner = [_node(child, depth + 1) for child in tree["children"]]
    match tree["type"]:
        case "field":
            return Field(tree["value"])
        case "literal":
            return Literal(tree["value"])
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
        case other:
            raise ExpressionError(f"{_NAMES.get(other, other)} cannot be used on a single record")


def _call(name: str, arguments: list[Node]) -> Call:
    if name not in _FUNCTIONS:
        known = ", ".join(_FUNCTIONS)
        raise ExpressionError(f"function {name}() is not known here; there are {known}")
    if len(arguments) != _FUNCTIONS[name]:
        raise ExpressionError(f"{name}() takes {_FUNCTIONS[name]} arguments, not {len(arguments)}")
    return Call(name, tuple(arguments))


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
    "multi_select_list": "a list of fields",
    "expref": "an expression reference (&)",
}
