"""Scenarios over both sandboxes: given records, then steps, each with what must be seen.

A scenario is one entry of ``*.yaml`` here:

``id``, ``says``: its number (Microsoft's where it is one of theirs) and the rule in words.
``unlike``: where we differ from Microsoft on purpose, and why. ``instead`` alone, without steps:
what stands in its place, where there is nothing of the kind here.
``change``: extensions of standard mappings, by mapping; ``with``: more mappings of the project.
``nav``, ``crm``: the first records, by page or entity set.
``steps``: a command (``run``), an edit (``nav``, ``crm``: by
``Entity/key``, ``null`` deletes, a list creates), or both; then ``code``, ``says``, ``silent``,
``counts`` by mapping, ``findings`` as words, and ``see``: all records of an entity, as far as told.

``@name`` stands for a GUID; a lookup is written as ``{systemusers: "@jo"}``.
"""

from __future__ import annotations

import csv
import re
import shutil
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runner import shipped
from runner.config import load
from runner.views.text import COUNTERS
from tests.cli.quickstart import Quickstart

HERE = Path(__file__).parent
COMPANY = "CRONUS International Ltd."
SYNC = f"""systems:
  nav: {{connector: nav, url: "sandbox:nav", company: {COMPANY}, seed: data/nav}}
  crm: {{connector: dataverse, url: "sandbox:crm", seed: data/crm}}
"""
AWAY = """state: .sync-run/state.duckdb
systems: {crm: {url: "http://127.0.0.1:9", seed: null, auth: {token: "${PATH}"}}}
"""
Step = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario as it is written."""

    id: str
    says: str
    unlike: str = ""
    instead: str = ""
    mappings: tuple[str, ...] = ()
    change: dict[str, dict[str, Any]] = field(default_factory=dict)
    more: dict[str, dict[str, Any]] = field(default_factory=dict)
    nav: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    crm: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Read all files, in their order."""
    found = []
    for path in sorted(HERE.glob("*.yaml")):
        for told in yaml.safe_load(path.read_text(encoding="utf-8")):
            renamed = {"more" if key == "with" else key: value for key, value in told.items()}
            for key in ("steps", "mappings"):
                renamed[key] = tuple(renamed.get(key, ()))
            found.append(Scenario(**renamed))
    return tuple(found)


def guid(name: str) -> str:
    """Return the GUID that a name stands for."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def plain(value: Any) -> Any:
    """Put GUIDs in the place of names, everywhere."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, str) and value.startswith("@"):
        return guid(value)
    return value


@cache
def _standard() -> tuple[Path, dict[str, frozenset[str]]]:
    """The folder of the standard mappings, and what each needs to be understood."""
    folder = shipped.folder() / "mappings" / "nav-sales"
    project = load(shipped.folder() / "examples" / "quickstart")
    return folder, {
        m.name: frozenset({*m.refers_to, *m.depends_on, m.name}) for m in project.mappings
    }


def _needed(scenario: Scenario) -> set[str]:
    _, refers = _standard()
    said = [word for step in scenario.steps for word in str(step.get("run", "")).split()]
    names = {name for name in (*said, *scenario.mappings, *scenario.change) if name in refers}
    while more := {n for name in names for n in refers[name]} - names:
        names |= more
    return names


def project(folder: Path, scenario: Scenario) -> Quickstart:
    """Lay out a project with the standard mappings that the scenario needs, and its records."""
    standard, _ = _standard()
    names = _needed(scenario)
    (folder / "mappings").mkdir(parents=True)
    for name in sorted(names):
        shutil.copy(standard / f"{name}.yaml", folder / "mappings")
    for n, (name, told) in enumerate(scenario.change.items()):
        _written(folder / "mappings" / f"change-{n}.yaml", {"extends": name, **told})
    for name, told in scenario.more.items():
        _written(folder / "mappings" / f"{name}.yaml", {"mapping": name, **told})
    (folder / "sync.yaml").write_text(SYNC, encoding="utf-8")
    (folder / "sync.away.yaml").write_text(AWAY, encoding="utf-8")
    for system, entities in (("nav", scenario.nav), ("crm", scenario.crm)):
        seeds = folder / "data" / system
        seeds.mkdir(parents=True)
        for name, records in entities.items():
            _seeded(seeds / f"{name}.csv", [plain(record) for record in records])
    return Quickstart(folder)


