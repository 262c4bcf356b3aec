"""couplings: which records belong together, listed, searched, and carried from state to state."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from runner.cli.console import say, words_for_errors
from runner.cli.options import Full, Json, the_project
from runner.cli.select import choose
from runner.errors import ConfigError, Location, Problem, RunnerError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner import model
    from runner.model import Project, Side
    from runner.state.pairs import Clash, Wanted

Known = dict[tuple[str, "Side"], "Mapping[str, str]"]
"""By mapping and side, keys as they were typed and as couplings keep them."""

_LABELS = ("name", "displayname", "fullname", "description", "title")
"""Fields that people know records by, where a mapping names none."""

File = Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .json file.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Do not ask the systems whether the records exist.")
]


class _Listing(TyperGroup):
    """A group whose commands may be left out: what is no command is for ``list``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``list`` before what names no command."""
        told = args[0] if args else ""
        if told not in {*self.commands, "--help", "-h"}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


_HELP = r"""List, search, export and import couplings.

\b
sync-run couplings customers --search ann
sync-run couplings export pairs.csv
"""
app = typer.Typer(
    cls=_Listing,
    help=_HELP,
    rich_markup_mode=None,
)


@app.command("list")
def listing(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MAPPING]...", help="Mappings; none: all.")
    ] = None,
    *,
    search: Annotated[
        str, typer.Option(help="Only those with this text in a key or label.", show_default=False)
    ] = "",
    as_json: Json = False,
    full: Full = False,
) -> None:
    r"""List which records belong together. Asks no system.

    Labels are what both sides last agreed on.

    \b
    sync-run couplings
    sync-run couplings customers --search cannon
    """
    with words_for_errors():
        from runner.state import held, pairs
        from runner.views import document
        from runner.views import pairs as view
        from runner.views.text import SHOWN

        project = the_project(context)
        chosen = [project.mapping(name) for name in choose(project, names or [])]
        limit = None if full or as_json else SHOWN
        labels = {mapping.name: labels_of(mapping) for mapping in chosen}
        with held(project.state, "couplings") as store, store.opened() as state:
            totals, found = pairs.listed(state, labels, search=search, limit=limit)
        told = view.of_pairs(chosen, totals, found)
        if as_json:
            typer.echo(document.encoded(told))
            return
        typer.echo(view.drawn(told, " ".join(("sync-run couplings", *(names or []), "--full"))))


@app.command("export")
def exported(
    context: typer.Context,
    file: File,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MAPPING]...", help="Mappings; none: all.")
    ] = None,
) -> None:
    r"""Write couplings into a file, to be read by people or by `couplings import`.

    \b
    sync-run couplings export pairs.csv
    sync-run couplings export customers.json customers
    """
    with words_for_errors():
        from runner.cli import pairs_file
        from runner.state import held, pairs

        project = the_project(context)
        chosen = choose(project, names or [])
        with held(project.state, "couplings") as store, store.opened() as state:
            _, found = pairs.listed(state, dict.fromkeys(chosen, ()))
        pairs_file.written(file, found)
        typer.echo(f"{len(found)} couplings are in {file}.")


@app.command("import")
def imported(
    context: typer.Context,
    file: File,
    *,
    tables: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="NUMBER=MAPPING",
            help="FILE is an export of Microsoft's table 5331; this table's records are of that "
            "mapping. Repeatable.",
        ),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --table, of NAV 2018: an export of table 5151."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and couple nothing.")] = False,
    offline: Offline = False,
) -> None:
    r"""Couple all pairs of a file, or none if one of them cannot be.

    Columns are mapping, left and right; left and right are keys, in the order of sync.yaml. With
    --table it is an export of the couplings of Microsoft's own integration.

    \b
    sync-run couplings import pairs.csv --dry-run
    sync-run couplings import 5331.csv --table 18=customers --table 5050=contacts
    sync-run couplings import 5331.csv --records 5151.csv --table 18=customers
    """
    with words_for_errors():
        from runner.state import held, pairs

        project = the_project(context)
        wanted, problems = _read(project, file, tables or [], records)
        if problems:
            raise ConfigError(problems)
        if not offline:
            known = asyncio.run(looked_for(project, wanted))
            problems += (
                Problem(Location(file.name, pair.line, 1), what, hint)
                for pair, what, hint in missing(project, wanted, known)
            )
            wanted = as_kept(wanted, known)
        with held(project.state, "couplings") as store, store.opened() as state:
            done = pairs.couple(state, wanted, dry_run=dry_run or bool(problems))
        problems += (
            Problem(Location(file.name, clash.wanted.line, 1), clash_words(project, clash))
            for clash in done.clashes
        )
        if problems:
            raise ConfigError(problems)
        made = f"{done.made} would be coupled" if dry_run else f"Coupled {done.made}"
        typer.echo(f"{made}, {done.there} are coupled already.")


def _read(
    project: Project, file: Path, tables: Sequence[str], records: Path | None
) -> tuple[tuple[Wanted, ...], list[Problem]]:
    """Read the pairs of a file, in our form or in Microsoft's."""
    from runner.cli import microsoft_file, pairs_file

    if tables:
        known = microsoft_file.tables_of(project, tables)
        found = microsoft_file.read(project, file, known, records)
        told = [f"{n:,} {why}" for why, n in sorted(found.left_out.items())]
        if told:
            say(f"Left out: {', '.join(told)}.")
        return found.wanted, found.problems
    if records:
        raise RunnerError("--records goes with --table", hint="write --table 18=customers")
    wanted, problems = pairs_file.read(file)
    problems += _unknown(project, wanted, file.name)
    return wanted, problems


