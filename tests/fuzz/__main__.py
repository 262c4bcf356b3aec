"""Fuzz a target for a while: ``python -m tests.fuzz TARGET --seconds 600``.

With atheris (``pip install atheris``) guided by what code was reached; without it, by chance.
What is found is written to the corpus, where it is tried again by every run of the tests.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WORTH_TELLING = 1.0
"""Seconds from which on an input is slow enough to be looked at."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chance", action="store_true", help="without atheris, even if it is here")
    told = parser.parse_args()
    if find_spec("atheris") and not told.chance:
        _guided(told.target, told.seconds, told.seed)
    else:
        _by_chance(told.target, told.seconds, told.seed)


def _guided(name: str, seconds: int, seed: int) -> None:
    import atheris  # noqa: PLC0415 - it is not always here

    with atheris.instrument_imports(include=["runner", "jmespath", "yaml"]):
        from tests.fuzz.seeds import CORPUS, seeds  # noqa: PLC0415
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415
    trial = _Trial(name, TARGETS[name])
    with tempfile.TemporaryDirectory() as folder:
        for n, data in enumerate(seeds(name)):
            (Path(folder) / str(n)).write_bytes(data)
        # What hangs or takes all memory ends the process; libFuzzer then keeps it by itself.
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        options = [f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=20", "-max_len=8192"]
        options += ["-rss_limit_mb=2048", f"-artifact_prefix={CORPUS / name}/"]
        atheris.Setup([sys.argv[0], *options, folder], trial)
        atheris.Fuzz()


def _by_chance(name: str, seconds: int, seed: int) -> None:
    from tests.fuzz.seeds import seeds  # noqa: PLC0415
    from tests.fuzz.spoiling import spoilt  # noqa: PLC0415
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    known, dice = seeds(name), random.Random(seed)  # noqa: S311 - to be repeated
    trial, until = _Trial(name, TARGETS[name]), time.monotonic() + seconds
    while time.monotonic() < until:
        trial(spoilt(known, dice))
    print(trial)


class _Trial:
    """Tries inputs; keeps one of each kind of failure, and what is slower than all before."""

    def __init__(self, name: str, target: Callable[[bytes], None]) -> None:
        self.name, self.target = name, target
        self.count, self.slowest, self.found = 0, 0.0, set[str]()

    def __call__(self, data: bytes) -> None:
        begun = time.process_time()
        try:
            self.target(data)
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            at = traceback.extract_tb(error.__traceback__)[-1]
            mark = f"{type(error).__name__} {at.filename}:{at.lineno}"
            if mark not in self.found:
                self.found.add(mark)
                kept = _kept(self.name, data)
                print(f"found: {kept}: {mark}: {str(error)[:200]}", flush=True)
        spent = time.process_time() - begun
        if spent > max(self.slowest, _WORTH_TELLING):
            self.slowest = spent
            print(f"slow: {spent:.1f} s: {_kept(self.name, data)}", flush=True)
        self.count += 1

    def __str__(self) -> str:
        return f"{self.name}: {self.count} inputs, {len(self.found)} kinds of failure"


def _kept(name: str, data: bytes) -> Path:
    from tests.fuzz.seeds import CORPUS  # noqa: PLC0415

    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    main()