def _written(path: Path, told: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _seeded(path: Path, records: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for record in records for name in record))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for record in records:
            writer.writerow({n: _cell(value) for n, value in record.items()})


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def play(made: Quickstart, scenario: Scenario) -> None:
    """Take the steps, and compare after each what is to be seen."""
    for number, step in enumerate(scenario.steps, start=1):
        place = f"{scenario.id}, step {number}"
        for system in ("nav", "crm"):
            for path, told in step.get(system, {}).items():
                _edited(made, system, path, told)
        if "run" in step:
            _ran(made, step, place)
        for system, entities in step.get("see", {}).items():
            for name, expected in entities.items():
                _seen(made, system, name, expected, place)


def _edited(made: Quickstart, system: str, path: str, told: Any) -> None:
    entity, _, key = path.partition("/")
    ask = made.nav if system == "nav" else made.crm
    if isinstance(told, list):
        for record in told:
            ask("POST", f"/{entity}", _body(record))
        return
    key = plain(key)
    literal = f"'{key}'" if system == "nav" else key
    address = f"/{entity}({literal})"
    if told is None:
        ask("DELETE", address, **{"If-Match": "*"})
    else:
        ask("PATCH", address, _body(told), **{"If-Match": "*"})


def _body(record: dict[str, Any]) -> dict[str, Any]:
    """Write a record as a client does: lookups by their navigation property."""
    body: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            ((entity, key),) = value.items()
            body[f"{name}@odata.bind"] = f"/{entity}({plain(key)})"
        else:
            body[name] = plain(value)
    return body


def _ran(made: Quickstart, step: Step, place: str) -> None:
    words = [plain(word) for word in str(step["run"]).split()]
    if "apply" in words:
        words.append("--yes")
    if {"plan", "apply"} & set(words) and "--json" not in words:
        words.append("--full")
    result = made.run(*words)
    printed = result.stdout + result.stderr
    flat = " ".join(printed.split())  # wherever the lines were broken
    failed = bool(step.get("findings"))
    code = step.get("code", 3 if failed and "apply" in words else 0)
    assert result.exit_code == code, f"{place}: {printed}"
    for words_ in step.get("says", ()):
        assert " ".join(words_.split()) in flat, f"{place}: {words_!r} is not in\n{printed}"
    for words_ in step.get("silent", ()):
        assert " ".join(words_.split()) not in flat, f"{place}: {words_!r} is in\n{printed}"
    for finding in step.get("findings", ()):
        assert " ".join(finding.split()) in flat, f"{place}: {finding!r} is not in\n{printed}"
    counted = _counted(printed)
    for mapping, told in step.get("counts", {}).items():
        if not counted and "No changes." in printed:
            assert not any(told[n] for n in told if n in ("inserted", "modified", "coupled")), place
            continue
        found = {name: counted[mapping][name] for name in told}
        assert found == told, f"{place}: {mapping}\n{printed}"


def _counted(printed: str) -> dict[str, dict[str, int]]:
    told = printed.partition("\nRun ")[2]
    resting = re.findall(r"([\w-]+) \((\d+) unchanged\)", " ".join(told.split()))
    nothing = dict.fromkeys(COUNTERS, 0)
    rows = [line.split() for line in told.splitlines()[2:] if line.startswith("  ")]
    return {name: nothing | {"unchanged": int(n)} for name, n in resting} | {
        row[0]: dict(zip(COUNTERS, map(int, row[1:]), strict=True))
        for row in rows
        if len(row) == len(COUNTERS) + 1 and all(cell.isdigit() for cell in row[1:])
    }


def _seen(
    made: Quickstart, system: str, name: str, expected: list[dict[str, Any]], place: str
) -> None:
    """Compare all records of an entity, whatever their order, in the fields that are told."""
    ask = made.nav if system == "nav" else made.crm
    rows = ask("GET", f"/{name}")["value"]
    wanted = [plain(record) for record in expected]
    for record in wanted:
        fits = next((row for row in rows if _like(row, record)), None)
        assert fits is not None, f"{place}: {system} {name} has no {record}, but\n{_brief(rows)}"
        rows.remove(fits)
    assert not rows, f"{place}: {system} {name} has too many:\n{_brief(rows)}"


def _like(row: dict[str, Any], record: dict[str, Any]) -> bool:
    def held(name: str) -> Any:
        value = row.get(name, row.get(f"_{name}_value"))
        return None if value in ("", " ") else value

    return all(held(name) == value for name, value in record.items())


def _brief(rows: list[dict[str, Any]]) -> str:
    return "\n".join(str({n: v for n, v in row.items() if v not in (None, "", 0)}) for row in rows)
