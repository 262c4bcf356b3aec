"""How many requests a thousand new and a thousand changed records take, system by system.

    python -m tests.bench.requests [--size 1000] [--json]

Counted at the sandboxes, at the pace that is usual for each system. A client that writes one by one
sends as many requests as there are records.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from runner.connectors.microsoft import business_central, dataverse, nav
from runner.wire import Written
from tests.connectors.systems import BC, CRM, NAV

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.connectors.line.pace import Pace
    from runner.wire import Write
    from tests.connectors.systems import Line, System

SYSTEMS: dict[str, tuple[System, Pace]] = {
    "NAV 2018": (NAV, nav.PACE),
    "Dataverse": (CRM, dataverse.PACE),
    "Business Central": (BC, business_central.PACE),
}


async def _counted(system: System, pace: Pace, size: int, folder: Path) -> tuple[int, int]:
    connector, line, _ = system.opened(folder, pace=asdict(pace))
    chosen = connector.capabilities.client_keys
    await connector.describe([system.entity])
    keys = (f"{n:08}-0000-4000-8000-00000000000e" if chosen else None for n in range(size))
    new = [system.fresh(key) for key in keys]

    async def sent(writes: Sequence[Write], line: Line) -> tuple[list[str], int]:
        before = len(line.passed)
        outcomes = await connector.write(writes)
        made = [outcome.key for outcome in outcomes if isinstance(outcome, Written)]
        assert len(made) == len(writes), outcomes
        return made, len(line.passed) - before

    made, creating = await sent(new, line)
    # Each is bound to the version that was seen.
    etags = {
        key: page.etags[n]
        async for page in connector.pages(system.query())
        for n, key in enumerate(page.keys)
    }
    changed = [system.update(key, etags[key], **{system.text: "Changed"}) for key in made]
    _, changing = await sent(changed, line)
    await connector.close()
    return creating, changing


def table(size: int) -> list[dict[str, Any]]:
    """Count for each system."""
    rows = []
    for name, (system, pace) in SYSTEMS.items():
        with TemporaryDirectory() as folder:
            creating, changing = asyncio.run(_counted(system, pace, size, Path(folder)))
        rows.append({"system": name, "size": size, "creating": creating, "changing": changing})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = table(options.size)
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(f"{'system':<18}{'records':>9}{'to create':>11}{'to change':>11}")
    for row in rows:
        print(f"{row['system']:<18}{row['size']:>9,}{row['creating']:>11,}{row['changing']:>11,}")


if __name__ == "__main__":
    main()
