"""The one place that builds real things: reads secrets, picks connector and transport."""

from __future__ import annotations

import getpass
import os
import platform
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from runner import run, sandbox
from runner.cli import secrets
from runner.cli.console import say
from runner.cli.listening import listening
from runner.connectors.line import addresses
from runner.connectors.line.http import Credentials
from runner.connectors.line.pace import Pace
from runner.connectors.line.secret import Secret
from runner.connectors.microsoft import business_central, dataverse, nav
from runner.connectors.microsoft.business_central import BusinessCentral
from runner.connectors.microsoft.dataverse import Dataverse, Manner
from runner.connectors.microsoft.nav import Nav
from runner.connectors.odata import v4 as odata_v4
from runner.connectors.odata.batch import Form
from runner.connectors.odata.v4 import Habits, OData
from runner.connectors.records import Records
from runner.connectors.tables.cells import Rules
from runner.connectors.tables.connector import Tables
from runner.connectors.tables.folder import Folder
from runner.connectors.tables.storage import Database
from runner.errors import ConfigError, Problem
from runner.events import both
from runner.model import RECORDS, Side
from runner.plan.seal import KEY
from runner.sandbox.clocks import Dated, skewed
from runner.state import held
from runner.state.recording import recorded
from runner.state.runs import Beginning
from runner.wire import Type

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    from runner.connectors.line.tokens import Tokens
    from runner.connectors.protocol import Introduced
    from runner.connectors.records import Rows
    from runner.events import Tell
    from runner.model import Auth, Project, Selection, System

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SANDBOX_PATHS = {
    "nav": sandbox.NAV_PATH,
    "dataverse": sandbox.DATAVERSE_PATH,
    "business_central": sandbox.BUSINESS_CENTRAL_PATH,
}
"""Where an embedded server has its API, by connector."""
_HOST = "http://sandbox"


@asynccontextmanager
async def connected(project: Project) -> AsyncIterator[dict[str, Introduced]]:
    """Connect to every system of the project; the connections are given back at the end.

    Raises:
        ConfigError: environment variables that the configuration refers to are not set: all.

    """
    unset = [found for system in project.systems for found in _unset(project.root, system)]
    if unset:
        raise ConfigError(unset)
    async with AsyncExitStack() as given:
        connectors = {}
        for system in project.systems:
            connectors[system.name] = connector = _connector(project, system)
            given.push_async_callback(connector.close)
        yield connectors


@asynccontextmanager
async def session(
    project: Project,
    command: str,
    tell: Tell,
    *,
    beginning: Beginning | None = None,
    figures: Path | None = None,
) -> AsyncIterator[run.Session]:
    """Hold the state, connect, compile: everything that planning and applying need.

    ``beginning``: what is done is a run that the history keeps, from here on. ``figures`` is a file
    for its metrics that goes before that of ``sync.yaml``.
    """
    with (
        held(project.state, command) as store,
        listening(project, tell, figures) as told,
        recorded(project, store, beginning, told) as running,
    ):
        async with connected(project) as connectors:
            yield run.Session(
                project=project,
                connectors=connectors,
                mappings=await run.compiled(project, connectors),
                store=store,
                tell=told if running is None else both(running.hear, told),
                running=running,
                places=places(project),
            )


def begins(project: Project, command: str, selection: Selection, mode: str = "full") -> Beginning:
    """Say what is known of a run before it begins; ``mode`` is how it looks for changes."""
    of = "some records" if selection.some else f"to {selection.to}" if selection.to else ""
    everything = len(selection.mappings) == len(project.mappings)
    return replace(
        process(command),
        mode=", ".join(filter(None, (mode, of))),
        mappings=() if everything else selection.mappings,
    )


def process(command: str) -> Beginning:
    """Say of a command who runs it, where."""
    try:
        account = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        account = ""
    return Beginning(command=command, account=account, host=platform.node(), process=os.getpid())


def plan_key() -> bytes:
    """Return the key that plans are sealed with; empty where there is none."""
    return os.environ.get(KEY, "").encode()


def places(project: Project) -> dict[str, str]:
    """Say where each system is, as a plan may hold it: without what could let anybody in."""
    return {system.name: _place(system) for system in project.systems}


