"""A company kept the same over a faulty line, while people edit it: equal, and all accounted for.

Every request may be throttled, refused, dropped before or after the server acted, cut or slow. What
the servers wrote is noted by the servers' own databases, and held against the journal of the runs.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner import sandbox
from runner.connectors.line.http import Credentials
from runner.connectors.line.secret import Secret
from runner.connectors.microsoft.dataverse import Dataverse
from runner.connectors.microsoft.nav import Nav
from runner.errors import RunnerError
from runner.sandbox.drops import InProcess
from runner.sandbox.faults import FAULT, Faulty, planned
from tests.cli.quickstart import Quickstart
from tests.company.rows import REAL, Company
from tests.company.test_company import CURRENT, SYNC, edited, pairs_of, seen
from tests.crash.catalogue import SALES
from tests.faults.test_converge import _no_wait, applied

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from runner.connectors.protocol import Connector
    from runner.sandbox.clocks import Now

FAULTS = "429:{0}%,503:{0}%,reset-before:{0}%,reset-after:{0}%,truncated:{0}%,slow:{0}%"
PATIENCE = 15
"""Runs after which a round should have come to its end."""
_NOTED = """CREATE TABLE IF NOT EXISTS noted (entity TEXT, key TEXT);
DELETE FROM noted;
CREATE TRIGGER IF NOT EXISTS on_insert AFTER INSERT ON record
BEGIN INSERT INTO noted VALUES (NEW.entity, NEW.key); END;
CREATE TRIGGER IF NOT EXISTS on_delete AFTER INSERT ON deleted
BEGIN INSERT INTO noted VALUES (NEW.entity, NEW.key); END;
"""
_BY_ITSELF = {("nav", "Contact")}
"""What a server writes along with others: NAV keeps the contact card of a customer in step."""
_KINDS = ("create", "update", "delete")
_INTENDED = {(k, o) for k in _KINDS for o in ("written", "found", "compared", "drifted")}
_TOLD = {(k, "written") for k in _KINDS}
_MADE = {("create", "written"), ("create", "found")}
Acted = Counter[tuple[str, str, str]]
"""How often a server wrote a record: system, entity, key. Options of choices are no records."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A server whose faults are counted."""

    app: ASGIApp
    met: Counter[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            fault = scope.get("extensions", {}).get(FAULT, "")
            self.met[fault] += 1


@dataclass(slots=True)
class Waits:
    """Waits that pass at once, for the servers too: what a limit counts is over after them."""

    seconds: float = 0

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)

    def clock(self, ahead: float = 0) -> Now:
        return lambda: datetime.now(UTC) + timedelta(seconds=self.seconds + ahead)


