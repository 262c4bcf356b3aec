"""Every command, against servers that repeat what they were told, and against one that works."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from runner import sandbox
from runner.sandbox.journal import Journal, Journaled
from tests.canaries.planted import ANSWERS, LONG, SHORT, USER, Answer, echoing, leaks
from tests.cli.quickstart import Quickstart, quickstart
from tests.faults.test_converge import CHOSEN, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

VARIABLES = {"LONG": LONG, "SHORT": SHORT}
FORMS = {
    "token": 'token: "${LONG}"',
    "password": f'user: {USER}, password: "${{SHORT}}"',
    "ntlm": f'user: {USER}, password: "${{SHORT}}", scheme: ntlm',
    "header": 'header: X-Api-Key, value: "${LONG}"',
    "entra": 'tenant: t, client_id: c, secret: "${SHORT}", authority: "URL"',
}
FORMS_OF = {
    "dataverse": ("token", "entra"),
    "nav": ("password", "ntlm"),
    "business_central": ("token", "password", "entra"),
    "odata": ("token", "password", "header"),
}
COMMANDS = {
    "validate": ("validate",),
    "validate online": ("validate", "--online"),
    "ping": ("ping",),
    "plan": ("plan",),
    "plan as JSON": ("plan", "--json"),
    "plan explained": ("plan", "--explain"),
    "plan saved": ("plan", "--out", "saved.plan"),
    "apply": ("apply", "--yes"),
    "couple": ("couple", "customers", "10000", "aaaaaaaa-0000-4000-8000-000000000001"),
    "test": ("test",),
    "schema of the project": ("schema", "project"),
}
_FAULT_LOG = re.compile(r"the details are in (\S+)")


@dataclass(frozen=True, slots=True)
class Heard:
    """All that a command let out."""

    code: int
    told: str

    @property
    def leaks(self) -> list[str]:
        return leaks(self.told)


def heard(made: Quickstart, *words: str) -> Heard:
    """Run a command; hear what it printed and what it left in files, a fault log as well."""
    result = made.run(*words)
    told = result.output + result.stderr + repr(result.exception)
    for log in _FAULT_LOG.findall(told):
        told += Path(log).read_text(encoding="utf-8")
    return Heard(result.exit_code, told + files(made.folder))


def files(folder: Path) -> str:
    """Everything in a folder: bytes as they lie there, and what databases hold unpacked."""
    found = ""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        found += f"\n{path.name}\n{content.decode('latin-1')}"
        if content[8:12] == b"DUCK":
            found += _unpacked(path)
    return found


def _unpacked(path: Path) -> str:
    with duckdb.connect(str(path), read_only=True) as file:
        tables = file.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
        return "\n".join(
            str(file.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall())
            for schema, table in tables
        )


def project(folder: Path, crm: tuple[str, str, str], nav: tuple[str, str, str]) -> Quickstart:
    """Write a project over two systems: connector, url and auth of each."""
    text = "name: canaries\nsystems:\n"
    for name, (connector, url, auth) in {"nav": nav, "crm": crm}.items():
        text += f"  {name}:\n    connector: {connector}\n    url: {url}\n    auth: {{{auth}}}\n"
        if connector in ("nav", "business_central"):
            text += "    company: CRONUS International Ltd.\n"
    made = Quickstart(folder / "canaries")
    made.folder.mkdir()
    (made.folder / "sync.yaml").write_text(f"{text}mappings: [../mappings/nav-sales]\n")
    return made


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


@contextmanager
def echoed(folder: Path, answer: Answer, connector: str, form: str) -> Iterator[Quickstart]:
    """Both systems are the same echo; the one under test takes the side that fits it."""
    quickstart(folder)
    with echoing(answer) as url:
        auth = {name: text.replace("URL", url) for name, text in FORMS.items()}
        mine = (connector, url, auth[form])
        if connector == "dataverse":
            yield project(folder, mine, ("nav", url, auth["password"]))
        else:
            yield project(folder, ("dataverse", url, auth["token"]), mine)


@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("connector", "form"), [(c, f) for c, fs in FORMS_OF.items() for f in fs])
def test_an_echo_is_not_passed_on(tmp_path: Path, connector: str, form: str, answer: str) -> None:
    with echoed(tmp_path, ANSWERS[answer], connector, form) as made:
        for words in (COMMANDS["ping"], COMMANDS["plan as JSON"]):
            found = heard(made, *words)
            assert not found.leaks, found.told
            assert found.code in (1, 3, 70), found.told


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_no_command_passes_an_echo_on(tmp_path: Path, words: tuple[str, ...]) -> None:
    with echoed(tmp_path, ANSWERS["refused"], "nav", "password") as made:
        found = heard(made, *words)
    assert not found.leaks, found.told


@pytest.mark.parametrize(
    "text",
    [
        f"url: https://ann:{SHORT}@crm.example",
        f"url: https://ann:{SHORT}@crm.example:{SHORT}",
        f"url: https://ann:{SHORT}@[::1",
        'url: "${ADDRESS}"',
        f"url: https://crm.example\n    auth: {{token: {LONG}}}",
        f"url: https://crm.example\n    auth: {{user: ann, password: {SHORT}}}",
        f"url: https://crm.example\n    auth: {{token: '${{{SHORT}}}'}}",
        f"url: https://crm.example\n    auth: {{tenant: t, client_id: c, secret: {SHORT}}}",
        f"url: https://crm.example\n    token: {LONG}",
    ],
)
def test_a_secret_in_the_project_itself_is_refused_but_not_shown(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADDRESS", f"https://ann:{SHORT}@crm.example")
    quickstart(tmp_path)
    made = Quickstart(tmp_path / "canaries")
    made.folder.mkdir()
    if "auth" not in text:
        text += '\n    auth: {token: "${LONG}"}'
    systems = f"systems:\n  crm:\n    connector: dataverse\n    {text}\n  nav:\n"
    nav = "    connector: nav\n    url: sandbox:nav\n    company: C\n"
    config = f"name: canaries\n{systems}{nav}mappings: [../mappings/nav-sales]\n"
    (made.folder / "sync.yaml").write_text(config)
    for words in (("validate",), ("plan",)):
        result = made.run(*words)
        assert not leaks(result.output), result.output
    assert result.exit_code == 1


@dataclass(frozen=True, slots=True)
class Guarded:
    """A sandbox that wants the canaries for its own password and token."""

    app: ASGIApp
    known: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            told = dict(scope["headers"])[b"authorization"]
            assert leaks(told)
            others = [(n, v) for n, v in scope["headers"] if n != b"authorization"]
            scope = {**scope, "headers": [*others, (b"authorization", self.known)]}
        await self.app(scope, receive, send)


def test_nothing_that_a_whole_run_leaves_holds_a_secret(tmp_path: Path) -> None:
    made, journal = quickstart(tmp_path), tmp_path / "asked.jsonl"
    place = tmp_path / "sandbox"
    data = made.folder / "data"
    nav = sandbox.nav(place / "nav.sqlite", seed=data / "nav")
    crm = sandbox.dataverse(place / "crm.sqlite", seed=data / "crm")
    with journal.open("wb") as file:
        notes = Journal(file)
        apps: dict[str, Any] = {
            "nav": Journaled(Guarded(nav, b"Basic U0FOREJPWDpzYW5kYm94"), "nav", notes),
            "crm": Journaled(Guarded(crm, f"Bearer {sandbox.TOKEN}".encode()), "crm", notes),
        }
        with served(apps) as port:
            here = f"http://127.0.0.1:{port}"
            client = project(
                tmp_path,
                ("dataverse", f"{here}/crm{sandbox.DATAVERSE_PATH}", FORMS["token"]),
                ("nav", f"{here}/nav{sandbox.NAV_PATH}", FORMS["password"]),
            )
            commands = [
                ("validate", "--online"),
                ("ping",),
                ("plan", "--out", str(client.folder / "saved.plan"), *CHOSEN),
                ("plan", "--json", *CHOSEN),
                ("plan", "--explain", *CHOSEN),
                ("apply", str(client.folder / "saved.plan"), "--yes"),
                ("--log-format", "json", "--log-values", "apply", "--yes", *CHOSEN),
                ("runs", "show", "1", "--full"),
                ("errors",),
                ("test", "salespeople"),
            ]
            for words in commands:
                found = heard(client, *words)
                assert found.code in (0, 3), (words, found.told[:3000])
                assert not found.leaks, words
        notes.end()
    left = {path.name for path in client.folder.rglob("*") if path.is_file()}
    assert {"state.duckdb", "saved.plan"} <= left
    assert journal.read_bytes().count(b'"authorization":"****"') > 100
    assert not leaks(journal.read_bytes())
