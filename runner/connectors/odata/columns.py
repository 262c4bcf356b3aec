"""One field on the wire: its names, its type, and how it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.wire import Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field on the wire: what mappings call it, what an answer calls it, and its type.

    ``property`` may be a path, ``Address/City``. ``select`` is what to ask for to get it, empty
    where ``expand`` brings it. ``annotation``: it comes only where there is something to tell.
    ``askable``: the server can be asked for rows by it. ``midnight``: a date that travels as an
    instant, ``number``: a reference that travels as one. ``prefix`` stands before the quotes of a
    literal of it (enumerations), ``bare`` ones have no quotes. ``parts``: it is put together from
    these, a key of several fields.
    """

    name: str
    property: str
    type: Type
    select: str
    expand: str = ""
    annotation: bool = False
    askable: bool = True
    midnight: bool = False
    number: bool = False
    prefix: str = ""
    bare: bool = False
    parts: tuple[Column, ...] = ()
