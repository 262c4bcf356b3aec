"""Cases of mappings: records that are given, run by the very walk, and what must come of them."""

from runner.cases.model import Likeness, Result, Test
from runner.cases.play import play
from runner.cases.read import files, load
from runner.cases.report import of_results

__all__ = ["Likeness", "Result", "Test", "files", "load", "of_results", "play"]
