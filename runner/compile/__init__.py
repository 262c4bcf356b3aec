"""Mappings as SQL and wire queries: what will be asked, and how it will be decided. Pure."""

from runner.compile.actions import Present
from runner.compile.advice import advice
from runner.compile.inverse import UNDONE_DDL, Inverse
from runner.compile.mapping import CompiledMapping, Statement, compile_project, narrowed
from runner.compile.tables import (
    ACTION_DDL,
    CLEARED_DDL,
    COUNTED_DDL,
    COUPLING,
    PENDING,
    Tables,
    record,
    signature,
)
from runner.compile.values import as_text

__all__ = [
    "ACTION_DDL",
    "CLEARED_DDL",
    "COUNTED_DDL",
    "COUPLING",
    "PENDING",
    "UNDONE_DDL",
    "CompiledMapping",
    "Inverse",
    "Present",
    "Statement",
    "Tables",
    "advice",
    "as_text",
    "compile_project",
    "narrowed",
    "record",
    "signature",
]
