"""What others wrote and we compare with: installed on demand, into an environment of its own."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

PACKAGES = ("diffsync", "duckdb", "orjson", "polars")


def python() -> Path:
    """Return the Python that has them, installed the first time."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = caches / "sync-run-bench" / "-".join(PACKAGES)
    found = home / "bin" / "python"
    if not (home / "complete").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([str(found), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (home / "complete").touch()
    return found


def packages() -> Path:
    """Return where they lie, for whoever has the same Python."""
    (found,) = python().parents[1].glob("lib/python*/site-packages")
    return found
