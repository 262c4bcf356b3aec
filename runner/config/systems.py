"""The systems of ``sync.yaml``: what each connector is told, needs, and has no use for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.config.durations import duration
from runner.config.fields import KEYS
from runner.errors import Problem
from runner.model import RECORDS, Auth, Incremental, System

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runner.config.read import Document
    from runner.errors import Location

TABLES = {"duckdb": "a DuckDB file", "files": "a folder"}
"""Connectors whose url is a path, and what it leads to."""

_USER_INFO = re.compile(r"//[^/]*@")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_COMPANIES = {"nav": "NAV", "business_central": "Business Central"}
"""Connectors to one company of several."""
_OPEN = frozenset({"odata"})
"""Connectors to services that may let in anybody."""
SANDBOXES = frozenset({"nav", "dataverse", "business_central"})
"""Connectors that an embedded server answers to."""

_SERVERS = frozenset({"nav", "dataverse", "business_central", "odata"})
_FOR: Mapping[str, frozenset[str]] = {
    "company": frozenset(_COMPANIES),
    "auth": _SERVERS,
    "types": frozenset(TABLES),
    "modified": frozenset(TABLES) | {"odata"},
    "batch": frozenset({"odata"}),
    "client_keys": frozenset({"odata"}),
    "requests": _SERVERS,
    "page_size": _SERVERS,
    "writes": _SERVERS - {"nav"},
    "caller": frozenset({"dataverse"}),
    "duplicates": frozenset({"dataverse"}),
}
"""Which connectors a key of a system is for."""

_RESERVED = frozenset(
    {
        "mapping",
        "direction",
        "depends_on",
        "create",
        "match",
        "conflict",
        "drift",
        "attempts",
        "fields",
        "defaults",
    }
    | {"case", "ensure", "coupled_by", "guards", RECORDS}
    | KEYS
)


def systems_of(root: Path, document: Document, problems: list[Problem]) -> Iterator[System]:
    """Yield the systems of a checked ``sync.yaml`` in its folder; what is wrong is added."""
    for name, value in document.value["systems"].items():
        path = ("systems", name)
        if name in _RESERVED:
            what = f"'{name}' is a word of the mapping language"
            problems.append(Problem(document.key_at(path), what, "call the system something else"))
        auth = value.get("auth")
        seed = value.get("seed")
        system = System(
            name=name,
            connector=value["connector"],
            url=value["url"],
            company=value.get("company", ""),
            auth=None if auth is None else _auth(auth),
            seed=None if seed is None else root / seed,
            types=value.get("types", {}),
            modified=value.get("modified", ""),
            batch=value.get("batch", ""),
            client_keys=value.get("client_keys", False),
            requests=value.get("requests", 0),
            page_size=value.get("page_size", 0),
            writes=value.get("writes", 0),
            caller=value.get("caller", ""),
            refuse_duplicates=value.get("duplicates") == "refuse",
            incremental=_incremental(
                {**document.value.get("incremental", {}), **value.get("incremental", {})}
            ),
            at=document.at(path),
        )
        problems += _problems(system, value, document, path)
        yield system


def _incremental(value: dict[str, str]) -> Incremental:
    usual = Incremental()
    deletes = value.get("deletes")
    return Incremental(
        overlap=duration(value["overlap"]) if "overlap" in value else usual.overlap,
        deletes=usual.deletes
        if deletes is None
        else None
        if deletes == "never"
        else duration(deletes),
    )


def _auth(value: dict[str, Any]) -> Auth:
    def name(text: str) -> str:
        return text.removeprefix("${").removesuffix("}")

    if "token" in value:
        return Auth(token_env=name(value["token"]))
    if "header" in value:
        return Auth(header=value["header"], value_env=name(value["value"]))
    if "client_id" in value:
        return Auth(
            tenant=value["tenant"],
            client_id=value["client_id"],
            secret_env=name(value.get("secret", "")),
            authority=value.get("authority", ""),
        )
    ntlm = value.get("scheme") == "ntlm"
    return Auth(user=value["user"], password_env=name(value["password"]), ntlm=ntlm)


def _problems(
    system: System, value: dict[str, Any], document: Document, path: tuple[str, ...]
) -> Iterator[Problem]:
    for key, connectors in _FOR.items():
        if key in value and system.connector not in connectors:
            what = f"'{key}' is not for {system.connector}"
            hint = f"it is for {', '.join(sorted(connectors))}"
            yield Problem(document.key_at((*path, key)), what, hint)
    if system.connector in TABLES:
        yield from _tables_problems(system, document, path)
        return
    at = document.at((*path, "url"))
    if system.connector in _COMPANIES and not system.company:
        hint = f"{_COMPANIES[system.connector]} would choose one by itself"
        yield Problem(system.at, "'company' is missing", hint)
    if system.url.startswith("sandbox:"):
        if not system.sandbox.isidentifier():
            yield Problem(at, f"'{system.url}' names no sandbox", "write sandbox: and a name")
        if system.connector not in SANDBOXES:
            hint = f"there is one for {', '.join(sorted(SANDBOXES))}"
            yield Problem(at, f"there is no sandbox for {system.connector}", hint)
        if system.seed is not None and not system.seed.is_dir():
            yield Problem(document.at((*path, "seed")), f"there is no folder '{system.seed.name}'")
        return
    if system.seed is not None:
        hint = "`seed: null` in an overlay takes it out"
        yield Problem(document.key_at((*path, "seed")), "only a sandbox is seeded", hint)
    if "${" in system.url:
        return
    yield from _url_problems(system, at)
    if system.auth is None and system.connector not in _OPEN:
        yield Problem(system.at, "'auth' is missing", "a real system wants to know who comes")


def _tables_problems(
    system: System, document: Document, path: tuple[str, ...]
) -> Iterator[Problem]:
    """Say what is wrong about a system that is a file or a folder, not a server."""
    wanted = TABLES[system.connector]
    if system.sandbox or "://" in system.url:
        what = f"'{_USER_INFO.sub('//', system.url)}' is not the path of {wanted}"
        yield Problem(document.at((*path, "url")), what, "write it relative to sync.yaml")
    seed, at = system.seed, document.at((*path, "seed"))
    if seed is None:
        return
    if system.connector == "files" and not seed.is_dir():
        yield Problem(
            at, f"there is no folder '{seed.name}'", "its files are what `url:` begins with"
        )
    if system.connector == "duckdb" and not seed.is_file():
        yield Problem(
            at, f"there is no file '{seed.name}'", "it is the SQL script that makes the tables"
        )


def _url_problems(system: System, at: Location) -> Iterator[Problem]:
    if "@" in system.url.partition("://")[2].partition("/")[0]:
        # Asked first: what the library says of an address may repeat the password in it.
        yield Problem(at, "the url holds a user or password", "put them under `auth:`")
        return
    try:
        parts = urlsplit(system.url)
        host = parts.hostname
    except ValueError as error:
        yield Problem(at, f"the url is wrong: {error}")
        return
    if parts.scheme not in ("http", "https") or not host:
        yield Problem(at, "the url is none", "write https://… or sandbox:NAME")
    elif parts.scheme == "http" and host not in _LOOPBACK:
        yield Problem(at, "plain http would show the password to the network", "use https")
