"""Starts the foreign server, once for all its tests."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = Path(__file__).parent / "server"
_READY = "server listening on"


def _installed(request: pytest.FixtureRequest) -> Path:
    """Return a folder in which the server is ready to start; skip where it cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("there is no npm")
    lock = hashlib.sha256((SERVER / "package-lock.json").read_bytes()).hexdigest()[:12]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "sync-run" / f"foreign-{lock}"
    modules = folder / "node_modules"
    if not modules.is_dir():
        if not request.config.getoption("--long"):
            pytest.skip("it is not installed; --long installs it")
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.copytree(SERVER, fresh)
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(fresh)
            pytest.skip(f"npm cannot install it: {done.stderr[-300:]}")
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    shutil.copytree(SERVER, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shop(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of the service; its records are new, and in memory."""
    folder = _installed(request)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = ["node", "node_modules/@sap/cds/bin/serve.js", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        told: list[str] = []
        for line in process.stdout:
            told.append(line)
            if _READY in line:
                break
        else:
            pytest.fail(f"the server did not start: {''.join(told)}")
        # Nobody reads what it says from here on, but its pipe must not run full.
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()
        try:
            yield f"http://127.0.0.1:{port}/odata/v4/shop"
        finally:
            process.terminate()
