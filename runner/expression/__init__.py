"""JMESPath, the one expression language: parsed, as SQL, and row by row. Pure."""

from runner.expression.on_rows import compute, evaluate, truthy
from runner.expression.parse import ExpressionError, Node, fields_of, on_rows_alone, parse
from runner.expression.to_odata import Asking, to_odata
from runner.expression.to_sql import to_sql, to_value

__all__ = [
    "Asking",
    "ExpressionError",
    "Node",
    "compute",
    "evaluate",
    "fields_of",
    "on_rows_alone",
    "parse",
    "to_odata",
    "to_sql",
    "to_value",
    "truthy",
]
