"""Past runs as bars: what each wrote, and what failed."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Document = dict[str, Any]

SHOWN = ("inserted", "modified", "deleted", "coupled", "failed")
"""Counters that the table of runs shows."""
_WRITTEN = ("inserted", "modified", "deleted")
_BAR, _GAP, _HEIGHT, _FOOT, _LEFT = 18, 6, 120, 20, 48
_MOST = 40


def runs(found: Sequence[Document]) -> str:
    """Draw the last runs, the oldest on the left: written records, and failed ones below them."""
    shown = list(reversed(found[:_MOST]))
    sums = [(_written(run), run["counters"].get("failed", 0)) for run in shown]
    top = max((written + failed for written, failed in sums), default=0) or 1
    scale = (_HEIGHT - 12) / top
    bars = "".join(
        _bar(n, run, written, failed, scale)
        for n, (run, (written, failed)) in enumerate(zip(shown, sums, strict=True))
    )
    width = _LEFT + len(shown) * (_BAR + _GAP) + _GAP
    height = _HEIGHT + _FOOT
    label = f"Records written and failed in the last {len(shown)} runs; at most {top:,} in one"
    return (
        f'<p><span class="swatch" style="background:var(--good)"></span>written '
        f'<span class="swatch" style="background:var(--bad)"></span>failed</p>'
        f'<div class="picture" role="region" aria-label="Chart of runs" tabindex="0">'
        f'<svg class="chart" role="img" aria-label="{label}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">'
        f'<line x1="{_LEFT}" y1="{_HEIGHT}" x2="{width}" y2="{_HEIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="16" text-anchor="end">{top:,}</text>'
        f'<text x="{_LEFT - 6}" y="{_HEIGHT}" text-anchor="end">0</text>{bars}</svg></div>'
    )


def _written(run: Document) -> int:
    return sum(run["counters"].get(name, 0) for name in _WRITTEN)


def _bar(n: int, run: Document, written: int, failed: int, scale: float) -> str:
    x = _LEFT + _GAP + n * (_BAR + _GAP)
    title = escape(f"run {run['run']}, {run['started']}: {written:,} written, {failed:,} failed")
    high, low = written * scale, failed * scale
    return (
        f"<g><title>{title}</title>"
        f'<rect class="written" x="{x}" y="{_HEIGHT - high - low:.1f}" width="{_BAR}" '
        f'height="{high:.1f}"/>'
        f'<rect class="failed" x="{x}" y="{_HEIGHT - low:.1f}" width="{_BAR}" height="{low:.1f}"/>'
        f'<text x="{x + _BAR / 2}" y="{_HEIGHT + 14}" text-anchor="middle">{run["run"]}</text></g>'
    )