@dataclass(frozen=True, slots=True)
class Line:
    """Both servers, kept from run to run, behind lines on which so many requests go wrong."""

    made: Quickstart
    percent: int
    seed: int
    ahead: float = 0
    met: Counter[str] = field(default_factory=Counter)
    waits: Waits = field(default_factory=Waits)

    def apps(self) -> dict[str, ASGIApp]:
        place, data = self.made.folder / ".sync-run" / "sandbox", self.made.folder / "data"
        served: dict[str, ASGIApp] = {
            "nav": sandbox.nav(
                place / "nav.sqlite", seed=data / "nav", now=self.waits.clock(self.ahead)
            ),
            "crm": sandbox.dataverse(
                place / "crm.sqlite", seed=data / "crm", now=self.waits.clock()
            ),
        }
        portions = planned(FAULTS.format(self.percent))
        return {
            name: Counted(Faulty(app, portions, self.seed, sleep=_no_wait), self.met)
            for name, app in served.items()
        }

    def connectors(self, apps: dict[str, ASGIApp]) -> dict[str, Connector]:
        return {
            "nav": Nav(
                "nav",
                f"http://sandbox{sandbox.NAV_PATH}",
                "CRONUS International Ltd.",
                Credentials(user=sandbox.USER, password=Secret(sandbox.PASSWORD)),
                transport_factory=lambda: InProcess(apps["nav"]),
                sleep=self.waits.sleep,
            ),
            "crm": Dataverse(
                "crm",
                f"http://sandbox{sandbox.DATAVERSE_PATH}",
                Credentials(token=Secret(sandbox.TOKEN)),
                transport_factory=lambda: InProcess(apps["crm"]),
                sleep=self.waits.sleep,
            ),
        }

    def until_done(self, apps: dict[str, ASGIApp]) -> None:
        """Apply until a plan is empty; hold what the servers wrote against the journal."""
        self._note()
        before = self._runs()
        found: list[tuple[int, int] | str] = []
        for _ in range(PATIENCE):
            try:
                found.append(asyncio.run(applied(self.made.folder, self.connectors(apps))))
            except RunnerError as error:
                # A system that was away for too long: the next run goes on where this one stopped.
                found.append(str(error))
                continue
            if found[-1] and not found[-1][0]:
                self._accounted(before)
                return
        pytest.fail(f"it did not come to its end: {found}")

    @property
    def state(self) -> Path:
        return self.made.folder / ".sync-run" / "state.duckdb"

    def _databases(self) -> dict[str, Path]:
        place = self.made.folder / ".sync-run" / "sandbox"
        return {name: place / f"{name}.sqlite" for name in ("nav", "crm")}

    def _note(self) -> None:
        for ask in (self.made.nav, self.made.crm):
            ask("GET", "/Customer" if ask == self.made.nav else "/accounts")
        for path in self._databases().values():
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript(_NOTED)

    def _acted(self) -> Acted:
        found: Acted = Counter()
        for system, path in self._databases().items():
            with closing(sqlite3.connect(path)) as connection:
                for entity, key in connection.execute("SELECT entity, key FROM noted"):
                    found[system, entity, key] += 1
        return found

    def _runs(self) -> int:
        if not self.state.exists():
            return 0
        with duckdb.connect(str(self.state), read_only=True) as connection:
            [(last,)] = connection.execute("SELECT coalesce(max(id), 0) FROM run").fetchall()
        return int(last)

    def _accounted(self, after: int) -> None:
        """What was told as written was written; what was written was intended; nothing is open."""
        with duckdb.connect(str(self.state), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            rows = connection.execute(
                """SELECT CASE side WHEN 'left' THEN 'nav' ELSE 'crm' END, entity, "key", kind,
                    outcome FROM journal WHERE run > ?""",
                [after],
            ).fetchall()
        assert all(outcome for *_, outcome in rows), "no write is left in doubt"
        acted = self._acted()
        intended, told, made = (
            Counter((s, e, k) for s, e, k, kind, outcome in rows if (kind, outcome) in wanted)
            for wanted in (_INTENDED, _TOLD, _MADE)
        )
        mine = {(system, entity) for system, entity, _ in intended} - _BY_ITSELF
        unknown = {a: n for a, n in acted.items() if a[:2] in mine and a not in intended}
        assert not unknown, f"written, and not in the journal: {unknown}"
        missing = {a: n for a, n in (told - acted).items() if "." not in a[1]}
        assert not missing, f"in the journal, and not written: {missing}"
        assert max(made.values(), default=0) <= 1, f"created twice: {made.most_common(3)}"


def laid(folder: Path) -> Quickstart:
    """Write a small project of customers and accounts."""
    for name, text in SALES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return Quickstart(folder)


def equal(made: Quickstart) -> int:
    """Look at both systems by bare HTTP, pair by pair; return how many there are."""
    customers = {row["No"]: row for row in made.nav("GET", "/Customer")["value"]}
    accounts = made.crm("GET", "/accounts?$filter=customertypecode eq 3")["value"]
    assert len(accounts) == len(customers)
    for account in accounts:
        customer = customers.pop(account["accountnumber"])
        assert (account["name"] or "") == customer["Name"]
        assert (account["telephone1"] or "") == customer["Phone_No"]
    assert not customers
    return len(accounts)


def edited_here_and_there(made: Quickstart, dice: random.Random) -> None:
    """Edit as people do: no field of a pair on both sides at once."""
    for row in made.nav("GET", "/Customer")["value"]:
        field = dice.choice(["Name", "Phone_No", ""])
        if field:
            body = {field: f"{field} {dice.randrange(1000)}"}
            made.nav("PATCH", f"/Customer('{row['No']}')", body, **{"If-Match": "*"})
            continue
        (account,) = made.crm("GET", f"/accounts?$filter=accountnumber eq '{row['No']}'")["value"]
        body = {"name": f"Sales {dice.randrange(1000)}", "telephone1": str(dice.randrange(1000))}
        made.crm("PATCH", f"/accounts({account['accountid']})", body, **{"If-Match": "*"})
    for n in range(2):
        made.nav("POST", "/Customer", {"Name": f"NAV {n} {dice.randrange(1000)}"})
        name = f"Sales {n} {dice.randrange(1000)}"
        made.crm("POST", "/accounts", {"name": name, "customertypecode": 3})


@pytest.mark.parametrize(
    ("percent", "rounds"),
    [
        pytest.param(5, 2, id="short"),
        *(pytest.param(n, 20, id=f"{n} %", marks=pytest.mark.slow) for n in (1, 3, 10)),
    ],
)
def test_customers_stay_the_same(tmp_path: Path, percent: int, rounds: int) -> None:
    line = Line(laid(tmp_path), percent, seed=percent)
    apps, dice = line.apps(), random.Random(percent)  # noqa: S311 - to be repeated
    line.until_done(apps)
    assert equal(line.made) == 10
    for n in range(1, rounds + 1):
        edited_here_and_there(line.made, dice)
        line.until_done(apps)
        assert equal(line.made) == 10 + 4 * n
    assert len(line.met) > 1 + bool(percent > 3), f"nothing went wrong: {line.met}"
    print(dict(line.met))  # noqa: T201


@pytest.mark.slow
@pytest.mark.parametrize("percent", [2])
def test_a_company_stays_the_same(tmp_path: Path, percent: int) -> None:
    Company("CRONUS" if REAL.is_dir() else "quickstart").seeds(tmp_path / "data")
    (tmp_path / "sync.yaml").write_text(SYNC, encoding="utf-8")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "prices.yaml").write_text(CURRENT, encoding="utf-8")
    line = Line(Quickstart(tmp_path), percent, seed=20183)
    apps, dice = line.apps(), random.Random(20183)  # noqa: S311 - to be repeated
    for n in range(21):
        if n:
            edited(line.made, pairs_of(line.made), dice)
        line.until_done(apps)
        plan = line.made.plan()
        assert not plan["changes"]
        findings, drifted = (
            {
                (mapping["mapping"], action["keys"]["nav"])
                for mapping in plan["mappings"]
                for action in mapping["actions"]
                if (action["action"] == "drift") is wanted
            }
            for wanted in (False, True)
        )
        assert seen(line.made, findings, drifted)
        print(n, len(findings), len(drifted), dict(line.met))  # noqa: T201
