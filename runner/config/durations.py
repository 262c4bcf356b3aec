"""Lengths of time as people write them."""

from __future__ import annotations

from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """Read ``90s``, ``5m``, ``12h`` or ``1d``. Raises ``KeyError`` for what the schema refuses."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
