"""Runs as spans and instruments, by the SDK's own exporters in memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from runner.cli.telemetry import Telemetry, asked_for, exported
from runner.wire import Rejected
from tests.apply.test_history import PLAIN
from tests.world import world

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan


def telemetry(events: list[Any]) -> tuple[dict[str, ReadableSpan], dict[str, dict[str, float]]]:
    """Replay events; return spans by name and the points of instruments by name."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces, metrics = TracerProvider(), MeterProvider(metric_readers=[reader])
    traces.add_span_processor(SimpleSpanProcessor(spans))
    listener = Telemetry(traces.get_tracer("test"), metrics.get_meter("test"))
    for event in events:
        listener(event)
    points: dict[str, dict[str, float]] = {}
    for of_resource in reader.get_metrics_data().resource_metrics:  # type: ignore[union-attr]
        for metric in (m for scope in of_resource.scope_metrics for m in scope.metrics):
            for point in metric.data.data_points:
                labels = ",".join(str(v) for v in (point.attributes or {}).values())
                value = getattr(point, "value", getattr(point, "count", None))
                points.setdefault(metric.name, {})[labels] = value  # type: ignore[assignment]
    traces.shutdown()
    metrics.shutdown()
    return {span.name: span for span in spans.get_finished_spans()}, points


@pytest.fixture
def heard(tmp_path: Path) -> list[Any]:
    made = world(tmp_path, PLAIN)
    made.shop.put("Customer", "10", Name="Jane Doe", Phone="1")
    made.shop.put("Customer", "20", Name="John Doe", Phone="1")
    made.desk.fails = lambda write: (
        Rejected(code="7", message="not Jane") if write.values["number"] == "10" else None
    )
    made.apply()
    return list(made.heard)


def test_a_run_is_a_tree_of_spans(heard: list[Any]) -> None:
    spans, _ = telemetry(heard)
    assert set(spans) == {
        "sync-run apply", "customers", "read shop", "read desk", "decide", "write",
    }  # fmt: skip
    run, mapping = spans["sync-run apply"], spans["customers"]
    assert run.parent is None
    for name, parent in [("customers", run), *((n, mapping) for n in ("decide", "write"))]:
        assert spans[name].parent == parent.get_span_context()
    assert run.status.status_code is StatusCode.ERROR
    attributes = dict(run.attributes or {})
    assert (attributes["sync_run.run"], attributes["sync_run.exit_code"]) == (1, 3)
    assert dict(spans["write"].attributes or {})["sync_run.count.inserted"] == 1
    for span in spans.values():
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time


def test_a_record_that_failed_is_told_by_its_keys_alone(heard: list[Any]) -> None:
    spans, _ = telemetry(heard)
    (failed,) = spans["customers"].events
    assert dict(failed.attributes or {}) == {"kind": "rejected", "left_key": "10", "right_key": ""}
    assert "Doe" not in "".join(span.to_json() for span in spans.values())


def test_the_figures_of_a_run(heard: list[Any]) -> None:
    _, points = telemetry(heard)
    assert points["sync_run.records"]["customers,inserted"] == 1
    assert points["sync_run.records"]["customers,failed"] == 1
    assert points["sync_run.open_errors"]["customers,failing"] == 1
    assert points["sync_run.phase.duration"]["customers,decide"] == 1
    assert points["sync_run.run.duration"]["3"] == 1


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, "", id="not asked for"),
        pytest.param({"OTEL_SERVICE_NAME": "x"}, "", id="a name is no address"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "x"}, "OTEL_EXPORTER_OTLP_ENDPOINT", id="all"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "x"},
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            id="traces",
        ),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"}, "", id="disabled"
        ),
    ],
)
def test_it_is_asked_for_by_the_standard_variables(
    variables: dict[str, str], expected: str
) -> None:
    assert asked_for(variables) == expected


def test_what_is_missing_is_told_only_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with exported() as tell:
        assert tell is None
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with exported() as tell:
        assert tell is None
    assert "pip install 'sync-run[otel]'" in capsys.readouterr().err
