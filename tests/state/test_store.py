"""The state file: made on demand, held by one, migrated, and refused with words."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from runner.dialect import SETTINGS
from runner.errors import StateHeldError, StateUnusableError
from runner.state import couplings, held, history, readable, runs
from runner.state.schema import MIGRATIONS

if TYPE_CHECKING:
    from pathlib import Path


def test_planning_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "state.duckdb"
    with held(path, "plan") as store, duckdb.connect() as connection:
        connection.execute(SETTINGS)
        store.attach(connection)
        assert runs.identity(connection)[1] == 0
    assert not path.exists()


def test_the_state_is_private_and_attached_for_reading_only(tmp_path: Path) -> None:
    path = tmp_path / "state.duckdb"
    with held(path, "apply") as store:
        with store.opened() as state:
            assert runs.begin(state, runs.Beginning(command="apply")).number == 1
            runs.move_on(state)
        assert path.stat().st_mode & 0o777 == 0o600
        with duckdb.connect() as connection:
            store.attach(connection)
            assert runs.identity(connection)[1] == 1
            with pytest.raises(duckdb.InvalidInputException, match="read-only"):
                connection.execute("DELETE FROM state.main.coupling")


def test_another_process_is_told_who_holds_the_state(tmp_path: Path) -> None:
    path = tmp_path / "state.duckdb"
    script = "import sys; from pathlib import Path; from runner.state import held\n"
    script += (
        "with held(Path(sys.argv[1]), 'schedule'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StateHeldError) as caught, held(path, "apply"):
            pass
        assert f"is held by process {other.pid} (sync-run schedule, since " in str(caught.value)
        other.kill()
        other.wait()
        with held(path, "apply"):
            pass  # What a killed process held is free at once.


def test_a_newer_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.duckdb"
    with held(path, "apply") as store, store.opened() as state:
        state.execute("""UPDATE meta SET "value" = '999' WHERE "key" = 'version'""")
    with pytest.raises(StateUnusableError) as caught, held(path, "apply"):
        pass
    assert "the state is of version 999; this sync-run knows version" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"not a database",
        b"\0" * 20_000,
        # DuckDB would fetch an extension from the network that reads it.
        pytest.param(b"SQLite format 3\0" + b"\0" * 4_080, id="another kind of database"),
    ],
)
def test_a_damaged_state_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.duckdb"
    path.write_bytes(content)
    with pytest.raises(StateUnusableError) as caught, held(path, "apply"):
        pass
    assert f"{path} is damaged" in str(caught.value)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateUnusableError), held(tmp_path / "file" / "state.duckdb", "apply"):
        pass


def test_a_state_of_the_first_version_is_brought_up_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "state.duckdb"
    with duckdb.connect(str(path)) as old:
        old.execute(MIGRATIONS[0])
        old.execute("INSERT INTO meta VALUES ('version', '1')")
        old.execute("INSERT INTO coupling VALUES ('customers', '10', 'g1', 1, 2, 1)")
        old.execute("INSERT INTO run VALUES (1, 'apply', '2026-01-01', '2026-01-01 00:01', 3)")
        old.execute("INSERT INTO job VALUES (1, 'customers', 'failed', 2)")
    with readable(path) as state:
        (run,) = history.runs(state, path, limit=1)
        assert couplings.find(state, "customers", "10") == (("10", "g1"),)
    assert (run.exit_code, run.seconds, run.mode) == (3, 60, "full")
    assert run.counters == {"failed": 2}


def test_what_earlier_versions_left_behind_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "state.duckdb"
    with duckdb.connect(str(path)) as old:
        for number, script in enumerate(MIGRATIONS[:4], start=1):
            old.execute(script)
            old.execute("INSERT OR REPLACE INTO meta VALUES ('version', ?)", [str(number)])
        old.execute('CREATE TABLE "returned left" AS SELECT 1 AS "#key"')
    with held(path, "apply"):
        pass
    with duckdb.connect(str(path), read_only=True) as now:
        left = now.execute("SELECT 1 FROM duckdb_tables() WHERE table_name LIKE 'returned%'")
        assert left.fetchall() == []
