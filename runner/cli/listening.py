"""Who hears what happens while a command runs, beside the console: a file, OpenTelemetry."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.cli.console import say
from runner.cli.telemetry import exported
from runner.events import RunEnded, both
from runner.views import metrics
from runner.views.log import WARNING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.events import Event, Tell
    from runner.model import Project


@contextmanager
def listening(project: Project, tell: Tell, figures: Path | None = None) -> Iterator[Tell]:
    """Let everybody hear what ``tell`` is told; what goes to a collector is sent at the end.

    ``figures`` is a file for metrics that goes before that of ``sync.yaml``.
    """
    path = figures or project.metrics
    with exported() as telemetry:
        if path is not None:
            tell = both(tell, _written(project, path))
        yield tell if telemetry is None else both(tell, telemetry)


def _written(project: Project, path: Path) -> Tell:
    def tell(event: Event) -> None:
        if not isinstance(event, RunEnded):
            return
        text = metrics.text(
            event, project=project.name, environment=project.environment, at=time.time()
        )
        # A collector that reads it meanwhile sees the old figures or the new, never half of them.
        half = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            half.write_text(text, encoding="utf-8")
            half.chmod(0o644)  # the collector is somebody else
            half.replace(path)
        except OSError as error:
            half.unlink(missing_ok=True)
            say(f"note: the metrics cannot be written to {path}: {error.strerror}", level=WARNING)

    return tell
