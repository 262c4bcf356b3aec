"""How long a command takes that does next to nothing: what people feel.

    python -m tests.bench.start [--repeat 10] [--json]

The comparison is ``python -c "import duckdb"``, run in turn with them; the fastest of each counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

RUNNER = [sys.executable, "-m", "runner"]
IMPORT = [sys.executable, "-c", "import duckdb"]


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def table(repeat: int) -> list[dict[str, float | str]]:
    """Measure each in turn; ratios are to the bare import."""
    with TemporaryDirectory() as name:
        folder = str(Path(name) / "project")
        seconds([*RUNNER, "init", folder])
        works = {
            "import duckdb": IMPORT,
            "--help": [*RUNNER, "--help"],
            "validate": [*RUNNER, "-C", folder, "validate"],
            "plan, first": [*RUNNER, "-C", folder, "plan"],
        }
        rounds = [{work: seconds(works[work]) for work in works} for _ in range(repeat)]
    fastest = {work: min(told[work] for told in rounds) for work in works}
    bare = fastest["import duckdb"]
    return [{"work": w, "seconds": s, "ratio": s / bare} for w, s in fastest.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = table(options.repeat)
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    for row in rows:
        print(f"{row['work']:<16}{row['seconds']:>8.2f} s{row['ratio']:>8.1f}")


if __name__ == "__main__":
    main()
