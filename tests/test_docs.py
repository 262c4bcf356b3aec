"""The docs: every command in them is run, every file in them is read, every link leads somewhere.

A page is a script. Its ``console`` blocks run from top to bottom in a copy of the examples and
mappings, each page in one of its own; what is shown below a command must be what it prints, where
``…`` stands for anything, and on a line of its own for any lines. A YAML or CSV block whose first
line is ``# some/file`` is written there first, as its reader would; other YAML is part of a
mapping, of cases or of sync.yaml, and held against their schemas.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import typer
import yaml
from typer.testing import CliRunner

from runner import shipped
from runner.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
FOLDERS = ("examples", "mappings", "runner", "schemas", "tests")
PAGES = [
    ROOT / "README.md",
    *sorted(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")),
]
GENERATED = {"schemas/reference.md"}
"""What tests/test_reference.py holds already."""
NOT_RUN = {
    r"python3 -m venv": ".ci/run begins by it, from the lock file",
    r"\.venv/bin/python -m pytest": "it is this run",
    r"sync-run schedule --listen": "runs until it is stopped: tests/schedule/test_process.py",
}
"""Commands that cannot be run here, and why."""
TO_BE_FILLED_IN = "?"
"""An output that its author leaves to ``--update-golden``."""
ENDS_WELL = {0, 2, 3}
"""Exit codes of a command that shows no output: it is done, or some records are to be looked at."""
FAULTS = {70, 127}
"""Exit codes that no command of a page may have: a fault of ours, or no such command."""
TIMES = [
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|\+00:00)?"), "<moment>"),
    (re.compile(r"\b\d+\.\d+ ?s\b"), "<seconds>"),
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
_FILE = re.compile(r"# ([\w./-]+\.(?:yaml|csv|json))\n")
_SPOKEN = re.compile(r"`(sync-run [^`]+)`")


COMMANDS: Any = typer.main.get_command(app)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a page, and what is shown below it; ``at`` is where its output begins."""

    typed: str
    shown: tuple[str, ...]
    line: int


def blocks(page: Path) -> Iterator[tuple[str, str, int]]:
    """Yield the kind of each fenced block, its text, and the line it begins on."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield found[1], found[2], text.count("\n", 0, found.start(2)) + 1


def commands(text: str, line: int) -> Iterator[Command]:
    lines = text.splitlines()
    starts = [n for n, told in enumerate(lines) if told.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        last = start
        while lines[last].endswith("\\"):
            last += 1
        typed = " ".join(line.rstrip("\\") for line in lines[start : last + 1])[2:]
        yield Command(typed=typed, shown=tuple(lines[last + 1 : end]), line=line + last + 1)


@dataclass(slots=True)
class Shell:
    """Plays commands as a person at a terminal does, in a folder of the test's own."""

    folder: Path
    ends: ExitStack
    ports: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, typed: str) -> tuple[int, str]:
        """Run commands one after the other; return the last exit code and what was printed."""
        told = [self._run_one(one) for one in typed.split(" && ")]
        return told[-1][0], "".join(printed for _, printed in told)

    def _run_one(self, typed: str) -> tuple[int, str]:
        words = shlex.split(typed, comments=True)
        if words[0] == "cd" and len(words) == 2:
            self.folder = (self.folder / words[1]).resolve()
            return 0, ""
        if words[0] == "sync-run" and not re.search(r" [|>&;]", typed):
            os.chdir(self.folder)
            done = CliRunner().invoke(app, words[1:])
            return done.exit_code, done.stdout + _said(done.stderr)
        for port in re.findall(r"(?:127\.0\.0\.1:|--port )(\d+)", typed):
            typed = typed.replace(port, self.ports.setdefault(port, free_port()))
        if re.search(r"&\s*(#.*)?$", typed):
            self._serve(typed.rpartition("&")[0])
            return 0, ""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        told = subprocess.run(
            ["bash", "-c", typed],  # noqa: S607 - the reader's shell
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return told.returncode, told.stdout + _said(told.stderr)

    def _serve(self, typed: str) -> None:
        """Start a server, and wait until it answers."""
        words = shlex.split(typed)[1:]
        serving = subprocess.Popen([sys.executable, "-m", "runner", *words], cwd=self.folder)
        self.ends.callback(serving.wait)
        self.ends.callback(serving.terminate)
        while not answers(int(words[words.index("--port") + 1])):
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"{typed}: it ended with {serving.wait(timeout=0.05)}")


