"""init, schema: a project to begin with, and what an editor needs to help with it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from runner.cli.console import words_for_errors
from runner.errors import RunnerError

_MAPPINGS = "mappings: [../../mappings/nav-sales]"


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put it.")] = Path(),
) -> None:
    r"""Write a project that runs at once: the quickstart, the standard mappings, the schemas.

    \b
    sync-run init my-project && cd my-project && sync-run apply
    """
    with words_for_errors():
        if (folder / "sync.yaml").exists():
            raise RunnerError(
                f"{folder / 'sync.yaml'} is there already", hint="choose an empty folder"
            )
        _write(folder)
        typer.echo(f"A project is in {folder}. Next: `sync-run -C {folder} plan`")


def schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help="mapping, test or sync.")] = "mapping",
) -> None:
    r"""Print the JSON Schema of mappings, of their cases or of sync.yaml, for editors and programs.

    \b
    sync-run schema mapping
    sync-run schema test
    """
    with words_for_errors():
        from runner import shipped

        path = shipped.folder() / "schemas" / f"{name}.schema.json"
        if name not in {"mapping", "test", "sync"}:
            raise RunnerError(f"there is no schema '{name}'", hint="mapping, test or sync")
        typer.echo(path.read_text(encoding="utf-8"), nl=False)


def _write(folder: Path) -> None:
    from runner import shipped

    source = shipped.folder()
    try:
        shutil.copytree(
            source / "examples" / "quickstart",
            folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".sync-run"),
        )
        shutil.copytree(source / "mappings" / "nav-sales", folder / "mappings", dirs_exist_ok=True)
        shutil.copytree(source / "schemas", folder / "schemas", dirs_exist_ok=True)
        # In the repository the quickstart shares the standard mappings; a project has its own.
        _replace(
            folder / "sync.yaml", {_MAPPINGS: "mappings: [mappings]", "../../schemas/": "schemas/"}
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
