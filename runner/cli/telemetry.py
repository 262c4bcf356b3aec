"""Runs as OpenTelemetry traces and metrics, where the standard variables ask for them.

A run is a span, each mapping one within it, and each phase (read, decide, write) one within that.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runner import __version__
from runner.cli.console import say
from runner.events import PhaseDone, RecordFailed, RunBegan, RunEnded
from runner.views.log import WARNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.events import Event, Tell

_ASKING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_NANO = 1_000_000_000


def asked_for(variables: Mapping[str, str]) -> str:
    """Return the variable that says where telemetry goes to; empty where none does."""
    if variables.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    return next((name for name in _ASKING if variables.get(name)), "")


@contextmanager
def exported() -> Iterator[Tell | None]:
    """Send what is told to the collector of the environment; ``None`` where there is none."""
    variable = asked_for(os.environ)
    if not variable:
        yield None
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        say(f"note: {variable} is set, and OpenTelemetry is not installed", level=WARNING)
        hint = "`pip install 'sync-run[otel]'`, or set OTEL_SDK_DISABLED=true"
        say(f"  hint: {hint}", level=WARNING)
        yield None
        return
    _ours(logging.getLogger("opentelemetry"))
    service = {"service.name": os.environ.get("OTEL_SERVICE_NAME") or "sync-run"}
    resource = Resource.create({**service, "service.version": __version__})
    traces, readers = TracerProvider(resource=resource), []
    if os.environ.get("OTEL_TRACES_EXPORTER") != "none":
        traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    if os.environ.get("OTEL_METRICS_EXPORTER") != "none":
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    metrics = MeterProvider(resource=resource, metric_readers=readers)
    try:
        yield Telemetry(traces.get_tracer("sync-run"), metrics.get_meter("sync-run"))
    finally:
        traces.shutdown()
        metrics.shutdown()


def _ours(logger: logging.Logger) -> None:
    """Let the library say what went wrong as we do: once it has, and not that it tries again."""
    logger.handlers, logger.propagate = [_Said(logging.ERROR)], False


class _Said(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"note: OpenTelemetry: {record.getMessage()}", level=WARNING)


class Telemetry:
    """Turns what is told into spans and instruments: a listener to one command.

    ``tracer`` and ``meter`` are OpenTelemetry's. Of records it tells keys, never what they hold.
    """

    def __init__(self, tracer: Any, meter: Any) -> None:
        self._tracer = tracer
        self._records = meter.create_counter(
            "sync_run.records", description="by what became of them"
        )
        self._requests = meter.create_counter("sync_run.requests")
        self._run_time = meter.create_histogram("sync_run.run.duration", unit="s")
        self._phase_time = meter.create_histogram("sync_run.phase.duration", unit="s")
        self._errors = meter.create_gauge("sync_run.open_errors")
        self._run: Any = None
        self._mappings: dict[str, tuple[Any, int]] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case RunBegan():
                self._run = self._tracer.start_span(f"sync-run {event.command}")
                self._run.set_attribute("sync_run.run", event.run)
                self._run.set_attribute("sync_run.mode", event.mode)
            case PhaseDone():
                self._phase(event)
            case RecordFailed():
                self._failed(event)
            case RunEnded():
                self._ended(event)
            case _:
                pass

    def _phase(self, event: PhaseDone) -> None:
        of = {"mapping": event.mapping, "phase": event.phase}
        of |= {"system": event.system} if event.system else {}
        self._phase_time.record(event.seconds, of)
        if self._run is None:
            return
        end = time.time_ns()
        start = end - int(event.seconds * _NANO)
        mapping, _ = self._mappings.get(event.mapping) or (
            self._begun(event.mapping, self._run, start),
            0,
        )
        self._mappings[event.mapping] = mapping, end
        span = self._begun(f"{event.phase} {event.system}".rstrip(), mapping, start)
        for name, value in (of | {f"count.{k}": n for k, n in event.counts.items()}).items():
            span.set_attribute(f"sync_run.{name.replace(' ', '_')}", value)
        span.end(end_time=end)

    def _begun(self, name: str, parent: Any, start: int) -> Any:
        from opentelemetry.trace import set_span_in_context

        return self._tracer.start_span(name, context=set_span_in_context(parent), start_time=start)

    def _failed(self, event: RecordFailed) -> None:
        if event.mapping in self._mappings:
            keys = {"left_key": event.left_key or "", "right_key": event.right_key or ""}
            span, _ = self._mappings[event.mapping]
            span.add_event("record failed", {"kind": event.kind, **keys})

    def _ended(self, event: RunEnded) -> None:
        from opentelemetry.trace import Status, StatusCode

        for mapping, counters in event.counters.items():
            for outcome, n in counters.items():
                self._records.add(n, {"mapping": mapping, "outcome": outcome})
        for system, n in event.requests.items():
            self._requests.add(n, {"system": system})
        for mapping, states in event.open_errors.items():
            for state, n in states.items():
                self._errors.set(n, {"mapping": mapping, "state": state})
        self._run_time.record(event.seconds, {"exit_code": event.exit_code})
        for span, end in self._mappings.values():
            span.end(end_time=end)
        if self._run is not None:
            self._run.set_attribute("sync_run.exit_code", event.exit_code)
            for system, n in event.requests.items():
                self._run.set_attribute(f"sync_run.requests.{system}", n)
            if event.exit_code:
                self._run.set_status(Status(StatusCode.ERROR, event.message))
            self._run.end()
        self._run, self._mappings = None, {}
