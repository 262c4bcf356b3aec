"""Mappings as SQL and wire queries: what will be asked, and how it will be decided. Pure."""

from runner.compile.actions import Present
from runner.compile.advice import advice
from runner.compile.mapping import CompiledMapping, Statement, compile_project, narrowed
from runner.compile.tables import ACTION_DDL, COUNTED_DDL, COUPLING, PENDING, Tables

__all__ = [
    "ACTION_DDL",
    "COUNTED_DDL",
    "COUPLING",
    "PENDING",
    "CompiledMapping",
    "Present",
    "Statement",
    "Tables",
    "advice",
    "compile_project",
    "narrowed",
]
