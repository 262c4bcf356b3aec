"""Points at which a process may die: around every request, and every statement on the state.

Nothing of the product knows of them. What stands at its edges is replaced for a while: the
connections to DuckDB files, the servers, and what puts one file in the place of another.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import duckdb

from runner.cli import wiring
from runner.connectors.tables import folder as files
from runner.connectors.tables import storage
from runner.state import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

At = Callable[[str], None]
"""Called at each point, with words for it; it may not come back."""


@contextmanager
def watched(at: At) -> Iterator[None]:
    """Call ``at`` before and after whatever outlives this process."""
    with (
        _instead(store, "duckdb", _Library(at, "state")),
        _instead(storage, "duckdb", _Library(at, "table")),
        _instead(files, "_replaced", _around(at, files._replaced)),
        _instead(wiring, "sandbox_app", _serving(at, wiring.sandbox_app)),
    ):
        yield


@contextmanager
def _instead(place: Any, name: str, other: Any) -> Iterator[None]:
    kept = getattr(place, name)
    setattr(place, name, other)
    try:
        yield
    finally:
        setattr(place, name, kept)


class _Library(SimpleNamespace):
    """DuckDB, as far as a room uses it, with connections that are watched."""

    def __init__(self, at: At, name: str) -> None:
        errors = {n: e for n, e in vars(duckdb).items() if isinstance(e, type)}
        super().__init__(**errors)
        self._at, self._name = at, name

    def connect(self, *args: Any, **kwargs: Any) -> _Connection:
        return _Connection(duckdb.connect(*args, **kwargs), self._at, self._name)


class _Connection:
    def __init__(self, connection: duckdb.DuckDBPyConnection, at: At, name: str) -> None:
        self._connection, self._at, self._name = connection, at, name

    def execute(self, statement: str, *more: Any) -> duckdb.DuckDBPyConnection:
        words = " ".join(statement.split()[:3])
        self._at(f"{self._name}: before {words}")
        found = self._connection.execute(statement, *more)
        self._at(f"{self._name}: after {words}")
        return found

    def cursor(self) -> _Connection:
        return _Connection(self._connection.cursor(), self._at, self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _around(at: At, done: Callable[..., Any]) -> Callable[..., Any]:
    def around(*args: Any) -> Any:
        at("file: before it is replaced")
        found = done(*args)
        at("file: after it was replaced")
        return found

    return around


def _serving(at: At, made: Callable[..., ASGIApp]) -> Callable[..., ASGIApp]:
    def serving(*args: Any, **kwargs: Any) -> ASGIApp:
        return _Served(made(*args, **kwargs), at)

    return serving


class _Served:
    """A server: a request was sent, it acted, its answer arrived."""

    def __init__(self, app: ASGIApp, at: At) -> None:
        self._app, self._at = app, at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        words = f"{scope['method']} {Path(scope['path']).name}"
        answer: list[Message] = []

        async def kept(message: Message) -> None:
            answer.append(message)

        self._at(f"request: before {words}")
        await self._app(scope, receive, kept)
        self._at(f"request: the server acted on {words}")
        for message in answer:
            await send(message)
