"""Past runs and open errors for people, drawn from their documents alone."""

from __future__ import annotations

from typing import Any

from runner.views.actions import SYMBOLS
from runner.views.drawing import Paint, columns, padded, plural, quoted
from runner.views.text import COUNTERS

Document = dict[str, Any]

SHOWN = 10
"""Findings and writes of a mapping that are drawn, unless all are asked for."""

_CODES = {
    0: "done",
    1: "nothing was touched",
    3: "some records failed",
    4: "refused",
    70: "a fault",
    130: "interrupted",
}
_SYMBOLS = {
    "create": ("+", "32"),
    "update": ("~", "33"),
    "delete": ("-", "31"),
    "couple": ("=", "36"),
    "uncouple": ("-", "36"),
}
_PHASES = ("read", "decide", "write")


def runs(document: Document, *, colour: bool = False) -> str:
    """Draw the list of past runs, one a line."""
    if not document["runs"]:
        return "No run yet."
    paint = Paint(colour)
    head = ["run", "began", "took", "command", "mappings", "ended", ""]
    rows = [
        [
            str(run["run"]),
            _moment(run["started"]),
            _seconds(run["seconds"]),
            run["command"],
            ", ".join(run["mappings"]) or "all",
            how(run),
            _counted(run["counters"]),
        ]
        for run in document["runs"]
    ]
    lines = columns([head, *rows], numbers={0, 2})
    return "\n".join([paint(lines[0], "1"), *lines[1:]])


def run(document: Document, *, shown: int | None, colour: bool = False) -> str:
    """Draw one run: how it ended, its jobs, what it found amiss, what it wrote.

    ``shown``: how many findings and writes a mapping the document holds (``None``: all, which are
    drawn field by field).
    """
    paint, told = Paint(colour), document["run"]
    number = f"Run {told['run']}"
    head = f"{told['command']} {', '.join(told['mappings'])}".rstrip()
    lines = [
        f"{paint(number, '1')}  {head}",
        f"  began  {_moment(told['started'])}{_who(told)}",
        f"  ended  {_ended(told)}",
    ]
    if told["requests"]:
        asked = ", ".join(f"{n} to {system}" for system, n in told["requests"].items())
        lines.append(f"  sent   {asked} (requests)")
    if document["jobs"]:
        lines += ["", *_jobs(document["jobs"])]
    found = [(finding["mapping"], _finding(finding, paint)) for finding in document["findings"]]
    lines += _folded("Found amiss or not written", found, document, "findings")
    written = [
        (write["mapping"], _write(write, paint, full=shown is None)) for write in document["writes"]
    ]
    lines += _folded("Written", written, document, "writes")
    return "\n".join(lines)


def errors(document: Document, *, colour: bool = False) -> str:
    """Draw what is open, and what to do about it."""
    if not document["errors"]:
        return "No open errors."
    paint = Paint(colour)
    lines = []
    for error in document["errors"]:
        lines += [f"{paint(error['mapping'], '1')}  {_record(error)}", *_about(error)]
        if error["hint"]:
            lines.append(f"    hint: {error['hint']}")
        lines.append(f"    {_since(error)}")
        if error["skipped"]:
            lines.append(f"    {paint('skipped', '35')}: `{error['command']}` takes it up again")
    skipped = sum(error["skipped"] for error in document["errors"])
    more = f", {skipped} set aside" if skipped else ""
    lines.append(paint(f"{plural(len(document['errors']), 'record')}{more}.", "1"))
    return "\n".join(lines)


def how(run: Document) -> str:
    """Say in a few words how a run ended."""
    if run["state"] == "running":
        return f"still running (process {run['process']})" if run["process"] else "still running"
    if run["state"] == "lost":
        return "never, its process is gone"
    words = _CODES.get(run["exit_code"], str(run["exit_code"]))
    if not run["message"]:
        return words
    first = run["message"].splitlines()[0]
    return first if run["exit_code"] == 1 else f"{words}: {first}"


def _ended(run: Document) -> str:
    if run["state"] != "ended":
        hint = "; the next apply finds out what became of its last writes"
        return how(run) + (hint if run["state"] == "lost" else "")
    after = f" after {_seconds(run['seconds'])}"
    return f"{_moment(run['ended'])}{after}: {how(run)} (exit code {run['exit_code']})"


