"""Files for other schedulers: as they are written, and as those who read them understand them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cronsim import CronSim

from runner.errors import RunnerError
from runner.schedule.emit import TARGETS, Command
from runner.schedule.emit.expressions import calendar, cron, cron_in_utc
from runner.schedule.times import times
from tests.schedule.days import job

if TYPE_CHECKING:
    from runner.model import Job

GOLDEN = Path(__file__).parent / "golden"
BEGIN = datetime(2026, 6, 5, 9, 7, 30, tzinfo=UTC)
JOBS = (
    job("often", every=timedelta(minutes=2), mappings=("customers",), quiet=timedelta(hours=12)),
    job("nightly", cron="30 2 * * *", zone="Europe/Copenhagen"),
    job("office", cron="*/30 6-20 * * 1-5"),
)
COMMAND = Command(
    program="/opt/sync-run/bin/sync-run", folder="/srv/contoso 100%", project="Contoso Ltd.",
    environment="prod",
)  # fmt: skip
EVERY = [timedelta(seconds=n) for n in (10, 60, 120, 1800, 3600, 43_200, 86_400)]
CRONS = [
    ("*/30 6-20 * * 1-5", "UTC"), ("30 2 * * *", "Europe/Copenhagen"), ("0 12 * * 7", "UTC"),
    ("0 0 13 * 5", "UTC"), ("5,35 8-18/2 1-7 JAN,jul *", "Asia/Kolkata"), ("0 0 * * sun", "UTC"),
    ("17 4 */2 * *", "UTC"), ("0 9 1 * */2", "UTC"),
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_written(target: str, request: pytest.FixtureRequest) -> None:
    found = TARGETS[target](JOBS, COMMAND)
    text = "".join(f"==> {name}\n{content}" for name, content in found.items())
    golden = GOLDEN / f"{target}.txt"
    if request.config.getoption("--update-golden"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def jobs() -> list[Any]:
    named = [job("j", every=every) for every in EVERY]
    named += [job("j", cron=text, zone=zone) for text, zone in CRONS]
    return [pytest.param(found, id=str(found.every or found.cron)) for found in named]


@pytest.mark.parametrize("of", jobs())
def test_systemd_reads_the_same_times(of: Job) -> None:
    found: set[datetime] = set()
    for event in calendar(of):
        told = subprocess.run(
            [_systemd(), "calendar", "--iterations=6", f"--base-time={BEGIN:%F %T} UTC", event],
            capture_output=True, text=True, check=True, env={"TZ": "UTC"},
        ).stdout  # fmt: skip
        shown = re.findall(r"(?:Next elapse|Iter\. #\d+|\(in UTC\)): \w+ ([\d: -]+) UTC", told)
        found |= {datetime.fromisoformat(text).replace(tzinfo=UTC) for text in shown}
    assert sorted(found)[:2] == list(islice(times(of, BEGIN), 2)), told


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    here = Command(program=sys.executable, folder=str(tmp_path), project="contoso")
    odd = job("odd", every=timedelta(minutes=7))
    files = TARGETS["systemd"]((*JOBS, odd), here)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    told = subprocess.run(
        [_systemd(), "verify", *(str(tmp_path / name) for name in files)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, "")


def _systemd() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not on this machine")
    return found


@pytest.mark.parametrize("of", [p for p in jobs() if p.values[0].every != EVERY[0]])
def test_cron_reads_the_same_times(of: Job) -> None:
    (text,) = TARGETS["cron"]((of,), COMMAND).values()
    zone, line = text.splitlines()[-2:]
    expression = " ".join(line.split()[:5])
    again = job("j", cron=expression, zone=zone.removeprefix("CRON_TZ="))
    assert list(islice(times(again, BEGIN), 9)) == list(islice(times(of, BEGIN), 9))
    assert "7" not in expression.split()[4]


def test_what_cron_cannot_say_is_refused() -> None:
    for every in (timedelta(minutes=7), timedelta(seconds=10), timedelta(days=2)):
        with pytest.raises(RunnerError, match="job j: cron cannot say every"):
            cron(job("j", every=every))
    with pytest.raises(RunnerError, match="a calendar event cannot say '0 0 L"):
        calendar(job("j", cron="0 0 L * *"))


def test_who_knows_no_zones_calls_every_hour() -> None:
    assert cron_in_utc(JOBS[1]) == "30 * * * *"
    assert cron_in_utc(job("j", cron="30 2 * * *", zone="Asia/Kolkata")) == "*/15 * * * *"
    assert cron_in_utc(JOBS[2]) == "*/30 6-20 * * 1,2,3,4,5"
    for of in JOBS:
        called = CronSim(cron_in_utc(of), BEGIN)
        due = next(times(of, BEGIN))
        assert due == next(moment for moment in called if moment >= due)


def loaded(target: str) -> list[Any]:
    (text,) = TARGETS[target](JOBS, COMMAND).values()
    return list(yaml.safe_load_all(text))


def test_kubernetes_objects() -> None:
    claim, *found = loaded("kubernetes")
    assert claim["kind"] == "PersistentVolumeClaim"
    for one, of in zip(found, JOBS, strict=True):
        assert (one["apiVersion"], one["kind"]) == ("batch/v1", "CronJob")
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", one["metadata"]["name"])
        spec = one["spec"]
        assert set(spec) == {
            "schedule", "timeZone", "concurrencyPolicy", "startingDeadlineSeconds", "suspend",
            "successfulJobsHistoryLimit", "failedJobsHistoryLimit", "jobTemplate",
        }  # fmt: skip
        assert spec["concurrencyPolicy"] == "Forbid"
        again = job("j", cron=spec["schedule"], zone=spec["timeZone"])
        assert next(times(again, BEGIN)) == next(times(of, BEGIN))
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never"
        (container,) = pod["containers"]
        assert [m["name"] for m in container["volumeMounts"]] == [v["name"] for v in pod["volumes"]]
        assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert f"schedule {of.name} --once" in container["command"][-1]


def test_the_pipelines_of_build_servers() -> None:
    (github,) = loaded("github")
    assert set(github) == {"name", "on", "concurrency", "permissions", "jobs"}
    assert github["on"]["schedule"] == [
        {"cron": "*/5 * * * *"},
        {"cron": "30 2 * * *", "timezone": "Europe/Copenhagen"},
        {"cron": "*/30 6-20 * * 1,2,3,4,5"},
    ]
    assert github["concurrency"]["cancel-in-progress"] is False
    (azure,) = loaded("azure")
    assert set(azure) == {"trigger", "pr", "schedules", "pool", "variables", "steps"}
    for entry in azure["schedules"]:
        assert next(iter(entry)) == "cron"
        assert entry["always"] is True
        assert set(entry) == {"cron", "displayName", "branches", "always", "batch"}
    for script in (github["jobs"]["schedule"]["steps"][-1]["run"], azure["steps"][-1]["bash"]):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)  # noqa: S607
