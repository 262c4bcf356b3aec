"""The results of cases for people: counts by mapping, and of what failed every difference."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from runner.views.drawing import Paint, breadth, padded, quoted

Document = dict[str, Any]

_MARKS = {"differs": ("~", "33"), "missing": ("-", "31"), "unexpected": ("+", "31")}
_HOW = {"missing": "missing", "unexpected": "unexpected"}


def cases(document: Document, *, colour: bool = False) -> str:
    """Draw the results of all files (``cases.of_results``), then one sentence."""
    paint = Paint(colour)
    width = max((len(test["mapping"]) for test in document["tests"]), default=0)
    lines = []
    for test in document["tests"]:
        failed = paint(f", {test['failed']} failed", "31") if test["failed"] else ""
        name = paint(test["mapping"], "1") + " " * (width - len(test["mapping"]))
        lines.append(f"{name}  {test['passed']} passed{failed}")
        for case in test["cases"]:
            if not case["passed"]:
                place = f"{test['file']}:{case['line']}"
                lines.append(f"  {paint('x', '31')} {case['case']}  ({place})")
                lines += [f"      {line}" for line in differences(case, paint)]
    return "\n".join([*lines, paint(_sentence(document), "1")])


def differences(case: Document, paint: Paint | None = None) -> list[str]:
    """Draw the differences of one case, a headline each and a line a field."""
    paint = paint or Paint(colour=False)
    lines = []
    for found in case["differences"]:
        mark, code = _MARKS[found["how"]]
        lines.append(f"{paint(mark, code)} {_headline(found)}")
        lines += _fields(found)
    return lines


def junit_xml(document: Document) -> str:
    """Write the results as JUnit XML, which build servers read."""
    counts = {"tests": document["passed"] + document["failed"], "failures": document["failed"]}
    suites = ET.Element("testsuites", {name: str(n) for name, n in counts.items()})
    for test in document["tests"]:
        counts = {"tests": len(test["cases"]), "failures": test["failed"]}
        told = {"name": test["mapping"], **{name: str(n) for name, n in counts.items()}}
        suite = ET.SubElement(suites, "testsuite", told)
        for case in test["cases"]:
            told = {"classname": test["mapping"], "name": case["case"], "file": test["file"]}
            told |= {"line": str(case["line"]), "time": f"{case['seconds']:.3f}"}
            node = ET.SubElement(suite, "testcase", told)
            if not case["passed"]:
                lines = differences(case)
                failure = ET.SubElement(node, "failure", {"message": lines[0]})
                failure.text = "\n".join(lines)
    ET.indent(suites)
    # Not "unicode": that would declare the encoding of this machine, and the file is UTF-8.
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written.decode() + "\n"


def _headline(found: Document) -> str:
    if found["what"] == "stop":
        happened = "the run stopped" if found["how"] == "unexpected" else "the run did not stop"
        return f"{happened}: {found['where']}"
    if found["how"] == "differs":
        return str(found["where"]) if found["what"] == "record" else "counters"
    return f"{_HOW[found['how']]} {found['what']}: {found['where']}"


def _fields(found: Document) -> list[str]:
    width = max((breadth(cell["field"]) for cell in found["fields"]), default=0)
    if found["how"] == "differs":
        wide = max((breadth(quoted(cell["expected"])) for cell in found["fields"]), default=0)
        return [
            f"    {padded(cell['field'], width)}  expected {padded(quoted(cell['expected']), wide)}"
            f"  got {quoted(cell['got'])}"
            for cell in found["fields"]
        ]
    told = "expected" if found["how"] == "missing" else "got"
    return [f"    {padded(cell['field'], width)}  {quoted(cell[told])}" for cell in found["fields"]]


def _sentence(document: Document) -> str:
    n = document["passed"] + document["failed"]
    noun = "case" if n == 1 else "cases"
    if document["failed"]:
        return f"{document['failed']} of {n} {noun} failed."
    return f"All {n} {noun} passed." if n != 1 else "The one case passed."