def answers(port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def _said(stderr: str) -> str:
    """Return what is said beside a result, but for how much was read."""
    lines = stderr.splitlines(keepends=True)
    return "".join(line for line in lines if not re.match(r"Read [\d,]+ records? of ", line))


def timeless(line: str) -> str:
    """Put a word in the place of moments; columns may then stand elsewhere."""
    told = line
    for pattern, word in TIMES:
        told = pattern.sub(word, told)
    return re.sub(r" +", " ", told) if told != line else line


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Say whether lines are those printed; ``…`` stands for anything."""
    pattern = "".join(
        r"(?:.*\n)*?"
        if line.strip() == "…"
        else ".*?".join(re.escape(part) for part in timeless(line).split("…")) + r"\n"
        for line in shown
    )
    return bool(re.fullmatch(pattern, "".join(f"{timeless(line)}\n" for line in printed)))


def reason_not_to(typed: str) -> str:
    return next((why for what, why in NOT_RUN.items() if re.match(what, typed)), "")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    skipped = shutil.ignore_patterns(".sync-run", "broken")
    for folder in ("examples", "mappings"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=skipped)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    with ExitStack() as ends:
        yield Shell(tmp_path, ends)


@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if name_of(p) not in GENERATED and "```console" in p.read_text("utf-8")],
    ids=name_of,
)
def test_what_a_page_shows_is_what_happens(
    page: Path, shell: Shell, request: pytest.FixtureRequest
) -> None:
    wrong = list(played(page, shell))
    if request.config.getoption("--update-golden"):
        lines = page.read_text(encoding="utf-8").splitlines()
        for command, printed in reversed(wrong):
            if command.shown == (TO_BE_FILLED_IN,):
                lines[command.line - 1 : command.line] = printed.splitlines()
        page.write_text("\n".join([*lines, ""]), encoding="utf-8")
        wrong = [(command, _) for command, _ in wrong if command.shown != (TO_BE_FILLED_IN,)]
    for command, printed in wrong:
        pytest.fail(f"{name_of(page)}:{command.line}: {command.typed}\n{printed}")


def played(page: Path, shell: Shell) -> Iterator[tuple[Command, str]]:
    """Play a page; yield each command that does not do what is shown, with what it printed."""
    for kind, text, line in blocks(page):
        if named := _FILE.match(text):
            shell.write(named[1], text[named.end() :])
        for command in commands(text, line) if kind == "console" else ():
            if not reason_not_to(command.typed):
                code, printed = shell.run(command.typed)
                shown, said = (
                    "\n".join(lines).rstrip().splitlines()
                    for lines in (command.shown, printed.splitlines())
                )
                fine = code not in FAULTS if shown else code in ENDS_WELL
                if not (fine and (not shown or agrees(shown, said))):
                    yield command, printed


def test_the_tutorial_ends_with_what_lies_beside_it() -> None:
    place = ROOT / "examples" / "tutorial"
    shown = {
        named[1]: text for _, text, _ in blocks(place / "README.md") if (named := _FILE.match(text))
    }
    for name, text in shown.items():
        there, told = yaml.safe_load((place / name).read_text("utf-8")), yaml.safe_load(text)
        if name == "sync.yaml":  # where its data lies beside it, they are copied
            for systems in (there["systems"], told["systems"]):
                for one in systems.values():
                    one.pop("url")
                    one.pop("seed", None)
            there.pop("name")
        assert told == there, name


def test_what_is_not_run_is_still_there() -> None:
    typed = [
        command.typed
        for page in PAGES
        for kind, text, line in blocks(page)
        if kind == "console"
        for command in commands(text, line)
    ]
    assert typed
    assert [what for what in NOT_RUN if not any(re.match(what, told) for told in typed)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_that_are_spoken_of_exist(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for spoken in _SPOKEN.findall(text):
        assert unknown(spoken.split()[1:]) == "", spoken


def unknown(words: list[str]) -> str:
    """Return the first word that is no command or option of ours, or nothing."""
    at: Any = COMMANDS
    options = {name for one in at.params for name in one.opts}
    for word in words:
        if word.startswith("-"):
            if word.rstrip("`,…").partition("=")[0] not in options | {"--help", "-h"}:
                return word
        elif word in getattr(at, "commands", {}):
            at = at.get_command(typer.Context(at), word)
            options |= {name for one in at.params for name in one.opts}
        elif at.name is None and not options & set(words) and not word.isupper():
            return word
    return ""


FRAGMENTS = [
    pytest.param(kind, text, id=f"{name_of(page)}:{line}")
    for page in PAGES
    if name_of(page) not in GENERATED
    for kind, text, line in blocks(page)
    if kind in {"yaml", "json"}
]


@pytest.mark.parametrize(("kind", "text"), FRAGMENTS)
def test_a_file_that_is_shown_can_be_read(kind: str, text: str) -> None:
    if kind == "json":
        assert json.loads(text)
        return
    found = without_nulls(yaml.safe_load(text))
    if isinstance(found, list):
        found = {"fields": found}
    schemas = {name: schema_of(name) for name in ("sync", "test", "mapping")}
    known = {
        name: {*schema["properties"], *SIDES.get(name, ())} for name, schema in schemas.items()
    }
    name = next(name for name, keys in known.items() if found.keys() <= keys)
    whole = laid_over(WHOLE[name], found)
    assert next(jsonschema.Draft202012Validator(schemas[name]).iter_errors(whole), None) is None


WHOLE: dict[str, Any] = {
    "sync": {
        "systems": {
            "nav": {"connector": "nav", "url": "https://nav.example", "company": "CRONUS"},
            "crm": {
                "connector": "dataverse",
                "url": "https://crm.example",
                "auth": {"tenant": "contoso", "client_id": "1", "secret": "${SECRET}"},
            },
            "shop": {"connector": "files", "url": "shop"},
            "books": {"connector": "files", "url": "books"},
        }
    },
    "test": {"test": "customers", "cases": []},
    "mapping": {"extends": "customers"},
}
"""What a part of a document is a part of."""
SIDES = {"mapping": ("nav", "crm", "bc", "shop", "books", "depot")}
"""Keys that are not in the schema: what systems are called."""


def laid_over(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: laid_over(below.get(key), one) for key, one in above.items()}}


def without_nulls(value: Any) -> Any:
    """Leave out what an environment or an extension takes out of what it is laid over."""
    match value:
        case dict():
            return {key: without_nulls(one) for key, one in value.items() if one is not None}
        case list():
            return [without_nulls(one) for one in value]
    return value


def schema_of(name: str) -> dict[str, Any]:
    path = shipped.folder() / "schemas" / f"{name}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for place, heading in _LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), place
        if heading:
            assert heading in anchors(target), f"{place}#{heading}"


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are linked by."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