def _place(system: System) -> str:
    url = urlsplit(_put_in(system.url))
    there = url._replace(netloc=url.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return " ".join(filter(None, (system.connector, there, _put_in(system.company))))


def sandbox_app(project: Project, system: System, *, skew: float = 0) -> ASGIApp:
    """Return the embedded server of a system whose url is ``sandbox:NAME``.

    Its records live beside the state, so that the two are thrown away together. Its clock is so
    many seconds ahead of ours.
    """
    database = project.state.parent / "sandbox" / f"{system.sandbox}.sqlite"
    now = skewed(skew)
    if system.connector == "dataverse":
        return Dated(sandbox.dataverse(database, seed=system.seed, now=now), now)
    company = _put_in(system.company)
    served = sandbox.nav if system.connector == "nav" else sandbox.business_central
    return Dated(served(database, seed=system.seed, company=company, now=now), now)


def _tables(project: Project, system: System) -> Introduced:
    """Tables know their rows by what the mappings call their key."""
    path = project.root / _put_in(system.url)
    mine = [
        mapping.entity(side)
        for mapping in project.mappings
        for side in Side
        if mapping.entity(side).system == system.name
    ]
    rules = Rules(
        keys={entity.entity: entity.key for entity in mine},
        types={
            entity: {name: Type(word) for name, word in fields.items()}
            for entity, fields in system.types.items()
        },
        modified=system.modified,
    )
    storage = Database if system.connector == "duckdb" else Folder
    return Tables(system.name, storage(system.name, path, rules, system.seed))


def _connector(project: Project, system: System) -> Introduced:
    if system.connector == RECORDS:
        return Records(records_of(project))
    if system.connector in ("duckdb", "files"):
        return _tables(project, system)
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    url = _put_in(system.url)
    if not system.sandbox:
        # What an environment variable puts in was not looked at with the configuration.
        addresses.must_do(system.name, url, secret=False)
    credentials = _credentials(project.root, system)
    if system.sandbox:
        app = sandbox_app(project, system)

        def transport() -> httpx.AsyncBaseTransport:
            return httpx.ASGITransport(app=app, raise_app_exceptions=False)

        url = f"{_HOST}{SANDBOX_PATHS[system.connector]}"
        credentials = _sandbox_credentials(system)
    company, name = _put_in(system.company), system.name
    match system.connector:
        case "dataverse":
            manner = Manner(caller=_put_in(system.caller), detect=system.refuse_duplicates)
            pace = _pace(system, dataverse.PACE)
            return Dataverse(
                name, url, credentials, pace=pace, manner=manner, transport_factory=transport
            )
        case "nav":
            pace = _pace(system, nav.PACE)
            return Nav(name, url, company, credentials, pace=pace, transport_factory=transport)
        case "business_central":
            pace = _pace(system, business_central.PACE)
            return BusinessCentral(
                name, url, company, credentials, pace=pace, transport_factory=transport
            )
        case _:
            habits = Habits(
                client_keys=system.client_keys,
                batch=Form(system.batch) if system.batch else None,
                modified=system.modified,
            )
            return OData(name, url, credentials, habits=habits, pace=_pace(system, odata_v4.PACE))


def _pace(system: System, usual: Pace) -> Pace:
    """Take what the project says, and what is usual for the rest."""
    return Pace(
        concurrency=system.requests or usual.concurrency,
        page_size=system.page_size or usual.page_size,
        together=system.writes or usual.together,
    )


def records_of(project: Project) -> dict[str, Rows]:
    """Return the records that mappings hold themselves, by mapping and key."""
    return {m.name: {k: dict(v) for k, v in m.records} for m in project.mappings if m.records}


def _sandbox_credentials(system: System) -> Credentials:
    if system.connector == "nav":
        return Credentials(user=sandbox.USER, password=Secret(sandbox.PASSWORD))
    return Credentials(token=Secret(sandbox.TOKEN))


def _credentials(root: Path, system: System) -> Credentials | None:
    auth = system.auth
    if auth is None or system.sandbox:
        return None
    if auth.token_env:
        return Credentials(token=secrets.read(auth.token_env, root))
    if auth.header:
        return Credentials(header=auth.header, value=secrets.read(auth.value_env, root))
    if auth.client_id:
        return Credentials(tokens=_tokens(root, system, auth))
    password = secrets.read(auth.password_env, root)
    return Credentials(user=_put_in(auth.user), password=password, ntlm=auth.ntlm)


def _tokens(root: Path, system: System, auth: Auth) -> Tokens:
    """Ask Entra for tokens; what they are for is the system's own address (A1)."""
    from runner.connectors.line.tokens import PUBLIC, Application, Entra

    there = urlsplit(_put_in(system.url))
    application = Application(
        tenant=_put_in(auth.tenant),
        client_id=_put_in(auth.client_id),
        secret=secrets.read(auth.secret_env, root) if auth.secret_env else None,
        authority=_put_in(auth.authority) or PUBLIC,
    )
    scope = f"{there.scheme}://{there.netloc}/.default"
    return Entra(system.name, application, scope, tell=say)


def _unset(root: Path, system: System) -> list[Problem]:
    auth = system.auth
    texts = [system.url, system.company, system.caller]
    texts += [auth.user, auth.tenant, auth.client_id, auth.authority] if auth else []
    needs = f"system '{system.name}' needs it"
    problems = [
        Problem(system.at, f"environment variable {name} is not set", needs)
        for text in texts
        for name in _REFERENCE.findall(text)
        if name not in os.environ
    ]
    places = (auth.token_env, auth.password_env, auth.secret_env, auth.value_env) if auth else ()
    for place in filter(None, places):
        try:
            secrets.read(place, root)
        except secrets.NoSecretError as error:
            problems.append(Problem(system.at, str(error), error.hint or needs))
    return problems


def _put_in(text: str) -> str:
    return _REFERENCE.sub(lambda found: os.environ[found[1]], text)