def labels_of(mapping: model.Mapping) -> tuple[str, ...]:
    """Name the base columns that tell what people know a record by, the best first."""
    from runner.model import Side

    found: list[tuple[int, str]] = []
    for rule in mapping.fields:
        for side in Side:
            name, told = rule.name(side), mapping.entity(side).label
            wanted = [told] if told else list(_LABELS)
            key = name if told else name.lower()
            if key in wanted:
                ident = " ".join(rule.name(end) or "=" for end in Side)
                found.append((wanted.index(key), f"{side.value} {ident}"))
    return tuple(column for _, column in sorted(found, key=lambda one: one[0]))


async def looked_for(project: Project, wanted: Sequence[Wanted]) -> Known:
    """Ask the systems for the records of pairs; see ``extract.there``.

    Raises:
        SystemUnavailableError: a system could not be asked.

    """
    from runner.cli.wiring import connected
    from runner.extract import there
    from runner.model import Side

    known: Known = {}
    async with connected(project) as connectors:
        for name in dict.fromkeys(pair.mapping for pair in wanted):
            for side in Side:
                end = project.mapping(name).entity(side)
                keys = [_key(pair, side) for pair in wanted if pair.mapping == name]
                known[name, side] = await there(connectors[end.system], end, keys)
    return known


def known_keys(project: Project, name: str, typed: Sequence[str]) -> dict[str, str]:
    """Return keys by how they were typed, as the state has them: coupled, failing, or set aside.

    The systems are asked how they write keys (GUIDs in braces, codes in lower case) where one is
    not there as it was typed; it stays like that where it is not there at all.
    """
    from runner.state import couplings, errors, readable

    with readable(project.state) as state:

        def known(key: str) -> bool:
            return bool(couplings.find(state, name, key) or errors.find(state, name, key))

        strange = [key for key in typed if not known(key)]
        if not strange:
            return {key: key for key in typed}
        try:
            spellings = asyncio.run(_spellings(project, name, strange))
        except RunnerError as error:
            say(f"note: keys are taken as they were typed: {error}")
            spellings = ()
        found = {key: kept for told in spellings for key, kept in told.items() if known(kept)}
    return {key: found.get(key, key) for key in typed}


async def _spellings(project: Project, name: str, typed: Sequence[str]) -> Sequence[dict[str, str]]:
    """Return how couplings would keep keys, of each side."""
    from runner.cli.wiring import connected
    from runner.extract import spelled
    from runner.model import Side

    ends = [project.mapping(name).entity(side) for side in Side]
    async with connected(project) as connectors:
        return [await spelled(connectors[end.system], end, typed) for end in ends]


def missing(
    project: Project, wanted: Sequence[Wanted], known: Known
) -> Iterator[tuple[Wanted, str, str]]:
    """Yield the pairs of which a record does not exist: what is wrong, and what to do."""
    for pair in wanted:
        mapping = project.mapping(pair.mapping)
        for (name, side), keys in known.items():
            if name == pair.mapping and _key(pair, side) not in keys:
                end = mapping.entity(side)
                order = f"{mapping.left.system}'s key comes first, then {mapping.right.system}'s"
                what = f"{end.system} has no {end.entity} '{_key(pair, side)}'"
                yield pair, what, f"{order}; --offline couples without asking"


def as_kept(wanted: Sequence[Wanted], known: Known) -> tuple[Wanted, ...]:
    """Write the keys of pairs as couplings keep them, as far as their records are there."""
    from runner.model import Side

    return tuple(
        replace(
            pair,
            left_key=known[pair.mapping, Side.LEFT].get(pair.left_key, pair.left_key),
            right_key=known[pair.mapping, Side.RIGHT].get(pair.right_key, pair.right_key),
        )
        for pair in wanted
    )


def clash_words(project: Project, clash: Clash) -> str:
    """Say who holds the record that a pair wants."""
    mapping, wanted = project.mapping(clash.wanted.mapping), clash.wanted
    left, right = clash.held
    taken = wanted.left_key if left == wanted.left_key else wanted.right_key
    where = f" in line {clash.first}" if clash.first else " already"
    return f"'{taken}' is coupled{where}: {named(mapping, left, right)}"


def named(mapping: model.Mapping, left: str, right: str) -> str:
    """Name a pair by its systems and keys."""
    return f"{mapping.left.system} {left} ↔ {mapping.right.system} {right}"


def _key(pair: Wanted, side: Side) -> str:
    return pair.left_key if side == "left" else pair.right_key


def _unknown(project: Project, wanted: Sequence[Wanted], file: str) -> Iterator[Problem]:
    names = [mapping.name for mapping in project.mappings]
    for pair in wanted:
        if pair.mapping not in names:
            what = f"there is no mapping '{pair.mapping}'"
            yield Problem(Location(file, pair.line, 1), what, nearest(pair.mapping, names))
