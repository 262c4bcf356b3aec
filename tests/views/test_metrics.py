"""The metrics file, read by Prometheus' own parser."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from runner.views import metrics
from tests.views.test_log import ENDED


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_of_a_run() -> None:
    ended = replace(ENDED, succeeded=1000.5)
    found = samples(metrics.text(ended, project="contoso", environment="prod", at=2000.25))
    of = {("project", "contoso"), ("environment", "prod")}

    def value(name: str, **labels: str) -> float:
        return found.pop((f"sync_run_{name}", frozenset(of | set(labels.items()))))

    assert value("last_run_timestamp_seconds") == 2000.25
    assert value("last_run_number") == 7
    assert value("last_run_duration_seconds") == 1.235
    assert value("last_run_exit_code") == 3
    assert value("last_success_timestamp_seconds") == 1000.5
    assert value("last_run_records", mapping="customers", outcome="inserted") == 1
    assert value("last_run_records", mapping="customers", outcome="failed") == 2
    assert value("last_run_requests", system="crm") == 12
    assert value("open_errors", mapping="customers", state="failing") == 2
    assert value("open_errors", mapping="customers", state="skipped") == 0
    assert value("open_errors", mapping="contacts", state="failing") == 0
    assert not found


def test_a_run_that_did_nothing_has_fewer_of_them() -> None:
    ended = replace(ENDED, exit_code=1, counters={}, requests={}, open_errors={})
    names = {name for name, _ in samples(metrics.text(ended, project="p", environment="", at=1))}
    assert names == {
        f"sync_run_last_run_{name}"
        for name in ("timestamp_seconds", "number", "duration_seconds", "exit_code")
    }


def test_a_name_never_breaks_the_format() -> None:
    name = 'a "quoted" \\ name\nof two lines'
    found = samples(metrics.text(ENDED, project=name, environment="", at=1))
    assert {dict(labels)["project"] for _, labels in found} == {name}
