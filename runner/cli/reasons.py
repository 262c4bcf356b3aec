"""explain, why: what a mapping or a field does, and why a record stands as it does."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli import helped
from runner.cli.console import screen, words_for_errors
from runner.cli.options import Json, the_project
from runner.cli.progress import progress
from runner.cli.select import choose
from runner.errors import RunnerError, nearest

if TYPE_CHECKING:
    from runner.model import Mapping, Project
    from runner.views.document import Document

_LESSON = re.compile(r"SR\d+", re.IGNORECASE)
Whole = Annotated[bool, typer.Option("--full", help="Show every field, and whole values.")]


def explain(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="MAPPING[.FIELD]",
            help="A mapping, one of its fields, or an error (SR502).",
            autocompletion=helped.mapping_names,
        ),
    ],
    *,
    key: Annotated[
        str,
        typer.Option("--record", metavar="KEY", help="With the values of this record: reads it."),
    ] = "",
    as_json: Json = False,
    full: Whole = False,
) -> None:
    r"""Explain a mapping, a field or an error.

    Of a mapping: what it reads, couples, creates and decides. Of a field: where its values come
    from, step by step, and who wins. Touches no system, unless --record asks for the values of one.

    \b
    sync-run explain customers
    sync-run explain customers.ownerid
    sync-run explain customers.ownerid --record 10000
    sync-run explain SR502
    """
    with words_for_errors():
        if _LESSON.fullmatch(what):
            typer.echo(_lesson(what.upper()))
            return
        from runner.views import document as documents
        from runner.views import explanations, rules

        project = the_project(context)
        name, _, field = what.partition(".")
        choose(project, [name])
        mapping = project.mapping(name)
        drawn = screen(context, full=full)
        if not field:
            told = rules.of_mapping(project, mapping)
            typer.echo(documents.encoded(told) if as_json else explanations.mapping(told, drawn))
            return
        fields = _fields(mapping, field)
        records = _one_field(asyncio.run(_traced(project, mapping, key)), fields) if key else []
        if as_json:
            whole = {"version": rules.VERSION, "mapping": name, "fields": fields}
            typer.echo(documents.encoded({**whole, "records": records}))
            return
        typer.echo(explanations.fields(what, fields, drawn))
        for record in records:
            typer.echo()
            typer.echo(explanations.record(record, drawn))


def why(
    context: typer.Context,
    name: helped.Name,
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", help="The key of either record, or its first letters."),
    ],
    *,
    as_json: Json = False,
    full: Whole = False,
) -> None:
    r"""Say why a record stands as it does.

    Why it is created, written, skipped, filtered, in conflict, in error, or left alone. Reads both
    sides and writes nothing. Each reason comes with its place in the YAML.

    \b
    sync-run why customers 10000
    sync-run why customers 6af9ead1
    """
    with words_for_errors():
        from runner.views import document as documents
        from runner.views import explanations

        project = the_project(context)
        choose(project, [name])
        told = asyncio.run(_traced(project, project.mapping(name), key))
        if as_json:
            typer.echo(documents.encoded({"version": 1, "records": told}))
            return
        drawn = screen(context, full=full)
        typer.echo("\n\n".join(explanations.record(record, drawn) for record in told))


def _lesson(name: str) -> str:
    from runner import shipped
    from runner.views.lessons import sections

    page = (shipped.folder() / "schemas" / "errors.md").read_text(encoding="utf-8")
    known = sections(page)
    if name not in known:
        raise RunnerError(f"there is no error {name}", hint=f"there are {', '.join(known)}")
    return known[name]


def _fields(mapping: Mapping, field: str) -> list[Document]:
    from runner.views import rules

    fields = rules.of_fields(mapping, field)
    if not fields:
        known = [name for rule in mapping.fields for name in rules.names_of(rule)]
        raise RunnerError(
            f"mapping {mapping.name} has no field '{field}'",
            hint=nearest(field, known) or f"its fields are {', '.join(dict.fromkeys(known))}",
        )
    return fields


def _one_field(records: list[Document], fields: list[Document]) -> list[Document]:
    """Leave of records what they tell about some field mappings."""
    places = {field["at"] for field in fields}
    return [
        {
            **record,
            "because": [reason for reason in record["because"] if reason["at"] in places],
            "fields": [
                {**told, "moved": True} for told in record["fields"] if told["at"] in places
            ],
            "journal": [],
        }
        for record in records
    ]


async def _traced(project: Project, mapping: Mapping, key: str) -> list[Document]:
    from runner.cli.wiring import session
    from runner.run import look_into
    from runner.views.why import of_trace

    with progress() as tell:
        async with session(project, "why", tell) as opened:
            traces = await look_into(opened, mapping.name, key)
    return [of_trace(trace, mapping) for trace in traces]
