"""Text for a terminal: colours, widths, columns, and values and keys that fit a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from wcwidth import iter_graphemes, wcswidth

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

LONGEST = 60
"""Columns that a value takes at most."""
_TIE = "\N{NO-BREAK SPACE}"
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_PART = r"[^=,']+=(?:'((?:[^']|'')*)'|([^,']*))"
_PARTS = re.compile(rf"{_PART}(?:,{_PART})+")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours where the reader's terminal has them."""

    colour: bool

    def __call__(self, text: str, code: str) -> str:
        """Return the text in that colour (an ANSI code)."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


PLAIN = Paint(colour=False)


def breadth(text: str) -> int:
    """How many columns of a terminal a text takes: an emoji of five code points takes two."""
    known: int = wcswidth(text)
    return known if known >= 0 else len(text)


def padded(text: str, width: int) -> str:
    """Fill a text up to so many columns."""
    return text + " " * (width - breadth(text))


def cut(text: str, width: int) -> str:
    """Shorten a text to so many columns, between letters as people see them."""
    if breadth(text) <= width:
        return text
    letters = list(iter_graphemes(text))
    ends = accumulate(breadth(letter) for letter in letters)
    fitting = [letter for letter, end in zip(letters, ends, strict=True) if end < width]
    return "".join(fitting) + "…"


def quoted(value: str | None, width: int = LONGEST) -> str:
    """Write a value on one line, in quotes, cut where it is too wide; ``(blank)`` for none."""
    if value is None:
        return "(blank)"
    text = "".join(_ESCAPES.get(c) or _shown(c) for c in value)
    return f"'{cut(text, max(width, 2))}'"


def printable(text: str) -> str:
    """Write a text so that it cannot move the cursor or colour the screen."""
    return "".join(_shown(c) for c in text)


def _shown(c: str) -> str:
    # A joiner makes one emoji of several, and is no more than that.
    return c if c.isprintable() or c == "\u200d" else f"\\u{ord(c):04x}"


def short_key(key: str, width: int = 36) -> str:
    """Write a key for the eye: the head of a GUID, of a key of several fields their values."""
    key = printable(key)
    if _GUID.fullmatch(key):
        return f"{key[:8]}…"
    if _PARTS.fullmatch(key):
        values = ["".join(found).replace("''", "'") for found in re.findall(_PART, key)]
        key = "/".join(values).rstrip("/")
    return cut(key, width)


def wrapped(text: str, width: int) -> list[str]:
    """Break a text between words into lines of at most so many columns; longer words stay whole."""
    lines: list[str] = []
    for word in filter(None, text.split(" ")):
        if lines and breadth(lines[-1]) + 1 + breadth(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [untied(line) for line in lines]


def tied(text: str) -> str:
    """Keep the words of a text together on one line."""
    return text.replace(" ", _TIE)


def untied(text: str) -> str:
    """Let a text break between any words, as others see to its lines."""
    return text.replace(_TIE, " ")


def columns(rows: Sequence[Sequence[str]], numbers: Container[int] | None = None) -> list[str]:
    """Set rows in columns; those that hold ``numbers`` (``None``: all but the first) end alike."""
    if not rows:
        return []
    widths = [max(breadth(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            " " * (width - breadth(cell)) + cell
            if (i > 0 if numbers is None else i in numbers)
            else padded(cell, width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def plural(n: int, noun: str) -> str:
    """Say how many: ``1 error``, ``2 errors``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
