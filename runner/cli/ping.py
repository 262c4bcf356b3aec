"""ping: whether the systems are there, who one is there, and what one gets to see."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.console import say, words_for_errors
from runner.errors import ExitCode, RunnerError, SystemUnavailableError, nearest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runner.connectors.protocol import Introduced
    from runner.model import Project
    from runner.wire import EntityType, FieldType

_SKEW = 30.0
"""Seconds between the clocks from which on it is worth a word."""


def ping(
    context: typer.Context,
    *,
    listed: Annotated[
        list[str] | None,
        typer.Option(
            "--fields", metavar="ENTITY", help="List the fields of an entity, too; repeatable."
        ),
    ] = None,
) -> None:
    r"""Ask each system whether it is there.

    Who one is there, how far its clock is ahead, and whether it shows the entities of the mappings.
    Writes nothing. Exit codes: 0 all is reachable, 1 something is not.

    \b
    sync-run ping
    sync-run ping --fields Customer --fields accounts
    sync-run --env prod ping
    """
    with words_for_errors():
        from runner.cli.options import the_project

        project, wanted = the_project(context), listed or []
        known = {end.entity for m in project.mappings for end in (m.left, m.right)}
        for entity in wanted:
            if entity not in known:
                hint = nearest(entity, known) or f"the mappings name {', '.join(sorted(known))}"
                raise RunnerError(f"no mapping names the entity '{entity}'", hint=hint)
        if not asyncio.run(_pinged(project, wanted)):
            raise typer.Exit(ExitCode.UNUSABLE)


async def _pinged(project: Project, listed: Sequence[str]) -> bool:
    from runner.cli.wiring import connected
    from runner.model import RECORDS

    whole = True
    async with connected(project) as connectors:
        for name in (name for name in connectors if name != RECORDS):
            try:
                async for line in _told(name, connectors[name], _entities(project, name), listed):
                    typer.echo(line)
            except SystemUnavailableError as error:
                whole = False
                say(f"error: {error}")
                if error.hint:
                    say(f"  hint: {error.hint}")
    return whole


async def _told(
    name: str, connector: Introduced, entities: list[str], listed: Sequence[str]
) -> AsyncIterator[str]:
    from runner.views.drawing import columns

    greeting = await connector.greet()
    yield f"{name}  {greeting.where}"
    yield f"  you are {greeting.who}; {_clock(greeting.ahead)}"
    types = {found.name: found for found in await connector.describe(entities)}
    for entity in entities:
        found = types.get(entity)
        if found is None:
            raise SystemUnavailableError(name, f"there is no entity '{entity}'")
        fields = found.fields.values()
        new = sum(field.on_create for field in fields)
        changed = sum(field.on_update for field in fields)
        total = await connector.count(entity)
        records = "more records than it counts" if total is None else f"{total:,} records"
        yield f"  {entity}: {records}, {len(fields)} fields ({new} on creation, {changed} later)"
        if entity in listed:
            for line in columns([_field(found, field) for field in fields], numbers=()):
                yield f"    {line}"


def _field(entity: EntityType, field: FieldType) -> list[str]:
    """Tell a field's name, type, and what is to be known of it."""
    kind = str(field.type)
    kind += f" of {field.max_length}" if field.max_length else ""
    kind += f" to {', '.join(field.targets)}" if field.targets else ""
    notes = ["key"] if field.name in entity.key.split(",") else []
    if not field.on_update:
        notes.append("once" if field.on_create else "read only")
    return [field.name, kind, ", ".join(notes)]


def _clock(ahead: float | None) -> str:
    if ahead is None:
        return "it tells no time"
    if abs(ahead) < _SKEW:
        return "the clocks agree"
    words = "ahead of" if ahead > 0 else "behind"
    return f"its clock is {abs(ahead):.0f} seconds {words} ours: `newest` may choose wrongly"


def _entities(project: Project, system: str) -> list[str]:
    ends = [end for m in project.mappings for end in (m.left, m.right) if end.system == system]
    return list(dict.fromkeys(end.entity for end in ends))
