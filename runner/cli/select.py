"""What a run is about: mappings by name, with what they need, some of their records, one way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from runner.errors import RunnerError, nearest
from runner.model import RECORDS, Condition, Selection, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Project
    from runner.views.document import Document

_REFERENCE = re.compile(r" is not coupled \(mappings? (.+)\)$")
"""A finding about a reference to a record without partner, and the mappings it could be of."""

Records = Annotated[
    list[str] | None,
    typer.Option(
        "--record", metavar="KEY", help="Only the record with this key on either side; repeatable."
    ),
]
Filter = Annotated[
    str,
    typer.Option(
        metavar="'SYSTEM: CONDITION'",
        help="Only records of which one side fulfils a JMESPath condition.",
        show_default=False,
    ),
]
To = Annotated[
    str,
    typer.Option(
        "--direction",
        metavar="'SYSTEM -> SYSTEM'",
        help="Write to the second system alone.",
        show_default=False,
    ),
]
Prefer = Annotated[
    str,
    typer.Option(
        metavar="SYSTEM",
        help="Who wins where both sides changed; with --record or --where.",
        show_default=False,
    ),
]
WithDependencies = Annotated[
    bool, typer.Option("--with-dependencies", help="Also run what the mappings depend on.")
]


def selected(
    project: Project,
    names: Sequence[str],
    *,
    records: Sequence[str] = (),
    where: str = "",
    direction: str = "",
    prefer: str = "",
    dependencies: bool = False,
) -> Selection:
    """Put a selection together from what was typed.

    Raises:
        RunnerError: a name is unknown, or options do not go together.

    """
    if records and (len(names) != 1 or dependencies or where):
        raise RunnerError(
            "--record is about one mapping, and goes without --where and --with-dependencies",
            hint="name the mapping: `sync-run plan customers --record 10000`",
        )
    if prefer and not (records or where):
        raise RunnerError(
            "--prefer is for some records: it goes with --record or --where",
            hint="`conflict:` in the mapping says who wins for all",
        )
    chosen = choose(project, names)
    if dependencies:
        chosen = with_dependencies(project, chosen)
    condition = _condition(where)
    for option, system in (("--where", condition and condition.system), ("--prefer", prefer)):
        if system:
            _takes_part(project, chosen, option, system)
    return Selection(
        mappings=chosen,
        records=tuple(dict.fromkeys(records)),
        where=condition,
        to=_target(project, direction),
        prefer=prefer,
    )


def choose(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    """Return the mappings named, or all; refuse a name that is none."""
    known = tuple(mapping.name for mapping in project.mappings)
    for name in names:
        if name not in known:
            raise RunnerError(
                f"there is no mapping '{name}'",
                hint=nearest(name, known) or f"the mappings are {', '.join(known)}",
            )
    return tuple(dict.fromkeys(names)) or known


def with_dependencies(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    """Add all that the mappings need, and what that needs, in the order in which they run."""
    wanted = set(names)
    # Backwards: whoever needs others stands behind them.
    for mapping in reversed(project.mappings):
        wanted |= set(mapping.needs) if mapping.name in wanted else set()
    return tuple(mapping.name for mapping in project.mappings if mapping.name in wanted)


def left_out(project: Project, selection: Selection, plan: Document) -> str:
    """Say which mappings a plan lacks that its findings refer to; nothing, where it lacks none."""
    reasons = (action["reason"] for told in plan["mappings"] for action in told["actions"])
    found = (_REFERENCE.search(reason or "") for reason in reasons)
    named = {name for one in found if one for name in re.split(", | or ", one[1])}
    names = [m.name for m in project.mappings if m.name in named.difference(selection.mappings)]
    if not names or selection.records:
        return ""
    return (
        f"  hint: left out of this plan: {', '.join(names)}; --with-dependencies takes them along"
    )


def _condition(text: str) -> Condition | None:
    if not text:
        return None
    system, colon, condition = (part.strip() for part in text.partition(":"))
    if not (colon and system and condition):
        raise RunnerError(
            f"--where '{text}' does not say which system it is about",
            hint="write --where 'SYSTEM: CONDITION', such as --where \"nav: City == 'London'\"",
        )
    return Condition(system=system, text=condition)


def _target(project: Project, direction: str) -> str:
    if not direction:
        return ""
    known = tuple(system.name for system in project.systems if system.name != RECORDS)
    ends = [end.strip() for end in direction.split("->")]
    if len(ends) != len(Side) or ends[0] == ends[1]:
        raise RunnerError(
            f"--direction '{direction}' is none",
            hint=f"write --direction '{known[0]} -> {known[-1]}', or the other way round",
        )
    for end in ends:
        _known(end, known)
    return ends[1]


def _known(system: str, known: Sequence[str]) -> None:
    if system not in known:
        raise RunnerError(
            f"there is no system '{system}'",
            hint=nearest(system, known) or f"the systems are {', '.join(known)}",
        )


def _takes_part(project: Project, chosen: Sequence[str], option: str, system: str) -> None:
    """Refuse a system that one of the mappings has nothing to do with."""
    _known(system, tuple(known.name for known in project.systems))
    for mapping in (project.mapping(name) for name in chosen):
        ends = (mapping.left.system, mapping.right.system)
        if system not in ends:
            raise RunnerError(
                f"{option}: mapping {mapping.name} is between {' and '.join(ends)}, "
                f"not about {system}",
                hint="name the mappings that are meant",
            )
