"""A value that nobody gets to see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A token, password or key. It prints ``****``; only ``http.py`` reveals it."""

    _value: str

    def reveal(self) -> str:
        """Return what it is, to send it."""
        return self._value

    def __str__(self) -> str:
        return "****"

    def __repr__(self) -> str:
        return "Secret(****)"

    def __format__(self, spec: str) -> str:
        return format("****", spec)
