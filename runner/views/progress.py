"""How far a command is, in one line: how much, how fast, how long it will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.views.drawing import breadth, cut, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.events import WritesDone

_BAR = 20
_MOMENT = 0.5
"""Seconds below which a rate would be a guess."""
_MINUTE, _HOUR = 60, 3600


def reading(rows: Mapping[str, int], seconds: float, width: int) -> str:
    """Say how many records of each system were read so far, and how many a second."""
    total = sum(rows.values())
    parts = [f"{n:,} of {system}" for system, n in sorted(rows.items())]
    rate = [f"{_rate(total, seconds)}/s"] if seconds >= _MOMENT and total else []
    line = f"reading  {'  '.join([*parts, *rate])}"
    return cut(line, width) if width else line


def read(rows: Mapping[str, int]) -> str:
    """Say what was read when that is over."""
    parts = [f"{plural(n, 'record')} of {system}" for system, n in sorted(rows.items())]
    return f"Read {' and '.join(parts)}."


def writing(event: WritesDone, seconds: float, width: int) -> str:
    """Say how many of a mapping's writes are done, and how long the rest will take.

    ``width`` 0: there is no screen, and nobody to look at a bar.
    """
    share = event.done / event.total if event.total else 1.0
    full = int(share * _BAR)
    words = [f"{event.done:,} of {event.total:,} written"]
    words += [f"{event.failed:,} failed"] if event.failed else []
    if seconds >= _MOMENT and event.done:
        words.append(f"{_rate(event.done, seconds)}/s")
        left = (event.total - event.done) * seconds / event.done
        words += [f"{lasting(left)} left"] if left >= 1 else []
    plain = f"{event.mapping}: {', '.join(words)}"
    drawn = f"{event.mapping}  [{'#' * full:.<{_BAR}}] {', '.join(words)}"
    if not width:
        return plain
    return drawn if breadth(drawn) <= width else cut(plain, width)


def lasting(seconds: float) -> str:
    """Write a length of time as people say it: ``31 s``, ``4 min``, ``2 h 10 min``."""
    if seconds < _MINUTE:
        return f"{max(round(seconds), 1)} s"
    if seconds < _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _rate(n: int, seconds: float) -> str:
    each = n / seconds
    return f"{each:,.0f}" if each >= 10 else f"{each:.1f}"  # noqa: PLR2004 - two digits tell enough
