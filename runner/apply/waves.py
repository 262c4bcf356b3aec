"""A plan carried out mapping by mapping: what is new, then what changed; deletions go last."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runner.apply.resume import resolve_doubts, take_up
from runner.apply.settle import settle_local
from runner.apply.write import Progress, Writer
from runner.errors import StoppedError, SystemUnavailableError
from runner.plan import Kind
from runner.state import couplings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from runner.compile import CompiledMapping
    from runner.connectors.protocol import Connector
    from runner.events import Tell

_LOCAL = (Kind.COUPLE, Kind.UNCOUPLE, Kind.CONVERGE)
_WAVES = (Kind.CREATE, Kind.UPDATE)


async def carry_out(
    connection: duckdb.DuckDBPyConnection,
    chosen: Sequence[str],
    mappings: Sequence[CompiledMapping],
    connectors: Mapping[str, Connector],
    run: int,
    tell: Tell,
    *,
    earlier: Sequence[int] = (),
) -> Progress:
    """Do what the plan (attached as ``plan``) says, mapping by mapping.

    ``chosen`` names the plan's mappings; ``mappings`` are all that lookups may lead to. ``earlier``
    are runs that began this very plan: what they did is not done again.

    A system that went away stops the run, and so does who is told between two windows: what was
    not sent is not counted, and a next run takes it up. Everything that was answered is kept.
    """
    progress = Progress()
    progress.counters |= {name: Counter() for name in chosen}
    planned = [mapping for mapping in mappings if mapping.name in chosen]
    writers = [Writer(connection, m, mappings, connectors, run, progress) for m in planned]
    take_up(connection, writers, earlier)
    try:
        for writer in writers:
            await resolve_doubts(writer, earlier)
        for writer in writers:
            with writer.timed(tell):
                couplings.ensure_base(connection, writer.mapping.name, writer.mapping.base)
                if writer.total(*_LOCAL):
                    settle_local(connection, writer.mapping, run)
                await writer.find()
                for wave in _WAVES:
                    await writer.carry_out(wave, tell)
        # What others point to goes last.
        for writer in reversed(writers):
            if writer.total(Kind.DELETE):
                with writer.timed(tell):
                    await writer.carry_out(Kind.DELETE, tell)
    except (SystemUnavailableError, StoppedError) as error:
        progress.stopped = f"{error} — {error.hint}" if error.hint else str(error)
    return progress
