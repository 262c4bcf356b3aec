"""The command that a timer calls, and the project that it is about."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace

HEAD = "Written by `sync-run schedule --emit`; change the jobs in sync.yaml, and write it anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How sync-run is called for one project: its program, the folder, the environment if any."""

    program: str
    folder: str
    project: str
    environment: str = ""

    @property
    def name(self) -> str:
        """What files and objects are called: small letters, digits and ``-``, at most 40."""
        told = f"{self.project}-{self.environment}" if self.environment else self.project
        return re.sub(r"[^a-z0-9]+", "-", told.lower()).strip("-")[:40].strip("-") or "project"

    def inside(self, folder: str) -> Command:
        """Return the command where the project is in another folder, and sync-run on the path."""
        return replace(self, program="sync-run", folder=folder)

    def words(self, *jobs: str) -> tuple[str, ...]:
        """Return the words of the command that runs what is due of these jobs (none: of all)."""
        environment = ("--env", self.environment) if self.environment else ()
        return (self.program, "-C", self.folder, *environment, "schedule", *jobs, "--once")

    def line(self, *jobs: str) -> str:
        """Return the command as a shell reads it."""
        return shlex.join(self.words(*jobs))
