"""runs, errors, retry, skip: over two folders of files, as people type them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.quickstart import Quickstart

if TYPE_CHECKING:
    from typer.testing import Result

GOLDEN = Path(__file__).parent / "golden"
SYNC = """name: contoso
systems:
  shop: {connector: files, url: shop}
  desk: {connector: files, url: desk}
defaults: {attempts: 2}
metrics: figures.prom
"""
CUSTOMERS = """mapping: customers
direction: both
shop: {entity: customers, key: code, label: name}
desk: {entity: accounts, key: id, label: name}
match: [{shop: code, desk: number}]
fields:
  - {shop: code, desk: number, direction: shop -> desk}
  - {shop: name, desk: name}
  - {shop: phone, desk: phone}
"""


def laid_out(folder: Path) -> Quickstart:
    """Two customers, coupled and in step; one that is only in the shop."""
    for name, text in {
        "sync.yaml": SYNC,
        "mappings/customers.yaml": CUSTOMERS,
        "shop/customers.csv": "code,name,phone\n10,Jane Doe,1\n20,John Doe,1\n30,Ann Other,\n",
        "desk/accounts.csv": "id,number,name,phone\na,10,Jane Doe,1\nb,20,John Doe,1\n",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return Quickstart(folder)


def clash(made: Quickstart) -> None:
    """Change a phone on both sides."""
    for name in ("shop/customers.csv", "desk/accounts.csv"):
        path = made.folder / name
        side = name[0]
        path.write_text(path.read_text().replace("Jane Doe,1", f"Jane Doe,{side}2"))


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Quickstart:
    """Five runs: one that wrote, four that met a conflict and skipped it in the end."""
    made = laid_out(tmp_path_factory.mktemp("past"))
    assert made.run("apply", "--yes").exit_code == 0
    clash(made)
    assert [made.run("apply", "--yes").exit_code for _ in range(4)] == [3, 3, 0, 0]
    return made


def steady(told: str) -> str:
    """Put names in the place of moments, durations, processes, accounts and chosen keys."""
    told = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?", "[MOMENT]", told)
    told = re.sub(r"\s+\d+\.\ds\b", " [TIME]", told)
    told = re.sub(r"by \S+ on \S+, process \d+", "by [WHO]", told)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[GUID]", told)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("runs",), id="runs"),
        pytest.param(("runs", "show", "1"), id="run-1"),
        pytest.param(("runs", "show", "1", "--full"), id="run-1-full"),
        pytest.param(("runs", "show", "2"), id="run-2"),
        pytest.param(("errors",), id="errors"),
        pytest.param(("plan",), id="plan-skips"),
    ],
)
def test_what_people_see(
    past: Quickstart, words: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    result = past.run(*words)
    assert result.exit_code == 0, result.output
    told = steady(result.stdout)
    file = GOLDEN / f"{request.node.callspec.id}.txt"
    if request.config.getoption("--update-golden"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["version"] == 1
    return found


def test_the_documents_have_their_keys(past: Quickstart) -> None:
    runs = told(past.run("runs", "--json", "--limit", "2"))["runs"]
    assert [run["run"] for run in runs] == [5, 4]
    assert set(runs[0]) == {
        "run", "command", "mode", "mappings", "account", "host", "process", "started", "ended",
        "seconds", "state", "exit_code", "message", "counters",
    }  # fmt: skip
    one = told(past.run("runs", "show", "1", "--json"))
    assert set(one) == {"version", "run", "jobs", "totals", "findings", "writes"}
    assert set(one["jobs"][0]) == {"mapping", "counters", "seconds", "complete"}
    assert set(one["jobs"][0]["seconds"]) == {"read", "decide", "write"}
    (write,) = [write for write in one["writes"] if write["action"] == "create"]
    assert set(write) == {
        "mapping", "action", "system", "keys", "entity", "key", "fields", "outcome", "message",
        "intended", "settled",
    }  # fmt: skip
    assert (write["keys"]["shop"], write["system"]) == ("30", "desk")
    assert {"field": "name", "old": None, "new": "Ann Other"} in write["fields"]
    (finding,) = told(past.run("runs", "show", "2", "--json"))["findings"]
    assert set(finding) == {"mapping", "kind", "keys", "label", "field", "reason", "hint"}
    (error,) = told(past.run("errors", "customers", "--json"))["errors"]
    assert error["keys"] == {"shop": "10", "desk": "a"}
    assert (error["attempts"], error["skipped"], error["by_hand"]) == (2, True, False)


def test_drift_is_told_of_the_run_that_found_it(tmp_path: Path) -> None:
    made = laid_out(tmp_path)
    rule = "{shop: phone, desk: phone, direction: shop -> desk, drift: report}"
    file = tmp_path / "mappings" / "customers.yaml"
    file.write_text(file.read_text().replace("{shop: phone, desk: phone}", rule))
    made.run("apply", "--yes")
    accounts = tmp_path / "desk" / "accounts.csv"
    accounts.write_text(accounts.read_text().replace("Jane Doe,1", "Jane Doe,2"))
    assert made.run("apply", "--yes").exit_code == 0
    drawn = made.run("runs", "show", "2").stdout
    assert "Found amiss or not written in customers\n  ? shop 10 ↔ desk a" in drawn
    assert "drift in phone / phone: the target was edited by hand" in drawn
    assert made.run("errors").stdout == "No open errors.\n"


def test_many_writes_are_folded(tmp_path: Path) -> None:
    made = laid_out(tmp_path)
    rows = "".join(f"{n},Name {n},\n" for n in range(100, 115))
    with (tmp_path / "shop" / "customers.csv").open("a") as file:
        file.write(rows)
    made.run("apply", "--yes")
    drawn = made.run("runs", "show", "1").stdout
    assert drawn.count("+ desk accounts") + drawn.count("= couple") == 10
    assert "… 8 more (`sync-run runs show 1 --full` shows them)" in drawn
    assert made.run("runs", "show", "1", "--full").stdout.count("+ desk accounts") == 16
    assert len(told(made.run("runs", "show", "1", "--json"))["writes"]) == 18


def test_a_run_that_is_none_is_told(past: Quickstart) -> None:
    result = past.run("runs", "show", "77")
    assert result.exit_code == 1
    assert "there is no run 77" in result.stderr


def test_no_run_yet(tmp_path: Path) -> None:
    made = laid_out(tmp_path)
    assert made.run("runs").stdout == "No run yet.\n"
    assert made.run("errors").stdout == "No open errors.\n"
    assert made.run("retry", "--yes").stdout == "No open errors.\n"
    assert not (tmp_path / ".sync-run" / "state.duckdb").exists()


def test_retry_skip_and_unskip(tmp_path: Path) -> None:
    made = laid_out(tmp_path)
    assert made.run("apply", "--yes").exit_code == 0
    clash(made)
    last = [made.run("apply", "--yes") for _ in range(3)]
    assert "1 record failed once too often in the same way" in last[1].stdout
    assert last[2].exit_code == 0
    again = made.run("retry", "customers", "a", "--yes")
    assert again.exit_code == 3, again.output
    wrong = made.run("retry", "customers", "77", "--yes")
    assert wrong.exit_code == 1
    assert "'77' does not fail in customers, nor is it set aside" in wrong.stderr
    assert made.run("skip", "customers", "10").exit_code == 0
    skipped = made.run("apply", "--yes", "--json")
    assert skipped.exit_code == 0
    assert json.loads(skipped.stdout)["report"]["counters"]["customers"]["skipped"] == 1
    assert made.run("retry", "--yes").exit_code == 0, "a person's word stands"
    assert made.run("unskip", "customers", "a").exit_code == 0
    assert made.run("apply", "--yes").exit_code == 3
    commands = [run["command"] for run in told(made.run("runs", "--json"))["runs"]]
    assert commands == ["apply", "retry", "apply", "retry", "apply", "apply", "apply", "apply"]
    strange = made.run("skip", "customers", "99")
    assert "'99' is not coupled in customers" in strange.stderr


def test_the_metrics_file_is_written_by_every_run(past: Quickstart) -> None:
    text = (past.folder / "figures.prom").read_text()
    found = {
        (s.name, s.labels.get("outcome") or s.labels.get("state")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    assert found["sync_run_last_run_number", None] == 5
    assert found["sync_run_last_run_exit_code", None] == 0
    assert found["sync_run_last_run_records", "skipped"] == 1
    assert found["sync_run_open_errors", "skipped"] == 1
    assert [path.name for path in past.folder.iterdir() if "prom" in path.name] == ["figures.prom"]


def test_metrics_that_cannot_be_written_are_told_and_stop_nothing(tmp_path: Path) -> None:
    made = laid_out(tmp_path)
    result = made.run("apply", "--yes", "--metrics", str(tmp_path / "nowhere" / "x.prom"))
    assert result.exit_code == 0
    assert "the metrics cannot be written to" in result.stderr


def test_logs_are_lines_and_hold_nothing_of_records_unless_asked(tmp_path: Path) -> None:
    made = laid_out(tmp_path)
    made.run("apply", "--yes")
    clash(made)
    result = made.run("--log-format", "json", "apply", "--yes")
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "run.began", "mapping.read", "mapping.read", "mapping.decided", "mapping.planned",
        "record.failed", "run.ended",
    ]  # fmt: skip
    assert lines[5]["left_key"] == "10"
    assert "Jane" not in result.stderr
    result = made.run("--log-format", "text", "--log-values", "apply", "--yes")
    assert 'label="Jane Doe"' in result.stderr
    quiet = made.run("--log-format", "json", "--quiet", "plan")
    assert quiet.stderr == ""
    (line,) = made.run("--log-format", "json", "plan", "nothing").stderr.splitlines()[:1]
    assert json.loads(line)["level"] == "error"


def test_purge(tmp_path: Path) -> None:
    made = laid_out(tmp_path)
    for _ in range(3):
        made.run("apply", "--yes")
    assert made.run("runs", "purge").stdout == "0 runs forgotten.\n"
    assert made.run("runs", "purge", "--older", "0").stdout == "1 run forgotten.\n"
    assert [r["run"] for r in told(made.run("runs", "--json"))["runs"]] == [3, 1]
    (tmp_path / "sync.yaml").write_text(f"{SYNC}history: {{keep: forever}}\n")
    assert made.run("runs", "purge").exit_code == 1
