"""Rows as JSON turned into columns: a struct type made for each query (protocols A6).

What is not as the entity's type says is an error, never a blank: a property that a server left
out would otherwise wipe a field of a whole table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from runner.connectors.problems import UnreadableError, fault_of, flat, title
from runner.wire import Page, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from runner.connectors.odata.columnar import Columnar
    from runner.connectors.odata.columns import Column

    Value = str | int | bool | None

Document = TypeVar("Document")

LARGE = 64 << 10
"""Bytes from which on it pays to read a page as columns at once."""

_LONGEST = 400
"""Digits before or after the point; a double has 325 at the most."""
_NULL = msgspec.Raw(b"null")
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?").fullmatch
_PLAIN_LINES = re.compile(r"(?:(?:-?[0-9]+(?:\.[0-9]+)?|null)(?:\n(?!\Z)|\Z))+").fullmatch
_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number as wide as the widest of OData, ``Edm.Int64``."""
_JSON: Mapping[Type, Any] = {
    Type.INTEGER: _Whole | None,
    Type.BOOLEAN: bool | None,
    Type.DECIMAL: msgspec.Raw,
}


def chosen(known: Mapping[str, Column], names: Sequence[str], entity: str) -> list[Column]:
    """Return the columns of the fields named.

    Raises:
        ValueError: the entity has no such field.

    """
    for name in names:
        if name not in known:
            raise ValueError(f"{entity} has no field '{name}'")
    return [known[name] for name in names]


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that the server cannot be asked, so that it is checked on each row."""

    column: Column
    holds: Callable[[Value], bool]


class _Entry(msgspec.Struct):
    """What tells a record that is gone: the context of 4.0, or the word of 4.01."""

    context: str = msgspec.field(default="", name="@odata.context")
    id: str = ""
    reason: str = ""
    removed: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="@removed")

    @property
    def is_gone(self) -> bool:
        return self.context.endswith("/$deletedEntity") or bool(bytes(self.removed))


class _ToldChanges(msgspec.Struct):
    value: list[msgspec.Raw]
    link: str | None = msgspec.field(default=None, name="@odata.nextLink")
    delta: str | None = msgspec.field(default=None, name="@odata.deltaLink")


_ENTRY, _TOLD_CHANGES = msgspec.json.Decoder(_Entry), msgspec.json.Decoder(_ToldChanges)


class Decoder:
    """Reads answers about one entity into columns, each value as the wire module wants it."""

    def __init__(
        self, key: Column, columns: Sequence[Column], checks: Sequence[Check] = ()
    ) -> None:
        self._key, self._columns, self._checks = key, tuple(columns), tuple(checks)
        asked = {
            part.property: part
            for column in (*columns, *(check.column for check in checks), key)
            for part in column.parts or (column,)
        }
        self._names = {name: f"f{n}" for n, name in enumerate(asked)}
        etag = ("etag", str | None, msgspec.field(default=None, name="@odata.etag"))
        row = _struct("", asked.values(), self._names, etag)
        rows = msgspec.defstruct(
            "Rows",
            [
                ("value", list[row]),  # type: ignore[valid-type]
                ("link", str | None, msgspec.field(default=None, name="@odata.nextLink")),
                # A server that fails halfway can say so only at the end of what it sent.
                ("error", msgspec.Raw, msgspec.field(default=msgspec.Raw(b""))),
            ],
        )
        self._row: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row)
        self._rows: msgspec.json.Decoder[Any] = msgspec.json.Decoder(rows)
        self._at_once: Columnar | None = None

    def page(self, content: bytes) -> tuple[Page, str | None]:
        """Read a collection, and the link to what follows it.

        Raises:
            UnreadableError: it is not what the entity's type says.

        """
        at_once = self._all_at_once(content)
        if at_once is not None and (found := at_once.page(content)) is not None:
            return found
        document = decoded(content, self._rows)
        if bytes(document.error) not in (b"", b"null"):
            broken = fault_of(200, b'{"error":' + bytes(document.error) + b"}", flat)
            raise UnreadableError(f"it broke off: {broken.message}", garbled=True)
        return self._columnar(document.value), document.link

    def _all_at_once(self, content: bytes) -> Columnar | None:
        if len(content) < LARGE or self._checks:
            return None
        if self._at_once is None:
            # Imported where it is needed: not every command reads large pages.
            from runner.connectors.odata.columnar import Columnar  # noqa: PLC0415

            self._at_once = Columnar(self._key, self._columns)
        return self._at_once

    def changes(self, content: bytes) -> tuple[Page, tuple[str, ...], str | None, str | None]:
        """Read what changed: records, ids of those that are gone, the next link, the last one.

        The last link is where the next time begins (A10).

        Raises:
            UnreadableError: it is not what the entity's type says.

        """
        at_once = self._all_at_once(content)
        if at_once is not None and (found := at_once.changes(content)) is not None:
            page, link, delta = found
            return page, (), link, delta
        told = decoded(content, _TOLD_CHANGES)
        rows, gone = [], []
        for raw in told.value:
            entry = decoded(bytes(raw), _ENTRY)
            if entry.is_gone:
                gone.append(entry.id)
            else:
                rows.append(decoded(bytes(raw), self._row))
        return self._columnar(rows), tuple(gone), told.link, told.delta

    def one(self, content: bytes) -> Page:
        """Read a single record as a page of one row.

        Raises:
            UnreadableError: it is not what the entity's type says.

        """
        return self._columnar([decoded(content, self._row)])

    def _columnar(self, rows: Sequence[Any]) -> Page:
        for check in self._checks:
            values = self._values(check.column, rows)
            rows = [row for row, value in zip(rows, values, strict=True) if check.holds(value)]
        keys = self._values(self._key, rows)
        if not all(keys):
            raise UnreadableError("a record came without its key")
        if self._key.type is Type.GUID:
            keys = [str(key).lower() for key in keys]
        return Page(
            keys=[str(key) for key in keys],
            etags=[row.etag for row in rows],
            columns={column.name: self._values(column, rows) for column in self._columns},
        )

    def _values(self, column: Column, rows: Sequence[Any]) -> list[Value]:
        if column.parts:
            parts = [self._values(part, rows) for part in column.parts]
            return [_put_together(column.parts, values) for values in zip(*parts, strict=True)]
        found = rows
        *outer, last = (self._names[path] for path in _paths(column.property))
        for name in outer:
            found = [None if row is None else getattr(row, name) for row in found]
        if outer:
            found = [None if row is None else getattr(row, last) for row in found]
            found = [_NULL if f is None and column.type is Type.DECIMAL else f for f in found]
        else:
            found = list(map(attrgetter(last), found))
        if column.number:
            return [None if value is None else str(value) for value in found]
        return _decimals(found) if column.type is Type.DECIMAL else found


def decoded(content: bytes, decoder: msgspec.json.Decoder[Document]) -> Document:
    """Decode JSON.

    Raises:
        UnreadableError: it is none, ends too soon, or holds something else.

    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise UnreadableError(f"the answer is not as described: {error}") from error
    except RecursionError as error:
        raise UnreadableError("the answer is nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = content.decode("utf-8", "replace").lstrip()
        if text.startswith("<"):
            raise UnreadableError(f"HTML came where JSON was asked for: {title(text)}") from error
        raise UnreadableError(f"the answer is garbled: {error}", garbled=True) from error


def part(column: Column, value: Value) -> str:
    """Write one part of a key of several: quoted texts, all else bare (4.01 URL conventions).

    >>> from runner.connectors.odata.columns import Column
    >>> part(Column(name="No", property="No", type=Type.TEXT, select="No"), "O'B")
    "No='O''B'"
    """
    if column.bare or column.type not in (Type.TEXT, Type.CODE, Type.OPTION):
        told = str(value).lower() if isinstance(value, bool) else str(value)
    else:
        told = f"{column.prefix}'{str(value).replace(chr(39), chr(39) * 2)}'"
    return f"{column.name}={told}"


def _put_together(parts: Sequence[Column], values: Sequence[Value]) -> str | None:
    if any(value is None for value in values):
        return None
    return ",".join(part(column, value) for column, value in zip(parts, values, strict=True))


def _struct(
    above: str, columns: Iterable[Column], names: dict[str, str], *more: tuple[Any, ...]
) -> type[msgspec.Struct]:
    """Make the type of a row, or of an object within it; ``names`` are attributes by path."""
    fields: dict[str, tuple[Any, ...]] = {}
    within: dict[str, list[Column]] = {}
    for column in columns:
        own, _, deeper = column.property.removeprefix(above).partition("/")
        if deeper and not column.annotation:
            within.setdefault(own, []).append(column)
        else:
            fields[column.property] = _field(names[column.property], column, above)
    for own, inner in within.items():
        path = f"{above}{own}"
        names[path] = f"n{len(names)}"
        kind = _struct(f"{path}/", inner, names)
        fields[path] = (names[path], kind | None, msgspec.field(name=own))
    return msgspec.defstruct("Row", [*fields.values(), *more], kw_only=True, gc=False)


def _paths(path: str) -> Iterator[str]:
    """Yield the paths of what a property lies in, and its own.

    >>> list(_paths("a/b/c"))
    ['a', 'a/b', 'a/b/c']
    """
    if "@" in path:
        yield path
        return
    steps = path.split("/")
    yield from ("/".join(steps[: n + 1]) for n in range(len(steps)))


def _field(attribute: str, column: Column, above: str) -> tuple[Any, ...]:
    kind = _JSON[Type.INTEGER] if column.number else _JSON.get(column.type, str | None)
    name = column.property.removeprefix(above)
    if column.annotation:
        return (attribute, kind, msgspec.field(default=None, name=name))
    return (attribute, kind, msgspec.field(name=name))


def _decimals(raws: Sequence[msgspec.Raw]) -> list[Value]:
    """Return numbers as they were written; a whole column is looked at in one go where it can."""
    text = b"\n".join(raws).decode("utf-8", "replace")
    if raws and _PLAIN_LINES(text):
        return [None if line == "null" else line for line in text.split("\n")]
    return [_digits(raw) for raw in raws]


def _digits(raw: msgspec.Raw) -> str | None:
    """Return a number as it was written, without exponent; ``None`` for null."""
    text = bytes(raw).decode("utf-8", "replace")  # nobody has looked into it yet
    if _PLAIN(text):
        return text
    text = text.strip('"')
    if text == "null":
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    # Written out, a number of a few letters would be as long as its exponent says.
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST:
        raise UnreadableError(f"a number was expected, not {text[:40]}")
    return format(number, "f") if "e" in text.lower() else text
