"""A value that nobody gets to see."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """A token, password or key. It prints ``****``; only ``http.py`` and ``tokens.py`` reveal it.

    No dataclass: ``asdict`` and the like would lay open what it holds.
    """

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        """Return what it is, to send it."""
        return self._value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a secret never changes: {name}")

    def __repr__(self) -> str:
        return "****"

    def __format__(self, spec: str) -> str:
        return format("****", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is neither stored nor copied")
