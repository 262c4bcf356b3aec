"""Cases of mappings: records that are given, run by the very walk, and what must come of them."""

from runner.cases.model import Case, Likeness, Result, Test
from runner.cases.read import files, load
from runner.cases.report import of_results
from runner.cases.shared import cores, play_all

__all__ = ["Case", "Likeness", "Result", "Test", "cores", "files", "load", "of_results", "play_all"]
