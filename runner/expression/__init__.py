"""JMESPath, the one expression language: parsed, as SQL, and row by row. Pure."""

from runner.expression.on_rows import evaluate
from runner.expression.parse import ExpressionError, Node, fields_of, parse
from runner.expression.to_sql import to_sql

__all__ = ["ExpressionError", "Node", "evaluate", "fields_of", "parse", "to_sql"]