def _who(run: Document) -> str:
    account = f" by {run['account']}" if run["account"] else ""
    host = f" on {run['host']}" if run["host"] else ""
    process = f", process {run['process']}" if run["process"] else ""
    return f"{account}{host}{process}, {run['mode']}"


def _jobs(jobs: list[Document]) -> list[str]:
    names = [*COUNTERS, *(["open"] if any("open" in job["counters"] for job in jobs) else [])]
    head = ["", *names, *_PHASES]
    rows = [
        [
            job["mapping"],
            *(str(job["counters"].get(name, "" if not job["complete"] else 0)) for name in names),
            *(_seconds(job["seconds"].get(phase)) for phase in _PHASES),
        ]
        for job in jobs
    ]
    numbers = set(range(1, len(head)))
    lines = [f"  {line}" for line in columns([head, *rows], numbers=numbers)]
    if not all(job["complete"] for job in jobs):
        lines.append("  (as far as the journal tells)")
    return lines


def _folded(
    title: str, blocks: list[tuple[str, list[str]]], document: Document, what: str
) -> list[str]:
    """Draw blocks of lines mapping by mapping, and say how many were left out."""
    number, totals = document["run"]["run"], document["totals"][what]
    lines: list[str] = []
    for mapping in dict.fromkeys(mapping for mapping, _ in blocks):
        own = [block for of, block in blocks if of == mapping]
        lines += ["", f"{title} in {mapping}", *(line for block in own for line in block)]
        if totals[mapping] > len(own):
            more = f"`sync-run runs show {number} --full` shows them"
            lines.append(f"  … {totals[mapping] - len(own)} more ({more})")
    return lines


def _finding(finding: Document, paint: Paint) -> list[str]:
    symbol, code = SYMBOLS.get(finding["kind"], SYMBOLS["error"])
    lines = [f"  {paint(symbol, code)} {_record(finding)}"]
    lines += [f"  {line}" for line in _about(finding)]
    if finding["hint"]:
        lines.append(f"      hint: {finding['hint']}")
    return lines


def _record(told: Document) -> str:
    keys = " ↔ ".join(f"{system} {key}" for system, key in told["keys"].items() if key)
    return f"{keys} {quoted(told['label'])}" if told["label"] else keys


def _about(told: Document) -> list[str]:
    where = f" in {told['field']}" if told["field"] else ""
    return [
        f"    {told['kind']}{where}: {told['reason']}" if told["reason"] else f"    {told['kind']}"
    ]


def _since(error: Document) -> str:
    words = f"since {_moment(error['first_seen'])}"
    if error["first_run"]:
        words += f" (run {error['first_run']})"
    if error["last_run"] and error["last_run"] != error["first_run"]:
        words += f", last seen {_moment(error['last_seen'])} (run {error['last_run']})"
    return words + (f"; failed in {plural(error['attempts'], 'run')}" if error["attempts"] else "")


def _write(write: Document, paint: Paint, *, full: bool) -> list[str]:
    symbol, code = _SYMBOLS[write["action"]]
    keys = " ↔ ".join(key for key in write["keys"].values() if key)
    where = f"{write['system']} {write['entity']}" if write["system"] else write["action"]
    head = f"  {paint(symbol, code)} {where} {keys}"
    outcome = write["outcome"] or "nobody knows yet whether it was done"
    how = "" if outcome == "written" else f"  ({outcome})"
    told = [
        (
            field["field"],
            quoted(field["new"])
            if write["action"] == "create"
            else f"{quoted(field['old'])} → {quoted(field['new'])}",
        )
        for field in write["fields"]
    ]
    if not full:
        changes = ", ".join(f"{name} {change}" for name, change in told)
        return [f"{head}{how}  {changes}".rstrip()]
    width = max((len(name) for name, _ in told), default=0)
    return [f"{head}{how}", *(f"      {padded(name, width)}  {change}" for name, change in told)]


def _counted(counters: dict[str, int]) -> str:
    names = (*COUNTERS, "open")
    return ", ".join(f"{counters[name]} {name}" for name in names if counters.get(name))


def _moment(told: str | None) -> str:
    """Write an instant as people do; it is UTC."""
    return told.replace("T", " ").removesuffix("Z") if told else ""


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}s"
