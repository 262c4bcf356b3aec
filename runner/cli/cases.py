"""test: the cases of mappings, without any system."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import colour, say, words_for_errors
from runner.cli.options import Json, the_project
from runner.cli.select import choose
from runner.errors import ExitCode, RunnerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.cases import Case, Likeness, Result, Test
    from runner.model import Project, System

_DESCRIBED = ("dataverse", "nav", "business_central")
"""Connectors whose systems the embedded sandbox can stand in for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which cases to play: of these mappings, and with these words in their name."""

    mappings: Sequence[str]
    words: str


def play(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MAPPING]...", help="Mappings to test; none: all of them."),
    ] = None,
    *,
    words: Annotated[
        str, typer.Option("-k", metavar="TEXT", help="Only cases with this in their name.")
    ] = "",
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Processes that play; 0: one a core.")
    ] = 0,
    as_json: Json = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit XML, too.")
    ] = None,
) -> None:
    r"""Play the cases beside the mappings (*.test.yaml). Reaches no system.

    Exit codes: 0 all passed, 3 a case failed, 1 the files are wrong.

    \b
    sync-run test
    sync-run test customers -k conflict
    sync-run test --junit results.xml
    """
    with words_for_errors():
        from runner.cases import of_results
        from runner.views import document as documents
        from runner.views.cases import cases, junit_xml

        project = the_project(context)
        wanted = Wanted(mappings=choose(project, names or []), words=words)
        results = _played(project, wanted, jobs)
        document = of_results(results)
        if junit:
            _write(junit, junit_xml(document))
        if as_json:
            typer.echo(documents.encoded(document))
        elif results:
            typer.echo(cases(document, colour=colour()))
        raise typer.Exit(ExitCode.RECORDS_FAILED if document["failed"] else ExitCode.DONE)


def _played(project: Project, wanted: Wanted, jobs: int) -> list[Result]:
    from runner import cases

    paths = cases.files(project)
    if not paths:
        say("There are no cases: a file NAME.test.yaml beside a mapping holds some.")
        return []
    likenesses = asyncio.run(_likenesses(project))
    tests = [t for t in cases.load(project, paths, likenesses) if t.mapping.name in wanted.mappings]
    for name in wanted.mappings:
        if name not in {test.mapping.name for test in tests}:
            say(f"{name} has no cases")
    named = [replace(test, cases=_named(test, wanted.words)) for test in tests]
    results = cases.play_all(project, named, likenesses, jobs=jobs or cases.cores())
    if tests and not results:
        raise RunnerError(f"no case has '{wanted.words}' in its name")
    return results


def _named(test: Test, words: str) -> tuple[Case, ...]:
    return tuple(case for case in test.cases if words.lower() in case.name.lower())


async def _likenesses(project: Project) -> dict[str, Likeness]:
    """Say what each system is like without asking it: as an empty sandbox describes itself."""
    from runner.cases import Likeness
    from runner.cli.wiring import connected, records_of
    from runner.connectors.microsoft.nav_server import BLANKS
    from runner.connectors.records import Records
    from runner.model import RECORDS

    found = {system.name: Likeness() for system in project.systems}
    own = records_of(project)
    described = await Records(own).describe(tuple(own))
    found[RECORDS] = Likeness(types={kind.name: kind for kind in described})
    with TemporaryDirectory(prefix="sync-run-") as folder:
        known = tuple(_sandboxed(s) for s in project.systems if s.connector in _DESCRIBED)
        staged = replace(project, systems=known, state=Path(folder) / "state.duckdb")
        async with connected(staged) as connectors:
            for system in known:
                connector = connectors[system.name]
                names = sorted(entity for name, entity in project.entities if name == system.name)
                types = await connector.describe(names)
                found[system.name] = Likeness(
                    types={kind.name: kind for kind in types},
                    client_keys=connector.capabilities.client_keys,
                    blanks={} if system.connector == "dataverse" else BLANKS,
                )
    return found


def _sandboxed(system: System) -> System:
    company = "Cases" if system.company else ""
    return replace(system, url=f"sandbox:{system.name}", company=company, auth=None, seed=None)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunnerError(f"{path} cannot be written: {error.strerror}") from error
