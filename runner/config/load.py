"""A folder to a ``Project``: sync.yaml, its overlay, the mappings; every problem at once."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner import shipped
from runner.config.bind import Binder
from runner.config.check import check, side_without
from runner.config.compose import composed, laid_on, unused
from runner.config.guards import guards_of
from runner.config.jobs import jobs_of
from runner.config.order import ordered
from runner.config.read import Document, read
from runner.config.systems import TABLES, systems_of
from runner.errors import ConfigError, Location, Problem, RunnerError, nearest
from runner.model import KEEP, RECORDS, Entity, Mapping, Project, Side, System

if TYPE_CHECKING:
    from collections.abc import Iterator

_STANDARD = "standard:"
"""What the folders of mappings that come with sync-run begin with."""
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


def load(start: Path, *, environment: str = "") -> Project:
    """Read the project that a folder belongs to: the nearest ``sync.yaml`` upward.

    ``environment`` names an overlay: ``sync.<environment>.yaml`` is laid on top, blocks of keys
    merged, everything else replaced, and what is null taken out.

    Raises:
        ConfigError: the configuration is wrong: every problem of every file.
        RunnerError: there is no ``sync.yaml``, or no such overlay.

    """
    root = _root(start)
    problems: list[Problem] = []
    document = _sync(root, environment, problems)
    if problems or document is None:
        raise ConfigError(problems)
    systems = tuple(systems_of(root, document, problems))
    notes: list[Problem] = []
    sides = tuple(system.name for system in systems)
    mappings = tuple(_mappings(root, document, environment, sides, problems, notes))
    problems += _key_problems(systems, mappings)
    if any(mapping.records for mapping in mappings):
        systems += (System(name=RECORDS, connector=RECORDS, url="", at=document.at(())),)
    in_order = ordered(mappings, problems)
    # Where a mapping is missing because it is wrong, jobs that name it are not.
    names = None if problems else tuple(mapping.name for mapping in in_order)
    jobs = tuple(jobs_of(document, names, problems))
    if problems:
        raise ConfigError(problems)
    return Project(
        name=document.value.get("name", root.resolve().name),
        root=root,
        environment=environment,
        systems=systems,
        state=root / _state(document, environment),
        mappings=in_order,
        guards=guards_of(document.value.get("guards", {})),
        jobs=jobs,
        notes=tuple(sorted(notes)),
        keep=_keep(document),
        metrics=None if (told := document.value.get("metrics")) is None else root / told,
    )


def _state(document: Document, environment: str) -> Path:
    """Give every environment its own state: what one has coupled means nothing in another."""
    path = Path(document.value.get("state", ".sync-run/state.duckdb"))
    told = document.at(("state",)).file != "sync.yaml"
    if not environment or told:
        return path
    return path.with_name(f"{path.stem}.{environment}{path.suffix}")


def _keep(document: Document) -> timedelta | None:
    told = document.value.get("history", {}).get("keep")
    if told is None:
        return KEEP
    return None if told == "forever" else timedelta(hours=int(told[:-1]) * _HOURS[told[-1]])


_BESIDE = ("name", "root", "state", "environment", "jobs", "notes", "keep", "metrics")
_PLACES = ("at", "seed")


def digest(project: Project) -> str:
    """Return the SHA-256 of what a project means: places, comments and layout do not count.

    Nor does when it runs.
    """
    meaning = {
        each.name: _meaning(getattr(project, each.name))
        for each in fields(project)
        if each.name not in _BESIDE
    }
    told = json.dumps(meaning, sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def _meaning(value: Any) -> Any:
    if is_dataclass(value):
        names = (each.name for each in fields(value) if each.name not in _PLACES)
        return {name: _meaning(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {str(k): _meaning(v) for k, v in value.items() if k not in _PLACES}
    if isinstance(value, list | tuple):
        return [_meaning(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(str(item) for item in value)
    return value


def _root(start: Path) -> Path:
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / "sync.yaml").is_file():
            return candidate
    raise RunnerError(
        f"there is no sync.yaml in {start} or above it",
        hint="`sync-run init` writes a project, `-C DIR` names one",
    )


def _sync(root: Path, environment: str, problems: list[Problem]) -> Document | None:
    document = _read(root / "sync.yaml", problems)
    if document is None:
        return None
    if environment:
        path = root / f"sync.{environment}.yaml"
        if not path.is_file():
            known = sorted(p.name.split(".")[1] for p in root.glob("sync.*.yaml"))
            raise RunnerError(
                f"there is no environment '{environment}': {path.name} is not there",
                hint=nearest(environment, known) or f"there are {', '.join(known) or 'none'}",
            )
        overlay = _read(path, problems)
        if overlay is None:
            return None
        document = laid_on(document, overlay)
    problems += check(document, _schema("sync"))
    return document


def _key_problems(systems: tuple[System, ...], mappings: tuple[Mapping, ...]) -> Iterator[Problem]:
    """Say where mappings know the rows of one table by different columns.

    A file has no key of its own: what mappings call its key is the key.
    """
    tables = {system.name for system in systems if system.connector in TABLES}
    known: dict[tuple[str, str], Entity] = {}
    for entity in (mapping.entity(side) for mapping in mappings for side in Side):
        if entity.system not in tables:
            continue
        first = known.setdefault((entity.system, entity.entity), entity)
        if first.key != entity.key:
            what = f"the key of {entity.entity} is '{entity.key}' here"
            yield Problem(entity.at, what, f"it is '{first.key}' in {first.at}")


def _mappings(
    root: Path,
    document: Document,
    environment: str,
    systems: tuple[str, ...],
    problems: list[Problem],
    notes: list[Problem],
) -> Iterator[Mapping]:
    named: dict[str, Mapping] = {}
    files = [_read(file, problems, root) for file in _files(root, document, problems)]
    read = [found for found in files if found is not None]
    notes += unused(read)
    before = len(problems)
    whole = list(composed(read, environment, systems, problems))
    # What could not be put together would be told again, in other words, of the whole.
    for found in whole if len(problems) == before else ():
        faults = list(_mapping_faults(found, systems))
        binder = Binder(found, systems, document.value.get("defaults", {}))
        mapping = None if faults else binder.mapping()
        problems += [*faults, *binder.problems]
        notes += binder.notes
        if mapping is None:
            continue
        if mapping.name in named:
            what = f"there are two mappings '{mapping.name}'"
            problems.append(Problem(mapping.at, what, f"the other is {named[mapping.name].at}"))
            continue
        named[mapping.name] = mapping
        yield mapping


def _mapping_faults(document: Document, systems: tuple[str, ...]) -> Iterator[Problem]:
    schema = _schema("mapping")
    if not isinstance(document.value, dict):
        yield from check(document, schema)
        return
    known = {*_words(), *systems}
    strange = [key for key in document.value if key not in known]
    for key in strange:
        value, at = document.value[key], document.key_at((key,))
        if isinstance(value, dict) and "entity" in value:
            hint = nearest(key, systems) or f"they are {' and '.join(systems)}"
            yield Problem(at, f"'{key}' is none of the systems of sync.yaml", hint)
            continue
        hint = nearest(key, known) or f"known are {', '.join(sorted(known))}"
        yield Problem(at, f"unknown key '{key}'", hint)
    rest = {key: value for key, value in document.value.items() if key not in strange}
    yield from check(Document(document.file, rest, document.values, document.keys), schema)
    for name in (name for name in systems if isinstance(rest.get(name), dict)):
        yield from side_without(document, schema, name)


def _words() -> tuple[str, ...]:
    return tuple(json.loads(_schema("mapping").read_text(encoding="utf-8"))["properties"])


def _files(root: Path, document: Document, problems: list[Problem]) -> Iterator[Path]:
    told = document.value.get("mappings", "mappings")
    for n, name in enumerate([told] if isinstance(told, str) else told):
        standard = name.startswith(_STANDARD)
        shelf = shipped.folder() / "mappings"
        folder = shelf / name.removeprefix(_STANDARD) if standard else root / name
        at = document.at(("mappings",) if isinstance(told, str) else ("mappings", n))
        found = (p for p in folder.rglob("*") if p.suffix in (".yaml", ".yml"))
        files = sorted(p for p in found if not p.stem.endswith(".test"))  # those are cases
        if not folder.is_dir():
            known = [f"{_STANDARD}{p.name}" for p in sorted(shelf.iterdir())] if standard else []
            hint = nearest(name, known) or ", ".join(known)
            problems.append(Problem(at, f"there is no folder '{name}'", hint))
        elif not files:
            hint = "`sync-run schema reference` says how one is written"
            problems.append(Problem(at, f"the folder '{name}' holds no mapping", hint))
        yield from files


def _read(path: Path, problems: list[Problem], root: Path | None = None) -> Document | None:
    name = path.name if root is None else os.path.relpath(path, root)
    try:
        content = path.read_bytes()
    except OSError as error:
        problems.append(Problem(Location(name, 1, 1), f"it cannot be read: {error.strerror}"))
        return None
    found = read(name, content)
    if isinstance(found, Problem):
        problems.append(found)
        return None
    if found.value is None:
        problems.append(Problem(Location(name, 1, 1), "the file is empty"))
        return None
    return found


def _schema(name: str) -> Path:
    return shipped.folder() / "schemas" / f"{name}.schema.json"
