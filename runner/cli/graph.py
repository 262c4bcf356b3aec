"""graph: which mapping needs which."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from runner.cli.console import columns, say, words_for_errors
from runner.cli.options import Json, Names, the_project
from runner.cli.select import choose
from runner.errors import RunnerError, nearest

FORMATS = ("text", "mermaid", "svg")


def graph(
    context: typer.Context,
    names: Names = None,
    *,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")
    ] = "text",
    out: Annotated[
        Path | None, typer.Option(help="Write it to a file; .svg and .mmd say the format.")
    ] = None,
    as_json: Json = False,
) -> None:
    r"""Show which mapping needs which.

    Directions, dependencies and lookups, from the YAML alone. With names: those mappings, and
    what they need.

    \b
    sync-run graph
    sync-run graph customers
    sync-run graph --out mappings.svg
    sync-run graph --format mermaid
    """
    with words_for_errors():
        from runner.views import graph as views
        from runner.views.document import encoded

        project = the_project(context)
        document = views.of_project(project, choose(project, names) if names else ())
        drawn = encoded(document) if as_json else _drawn(document, _format(form, out))
        if out is None:
            typer.echo(drawn)
            return
        try:
            out.write_text(f"{drawn}\n", encoding="utf-8")
        except OSError as error:
            raise RunnerError(f"{out} cannot be written: {error.strerror}") from error
        say(f"Written to {out}.")


def _format(form: str, out: Path | None) -> str:
    if form not in FORMATS:
        hint = nearest(form, FORMATS) or f"the formats are {', '.join(FORMATS)}"
        raise RunnerError(f"there is no format '{form}'", hint=hint)
    if form == "text" and out is not None:
        return {".svg": "svg", ".mmd": "mermaid"}.get(out.suffix, form)
    return form


def _drawn(document: dict[str, object], form: str) -> str:
    from runner.views import graph as views

    match form:
        case "svg":
            return views.svg(document)
        case "mermaid":
            return views.mermaid(document)
        case _:
            return views.text(document, columns())
