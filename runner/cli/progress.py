"""Progress on stderr: one line written over on a terminal, now and then a line in a log."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.cli.console import columns, for_programs
from runner.events import Event, MappingPlanned, Recovered, RowsRead, WritesDone
from runner.model import RECORDS
from runner.views import progress as words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from runner.events import Tell

_REDRAWN = 0.1
"""Seconds between two lines on a terminal, for a hand that writes, not one that trembles."""
_SIGN_OF_LIFE = 30.0
"""Seconds after which a log hears that something still happens."""


class Progress:
    """Takes events, and shows them. It remembers what rates are computed from."""

    def __init__(self, out: TextIO, *, width: int, now: Callable[[], float]) -> None:
        """``width`` is in columns; 0 where nobody looks on, and ``out`` is a log."""
        self._out, self._width, self._now = out, width, now
        self._rows: dict[tuple[str, str], int] = {}
        self._began = self._shown = now()
        self._mapping = ""

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case RowsRead(mapping=mapping, system=system, rows=rows) if system != RECORDS:
                if not self._rows:
                    self._began = self._now()
                self._rows[mapping, system] = rows
                self._line(words.reading(self._by_system(), self._seconds(), self._width))
            case WritesDone(mapping=mapping):
                self.close()
                if mapping != self._mapping:
                    self._mapping, self._began = mapping, self._now()
                if event.done < event.total:
                    self._line(words.writing(event, self._seconds(), self._width))
            case Recovered(mapping=mapping, key=key, what=what):
                self.close()
                self._out.write(f"{mapping} {key}: the interrupted create was {what}\n")
            case MappingPlanned():
                self.close()
            case _:
                return

    def close(self) -> None:
        """Wipe what is on the line, and tell a log what was read."""
        if self._width:
            self._out.write("\r\x1b[K")
        elif self._rows:
            self._out.write(f"{words.read(self._by_system())}\n")
        self._rows = {}
        self._out.flush()

    def _by_system(self) -> dict[str, int]:
        rows: dict[str, int] = {}
        for (_, system), n in self._rows.items():
            rows[system] = rows.get(system, 0) + n
        return rows

    def _seconds(self) -> float:
        return self._now() - self._began

    def _line(self, text: str) -> None:
        if self._now() - self._shown < (_REDRAWN if self._width else _SIGN_OF_LIFE):
            return
        self._shown = self._now()
        self._out.write(f"\r\x1b[K{text}" if self._width else f"{text}\n")
        self._out.flush()


@contextmanager
def progress() -> Iterator[Tell]:
    """Show what happens until the command is over, then leave a clean line."""
    tell = for_programs()
    if tell is not None:
        yield tell
        return
    width = columns() - 1 if sys.stderr.isatty() else 0
    shown = Progress(sys.stderr, width=width, now=time.monotonic)
    try:
        yield shown
    finally:
        shown.close()
