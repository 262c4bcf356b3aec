"""init, schema: a project to begin with, and what an editor needs to help with it."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.console import words_for_errors
from runner.errors import RunnerError, nearest

if TYPE_CHECKING:
    from runner.cli.options import Where

_STANDARDS = {"nav-sales": "quickstart", "bc-sales": "business-central"}
"""The sets of mappings that come with sync-run, and the example that shows each at work."""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put it.")] = Path(),
    standard: Annotated[
        str,
        typer.Option(metavar="NAME", help="Which mappings: nav-sales (NAV 2018) or bc-sales."),
    ] = "nav-sales",
) -> None:
    r"""Write a project that runs at once.

    Standard mappings to change, sandboxes filled with sample records, and the schemas.

    \b
    sync-run init my-project && cd my-project && sync-run apply
    sync-run init --standard bc-sales my-project
    """
    with words_for_errors():
        if standard not in _STANDARDS:
            hint = nearest(standard, _STANDARDS) or f"there are {' and '.join(_STANDARDS)}"
            raise RunnerError(f"there are no standard mappings '{standard}'", hint=hint)
        if (folder / "sync.yaml").exists():
            raise RunnerError(
                f"{folder / 'sync.yaml'} is there already", hint="choose an empty folder"
            )
        _write(folder, standard)
        typer.echo(f"A project is in {folder}. Next: `sync-run -C {folder} plan`")


def schema(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="mapping, test, sync, project or reference.")
    ] = "mapping",
) -> None:
    r"""Print a JSON Schema, or the reference.

    For editors and programs: of mappings, of their cases, or of sync.yaml.

    `project` is that of mappings with the names of the entities and fields that the project's
    systems tell: point the first line of a mapping at it, and the editor completes them.
    `reference` is the page that explains every key.

    \b
    sync-run schema mapping
    sync-run schema project > schemas/project.schema.json
    sync-run schema test
    """
    with words_for_errors():
        from runner import shipped

        def read(known: str) -> str:
            path = shipped.folder() / "schemas" / f"{known}.schema.json"
            return path.read_text(encoding="utf-8")

        match name:
            case "mapping" | "test" | "sync":
                text = read(name)
            case "project":
                made = asyncio.run(_project_schema(context, json.loads(read("mapping"))))
                text = f"{json.dumps(made, indent=2, ensure_ascii=False)}\n"
            case "reference":
                from runner.views.reference import reference

                text = reference(json.loads(read("mapping")), json.loads(read("sync")))
            case _:
                hint = "mapping, test, sync, project or reference"
                raise RunnerError(f"there is no schema '{name}'", hint=hint)
        typer.echo(text, nl=False)


async def _project_schema(context: typer.Context, schema: dict[str, Any]) -> dict[str, Any]:
    from runner.cli.wiring import connected
    from runner.config import load
    from runner.model import RECORDS
    from runner.run import described
    from runner.views.project_schema import project_schema

    where: Where = context.obj
    project = load(where.folder, environment=where.environment)
    async with connected(project) as connectors:
        systems = {name: c for name, c in connectors.items() if name != RECORDS}
        named = {name: await connector.entities() for name, connector in systems.items()}
        types = await described(project, connectors)
    known = [(system, types[system, name]) for system, name in types if system != RECORDS]
    # What a system tells of when it is asked by name belongs to them: the options of a choice.
    asked = {system: [told.name for of, told in known if of == system] for system in named}
    entities = {name: sorted({*names, *asked[name]}) for name, names in named.items()}
    return project_schema(schema, entities, known, [m.name for m in project.mappings])


def _write(folder: Path, standard: str) -> None:
    from runner import shipped

    source = shipped.folder()
    try:
        shutil.copytree(
            source / "examples" / _STANDARDS[standard],
            folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".sync-run"),
        )
        shutil.copytree(source / "mappings" / standard, folder / "mappings", dirs_exist_ok=True)
        shutil.copytree(source / "schemas", folder / "schemas", dirs_exist_ok=True)
        # In the repository examples share the standard mappings; a project has its own.
        _replace(
            folder / "sync.yaml",
            {f"../../mappings/{standard}": "mappings", "../../schemas/": "schemas/"},
        )
        for mapping in (folder / "mappings").glob("*.yaml"):
            _replace(mapping, {"../../schemas/": "../schemas/"})
    except OSError as error:
        raise RunnerError(f"{folder} cannot be written: {error.strerror}") from error


def _replace(path: Path, words: dict[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in words.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
