"""A page as columns at once: Arrow reads the JSON, and no value becomes an object of Python's.

Arrow is lenient where we are not: what is missing becomes a null, as if it had come. So whatever
is null is looked for once more, strictly; and of anything out of the ordinary (a value of another
type, a property named twice, more digits than a column holds, an error) nothing is made here.
``rows.Decoder`` reads such a page its own way, value by value, and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, overload

import msgspec
import pyarrow as pa
from pyarrow import json

from runner.wire import Page, Type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.connectors.odata.columns import Column

ETAG, NEXT, DELTA = "@odata.etag", "@odata.nextLink", "@odata.deltaLink"
_GONE = (b"@removed", b"$deletedEntity")
"""What stands in an answer that tells of records that are gone, if nowhere else."""
DECIMAL = pa.decimal128(28, 10)
"""What a canonical number is kept as, so that nothing is rounded here."""

_ARROW = {Type.INTEGER: pa.int64(), Type.BOOLEAN: pa.bool_(), Type.DECIMAL: DECIMAL}


class Cells(Sequence[Any]):
    """A column of a page that lies in memory as Arrow has it, for whoever knows (``pa.array``).

    For all others it is a sequence of what ``wire.Page`` promises.
    """

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:  # noqa: A002 - theirs
        """Hand over the array itself, or a copy as another type."""
        return self._array if type in (None, self._array.type) else self._array.cast(type)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Cells: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return a value, or some of them."""
        found = self._array[index]
        if isinstance(index, slice):
            return Cells(found)
        value = found.as_py()
        return format(value, "f") if isinstance(value, Decimal) else value

    def __eq__(self, other: object) -> bool:
        """Compare with any sequence of values."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._array)


class Columnar:
    """Reads large pages of one entity, whose columns are properties of its rows and nothing more.

    What lies within another object or is made of several, and keys that are no texts, are left to
    ``rows.Decoder``.
    """

    def __init__(self, key: Column, columns: Sequence[Column]) -> None:
        self._key, self._columns = key, columns
        self._plain = key.type not in _ARROW and all(
            not column.parts and (column.annotation or "/" not in column.property)
            for column in (key, *columns)
        )
        asked = {column.property: column for column in (*columns, key)}
        self._places = {name: n for n, name in enumerate((*asked, ETAG))}
        row = [pa.field(name, _kind(column)) for name, column in asked.items()]
        rows = pa.list_(pa.struct([*row, pa.field(ETAG, pa.string())]))
        shape = [("value", rows), *((name, pa.string()) for name in (NEXT, DELTA, "error"))]
        self._options = json.ParseOptions(
            explicit_schema=pa.schema(shape),
            newlines_in_values=True,
            unexpected_field_behavior="ignore",
        )
        self._required = [name for name, column in asked.items() if not column.annotation]
        self._strict: dict[tuple[str, ...], msgspec.json.Decoder[Any]] = {}

    def page(self, content: bytes) -> tuple[Page, str | None] | None:
        """Return the rows and the link to what follows; ``None``: it is out of the ordinary."""
        found = self._read(content)
        return found and found[:2]

    def changes(self, content: bytes) -> tuple[Page, str | None, str | None] | None:
        """Return what was written, the next link and the last one; ``None``: as for a page.

        Records that are gone are out of the ordinary.
        """
        return None if any(word in content for word in _GONE) else self._read(content)

    def _read(self, content: bytes) -> tuple[Page, str | None, str | None] | None:
        try:
            return self._rows(content) if self._plain else None
        except (pa.ArrowException, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def _rows(self, content: bytes) -> tuple[Page, str | None, str | None] | None:
        whole = json.ReadOptions(use_threads=False, block_size=len(content) + 1)
        source = pa.BufferReader(content)
        document = json.read_json(source, read_options=whole, parse_options=self._options)
        told = document.to_batches()
        if len(told) != 1 or told[0].num_rows != 1:
            return None
        value, *words = told[0].columns
        link, delta, error = (word[0] for word in words)
        rows = value.values
        if value.null_count or error.is_valid or rows.null_count:
            return None
        # Arrow takes texts for UTF-8 as they come.
        rows.validate(full=True)
        for word in words:
            word.validate(full=True)
        found = {name: rows.field(place) for name, place in self._places.items()}
        self._must_be_there(content, found)
        # Nothing by pyarrow.compute, which takes longer to import than many a page to read.
        keys = found[self._key.property].to_pylist()
        if not all(keys):
            return None
        if self._key.type is Type.GUID:
            keys = [key.lower() for key in keys]
        columns = {c.name: Cells(_as_told(found[c.property], c)) for c in self._columns}
        page = Page(keys=keys, etags=Cells(found[ETAG]), columns=columns)
        return page, link.as_py(), delta.as_py()

    def _must_be_there(self, content: bytes, found: Mapping[str, pa.Array]) -> None:
        """Make sure that what has a null has it in every row where there is no value.

        Raises:
            msgspec.MsgspecError: a row lacks it.

        """
        blank = tuple(name for name in self._required if found[name].null_count)
        if blank:
            self._looking_for(blank).decode(content)

    def _looking_for(self, names: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
        if names not in self._strict:
            fields = [(f"f{n}", msgspec.Raw, msgspec.field(name=x)) for n, x in enumerate(names)]
            row = msgspec.defstruct("Row", fields, gc=False)
            kind = msgspec.defstruct("Rows", [("value", list[row])])  # type: ignore[valid-type]
            self._strict[names] = msgspec.json.Decoder(kind)
        return self._strict[names]


def _kind(column: Column) -> pa.DataType:
    return pa.int64() if column.number else _ARROW.get(column.type, pa.string())


def _as_told(array: pa.Array, column: Column) -> pa.Array:
    return array.cast(pa.string()) if column.number else array
