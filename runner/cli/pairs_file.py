"""Couplings as a file: CSV or JSON by its ending, each pair with the line it stands on."""

from __future__ import annotations

import codecs
import csv
import io
import json
from typing import TYPE_CHECKING, Any

from runner.errors import ConfigError, Location, Problem, RunnerError, nearest
from runner.state.pairs import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from runner.state.pairs import Pair

COLUMNS = ("mapping", "left", "right")
VERSION = 1
_FORMS = (".csv", ".json")


def written(path: Path, pairs: Sequence[Pair]) -> None:
    """Write pairs into a file of their own, whole or not at all.

    Raises:
        RunnerError: its ending is none that is known, or it cannot be written.

    """
    rows = [(pair.mapping, pair.left_key, pair.right_key) for pair in pairs]
    if _form(path) == ".csv":
        text = io.StringIO(newline="")
        csv.writer(text).writerows([COLUMNS, *rows])
        content = text.getvalue()
    else:
        told = (dict(zip(COLUMNS, row, strict=True)) for row in rows)
        lines = ",\n".join(json.dumps(pair, ensure_ascii=False) for pair in told)
        content = f'{{"version": {VERSION}, "couplings": [\n{lines}\n]}}\n'
    half = path.with_name(f"{path.name}.half")
    try:
        half.write_text(content, encoding="utf-8", newline="")
        half.replace(path)
    except OSError as error:
        raise RunnerError(f"{path} cannot be written: {error.strerror}") from error


def read(path: Path) -> tuple[tuple[Wanted, ...], list[Problem]]:
    """Read the pairs of a file; problems tell of the lines that say none.

    Raises:
        ConfigError: the file is not of its form.
        RunnerError: the file cannot be read, or its ending is none that is known.

    """
    form, text = _form(path), text_of(path)
    problems: list[Problem] = []
    rows = of_csv(text, path.name, COLUMNS) if form == ".csv" else _of_json(text, path.name)
    return tuple(_pairs(rows, path.name, problems)), problems


def text_of(path: Path) -> str:
    """Return what a file holds: UTF-8, or UTF-16 as spreadsheets write it.

    Raises:
        RunnerError: it cannot be read.

    """
    try:
        held = path.read_bytes()
        wide = held.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return held.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RunnerError(f"{path} cannot be read: {what}") from error


def _form(path: Path) -> str:
    form = path.suffix.lower()
    if form not in _FORMS:
        raise RunnerError(f"{path} is neither .csv nor .json", hint="its ending says what it holds")
    return form


def _pairs(
    rows: Iterator[tuple[int, dict[str, Any]]], file: str, problems: list[Problem]
) -> Iterator[Wanted]:
    for line, row in rows:
        cells = [row.get(name) for name in COLUMNS]
        texts = [cell.strip() if isinstance(cell, str) else "" for cell in cells]
        if all(texts):
            yield Wanted(line=line, mapping=texts[0], left_key=texts[1], right_key=texts[2])
            continue
        for name, cell, text in zip(COLUMNS, cells, texts, strict=True):
            if not text:
                blank = cell is None or cell == "" or isinstance(cell, str)
                what = f"'{name}' is blank" if blank else f"'{name}' must be a text"
                problems.append(Problem(Location(file, line, 1), what))


def of_csv(
    text: str, file: str, columns: Sequence[str], *, spelled: Callable[[str], str] = str.lower
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield lines and rows by the names of their columns; what else there is does not matter.

    ``columns`` must be there, once the names in the first line are ``spelled`` as these are.

    Raises:
        ConfigError: it is no CSV, or lacks a column.

    """
    first = text.partition("\n")[0]
    delimiter = next((sign for sign in "\t;" if sign in first and "," not in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [spelled(name.strip()) for name in next(reader, [])]
        for name in columns:
            if name not in names:
                hint = nearest(name, names) or f"the first line names {', '.join(columns)}"
                if columns is COLUMNS and "crm id" in names:
                    hint = "an export of Microsoft's table 5331 goes with --table 18=customers"
                raise ConfigError([Problem(Location(file, 1, 1), f"no column '{name}'", hint)])
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise ConfigError([Problem(Location(file, reader.line_num, 1), str(error))]) from error


def _of_json(text: str, file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of the list ``couplings``, or of a document that is the list itself."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        at = Location(file, error.lineno, error.colno)
        raise ConfigError([Problem(at, error.msg)]) from error
    items = document.get("couplings") if isinstance(document, dict) else document
    if not isinstance(items, list):
        what = "it holds no list of couplings"
        raise ConfigError([Problem(Location(file, 1, 1), what, '{"couplings": [...]}')])
    places = _places(text, isinstance(document, dict))
    line, counted = 1, 0
    for item, start in zip(items, places, strict=True):
        line, counted = line + text.count("\n", counted, start), start
        yield line, item if isinstance(item, dict) else {}


def _places(text: str, named: bool) -> Iterator[int]:  # noqa: FBT001 - one word more says nothing
    """Yield where the items of the list begin; the text is known to be JSON."""
    decoder = json.JSONDecoder()
    place = _next(text, 0) + 1
    while named:
        name, place = decoder.raw_decode(text, _next(text, place))
        place = _next(text, _next(text, place) + 1)
        if name == "couplings":
            place += 1
            break
        _, place = decoder.raw_decode(text, place)
        place = _next(text, place) + 1
    while text[place := _next(text, place)] != "]":
        yield place
        _, place = decoder.raw_decode(text, place)
        place = _next(text, place)
        place += text[place] == ","


def _next(text: str, place: int) -> int:
    """Return where the next letter is that is no blank."""
    while text[place] in " \t\r\n":
        place += 1
    return place
