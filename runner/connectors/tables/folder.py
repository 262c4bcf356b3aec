"""A folder of CSV, JSON and Parquet files, each of them a table."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import duckdb

from runner.connectors.problems import UnreadableError
from runner.connectors.tables import catalogue
from runner.connectors.tables.formats import READERS, SHEET
from runner.connectors.tables.storage import Opened, in_words
from runner.dialect import SETTINGS
from runner.errors import SystemUnavailableError, nearest
from runner.wire import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from runner.connectors.tables.cells import Rules, Table
    from runner.connectors.tables.formats import Sheet
    from runner.wire import Outcome, Type

_ATTEMPTS = 5


class Folder:
    """A folder of files; the entity is the file's name without its ending.

    A file is read into memory whole, and replaced whole: whoever reads it meets the old one or the
    new one, never half of it. ``seed`` is a folder that is copied where there is none.
    """

    def __init__(self, name: str, path: Path, rules: Rules, seed: Path | None = None) -> None:
        self._name, self._path, self._rules, self._seed = name, path, rules, seed

    @property
    def where(self) -> str:
        """The path of the folder."""
        return str(self._path)

    def names(self) -> Sequence[str]:
        """Name the files."""
        return sorted(self._files())

    def find(self, entity: str) -> Table | None:
        """Describe a file."""
        files = self._files()
        strange = next((name for name in self._rules.types if name not in files), "")
        if strange:
            hint = nearest(strange, files) or f"there is: {', '.join(files) or 'none'}"
            raise SystemUnavailableError(
                self._name, f"`types:` names '{strange}', which is no file", hint=hint
            )
        if entity not in files:
            return None
        opened, _ = self._read(entity, files[entity], files[entity].read_bytes())
        opened.connection.close()
        return opened.table

    def open(self, entity: str) -> Opened:
        """Read a file; what becomes of it afterwards is not seen."""
        path = self._file(entity)
        with in_words(self._name, path):
            opened, _ = self._read(entity, path, path.read_bytes())
            return opened

    def change(self, entity: str, work: Callable[[Opened], Sequence[Outcome]]) -> Sequence[Outcome]:
        """Read a file, let ``work`` change what was read, and put the result in its place.

        Where somebody else wrote the file meanwhile, all of it is done again, on the new one.
        """
        path = self._file(entity)
        with in_words(self._name, path):
            for _ in range(_ATTEMPTS):
                content = path.read_bytes()
                opened, sheet = self._read(entity, path, content)
                with opened.connection as connection:
                    outcomes = work(opened)
                    if not any(isinstance(outcome, Written) for outcome in outcomes):
                        return outcomes
                    new = sheet.written(connection)
                if _replaced(path, content, new):
                    return outcomes
        raise SystemUnavailableError(
            self._name, f"{path} is written by somebody else all the time", hint="try again later"
        )

    def _file(self, entity: str) -> Path:
        files = self._files()
        if entity not in files:
            hint = nearest(entity, files) or f"there is: {', '.join(files) or 'none'}"
            raise SystemUnavailableError(self._name, f"there is no file '{entity}'", hint=hint)
        return files[entity]

    def _files(self) -> dict[str, Path]:
        with in_words(self._name, self._path):
            if self._seed is not None and not self._path.exists():
                self._made(self._seed)
            if not self._path.is_dir():
                hint = "look at `url:`; `seed:` names a folder that is copied"
                raise SystemUnavailableError(
                    self._name, f"there is no folder {self._path}", hint=hint
                )
            found: dict[str, Path] = {}
            for path in sorted(self._path.iterdir()):
                known = path.suffix.lower() in READERS and not path.name.startswith(".")
                if not known or not path.is_file():
                    continue
                if path.stem in found:
                    both = f"{found[path.stem].name} and {path.name} are both '{path.stem}'"
                    raise SystemUnavailableError(self._name, both, hint="rename one of them")
                found[path.stem] = path.resolve()
            return found

    def _made(self, seed: Path) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        # A process of our number may have been killed here: in a container it always has the same.
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(seed, new)
        new.replace(self._path)

    def _read(self, entity: str, path: Path, content: bytes) -> tuple[Opened, Sheet]:
        declared = self._rules.types.get(entity, {})
        connection = duckdb.connect()
        try:
            connection.execute(SETTINGS)
            with in_words(self._name, path):
                sheet = READERS[path.suffix.lower()](connection, content, declared)
                _check_types(entity, sheet, declared)
                table = catalogue.table(entity, SHEET, sheet.columns, sheet.every, self._rules)
        except BaseException:
            connection.close()
            raise
        return Opened(connection, table), sheet


def _check_types(entity: str, sheet: Sheet, declared: Mapping[str, Type]) -> None:
    unclear = next((name for name in sheet.every if name in sheet.mixed - set(declared)), "")
    if unclear:
        raise UnreadableError(
            f"'{unclear}' holds values of several types; declare one: "
            f"`types: {{{entity}: {{{unclear}: text}}}}`"
        )


def _replaced(path: Path, old: bytes, new: bytes) -> bool:
    """Put a new content in a file's place, unless it is no longer the old one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        # Whoever may not read the old one must not read this one either, at no moment.
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, beside)
        if _digest(path.read_bytes()) != _digest(old):
            return False
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _remember(path.parent)
    return True


def _remember(folder: Path) -> None:
    """Make sure that the folder, too, is on the disk: the new name would be lost with it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
