"""What a transform is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.model import Constant, Step

if TYPE_CHECKING:
    from runner.wire import Type

Arguments = Mapping[str, Constant]
"""What a step was given, by name; the value of a step with one bare argument is under ``value``."""


def _none(_: Arguments) -> None:
    return None


def _right(_: Arguments) -> Iterator[str]:
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One way to change a value: what it takes and gives, as SQL, and how it is undone.

    ``sql`` turns SQL of a value of type ``takes`` into SQL of one of type ``gives``; blank stays
    blank and never becomes ``''``. ``inverse`` returns the step that undoes it, ``None`` where
    nothing can. ``faults`` yields what is wrong with the arguments. ``fails`` turns SQL of a value,
    and of what it has become, into SQL of whether that is blank for having no form; ``failed`` says
    why, in words that go on from the value.
    """

    takes: Type
    gives: Type
    sql: Callable[[str, Arguments], str]
    inverse: Callable[[Arguments], Step | None] = _none
    faults: Callable[[Arguments], Iterator[str]] = _right
    fails: Callable[[str, str], str] | None = None
    failed: str = "comes to more than 18 digits"
