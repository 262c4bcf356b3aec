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
        from tests.fuzz.seeds import seeds  # noqa: PLC0415
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415
    target = TARGETS[name]

    def one(data: bytes) -> None:
        try:
            target(data)
        except Exception:
            print(f"found: {_kept(name, data)}")
            raise

    with tempfile.TemporaryDirectory() as folder:
        for n, data in enumerate(seeds(name)):
            (Path(folder) / str(n)).write_bytes(data)
        options = [f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=20", "-max_len=8192"]
        atheris.Setup([sys.argv[0], *options, "-rss_limit_mb=2048", folder], one)
        atheris.Fuzz()


def _by_chance(name: str, seconds: int, seed: int) -> None:
    from tests.fuzz.seeds import seeds  # noqa: PLC0415
    from tests.fuzz.spoiling import spoilt  # noqa: PLC0415
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    known, dice, found = seeds(name), random.Random(seed), set[str]()  # noqa: S311 - to be repeated
    until, count, slowest = time.monotonic() + seconds, 0, 0.0
    while time.monotonic() < until:
        data = spoilt(known, dice)
        begun = time.process_time()
        try:
            TARGETS[name](data)
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            at = traceback.extract_tb(error.__traceback__)[-1]
            mark = f"{type(error).__name__} {at.filename}:{at.lineno}"
            if mark not in found:
                found.add(mark)
                print(f"found: {_kept(name, data)}: {mark}: {str(error)[:200]}", flush=True)
        spent = time.process_time() - begun
        if spent > max(slowest, _WORTH_TELLING):
            slowest = spent
            print(f"slow: {spent:.1f} s: {_kept(name, data)}", flush=True)
        count += 1
    print(f"{name}: {count} inputs in {seconds} s, {len(found)} kinds of failure")


def _kept(name: str, data: bytes) -> Path:
    from tests.fuzz.seeds import CORPUS  # noqa: PLC0415

    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    main()
