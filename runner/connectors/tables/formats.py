"""Files as tables and back: CSV, JSON, Parquet. What was not touched is written as it was read."""

from __future__ import annotations

import csv
import io
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from runner.connectors.problems import UnreadableError, one_line
from runner.connectors.tables import catalogue, lines
from runner.connectors.tables.cells import Column, Form, quoted
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import duckdb

SHEET = "sheet"
"""The table that a file is read into."""
_BEFORE = "before"
"""The same as it was read, once it has been changed."""

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = (",", ";", "\t", "|")
_AT_ONCE = 10_000
"""Rows that are written at a time."""
_LARGEST = 2**31 - 1
"""Bytes of the largest block that pyarrow reads."""

_KINDS = {'"': Type.TEXT, "t": Type.BOOLEAN, "f": Type.BOOLEAN}
_NUMBER = Type.DECIMAL


class Sheet(Protocol):
    """A file that was read: its columns, and how it is written again."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns whose type we know."""
        ...

    @property
    def every(self) -> Sequence[str]:
        """The names of all columns, in the order of the file."""
        ...

    @property
    def mixed(self) -> frozenset[str]:
        """Columns whose type the file does not tell."""
        ...

    def written(self, connection: duckdb.DuckDBPyConnection) -> bytes:
        """Return the file as it is to be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Csv:
    """A CSV file in UTF-8: one line of names, then rows. Every cell is text.

    ``rows`` and ``content`` are what was read: the cells, and how they were written.
    """

    every: tuple[str, ...]
    rows: Any
    content: bytes
    mark: bytes
    delimiter: str
    line_end: bytes
    all_quoted: bool
    mixed: frozenset[str] = frozenset()

    @property
    def columns(self) -> Sequence[Column]:
        """All columns, of type text."""
        return [Column(name=name, type=Type.TEXT, form=Form.TEXT) for name in self.every]

    def written(self, connection: duckdb.DuckDBPyConnection) -> bytes:
        """Return the file as it is to be: each row that is what it was, letter by letter.

        The others have the file's delimiter, quotes and line ends.
        """
        names, *known = lines.records(self.content, self.delimiter)
        connection.register("incoming", self.rows)
        connection.execute(f"CREATE TABLE {_BEFORE} AS SELECT * FROM incoming")
        connection.unregister("incoming")
        same = " AND ".join(f"s.{quoted(name)} = b.{quoted(name)}" for name in self.every)
        found = connection.execute(
            f"""SELECT s.*, b.rowid, coalesce({same}, FALSE)
            FROM {SHEET} s LEFT JOIN {_BEFORE} b ON s.rowid = b.rowid ORDER BY s.rowid"""
        )
        new = [names]
        while rows := found.fetchmany(_AT_ONCE):
            for *cells, place, untouched in rows:
                was, end = (b"", self.line_end) if place is None else known[place]
                new.append((was if untouched else self._record(cells), end))
        # The last line may have no end, as long as it is the last.
        whole = [text for was, end in new[:-1] for text in (was, end or self.line_end)]
        return self.mark + b"".join([*whole, *new[-1]])

    def _record(self, cells: Sequence[str]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(
            text,
            delimiter=self.delimiter,
            lineterminator="\r\n",  # what is in it goes into quotes
            quoting=csv.QUOTE_ALL if self.all_quoted else csv.QUOTE_MINIMAL,
        ).writerow(cells)
        return text.getvalue().removesuffix("\r\n").encode()


def read_csv(
    connection: duckdb.DuckDBPyConnection, content: bytes, declared: Mapping[str, Type]
) -> Csv:
    """Read a CSV file into a table of texts.

    Raises:
        UnreadableError: it is none, or not in UTF-8.

    """
    del declared  # every cell is kept as it was written, whatever it means
    mark = _BOM if content.startswith(_BOM) else b""
    written = content.removeprefix(mark)
    head = _text(written.split(b"\n", 1)[0])
    delimiter = max(_DELIMITERS, key=lines.outside_quotes(head).count)
    try:
        names = next(csv.reader([head.rstrip("\r")], delimiter=delimiter), [])
    except csv.Error as error:
        raise UnreadableError(f"its first line is no CSV: {one_line(str(error))}") from error
    repeated = [name for name in names if names.count(name) > 1 or not name]
    if not names or repeated:
        raise UnreadableError(
            "its first line must name the columns, each once: "
            + (f"'{repeated[0]}' does not" if names else "it is empty")
        )
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    parsing = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    # The whole file is one block, for a record must not be longer than a block.
    # Without threads an error has the number of its row.
    reading = pyarrow.csv.ReadOptions(block_size=min(len(content) + 1, _LARGEST), use_threads=False)
    try:
        rows = pyarrow.csv.read_csv(
            # A line of names alone is a table without rows, even where the line has no end.
            pa.BufferReader(content if b"\n" in content else content + b"\n"),
            read_options=reading,
            parse_options=parsing,
            convert_options=options,
        )
    except pa.ArrowException as error:
        _text(content)  # Arrow does not say where it is not in UTF-8
        raise UnreadableError(one_line(str(error))) from error
    if rows.column_names != names:
        raise UnreadableError("a name of a column must not go over several lines")
    if b'"' in written:
        # Arrow takes a quote that is never closed for one that ends with the file.
        deque(lines.records(written, delimiter), maxlen=0)
    _put(connection, rows)
    for name in names:
        # A new row has no other blank than the rows that were read.
        connection.execute(f"ALTER TABLE {SHEET} ALTER {quoted(name)} SET DEFAULT ''")
    return Csv(
        every=tuple(names),
        rows=rows,
        content=written,
        mark=mark,
        delimiter=delimiter,
        line_end=b"\r\n" if head.endswith("\r") else b"\n",
        all_quoted=head.startswith('"') and head.count('"') == 2 * len(names),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """A JSON file: an array of objects (written one a line), or one object a line.

    A column is a key that any of the objects has; one that holds lists or objects is kept, and
    cannot be synchronized.
    """

    columns: tuple[Column, ...]
    every: tuple[str, ...]
    mixed: frozenset[str]
    array: bool

    def written(self, connection: duckdb.DuckDBPyConnection) -> bytes:
        """Return the file as it is to be. What an object lacked, it still lacks."""
        keys = [msgspec.json.encode(name).decode() for name in self.every]
        lines = [
            "{"
            + ", ".join(
                f"{k}: {cell}" for k, cell in zip(keys, row, strict=True) if cell is not None
            )
            + "}"
            for rows in _rows(connection)
            for row in rows
        ]
        if not self.array:
            return "".join(f"{line}\n" for line in lines).encode()
        return ("[\n" + ",\n".join(f"  {line}" for line in lines) + "\n]\n").encode()


def read_json(
    connection: duckdb.DuckDBPyConnection, content: bytes, declared: Mapping[str, Type]
) -> Json:
    """Read a JSON file into a table whose cells are pieces of JSON.

    Raises:
        UnreadableError: it is none, or holds something else than objects.

    """
    text = content.removeprefix(_BOM)
    _text(text)  # msgspec does not look into what it leaves raw
    array = text.lstrip()[:1] == b"["
    try:
        if array:
            records = msgspec.json.decode(text, type=list[dict[str, msgspec.Raw]])
        else:
            records = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode_lines(text)
    except RecursionError as error:
        raise UnreadableError("it is nested too deep") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableError(
            f"it is neither an array of objects nor one object a line: {one_line(str(error))}"
        ) from error
    every = tuple(dict.fromkeys([*(k for record in records for k in record), *declared]))
    cells = {
        name: [bytes(r[name]).decode() if name in r else None for r in records] for name in every
    }
    shape = pa.schema([(name, pa.string()) for name in every])
    _put(connection, pa.table(cells, schema=shape))
    kinds = {name: _kinds_of(cells[name]) for name in every}
    nested = {name for name in every if None in kinds[name]}
    columns = [_of_json(name, kinds[name], declared) for name in every if name not in nested]
    return Json(
        columns=tuple(columns),
        every=every,
        mixed=frozenset(name for name in every if len(kinds[name]) > 1 and name not in nested),
        array=array,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parquet:
    """A Parquet file, which says itself what its columns are."""

    columns: tuple[Column, ...]
    every: tuple[str, ...]
    rows: Any
    compression: str
    mixed: frozenset[str] = frozenset()

    def written(self, connection: duckdb.DuckDBPyConnection) -> bytes:
        """Return the file as it is to be: with its types, metadata and compression.

        A cell that is what it was is taken from the file: not all that Parquet has goes through
        DuckDB and back (nanoseconds of a moment with zone, durations).

        Raises:
            UnreadableError: what was written has no form in its column.

        """
        connection.register("incoming", self.rows)
        connection.execute(f"CREATE TABLE {_BEFORE} AS SELECT * FROM incoming")
        connection.unregister("incoming")
        equal = ", ".join(f"s.{n} IS NOT DISTINCT FROM b.{n}" for n in map(quoted, self.every))
        found: Any = connection.sql(
            f"""SELECT b.rowid, {equal}, s.*
            FROM {SHEET} s LEFT JOIN {_BEFORE} b ON s.rowid = b.rowid ORDER BY s.rowid"""
        ).to_arrow_table()
        place, count = found.column(0), len(self.every)
        columns = []
        for n, field in enumerate(self.rows.schema):
            # A new row was nothing, and may hold nothing here.
            was, new = self.rows.column(n).take(place), found.column(1 + count + n)
            same = pc.if_else(place.is_valid(), found.column(1 + n), new.is_null())
            try:
                columns.append(
                    was
                    if pc.all(same, min_count=0).as_py()
                    else pc.if_else(same, was, new.cast(field.type))
                )
            except pa.ArrowException as error:
                raise UnreadableError(
                    f"'{field.name}' is of a type that cannot be written: {field.type}"
                ) from error
        buffer = io.BytesIO()
        whole = pa.Table.from_arrays(columns, schema=self.rows.schema)
        pyarrow.parquet.write_table(whole, buffer, compression=self.compression)
        return buffer.getvalue()


def read_parquet(
    connection: duckdb.DuckDBPyConnection, content: bytes, declared: Mapping[str, Type]
) -> Parquet:
    """Read a Parquet file into a table of its own types.

    Raises:
        UnreadableError: it is none.

    """
    del declared
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
        rows = file.read()
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(one_line(str(error))) from error
    _put(connection, rows)
    columns, every = catalogue.columns(connection, "main", SHEET)
    groups = file.metadata.num_row_groups and file.metadata.num_columns
    compression = file.metadata.row_group(0).column(0).compression if groups else "SNAPPY"
    return Parquet(columns=tuple(columns), every=tuple(every), rows=rows, compression=compression)


READERS: Mapping[str, Callable[[duckdb.DuckDBPyConnection, bytes, Mapping[str, Type]], Sheet]] = {
    ".csv": read_csv,
    ".json": read_json,
    ".ndjson": read_json,
    ".jsonl": read_json,
    ".parquet": read_parquet,
}
"""What reads a file, by its ending."""


def _put(connection: duckdb.DuckDBPyConnection, rows: Any) -> None:
    names = [name.lower() for name in rows.column_names]
    repeated = next((name for name in names if names.count(name) > 1), "")
    if not names:
        raise UnreadableError("it has no columns; `types:` may declare some")
    if repeated:
        raise UnreadableError(f"two of its columns are called '{repeated}'")
    connection.register("incoming", rows)
    connection.execute(f"CREATE TABLE {SHEET} AS SELECT * FROM incoming")
    connection.unregister("incoming")


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[list[Any]]:
    found = connection.execute(f"SELECT * FROM {SHEET} ORDER BY rowid")
    while rows := found.fetchmany(_AT_ONCE):
        yield rows


def _kinds_of(cells: Iterable[str | None]) -> set[Type | None]:
    """Name the types that a JSON column holds; ``None`` stands for lists and objects."""
    begins = {cell[0] for cell in cells if cell is not None} - {"n"}
    return {None if begin in "[{" else _KINDS.get(begin, _NUMBER) for begin in begins}


def _of_json(name: str, kinds: set[Type | None], declared: Mapping[str, Type]) -> Column:
    [kind, *more] = [*(kind for kind in kinds if kind), None]
    told = declared.get(name) or (kind if kind and not any(more) else Type.TEXT)
    bare = (_NUMBER, Type.BOOLEAN, Type.INTEGER)
    return Column(
        name=name,
        type=told,
        form=Form.JSON,
        # A column without values is written as its type would have it.
        in_quotes=Type.TEXT in kinds if kinds else told not in bare,
    )


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        where = lines.line(content, error.start)
        raise UnreadableError(f"it is not in UTF-8 (line {where}); save it as UTF-8") from error
