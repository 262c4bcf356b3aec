"""How much memory this process had at the most."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> float:
    """Return the peak of its resident memory in MB (Linux).

    Not ``getrusage``: there a process begins with the peak of the one that started it.
    """
    told = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in told.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
