"""Results as a document: what ``sync-run test --json`` prints, and what the views are drawn from.

Version 1. Keys are added, never renamed or given another meaning.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.cases.model import Result

VERSION = 1


def of_results(results: Sequence[Result]) -> dict[str, Any]:
    """Describe results: totals, then each file with its cases, in the order of the files."""
    tests: dict[str, dict[str, Any]] = {}
    for result in results:
        told = tests.setdefault(
            result.test.file,
            {"mapping": result.test.mapping.name, "file": result.test.file, "cases": []},
        )
        told["cases"].append(_case(result))
    for told in tests.values():
        told["passed"] = sum(case["passed"] for case in told["cases"])
        told["failed"] = len(told["cases"]) - told["passed"]
    return {
        "version": VERSION,
        "passed": sum(told["passed"] for told in tests.values()),
        "failed": sum(told["failed"] for told in tests.values()),
        "tests": list(tests.values()),
    }


def _case(result: Result) -> dict[str, Any]:
    return {
        "case": result.case.name,
        "line": result.case.at.line,
        "passed": result.passed,
        "seconds": round(result.seconds, 3),
        "differences": [_difference(asdict(found)) for found in result.differences],
    }


def _difference(told: dict[str, Any]) -> dict[str, Any]:
    return {**{k: told[k] for k in ("how", "what", "where")}, "fields": list(told["cells"])}
